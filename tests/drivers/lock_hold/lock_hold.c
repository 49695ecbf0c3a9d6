// SPDX-License-Identifier: GPL-2.0
/*
 * Holds a lock of the network, so that a test can stop whatever needs it: rtnl for as many milliseconds
 * as are written to the parameter `rtnl_ms`, or that of the addresses of the device whose name is
 * written to `addresses`, for 16 seconds.
 */
#include <linux/delay.h>
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/netdevice.h>
#include <linux/rtnetlink.h>
#include <linux/string.h>

#define LONGEST_MS   10000
#define ADDRESSES_MS 16000 /* RCU complains of 21 seconds */

static int hold_rtnl(const char *value, const struct kernel_param *param)
{
	unsigned int ms;
	int err;

	err = kstrtouint(value, 0, &ms);
	if (err)
		return err;
	rtnl_lock();
	pr_info("lock_hold: rtnl is held for %u ms\n", ms);
	msleep(min_t(unsigned int, ms, LONGEST_MS));
	rtnl_unlock();
	return 0;
}

static int hold_addresses(const char *value, const struct kernel_param *param)
{
	char name[IFNAMSIZ + 1];
	struct net_device *dev;
	ktime_t end;

	strscpy(name, value, sizeof(name));
	dev = dev_get_by_name(&init_net, strim(name));
	if (!dev)
		return -ENODEV;
	netif_addr_lock_bh(dev);
	pr_info("lock_hold: the addresses of %s are locked\n", name);
	end = ktime_add_ms(ktime_get(), ADDRESSES_MS);
	while (ktime_before(ktime_get(), end))
		cpu_relax();
	netif_addr_unlock_bh(dev);
	dev_put(dev);
	return 0;
}

static const struct kernel_param_ops rtnl_ops = {.set = hold_rtnl};
module_param_cb(rtnl_ms, &rtnl_ops, NULL, 0200);
MODULE_PARM_DESC(rtnl_ms, "hold rtnl that long, now");

static const struct kernel_param_ops addresses_ops = {.set = hold_addresses};
module_param_cb(addresses, &addresses_ops, NULL, 0200);
MODULE_PARM_DESC(addresses, "hold the lock of this device's addresses, now");

static int __init hold_init(void)
{
	return 0;
}

static void __exit hold_exit(void)
{
}

module_init(hold_init);
module_exit(hold_exit);

MODULE_DESCRIPTION("Test module that holds locks of the network");
MODULE_LICENSE("GPL");
