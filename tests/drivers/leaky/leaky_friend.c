// SPDX-License-Identifier: GPL-2.0
/*
 * The module that leaky needs: it owns what leaky wrongly frees, and has the code and memory that
 * what leaky leaves behind refers to, so that the kernel never runs into an unloaded module.
 */
#include <linux/blk-mq.h>
#include <linux/cdev.h>
#include <linux/device.h>
#include <linux/device/class.h>
#include <linux/etherdevice.h>
#include <linux/fs.h>
#include <linux/interrupt.h>
#include <linux/irq.h>
#include <linux/irq_work.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/sched.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/version.h>
#include <linux/vmalloc.h>
#include <linux/workqueue.h>

#include "leaky_friend.h"

enum {
	ROOM_ORDER = 5,
	ROOM_SIZE = PAGE_SIZE << ROOM_ORDER,
	ROOM_ALIGN = 64,
	NUMBERS = 256,
	OBJECT_SIZE = 200,
};

static DEFINE_MUTEX(friend_lock);
static bool friend_keeps;

/* friend_keep: stay loaded, as something is being left behind. */
static void friend_keep(void)
{
	lockdep_assert_held(&friend_lock);
	if (!friend_keeps)
		__module_get(THIS_MODULE);
	friend_keeps = true;
}

/* ---- Memory that outlives leaky ---- */

static char *friend_pages; /* in the direct map, as some is mapped for DMA */
static size_t friend_used;
static unsigned int friend_names;

static void *friend_take(size_t size)
{
	void *room = NULL;

	size = ALIGN(size, ROOM_ALIGN);
	mutex_lock(&friend_lock);
	if (size <= ROOM_SIZE - friend_used) {
		room = friend_pages + friend_used;
		friend_used += size;
		friend_keep();
	}
	mutex_unlock(&friend_lock);
	return room;
}

/* leaky_friend_room: zeroed memory that is never freed. */
void *leaky_friend_room(size_t size)
{
	return friend_take(size);
}
EXPORT_SYMBOL_GPL(leaky_friend_room);

/* leaky_friend_name: a name that nobody has had, also not before leaky was loaded again. */
const char *leaky_friend_name(const char *stem)
{
	char *name = friend_take(32);

	if (name)
		snprintf(name, 32, "leaky-%s-%u", stem, ++friend_names);
	return name;
}
EXPORT_SYMBOL_GPL(leaky_friend_name);

/* ---- What is the friend's own ---- */

struct kmem_cache *leaky_friend_cache;
EXPORT_SYMBOL_GPL(leaky_friend_cache);

struct class *leaky_friend_class;
EXPORT_SYMBOL_GPL(leaky_friend_class);

struct module *leaky_friend_module(void)
{
	return THIS_MODULE;
}
EXPORT_SYMBOL_GPL(leaky_friend_module);

/* leaky_friend_buffer: kmalloc()ed by the friend, which forgets it. */
void *leaky_friend_buffer(size_t size)
{
	return kmalloc(size, GFP_KERNEL);
}
EXPORT_SYMBOL_GPL(leaky_friend_buffer);

/* leaky_friend_area: likewise, of vmalloc(). */
void *leaky_friend_area(size_t size)
{
	return vmalloc(size);
}
EXPORT_SYMBOL_GPL(leaky_friend_area);

/* ---- Interrupt lines ---- */

int leaky_friend_own_line;
EXPORT_SYMBOL_GPL(leaky_friend_own_line);

static int friend_raised;

static void friend_interrupts(struct irq_work *work)
{
	generic_handle_irq(READ_ONCE(friend_raised));
}

static struct irq_work friend_irq_work;

/* leaky_friend_raise: as hardware does; one at a time. */
void leaky_friend_raise(int irq)
{
	WRITE_ONCE(friend_raised, irq);
	irq_work_queue(&friend_irq_work);
	irq_work_sync(&friend_irq_work);
}
EXPORT_SYMBOL_GPL(leaky_friend_raise);

int leaky_friend_get_line(void)
{
	/* Without an owner: with the friend as such, its own line would pin it. */
	int irq = __irq_alloc_descs(-1, 1, 1, NUMA_NO_NODE, NULL, NULL);

	if (irq < 0)
		return irq;
	irq_set_chip_and_handler(irq, &dummy_irq_chip, handle_simple_irq);
	irq_clear_status_flags(irq, IRQ_NOREQUEST);
	return irq;
}
EXPORT_SYMBOL_GPL(leaky_friend_get_line);

void leaky_friend_put_line(int irq)
{
	irq_work_sync(&friend_irq_work);
	irq_free_desc(irq);
}
EXPORT_SYMBOL_GPL(leaky_friend_put_line);

static irqreturn_t friend_interrupt(int irq, void *data)
{
	return IRQ_HANDLED;
}

/* ---- Character devices and files ---- */

static dev_t friend_region;
static unsigned int friend_minor;

const struct file_operations leaky_friend_fops = {
	.owner = THIS_MODULE,
	.llseek = noop_llseek,
};
EXPORT_SYMBOL_GPL(leaky_friend_fops);

/* leaky_friend_number: one that is free in a region of the friend, or 0. */
dev_t leaky_friend_number(void)
{
	dev_t number = 0;

	mutex_lock(&friend_lock);
	if (friend_minor < NUMBERS) {
		number = friend_region + friend_minor++;
		friend_keep();
	}
	mutex_unlock(&friend_lock);
	return number;
}
EXPORT_SYMBOL_GPL(leaky_friend_number);

int leaky_friend_show(struct seq_file *seq, void *data)
{
	seq_puts(seq, "left behind by leaky\n");
	return 0;
}
EXPORT_SYMBOL_GPL(leaky_friend_show);

/* ---- Network devices ---- */

static struct net_device *friend_netdev;

static netdev_tx_t friend_xmit(struct sk_buff *skb, struct net_device *netdev)
{
	dev_kfree_skb_any(skb);
	return NETDEV_TX_OK;
}

const struct net_device_ops leaky_friend_netdev_ops = {.ndo_start_xmit = friend_xmit};
EXPORT_SYMBOL_GPL(leaky_friend_netdev_ops);

/* leaky_friend_netdev: one that is not registered. */
struct net_device *leaky_friend_netdev(void)
{
	mutex_lock(&friend_lock);
	if (!friend_netdev)
		friend_netdev = alloc_etherdev(0);
	if (friend_netdev)
		friend_keep();
	mutex_unlock(&friend_lock);
	return friend_netdev;
}
EXPORT_SYMBOL_GPL(leaky_friend_netdev);

/* ---- Disks ---- */

static blk_status_t friend_queue_rq(struct blk_mq_hw_ctx *context,
				    const struct blk_mq_queue_data *data)
{
	return BLK_STS_IOERR;
}

static const struct blk_mq_ops friend_mq_ops = {.queue_rq = friend_queue_rq};
static struct blk_mq_tag_set friend_tags = {
	.ops = &friend_mq_ops,
	.nr_hw_queues = 1,
	.queue_depth = 4,
	.numa_node = NUMA_NO_NODE,
};
static bool friend_has_tags;

struct blk_mq_tag_set *leaky_friend_tags(void)
{
	mutex_lock(&friend_lock);
	if (!friend_has_tags && !blk_mq_alloc_tag_set(&friend_tags))
		friend_has_tags = true;
	if (friend_has_tags)
		friend_keep();
	mutex_unlock(&friend_lock);
	return friend_has_tags ? &friend_tags : NULL;
}
EXPORT_SYMBOL_GPL(leaky_friend_tags);

/* ---- A workqueue that does nothing any more ---- */

static struct workqueue_struct *friend_stuck;

static void friend_sleep(struct work_struct *work)
{
	for (;;) {
		/* Neither load nor a hung task. */
		set_current_state(TASK_IDLE);
		schedule();
	}
}

static DECLARE_WORK(friend_sleeper, friend_sleep);

/* leaky_friend_stuck: works queued there stay pending, as the first one never ends. */
struct workqueue_struct *leaky_friend_stuck(void)
{
	mutex_lock(&friend_lock);
	if (!friend_stuck) {
		friend_stuck = alloc_ordered_workqueue("leaky_friend", 0);
		if (friend_stuck) {
			queue_work(friend_stuck, &friend_sleeper);
			friend_keep();
		}
	}
	mutex_unlock(&friend_lock);
	return friend_stuck;
}
EXPORT_SYMBOL_GPL(leaky_friend_stuck);

/* ---- The module ---- */

/* 6.4 takes no owner: 1aaba11da9aa ("driver core: class: remove module * from class_create()"). */
static struct class *friend_class(void)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 4, 0)
	return class_create("leaky_friend");
#else
	return class_create(THIS_MODULE, "leaky_friend");
#endif
}

static int __init friend_init(void)
{
	int err = -ENOMEM;

	init_irq_work(&friend_irq_work, friend_interrupts);
	friend_pages = (char *)__get_free_pages(GFP_KERNEL | __GFP_ZERO, ROOM_ORDER);
	if (!friend_pages)
		return -ENOMEM;
	/* Looks at what it is given back, and is not merged into another one, which would not. */
	leaky_friend_cache =
		kmem_cache_create("leaky_friend", OBJECT_SIZE, 0,
				  SLAB_CONSISTENCY_CHECKS | SLAB_TYPESAFE_BY_RCU, NULL);
	if (!leaky_friend_cache)
		goto err_pages;
	leaky_friend_class = friend_class();
	if (IS_ERR(leaky_friend_class)) {
		err = PTR_ERR(leaky_friend_class);
		goto err_cache;
	}
	err = alloc_chrdev_region(&friend_region, 0, NUMBERS, "leaky_friend");
	if (err)
		goto err_class;
	err = leaky_friend_get_line();
	if (err < 0)
		goto err_region;
	leaky_friend_own_line = err;
	err = request_irq(leaky_friend_own_line, friend_interrupt, 0, "leaky_friend",
			  &leaky_friend_own_line);
	if (err)
		goto err_line;
	return 0;

err_line:
	leaky_friend_put_line(leaky_friend_own_line);
err_region:
	unregister_chrdev_region(friend_region, NUMBERS);
err_class:
	class_destroy(leaky_friend_class);
err_cache:
	kmem_cache_destroy(leaky_friend_cache);
err_pages:
	free_pages((unsigned long)friend_pages, ROOM_ORDER);
	return err;
}

/* Only when nothing has been left behind. */
static void __exit friend_exit(void)
{
	free_irq(leaky_friend_own_line, &leaky_friend_own_line);
	leaky_friend_put_line(leaky_friend_own_line);
	unregister_chrdev_region(friend_region, NUMBERS);
	class_destroy(leaky_friend_class);
	kmem_cache_destroy(leaky_friend_cache);
	free_pages((unsigned long)friend_pages, ROOM_ORDER);
}

module_init(friend_init);
module_exit(friend_exit);

MODULE_DESCRIPTION("Test module that leaky depends on");
MODULE_LICENSE("GPL");
