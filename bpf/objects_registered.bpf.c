// SPDX-License-Identifier: GPL-2.0
/* What drivers register with the rest of the kernel: network, character and block devices, classes,
 * entries in proc, debugfs and sysfs, and what devres will give back for them. */
#include "entry.h"

/* ---- network ---- */

static __always_inline void take_netdev(u64 site, struct net_device *dev)
{
	int slot = slot_of_code(site);

	if (slot < 0 || is_error(dev))
		return;
	take(&(struct taking){.slot = slot,
			      .class = RECOV_OBJECT_NETDEV,
			      .object = (u64)dev,
			      .size = 1,
			      .site = site,
			      .name = dev->name});
}

SEC("fexit/alloc_etherdev_mqs")
int BPF_PROG(on_alloc_etherdev, int size, unsigned int tx, unsigned int rx, struct net_device *ret)
{
	take_netdev(caller_of(ctx, 3), ret);
	return 0;
}

SEC("fexit/alloc_netdev_mqs")
int BPF_PROG(on_alloc_netdev, int size, const char *name, u32 name_type, void *setup,
	     unsigned int tx, unsigned int rx, struct net_device *ret)
{
	take_netdev(caller_of(ctx, 6), ret);
	return 0;
}

SEC("fentry/free_netdev")
int BPF_PROG(on_free_netdev, struct net_device *dev)
{
	give_back(RECOV_OBJECT_NETDEV, (u64)dev, 0, caller_of(ctx, 1), false);
	return 0;
}

/* It has its name now. */
SEC("fentry/netdev_register_kobject")
int BPF_PROG(on_register_netdev, struct net_device *dev)
{
	struct recov_object_key key = {.object = (u64)dev, .class = RECOV_OBJECT_NETDEV};
	struct recov_object *known = bpf_map_lookup_elem(&objects, &key);

	if (!known)
		return 0;
	bpf_probe_read_kernel_str(known->name, sizeof(known->name), dev->name);
	label_of_device(known->device, parent_of_netdev(dev));
	return 0;
}

SEC("fentry/netif_napi_add_weight")
int BPF_PROG(on_napi_add, struct net_device *dev, struct napi_struct *napi, void *function,
	     int weight)
{
	u64 poll = raw_argument(ctx, 2), caller = caller_of(ctx, 4);
	int slot = slot_of_code(poll);

	if (slot < 0)
		return 0;
	take(&(struct taking){.slot = slot,
			      .class = RECOV_OBJECT_NAPI,
			      .object = (u64)napi,
			      .size = weight,
			      .site = slot_of_code(caller) == slot ? caller : poll,
			      .parent = (u64)dev,
			      .device = parent_of_netdev(dev)});
	return 0;
}

SEC("fentry/__netif_napi_del")
int BPF_PROG(on_napi_del, struct napi_struct *napi)
{
	give_back(RECOV_OBJECT_NAPI, (u64)napi, 0, 0, false);
	return 0;
}

/* ---- character devices ---- */

SEC("fexit/cdev_add")
int BPF_PROG(on_cdev_add, struct cdev *cdev, u32 number, unsigned int n, int ret)
{
	u64 caller = caller_of(ctx, 3);
	int slot = slot_of_code(caller);

	if (slot < 0)
		slot = slot_of_module(BPF_CORE_READ(cdev, owner));
	if (slot < 0)
		slot = slot_of_address((u64)BPF_CORE_READ(cdev, ops));
	if (slot < 0 || ret)
		return 0;
	take(&(struct taking){.slot = slot,
			      .class = RECOV_OBJECT_CDEV,
			      .object = (u64)cdev,
			      .size = n,
			      .site = slot_of_code(caller) == slot ? caller : 0});
	return 0;
}

SEC("fentry/cdev_del")
int BPF_PROG(on_cdev_del, struct cdev *cdev)
{
	give_back(RECOV_OBJECT_CDEV, (u64)cdev, 0, caller_of(ctx, 1), false);
	return 0;
}

SEC("fentry/cdev_device_del")
int BPF_PROG(on_cdev_device_del, struct cdev *cdev)
{
	give_back(RECOV_OBJECT_CDEV, (u64)cdev, 0, 0, false);
	return 0;
}

SEC("fexit/misc_register")
int BPF_PROG(on_misc_register, struct miscdevice *misc, int ret)
{
	u64 caller = caller_of(ctx, 1);
	int slot = slot_of_code(caller);

	if (slot < 0)
		slot = slot_of_address((u64)BPF_CORE_READ(misc, fops));
	if (slot < 0 || ret)
		return 0;
	take(&(struct taking){.slot = slot,
			      .class = RECOV_OBJECT_MISC,
			      .object = (u64)misc,
			      .size = 1,
			      .site = slot_of_code(caller) == slot ? caller : 0,
			      .name = BPF_CORE_READ(misc, name)});
	return 0;
}

SEC("fentry/misc_deregister")
int BPF_PROG(on_misc_deregister, struct miscdevice *misc)
{
	give_back(RECOV_OBJECT_MISC, (u64)misc, 0, caller_of(ctx, 1), true);
	return 0;
}

static __always_inline void take_chrdev(u64 site, u64 first, u64 n, const char *name)
{
	int slot = slot_of_code(site);

	if (slot < 0)
		return;
	take(&(struct taking){.slot = slot,
			      .class = RECOV_OBJECT_CHRDEV,
			      .object = first,
			      .size = n,
			      .site = site,
			      .name = name});
}

#define MKDEV(major, minor) ((u64)(major) << 20 | (minor)) /* as the kernel has it inside */

SEC("fexit/alloc_chrdev_region")
int BPF_PROG(on_alloc_chrdev, u32 *number, unsigned int minor, unsigned int n, const char *name,
	     int ret)
{
	u32 first = 0;

	if (!ret && !bpf_probe_read_kernel(&first, sizeof(first), number))
		take_chrdev(caller_of(ctx, 4), first, n, name);
	return 0;
}

SEC("fexit/register_chrdev_region")
int BPF_PROG(on_register_region, u32 first, unsigned int n, const char *name, int ret)
{
	if (!ret)
		take_chrdev(caller_of(ctx, 3), first, n, name);
	return 0;
}

SEC("fentry/unregister_chrdev_region")
int BPF_PROG(on_unregister_region, u32 first, unsigned int n)
{
	give_back(RECOV_OBJECT_CHRDEV, first, 0, caller_of(ctx, 2), true);
	return 0;
}

SEC("fexit/__register_chrdev")
int BPF_PROG(on_register_chrdev, unsigned int major, unsigned int minor, unsigned int n,
	     const char *name, void *fops, int ret)
{
	if (ret >= 0)
		take_chrdev(caller_of(ctx, 5), MKDEV(major ? major : (u32)ret, minor), n, name);
	return 0;
}

SEC("fentry/__unregister_chrdev")
int BPF_PROG(on_unregister_chrdev, unsigned int major, unsigned int minor)
{
	give_back(RECOV_OBJECT_CHRDEV, MKDEV(major, minor), 0, caller_of(ctx, 4), true);
	return 0;
}

/* ---- devices and classes ---- */

/* A driver's own: added by it, or below a device of its. */
SEC("fexit/device_add")
int BPF_PROG(on_device_add, struct device *device, int ret)
{
	u64 caller = caller_of(ctx, 1);
	int slot = slot_of_code(caller);

	if (slot < 0) {
		slot = slot_of_device(BPF_CORE_READ(device, parent));
		caller = 0;
	}
	if (slot < 0 || ret)
		return 0;
	take(&(struct taking){.slot = slot,
			      .class = RECOV_OBJECT_DEVICE,
			      .object = (u64)device,
			      .size = 1,
			      .site = caller ? caller : site_on_stack(ctx, slot),
			      .device = device,
			      .name = BPF_CORE_READ(device, kobj.name)});
	return 0;
}

SEC("fentry/device_del")
int BPF_PROG(on_device_del, struct device *device)
{
	struct recov_object_key key = {.object = (u64)device, .class = RECOV_OBJECT_DEVICE};

	if (slot_of_device(device) >= 0)
		requests_forget(&key.object);
	/* Its attribute groups go with it. */
	if (bpf_map_lookup_elem(&objects, &key))
		give_back_children(&key.object);
	give_back(RECOV_OBJECT_DEVICE, (u64)device, 0, 0, false);
	return 0;
}

static __always_inline void take_class(u64 site, void *class, const char *name)
{
	int slot = slot_of_code(site);

	if (slot < 0 || is_error(class))
		return;
	take(&(struct taking){.slot = slot,
			      .class = RECOV_OBJECT_CLASS,
			      .object = (u64) class,
			      .size = 1,
			      .site = site,
			      .name = name});
}

SEC("fexit/class_register")
int BPF_PROG(on_class_register, struct class *class, int ret)
{
	if (!ret)
		take_class(caller_of(ctx, 1), class, BPF_CORE_READ(class, name));
	return 0;
}

/* Until 6.4 (43a7206b0963, dcfbb67e48a2) the macros gave a lock key along. */
SEC("fexit/__class_register")
int BPF_PROG(on_class_register_key, struct class *class, void *key, int ret)
{
	if (!ret)
		take_class(caller_of(ctx, 2), class, BPF_CORE_READ(class, name));
	return 0;
}

SEC("fexit/class_create")
int BPF_PROG(on_class_create, const char *name, void *ret)
{
	take_class(caller_of(ctx, 1), ret, name);
	return 0;
}

SEC("fexit/__class_create")
int BPF_PROG(on_class_create_key, struct module *owner, const char *name, void *key, void *ret)
{
	take_class(caller_of(ctx, 3), ret, name);
	return 0;
}

SEC("fentry/class_unregister")
int BPF_PROG(on_class_unregister, struct class *class)
{
	give_back(RECOV_OBJECT_CLASS, (u64) class, 0, 0, false);
	return 0;
}

/* ---- file systems ---- */

/* The functions that drivers call are many, and all end here; only the stack knows the driver. */
SEC("fexit/proc_register")
int BPF_PROG(on_proc_register, void *folder, struct proc_dir_entry *entry,
	     struct proc_dir_entry *ret)
{
	u64 site;
	int slot;

	if (is_error(ret) || !state.span.end)
		return 0;
	site = site_on_stack(ctx, -1);
	slot = slot_of_code(site);
	if (slot < 0)
		return 0;
	take(&(struct taking){.slot = slot,
			      .class = RECOV_OBJECT_PROC,
			      .object = (u64)ret,
			      .size = 1,
			      .site = site,
			      .name = BPF_CORE_READ(ret, name)});
	return 0;
}

/* All ways to remove one come by here; its memory goes when the last reader does. */
SEC("fentry/proc_entry_rundown")
int BPF_PROG(on_proc_remove, struct proc_dir_entry *entry)
{
	give_back(RECOV_OBJECT_PROC, (u64)entry, 0, 0, false);
	return 0;
}

#define DEBUGFS_DEPTH 8

struct path {
	struct dentry *at;
};

/* Is an entry above it known? What is below one goes along with it and is no object of its own. */
__noinline int is_below_known(struct path *path)
{
	struct recov_object_key key = {.class = RECOV_OBJECT_DEBUGFS};
	struct dentry *at, *above;

	if (!path)
		return 0;
	at = path->at;
	for (int i = 0; i < DEBUGFS_DEPTH; i++) {
		above = BPF_CORE_READ(at, d_parent);
		if (above == at)
			break;
		key.object = (u64)above;
		if (bpf_map_lookup_elem(&objects, &key))
			return 1;
		at = above;
	}
	return 0;
}

static __always_inline void take_debugfs(void *ctx, u64 site, struct dentry *dentry,
					 const char *name)
{
	struct path path = {.at = dentry};
	int slot = slot_of_code(site);

	if (is_error(dentry) || !state.span.end)
		return;
	if (is_below_known(&path))
		return;
	if (slot < 0) {
		site = site_on_stack(ctx, -1);
		slot = slot_of_code(site);
	}
	take(&(struct taking){.slot = slot,
			      .class = RECOV_OBJECT_DEBUGFS,
			      .object = (u64)dentry,
			      .size = 1,
			      .site = site,
			      .name = name});
}

SEC("fexit/debugfs_create_dir")
int BPF_PROG(on_debugfs_dir, const char *name, struct dentry *parent, struct dentry *ret)
{
	take_debugfs(ctx, caller_of(ctx, 2), ret, name);
	return 0;
}

SEC("fexit/__debugfs_create_file")
int BPF_PROG(on_debugfs_file, const char *name, u32 mode, struct dentry *parent, void *data,
	     void *proxy, void *real, struct dentry *ret)
{
	take_debugfs(ctx, 0, ret, name);
	return 0;
}

SEC("fentry/debugfs_remove")
int BPF_PROG(on_debugfs_remove, struct dentry *dentry)
{
	give_back(RECOV_OBJECT_DEBUGFS, (u64)dentry, 0, 0, false);
	return 0;
}

SEC("fexit/sysfs_create_group")
int BPF_PROG(on_sysfs_create, struct kobject *kobj, struct attribute_group *group, int ret)
{
	u64 caller = caller_of(ctx, 2);
	int slot = slot_of_code(caller);

	if (slot < 0 || ret)
		return 0;
	take(&(struct taking){.slot = slot,
			      .class = RECOV_OBJECT_SYSFS,
			      .object = (u64)kobj,
			      .more = (u64)group,
			      .size = 1,
			      .site = caller,
			      .parent = (u64)kobj,
			      .name = BPF_CORE_READ(kobj, name)});
	return 0;
}

SEC("fentry/sysfs_remove_group")
int BPF_PROG(on_sysfs_remove, struct kobject *kobj, struct attribute_group *group)
{
	give_back(RECOV_OBJECT_SYSFS, (u64)kobj, (u64)group, 0, false);
	return 0;
}

/* ---- block ---- */

/* Kernels differ in how many arguments these have. */
static __always_inline int take_disk(void *ctx)
{
	u64 disk = 0, caller = caller_of(ctx, bpf_get_func_arg_cnt(ctx) & 7);
	int slot = slot_of_code(caller);

	if (slot < 0 || bpf_get_func_ret(ctx, &disk) || is_error((void *)disk))
		return 0;
	take(&(struct taking){.slot = slot,
			      .class = RECOV_OBJECT_DISK,
			      .object = disk,
			      .size = 1,
			      .site = caller});
	return 0;
}

SEC("fexit/__blk_mq_alloc_disk")
int BPF_PROG(on_alloc_mq_disk)
{
	return take_disk(ctx);
}

SEC("fexit/__blk_alloc_disk")
int BPF_PROG(on_alloc_disk)
{
	return take_disk(ctx);
}

/* It has its name now; and its driver may have got it from somebody else. */
SEC("fexit/device_add_disk")
int BPF_PROG(on_add_disk, struct device *parent, struct gendisk *disk, void *groups, int ret)
{
	struct recov_object_key key = {.object = (u64)disk, .class = RECOV_OBJECT_DISK};
	int slot = slot_of_address((u64)BPF_CORE_READ(disk, fops));
	struct recov_object *known = bpf_map_lookup_elem(&objects, &key);

	if (slot < 0)
		slot = slot_of_device(parent);
	if (slot < 0 || ret)
		return 0;
	if (known) {
		bpf_probe_read_kernel_str(known->name, sizeof(known->name), disk->disk_name);
		label_of_device(known->device, parent);
		return 0;
	}
	take(&(struct taking){.slot = slot,
			      .class = RECOV_OBJECT_DISK,
			      .object = (u64)disk,
			      .size = 1,
			      .site = site_on_stack(ctx, slot),
			      .device = parent,
			      .name = disk->disk_name});
	return 0;
}

SEC("fentry/disk_release")
int BPF_PROG(on_disk_release, struct device *device)
{
	struct block_device *whole =
		(void *)device - bpf_core_field_offset(struct block_device, bd_device);

	give_back(RECOV_OBJECT_DISK, (u64)BPF_CORE_READ(whole, bd_disk), 0, 0, false);
	return 0;
}

SEC("fexit/blk_mq_alloc_tag_set")
int BPF_PROG(on_alloc_tag_set, struct blk_mq_tag_set *set, int ret)
{
	int slot = slot_of_address((u64)BPF_CORE_READ(set, ops));

	if (slot < 0 || ret)
		return 0;
	take(&(struct taking){.slot = slot,
			      .class = RECOV_OBJECT_TAG_SET,
			      .object = (u64)set,
			      .size = BPF_CORE_READ(set, nr_hw_queues),
			      .site = site_on_stack(ctx, slot)});
	return 0;
}

SEC("fentry/blk_mq_free_tag_set")
int BPF_PROG(on_free_tag_set, struct blk_mq_tag_set *set)
{
	give_back(RECOV_OBJECT_TAG_SET, (u64)set, 0, 0, false);
	return 0;
}

/* ---- devres ---- */

/* "ADD" when a resource is put in a device's care, "REM" when it is taken out or released. */
SEC("raw_tp/devres_log")
int BPF_PROG(on_devres, struct device *device, const char *op, void *node, const char *name,
	     size_t size)
{
	int slot = slot_of_device(device);
	char what[4] = {};

	bpf_probe_read_kernel(what, 3, op);
	if (what[0] == 'R')
		give_back(RECOV_OBJECT_DEVRES, (u64)node, 0, 0, false);
	if (what[0] != 'A' || slot < 0)
		return 0;
	take(&(struct taking){.slot = slot,
			      .class = RECOV_OBJECT_DEVRES,
			      .object = (u64)node,
			      .size = size,
			      .site = site_on_stack(ctx, slot),
			      .device = device,
			      .name = name});
	return 0;
}
