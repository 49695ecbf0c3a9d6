// SPDX-License-Identifier: GPL-2.0
/*
 * Waits with an end: for rtnl, the lock of all changes of the network, below which a driver may sleep
 * for ever; for the locks of a device, which lie in memory that its driver may have written over; and
 * of a driver for a NAPI, whose mistake it may be that it would never be over.
 */
#include <linux/delay.h>
#include <linux/jiffies.h>
#include <linux/netdevice.h>
#include <linux/rtnetlink.h>
#include <linux/uaccess.h>
#include <linux/workqueue.h>
#include <net/net_namespace.h>

#include "net.h"
#include "tap.h"

#define NAPIS_MAX    1024
#define NAPI_LOOKS   5
#define NAPI_OFF_MS  5000
#define NAPI_NEXT_MS 50
#define NAPI_OFF     (NAPIF_STATE_SCHED | NAPIF_STATE_NPSVC)

/* The device's NAPI of that number, NULL: there are not as many, or the driver has written over one, or
 * over their list. Under RCU or rtnl. */
static struct napi_struct *net_napi(struct net_device *dev, unsigned int number)
{
	struct list_head *at = &dev->napi_list, *next, *back;
	struct net_device *owner;
	struct napi_struct *napi;

	if (number >= NAPIS_MAX)
		return NULL;
	do {
		if (get_kernel_nofault(next, &at->next) || get_kernel_nofault(back, &next->prev) ||
		    back != at || next == &dev->napi_list)
			return NULL;
		at = next;
	} while (number--);
	napi = list_entry(at, struct napi_struct, dev_list);
	return get_kernel_nofault(owner, &napi->dev) || owner != dev ? NULL : napi;
}

/* Scheduled, yet nobody polls it, and it is in no CPU's list. */
static bool net_napi_is_lost(const struct napi_struct *napi)
{
	return (READ_ONCE(napi->state) & (NAPIF_STATE_SCHED | NAPIF_STATE_NPSVC |
					  NAPIF_STATE_THREADED | NAPIF_STATE_IN_BUSY_POLL)) ==
		       NAPIF_STATE_SCHED &&
	       list_empty(&napi->poll_list);
}

/* Off, and somebody who switches it off once more waits until it is on. */
static bool net_napi_stays_off(const struct napi_struct *napi)
{
	return (READ_ONCE(napi->state) & (NAPI_OFF | NAPIF_STATE_DISABLE)) ==
		       (NAPI_OFF | NAPIF_STATE_DISABLE) &&
	       list_empty(&napi->poll_list);
}

enum net_napi_lot {
	NET_NAPI_NONE,
	NET_NAPI_WELL,
	NET_NAPI_LOST,
	NET_NAPI_AWAITED, /* likewise; in napi_disable() */
	NET_NAPI_OFF
};

/* As napi_enable() does, for which it need not be off. */
static void net_napi_on(struct napi_struct *napi)
{
	unsigned long state = READ_ONCE(napi->state);

	while (net_napi_stays_off(napi) && !try_cmpxchg(&napi->state, &state, state & ~NAPI_OFF))
		;
}

/* What is with the device's NAPI of that number. One that is lost as `find` tells may be found: it comes
 * to its end, or is switched on. */
static enum net_napi_lot net_look_at_napi(struct net_device *dev, unsigned int number,
					  enum net_napi_lot find)
{
	enum net_napi_lot lot = NET_NAPI_NONE;
	struct napi_struct *napi;

	local_bh_disable();
	rcu_read_lock();
	napi = net_napi(dev, number);
	if (napi && net_napi_is_lost(napi))
		lot = test_bit(NAPI_STATE_DISABLE, &napi->state) ? NET_NAPI_AWAITED : NET_NAPI_LOST;
	else if (napi)
		lot = net_napi_stays_off(napi) ? NET_NAPI_OFF : NET_NAPI_WELL;
	if (lot == NET_NAPI_OFF && find == NET_NAPI_OFF)
		net_napi_on(napi);
	else if (lot >= NET_NAPI_LOST && lot < NET_NAPI_OFF && find >= NET_NAPI_LOST &&
		 find < NET_NAPI_OFF)
		napi_complete_done(napi, 0);
	rcu_read_unlock();
	local_bh_enable();
	return lot;
}

struct net_look {
	struct net_device *dev;
	unsigned int number;
};

static long net_look_here(void *data)
{
	const struct net_look *look = data;

	return net_look_at_napi(look->dev, look->number, NET_NAPI_NONE);
}

/* One that is polled just now looks the same; in a flood, each time that one looks. But not to a task of
 * the CPU that polls it: there the poll is over, and the NAPI in the list again. */
static bool net_napi_stays_lost(struct net_device *dev, unsigned int number, unsigned int ms)
{
	struct net_look look = {.dev = dev, .number = number};
	unsigned int cpu, i;

	for (i = 0; i < NAPI_LOOKS; i++) {
		if (ms)
			msleep(ms / NAPI_LOOKS);
		for_each_online_cpu(cpu) {
			long lot = work_on_cpu_safe(cpu, net_look_here, &look);

			/* Negative: it went offline. */
			if (lot >= 0 && lot < NET_NAPI_LOST)
				return false;
		}
		synchronize_net();
	}
	return true;
}

/*
 * An interrupt handler that ends between napi_schedule_prep() and __napi_schedule(), or a poll that
 * forgets napi_complete_done(), leaves a NAPI for which napi_disable() waits for ever; as does a reset
 * that a fault has ended before its napi_enable(). Without rtnl, too: whoever holds it may be the one
 * who waits. One that is off may be so for as long as a reset takes; those that the same driver waits
 * for after that one are of the same reset.
 */
bool net_find_napis(struct net_device *dev, const char *driver)
{
	unsigned int off_ms = NAPI_OFF_MS, number = 0, n_on = 0;
	bool awaited = false;
	enum net_napi_lot lot;

	while ((lot = net_look_at_napi(dev, number, NET_NAPI_NONE)) != NET_NAPI_NONE) {
		bool off = lot == NET_NAPI_OFF;

		if (lot < NET_NAPI_LOST || (off && !tap_was_cut(driver)) ||
		    !net_napi_stays_lost(dev, number, off ? off_ms : 0)) {
			number++;
			continue;
		}
		lot = net_look_at_napi(dev, number++, lot);
		awaited |= lot >= NET_NAPI_AWAITED;
		/* Its driver goes on to the next one, which may come before this one. */
		if (off && n_on++ < NAPIS_MAX) {
			off_ms = NAPI_NEXT_MS;
			msleep(NAPI_NEXT_MS);
			number = 0;
		}
	}
	return awaited;
}

void net_forget_napis(struct net_device *dev)
{
	struct napi_struct *napi;

	/* One that says that it is in no list would stay in this one. */
	while ((napi = net_napi(dev, 0)) && test_bit(NAPI_STATE_LISTED, &napi->state))
		__netif_napi_del(napi);	 /* the driver's own deletion does nothing then */
	INIT_LIST_HEAD(&dev->napi_list); /* if it has written over the next one */
	net_clear_queue_napi(dev);
}

/* With a reference. NULL: the driver has not as many. */
static struct net_device *net_device_of(const char *driver, unsigned int number)
{
	struct net_device *dev, *found = NULL;
	struct net *net;

	rcu_read_lock();
	for_each_net_rcu(net)
		for_each_netdev_rcu(net, dev)
			if (!found && net_is_of(dev, driver) && !number--)
				found = dev;
	if (found)
		dev_hold(found);
	rcu_read_unlock();
	return found;
}

bool net_find_all_napis(const char *driver)
{
	struct net_device *dev;
	unsigned int number;
	bool awaited = false;

	for (number = 0; (dev = net_device_of(driver, number)); number++) {
		awaited |= net_find_napis(dev, driver);
		dev_put(dev);
	}
	return awaited;
}

static void net_finder_work(struct work_struct *work)
{
	struct net_finder *finder = container_of(work, struct net_finder, work.work);

	net_find_all_napis(finder->driver);
	queue_delayed_work(system_unbound_wq, &finder->work, HZ);
}

void net_finder_begin(struct net_finder *finder, const char *driver)
{
	finder->driver = driver;
	INIT_DELAYED_WORK_ONSTACK(&finder->work, net_finder_work);
	queue_delayed_work(system_unbound_wq, &finder->work, HZ);
}

void net_finder_end(struct net_finder *finder)
{
	cancel_delayed_work_sync(&finder->work);
	destroy_delayed_work_on_stack(&finder->work);
}

bool net_lock_within(unsigned int ms)
{
	unsigned long limit = jiffies + msecs_to_jiffies(ms);

	while (!rtnl_trylock()) {
		if (time_after(jiffies, limit))
			return false;
		msleep(5);
	}
	return true;
}

static bool net_comes_free(spinlock_t *lock, unsigned long limit)
{
	while (!spin_trylock_bh(lock)) {
		if (time_after(jiffies, limit))
			return false;
		usleep_range(100, 200);
	}
	spin_unlock_bh(lock);
	return true;
}

bool net_locks_come_free(struct net_device *dev, unsigned int ms)
{
	unsigned long limit = jiffies + msecs_to_jiffies(ms);
	unsigned int i;

	if (!net_comes_free(&dev->tx_global_lock, limit) ||
	    !net_comes_free(&dev->addr_list_lock, limit))
		return false;
	for (i = 0; i < dev->num_tx_queues; i++)
		if (!net_comes_free(&dev->_tx[i]._xmit_lock, limit))
			return false;
	return true;
}
