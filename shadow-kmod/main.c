// SPDX-License-Identifier: GPL-2.0
/* Module entry and exit of recov_shadow. */
#include <linux/module.h>

#include "held.h"
#include "inject.h"
#include "release.h"
#include "shadow.h"
#include "tap.h"
#include "trap.h"

static int __init recov_shadow_init(void)
{
	int err;

	err = ksym_init();
	if (err)
		return err;
	err = held_init();
	if (err)
		return err;
	err = release_init();
	if (err)
		return err;
	err = swap_init();
	if (err)
		return err;
	err = recov_trap_init();
	if (err)
		goto err_swap;
	err = tap_init();
	if (err)
		goto err_trap;
	err = inject_init();
	if (err)
		goto err_tap;
	err = session_init();
	if (err)
		goto err_inject;
	return 0;

err_inject:
	inject_uninit();
err_tap:
	tap_uninit();
err_trap:
	recov_trap_uninit();
	fault_uninit();
err_swap:
	swap_uninit();
	return err;
}

static void __exit recov_shadow_exit(void)
{
	session_uninit();
	inject_uninit();
	tap_uninit();
	recov_trap_uninit();
	fault_uninit();
	swap_uninit();
}

module_init(recov_shadow_init);
module_exit(recov_shadow_exit);
MODULE_LICENSE("GPL");
MODULE_AUTHOR("The recoverd maintainers");
MODULE_DESCRIPTION("Keeps the users of a driver served while the driver is swapped");
