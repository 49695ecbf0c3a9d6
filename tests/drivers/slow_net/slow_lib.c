// SPDX-License-Identifier: GPL-2.0
/* The module that slow_net depends on, with a slow unload of its own. */
#include <linux/delay.h>
#include <linux/module.h>

#include "slow_lib.h"

static unsigned int exit_ms;
module_param(exit_ms, uint, 0644);
MODULE_PARM_DESC(exit_ms, "how long unloading takes");

void slow_sleep(const char *where, unsigned int ms)
{
	if (!ms)
		return;
	pr_info("slow_net: %s takes %u ms\n", where, ms);
	msleep(ms);
}
EXPORT_SYMBOL_GPL(slow_sleep);

static int __init slow_lib_init(void)
{
	return 0;
}

static void __exit slow_lib_exit(void)
{
	slow_sleep("exit of slow_lib", exit_ms);
}

module_init(slow_lib_init);
module_exit(slow_lib_exit);

MODULE_DESCRIPTION("Test module that slow_net depends on");
MODULE_LICENSE("GPL");
