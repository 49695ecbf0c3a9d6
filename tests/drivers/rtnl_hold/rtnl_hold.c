// SPDX-License-Identifier: GPL-2.0
/*
 * Holds the rtnl lock for as long as is written to its parameter `ms`, so that a test can stop
 * whatever is about to configure a network device.
 */
#include <linux/delay.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/rtnetlink.h>

#define LONGEST_MS 10000

static int hold_set(const char *value, const struct kernel_param *param)
{
	unsigned int ms;
	int err;

	err = kstrtouint(value, 0, &ms);
	if (err)
		return err;
	rtnl_lock();
	pr_info("rtnl_hold: held for %u ms\n", ms);
	msleep(min_t(unsigned int, ms, LONGEST_MS));
	rtnl_unlock();
	return 0;
}

static const struct kernel_param_ops hold_ops = {
	.set = hold_set,
};
module_param_cb(ms, &hold_ops, NULL, 0200);
MODULE_PARM_DESC(ms, "hold the lock that long, now");

static int __init hold_init(void)
{
	return 0;
}

static void __exit hold_exit(void)
{
}

module_init(hold_init);
module_exit(hold_exit);

MODULE_DESCRIPTION("Test module that holds rtnl");
MODULE_LICENSE("GPL");
