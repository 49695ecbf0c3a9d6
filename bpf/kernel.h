/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The fields of kernel objects that the programs read; libbpf moves them to where the running
 * kernel has them. What differs between kernels is here, too, and nowhere else.
 */
#ifndef KERNEL_H
#define KERNEL_H

#include <linux/bpf.h>
#include <linux/types.h>
#include <stdbool.h>

/* bpf_tracing.h is to use the types below. */
#define __VMLINUX_H__
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;
typedef __s64 s64;
typedef __u64 size_t;

#define NULL ((void *)0)

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct list_head {
	struct list_head *next, *prev;
};

struct pt_regs {
	unsigned long r9, r8, ax, cx, dx, si, di, ip, sp;
};

struct module_layout {
	void *base;
	unsigned int size, text_size;
};

struct module_memory {
	void *base;
	unsigned int size;
};

struct module {
	char name[RECOV_MODULE_LEN];
	struct list_head list;
	/* Until 6.4 (ac3b43283923, "module: replace module_layout with module_memory"). */
	struct module_layout core_layout, init_layout;
};

struct module___memory {
	struct module_memory mem[7];
};

struct kobject {
	const char *name;
};

struct device_driver {
	struct module *owner;
};

struct device {
	struct kobject kobj;
	struct device *parent;
	struct device_driver *driver;
	const char *init_name;
};

struct resource {
	u64 start, end;
};

struct pci_dev {
	struct device dev;
	struct resource resource[6];
};

struct irqaction {
	void *handler, *thread_fn;
	void *dev_id;
	struct irqaction *next;
};

struct irq_common_data {
	unsigned int state_use_accessors;
};

struct irq_data {
	unsigned int irq;
};

struct irq_desc {
	struct irq_common_data irq_common_data;
	struct irq_data irq_data;
	struct irqaction *action;
	unsigned int tot_count;
	struct kobject kobj;
};

struct timer_list {
	void *function;
};

struct work_struct {
	void *func;
};

struct delayed_work {
	struct work_struct work;
	struct timer_list timer;
};

struct net_device;

struct napi_struct {
	void *poll;
	struct net_device *dev;
};

struct net {
	struct list_head dev_base_head;
};

typedef struct {
	struct net *net;
} possible_net_t;

struct net_device {
	char name[16];
	const void *netdev_ops;
	unsigned int flags, mtu;
	u64 features, wanted_features;
	const unsigned char *dev_addr;
	unsigned char addr_len;
	int ifindex;
	struct device dev;
	struct list_head dev_list, close_list;
	possible_net_t nd_net;
};

struct sock_common {
	possible_net_t skc_net;
};

struct sock {
	struct sock_common __sk_common;
};

struct sk_buff {
	struct sock *sk;
	struct net_device *dev;
};

struct file_operations {
	struct module *owner;
};

struct file {
	const struct file_operations *f_op;
};

struct miscdevice {
	const char *name;
	const struct file_operations *fops;
	int minor;
};

struct cdev {
	struct module *owner;
	const struct file_operations *ops;
	unsigned int count;
};

struct gendisk {
	char disk_name[32];
	const void *fops;
};

struct block_device {
	struct gendisk *bd_disk;
	struct device bd_device;
};

struct blk_mq_tag_set {
	const void *ops;
	unsigned int nr_hw_queues;
};

struct class
{
	const char *name;
};

struct attribute_group {
	const char *name;
};

struct proc_dir_entry {
	char *name;
};

struct qstr {
	const unsigned char *name;
};

struct dentry {
	struct dentry *d_parent;
	struct qstr d_name;
};

struct genl_family {
	int id;
};

struct kmem_cache {
	unsigned int object_size;
};

struct pcpu_hot {
	int preempt_count;
};

struct thread_info {
	u32 cpu;
};

struct task_io_accounting {
	u64 syscr, syscw;
};

struct llist_head {
	struct llist_node *first;
};

struct task_struct {
	struct thread_info thread_info;
	unsigned int __state, flags;
	int on_cpu;
	int exit_code;
	int pid;
	u64 utime;
	unsigned long nvcsw, nivcsw, min_flt, maj_flt;
	char comm[16];
	struct task_io_accounting ioac;
	struct llist_head rethooks;
};

struct bpf_iter_meta {
	struct seq_file *seq;
};

struct bpf_iter__task {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
};

#pragma clang attribute pop

struct workqueue_struct;
struct dma_pool;
struct pool_workqueue;
struct nlmsghdr;

/* What a module's memory holds, as 6.4 and later number it (enum mod_mem_type). */
enum {
	MOD_TEXT,
	MOD_DATA,
	MOD_RODATA,
	MOD_RO_AFTER_INIT,
	MOD_INIT_TEXT,
};

/* A macro, since the place of an array's element moves with the element's size, which is larger in
 * the kernel, only where the compiler sees a constant. What held the init code is gone after it, and
 * only its size is still there. */
#define RANGE_OF_MEMORY(module, type, range)                                                       \
	do {                                                                                       \
		struct module___memory *m_ = (void *)(module);                                     \
                                                                                                   \
		(range)->base = (u64)BPF_CORE_READ(m_, mem[type].base);                            \
		(range)->size = (range)->base ? BPF_CORE_READ(m_, mem[type].size) : 0;             \
	} while (0)

/* Where a module is. Before 6.4 all of it is in one piece, text first. */
static __always_inline void module_ranges(struct module *module, struct recov_watch *watch)
{
	if (bpf_core_field_exists(((struct module___memory *)0)->mem)) {
		RANGE_OF_MEMORY(module, MOD_TEXT, &watch->text);
		RANGE_OF_MEMORY(module, MOD_INIT_TEXT, &watch->init);
		RANGE_OF_MEMORY(module, MOD_DATA, &watch->data[0]);
		RANGE_OF_MEMORY(module, MOD_RODATA, &watch->data[1]);
		RANGE_OF_MEMORY(module, MOD_RO_AFTER_INIT, &watch->data[2]);
		return;
	}
	watch->text.base = (u64)BPF_CORE_READ(module, core_layout.base);
	watch->text.size = BPF_CORE_READ(module, core_layout.text_size);
	watch->init.base = (u64)BPF_CORE_READ(module, init_layout.base);
	watch->init.size = BPF_CORE_READ(module, init_layout.text_size);
	watch->data[0].base = watch->text.base + watch->text.size;
	watch->data[0].size = BPF_CORE_READ(module, core_layout.size) - watch->text.size;
}

#endif /* KERNEL_H */
