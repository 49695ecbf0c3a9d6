/* SPDX-License-Identifier: GPL-2.0 */
/* What leaky_friend owns, lends, and keeps for leaky. */
#ifndef LEAKY_FRIEND_H
#define LEAKY_FRIEND_H

#include <linux/types.h>

struct blk_mq_tag_set;
struct class;
struct file_operations;
struct kmem_cache;
struct module;
struct net_device;
struct net_device_ops;
struct seq_file;
struct workqueue_struct;

/* Interrupt lines without hardware. */
int leaky_friend_get_line(void);
void leaky_friend_put_line(int irq);
void leaky_friend_raise(int irq);
extern int leaky_friend_own_line; /* the friend has requested it */

/* What belongs to the friend; whoever frees it frees what is not his own. */
void *leaky_friend_buffer(size_t size);
void *leaky_friend_area(size_t size);
struct module *leaky_friend_module(void);
extern struct kmem_cache *leaky_friend_cache;
extern struct class *leaky_friend_class;

/* For what leaky leaves behind: from then on the friend stays loaded, and these with it. */
void *leaky_friend_room(size_t size);
const char *leaky_friend_name(const char *stem);
dev_t leaky_friend_number(void);
struct net_device *leaky_friend_netdev(void);
struct blk_mq_tag_set *leaky_friend_tags(void);
struct workqueue_struct *leaky_friend_stuck(void);
extern const struct file_operations leaky_friend_fops;
extern const struct net_device_ops leaky_friend_netdev_ops;
int leaky_friend_show(struct seq_file *seq, void *data);

#endif
