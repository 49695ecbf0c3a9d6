/* SPDX-License-Identifier: GPL-2.0 */
/* What the parts of faulty_net share: a card as the driver knows it. */
#ifndef FAULTY_NET_H
#define FAULTY_NET_H

#include <linux/atomic.h>
#include <linux/hrtimer.h>
#include <linux/interrupt.h>
#include <linux/netdevice.h>
#include <linux/timer.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "faulty.h"
#include "faulty_bus.h"

/* Private flags. */
enum {
	FAULTY_NET_NO_GRO = 1,
	FAULTY_NET_FLOOD = 2,	    /* polls never come to an end */
	FAULTY_NET_NO_STATS = 4,    /* nor are there counters, once */
	FAULTY_NET_OVER_BUDGET = 8, /* one tells of more than it was asked for */
	FAULTY_NET_FREE_TWICE = 16, /* one of TCP's that it still has when it is stopped, once */
	FAULTY_NET_STALL = 32,	    /* the queue stops, and is not woken, once */
	FAULTY_NET_TEAR = 64,	    /* a list of the device's, before it is removed */
	FAULTY_NET_BUG = 128	    /* in what is called as it is removed */
};

struct faulty_port {
	struct net_device *netdev;
	struct faulty_card *card;
	int irq;
	struct napi_struct napi;
	u32 flags;
	struct sk_buff *sending; /* until it is on its way */
	dma_addr_t ring;
	bool open;    /* or it is not polled */
	bool stalled; /* for good */
	u64 stops;    /* of the queue, because the peer was full; under its lock */

	/* Chores, from probe to remove. */
	struct timer_list timer;
	struct hrtimer hrtimer;
	struct tasklet_struct tasklet;
	struct delayed_work work;
	struct task_struct *thread; /* a reference of its own: it may die of a fault */
	wait_queue_head_t wait;
	bool thread_due;

	atomic64_t entered[FAULTY_CONTEXTS];
};

/* faulty_enter: the kernel calls the driver for this card. */
static inline void faulty_enter(struct faulty_port *port, enum faulty_context context)
{
	atomic64_inc(&port->entered[context]);
	faulty_point(context);
}

/* net_traffic.c */
irqreturn_t faulty_net_interrupt(int irq, void *data);
int faulty_net_poll(struct napi_struct *napi, int budget);
netdev_tx_t faulty_net_xmit(struct sk_buff *skb, struct net_device *netdev);
void faulty_net_timeout(struct net_device *netdev, unsigned int queue);
int faulty_net_open(struct net_device *netdev);
int faulty_net_stop(struct net_device *netdev);

/* net_chores.c */
int faulty_chores_start(struct faulty_port *port);
bool faulty_chores_stop(struct faulty_port *port);
void faulty_chores_kick(struct faulty_port *port, enum faulty_context context);

/* net_control.c */
extern const struct ethtool_ops faulty_net_ethtool_ops;
int faulty_net_private_ioctl(struct net_device *netdev, struct ifreq *request, void __user *data,
			     int command);
int faulty_net_change_mtu(struct net_device *netdev, int mtu);
struct net_device_stats *faulty_net_get_stats(struct net_device *netdev);
int faulty_net_set_features(struct net_device *netdev, netdev_features_t features);

#endif
