// SPDX-License-Identifier: GPL-2.0
/*
 * What a driver registers with the kernel and never unregisters. The function of a timer, a work or
 * a NAPI is leaky's own, as nothing will ever call it; what can be called is leaky_friend's.
 */
#include <linux/blk-mq.h>
#include <linux/cdev.h>
#include <linux/debugfs.h>
#include <linux/device.h>
#include <linux/device/class.h>
#include <linux/err.h>
#include <linux/etherdevice.h>
#include <linux/fs.h>
#include <linux/hrtimer.h>
#include <linux/jiffies.h>
#include <linux/kdev_t.h>
#include <linux/kobject.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/netdevice.h>
#include <linux/proc_fs.h>
#include <linux/sysfs.h>
#include <linux/timer.h>
#include <linux/version.h>
#include <linux/workqueue.h>

#include "leaky.h"
#include "leaky_friend.h"

/* Longer than any guest lives. */
#define LEAKY_FAR_SECONDS (24 * 60 * 60)

/* leaky_call: the name of what is leaked, for the truth and for the kernel; NULL without room. */
static const char *leaky_call(struct leaky_truth *truth, const char *stem)
{
	const char *name = leaky_friend_name(stem);

	if (name)
		strscpy(truth->name, name, sizeof(truth->name));
	return name;
}

/* ---- Things for later ---- */

static void leaky_timer_never(struct timer_list *timer)
{
}

static noinline int leaky_leak_timer(struct leaky_truth *truth, const unsigned long *args)
{
	struct timer_list *timer = leaky_friend_room(sizeof(*timer));

	if (!timer)
		return -ENOSPC;
	timer_setup(timer, leaky_timer_never, 0);
	mod_timer(timer, jiffies + LEAKY_FAR_SECONDS * HZ);
	return leaky_done(truth, __func__, (unsigned long)timer);
}

static enum hrtimer_restart leaky_hrtimer_never(struct hrtimer *timer)
{
	return HRTIMER_NORESTART;
}

static noinline int leaky_leak_hrtimer(struct leaky_truth *truth, const unsigned long *args)
{
	struct hrtimer *timer = leaky_friend_room(sizeof(*timer));

	if (!timer)
		return -ENOSPC;
	hrtimer_init(timer, CLOCK_MONOTONIC, HRTIMER_MODE_REL);
	timer->function = leaky_hrtimer_never;
	hrtimer_start(timer, ktime_set(LEAKY_FAR_SECONDS, 0), HRTIMER_MODE_REL);
	return leaky_done(truth, __func__, (unsigned long)timer);
}

static void leaky_work_never(struct work_struct *work)
{
}

/* Queued behind one that never ends. */
static noinline int leaky_leak_work(struct leaky_truth *truth, const unsigned long *args)
{
	struct work_struct *work = leaky_friend_room(sizeof(*work));
	struct workqueue_struct *queue = leaky_friend_stuck();

	if (!work || !queue)
		return -ENOSPC;
	INIT_WORK(work, leaky_work_never);
	queue_work(queue, work);
	return leaky_done(truth, __func__, (unsigned long)work);
}

/* The object is the delayed_work, which is also where its work begins. */
static noinline int leaky_leak_delayed_work(struct leaky_truth *truth, const unsigned long *args)
{
	struct delayed_work *work = leaky_friend_room(sizeof(*work));

	if (!work)
		return -ENOSPC;
	INIT_DELAYED_WORK(work, leaky_work_never);
	schedule_delayed_work(work, LEAKY_FAR_SECONDS * HZ);
	return leaky_done(truth, __func__, (unsigned long)work);
}

static noinline int leaky_leak_workqueue(struct leaky_truth *truth, const unsigned long *args)
{
	const char *name = leaky_call(truth, "wq");

	if (!name)
		return -ENOSPC;
	return leaky_done(truth, __func__, (unsigned long)alloc_workqueue("%s", 0, 0, name));
}

/* ---- Network devices ---- */

static int leaky_poll_never(struct napi_struct *napi, int budget)
{
	return 0;
}

/* Never enabled, on a network device of the friend. */
static noinline int leaky_leak_napi(struct leaky_truth *truth, const unsigned long *args)
{
	struct napi_struct *napi = leaky_friend_room(sizeof(*napi));
	struct net_device *netdev = leaky_friend_netdev();

	if (!napi || !netdev)
		return -ENOSPC;
	netif_napi_add(netdev, napi, leaky_poll_never);
	return leaky_done(truth, __func__, (unsigned long)napi);
}

static noinline int leaky_leak_netdev(struct leaky_truth *truth, const unsigned long *args)
{
	return leaky_done(truth, __func__, (unsigned long)alloc_etherdev(0));
}

/* Neither unregistered nor freed: two leaks of one object. */
static noinline int leaky_leak_netdev_registered(struct leaky_truth *truth,
						 const unsigned long *args)
{
	struct net_device *netdev = alloc_etherdev(0);
	int err;

	if (!netdev)
		return -ENOMEM;
	netdev->netdev_ops = &leaky_friend_netdev_ops;
	strscpy(netdev->name, "leaky%d", sizeof(netdev->name));
	eth_hw_addr_random(netdev);
	/* Keeps the friend. */
	if (!leaky_friend_netdev())
		err = -ENOSPC;
	else
		err = register_netdev(netdev);
	if (err) {
		free_netdev(netdev);
		return err;
	}
	strscpy(truth->name, netdev->name, sizeof(truth->name));
	truth->also = "netdev";
	return leaky_done(truth, __func__, (unsigned long)netdev);
}

/* ---- Character and block devices ---- */

static noinline int leaky_leak_cdev(struct leaky_truth *truth, const unsigned long *args)
{
	dev_t number = leaky_friend_number();
	struct cdev *cdev;
	int err;

	if (!number)
		return -ENOSPC;
	cdev = cdev_alloc();
	if (!cdev)
		return -ENOMEM;
	cdev->ops = &leaky_friend_fops;
	cdev->owner = leaky_friend_fops.owner;
	err = cdev_add(cdev, number, 1);
	if (err) {
		cdev_del(cdev);
		return err;
	}
	snprintf(truth->name, sizeof(truth->name), "%u:%u", MAJOR(number), MINOR(number));
	return leaky_done(truth, __func__, (unsigned long)cdev);
}

static noinline int leaky_leak_misc(struct leaky_truth *truth, const unsigned long *args)
{
	struct miscdevice *misc = leaky_friend_room(sizeof(*misc));
	int err;

	if (!misc)
		return -ENOSPC;
	misc->minor = MISC_DYNAMIC_MINOR;
	misc->name = leaky_call(truth, "misc");
	misc->fops = &leaky_friend_fops;
	if (!misc->name)
		return -ENOSPC;
	err = misc_register(misc);
	if (err)
		return err;
	return leaky_done(truth, __func__, (unsigned long)misc);
}

/* The object is the first number. */
static noinline int leaky_leak_chrdev_region(struct leaky_truth *truth, const unsigned long *args)
{
	dev_t number;
	int err;

	err = alloc_chrdev_region(&number, 0, 4, "leaky-region");
	if (err)
		return err;
	truth->count = 4;
	snprintf(truth->name, sizeof(truth->name), "%u:%u", MAJOR(number), MINOR(number));
	return leaky_done(truth, __func__, number);
}

/* 6.9 passes limits: 27e32cd23fed ("block: pass a queue_limits argument to blk_mq_alloc_disk"). */
static noinline int leaky_leak_disk(struct leaky_truth *truth, const unsigned long *args)
{
	struct blk_mq_tag_set *tags = leaky_friend_tags();
	struct gendisk *disk;

	if (!tags)
		return -ENOSPC;
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 9, 0)
	disk = blk_mq_alloc_disk(tags, NULL, NULL);
#else
	disk = blk_mq_alloc_disk(tags, NULL);
#endif
	if (IS_ERR(disk))
		return PTR_ERR(disk);
	return leaky_done(truth, __func__, (unsigned long)disk);
}

/* ---- The device model and file systems ---- */

static noinline int leaky_leak_device(struct leaky_truth *truth, const unsigned long *args)
{
	const char *name = leaky_call(truth, "device");
	struct device *device;

	if (!name)
		return -ENOSPC;
	device = device_create(leaky_friend_class, &leaky_device->dev, 0, NULL, "%s", name);
	if (IS_ERR(device))
		return PTR_ERR(device);
	return leaky_done(truth, __func__, (unsigned long)device);
}

/* 6.4 takes no owner: 1aaba11da9aa ("driver core: class: remove module * from class_create()"). */
static noinline int leaky_leak_class(struct leaky_truth *truth, const unsigned long *args)
{
	const char *name = leaky_call(truth, "class");
	struct class *class;

	if (!name)
		return -ENOSPC;
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 4, 0)
	class = class_create(name);
#else
	class = class_create(THIS_MODULE, name);
#endif
	if (IS_ERR(class))
		return PTR_ERR(class);
	return leaky_done(truth, __func__, (unsigned long)class);
}

static noinline int leaky_leak_kobject(struct leaky_truth *truth, const unsigned long *args)
{
	const char *name = leaky_call(truth, "kobject");

	if (!name)
		return -ENOSPC;
	return leaky_done(truth, __func__,
			  (unsigned long)kobject_create_and_add(name, kernel_kobj));
}

static noinline int leaky_leak_proc(struct leaky_truth *truth, const unsigned long *args)
{
	const char *name = leaky_call(truth, "proc");

	if (!name)
		return -ENOSPC;
	return leaky_done(truth, __func__,
			  (unsigned long)proc_create_single(name, 0400, NULL, leaky_friend_show));
}

static noinline int leaky_leak_debugfs(struct leaky_truth *truth, const unsigned long *args)
{
	const char *name = leaky_call(truth, "debugfs");
	struct dentry *dentry;

	if (!name)
		return -ENOSPC;
	dentry = debugfs_create_file(name, 0400, NULL, NULL, &leaky_friend_fops);
	if (IS_ERR(dentry))
		return PTR_ERR(dentry);
	return leaky_done(truth, __func__, (unsigned long)dentry);
}

/* Files of leaky.0: when that goes, so do they, whoever forgot to remove them. */
static ssize_t leaky_attr_show(struct device *device, struct device_attribute *attr, char *buffer)
{
	return sysfs_emit(buffer, "0\n");
}

static struct device_attribute leaky_attr = __ATTR(leaky_attr, 0400, leaky_attr_show, NULL);
static struct device_attribute leaky_file = __ATTR(leaky_file, 0400, leaky_attr_show, NULL);
static struct attribute *leaky_attrs[] = {&leaky_attr.attr, NULL};
static const struct attribute_group leaky_group = {.name = "leaky_group", .attrs = leaky_attrs};
static bool leaky_has_group, leaky_has_file;

/* The object is the kobject; once, as a name can be taken once. */
static noinline int leaky_leak_sysfs(struct leaky_truth *truth, const unsigned long *args)
{
	int err;

	if (leaky_has_group)
		return -EEXIST;
	err = sysfs_create_group(&leaky_device->dev.kobj, &leaky_group);
	if (err)
		return err;
	leaky_has_group = true;
	strscpy(truth->name, leaky_group.name, sizeof(truth->name));
	return leaky_done(truth, __func__, (unsigned long)&leaky_device->dev.kobj);
}

static noinline int leaky_leak_sysfs_file(struct leaky_truth *truth, const unsigned long *args)
{
	int err;

	if (leaky_has_file)
		return -EEXIST;
	err = sysfs_create_file(&leaky_device->dev.kobj, &leaky_file.attr);
	if (err)
		return err;
	leaky_has_file = true;
	strscpy(truth->name, leaky_file.attr.name, sizeof(truth->name));
	return leaky_done(truth, __func__, (unsigned long)&leaky_device->dev.kobj);
}

/* The object is the struct module. */
static noinline int leaky_leak_module(struct leaky_truth *truth, const unsigned long *args)
{
	struct module *module = leaky_friend_module();

	if (!try_module_get(module))
		return -ENOENT;
	strscpy(truth->name, module->name, sizeof(truth->name));
	return leaky_done(truth, __func__, (unsigned long)module);
}

const struct leaky_request leaky_leak_kernel[] = {
	{"leak", "timer", leaky_leak_timer},
	{"leak", "hrtimer", leaky_leak_hrtimer},
	{"leak", "work", leaky_leak_work},
	{"leak", "delayed-work", leaky_leak_delayed_work},
	{"leak", "workqueue", leaky_leak_workqueue},
	{"leak", "napi", leaky_leak_napi},
	{"leak", "netdev", leaky_leak_netdev},
	{"leak", "netdev-registered", leaky_leak_netdev_registered},
	{"leak", "cdev", leaky_leak_cdev},
	{"leak", "misc", leaky_leak_misc},
	{"leak", "chrdev-region", leaky_leak_chrdev_region},
	{"leak", "disk", leaky_leak_disk},
	{"leak", "device", leaky_leak_device},
	{"leak", "class", leaky_leak_class},
	{"leak", "kobject", leaky_leak_kobject},
	{"leak", "proc", leaky_leak_proc},
	{"leak", "debugfs", leaky_leak_debugfs},
	{"leak", "sysfs", leaky_leak_sysfs},
	{"leak", "sysfs-file", leaky_leak_sysfs_file},
	{"leak", "module", leaky_leak_module},
	{}};
