// SPDX-License-Identifier: GPL-2.0
/* The net class: keeps a net_device alive while its driver is away. */
#include <linux/netdevice.h>
#include <linux/rculist.h>
#include <linux/rtnetlink.h>
#include <linux/slab.h>
#include <net/pkt_sched.h>

#include "held.h"
#include "net.h"
#include "release.h"
#include "tap.h"

struct net_ksyms net_ksyms;

static int net_init(void)
{
	net_ksyms.run_linkwatch = (void *)ksym_lookup(NET_RUN_LINKWATCH);
	net_ksyms.find_vm_area = (void *)ksym_lookup("find_vm_area");
	if (net_ksyms.run_linkwatch && net_ksyms.find_vm_area)
		return net_release_init();
	pr_err("recov_shadow: this kernel has no " NET_RUN_LINKWATCH " or find_vm_area\n");
	return -ENOENT;
}

struct net_slot *net_slot_of(const struct net_device *dev)
{
	struct list_head *slots = recov_swap_slots();
	struct recov_slot *slot;

	if (!slots)
		return NULL;
	list_for_each_entry_rcu(slot, slots, list, true)
		if (to_net_slot(slot)->dev == dev)
			return to_net_slot(slot);
	return NULL;
}

static void net_free(struct recov_slot *slot)
{
	struct net_slot *ns = to_net_slot(slot);

	net_settings_free(ns);
	put_device(slot->parent);
	kfree(ns);
}

struct net_slot *net_probing_slot(void)
{
	struct list_head *slots = recov_swap_slots();
	struct recov_slot *slot;

	if (!slots)
		return NULL;
	list_for_each_entry_rcu(slot, slots, list, true)
		if (READ_ONCE(to_net_slot(slot)->prober) == current)
			return to_net_slot(slot);
	return NULL;
}

/* ---- hold ---- */

/* What only the driver knows, while it can still be asked, and what the world shall see. */
static void net_record(struct net_slot *ns)
{
	unsigned long function = (unsigned long)net_driver_ops(ns)->ndo_start_xmit;
	bool failed = tap_has_failed(function); /* in the stop of another of its devices */
	struct net_device *dev = ns->dev;

	ns->carrier_up = atomic_read(&dev->carrier_up_count);
	ns->carrier_down = atomic_read(&dev->carrier_down_count);
	dev_get_stats(dev, &ns->stats);
	net_settings_record(ns);
	/* What one that has failed answers is no setting: it begins with its own when it is back. Whom
	 * it is a fault to ask may still be able to stop. */
	if (ns->slot.untrusted || failed || tap_forgive(function))
		net_settings_free(ns);
	ns->slot.object_up = !!(dev->flags & IFF_UP);
	ns->running = ns->slot.object_up;
	/* From here on carrier events and statistics are the shadow's. */
	atomic_set_release(&ns->slot.state, RECOV_DEV_HELD);
	net_ksyms.run_linkwatch(dev); /* what was pending speaks of a driver that was there */
	ns->slot.link_before = ns->running && netif_carrier_ok(dev);
}

static void net_freeze(struct net_device *dev)
{
	unsigned int i;

	/* A driver starts and wakes its queues as it likes; FROZEN stays until resume. */
	for (i = 0; i < dev->num_tx_queues; i++)
		set_bit(__QUEUE_STATE_FROZEN, &dev->_tx[i].state);
	netif_tx_disable(dev); /* waits for every transmission under way */
}

/* Packets given to the hardware and not yet reported sent, as far as the driver uses BQL. */
static bool net_tx_in_flight(const struct net_device *dev)
{
#ifdef CONFIG_BQL
	unsigned int i;

	for (i = 0; i < dev->num_tx_queues; i++) {
		const struct dql *dql = &dev->_tx[i].dql;

		if (READ_ONCE(dql->num_queued) != READ_ONCE(dql->num_completed))
			return true;
	}
#endif
	return false;
}

/* The part of __dev_open() that concerns the driver. Under rtnl. */
static int net_driver_open(struct net_slot *ns)
{
	const struct net_device_ops *ops = net_driver_ops(ns);
	struct net_device *dev = ns->dev;
	unsigned int i;
	int err = 0;

	for (i = 0; i < dev->num_tx_queues; i++) {
		netdev_tx_reset_queue(&dev->_tx[i]);
		WRITE_ONCE(dev->_tx[i].trans_start, jiffies);
	}
	net_show(ns);
	set_bit(__LINK_STATE_PRESENT, &dev->state);
	set_bit(__LINK_STATE_START, &dev->state);
	if (ops->ndo_validate_addr)
		err = ops->ndo_validate_addr(dev);
	if (!err && ops->ndo_open)
		err = ops->ndo_open(dev);
	if (err)
		clear_bit(__LINK_STATE_START, &dev->state);
	return err;
}

void net_stop(struct net_slot *ns, unsigned int drain_ms)
{
	const struct net_device_ops *ops = net_driver_ops(ns);
	struct net_device *dev = ns->dev;
	unsigned long limit = jiffies + msecs_to_jiffies(drain_ms);
	struct net_finder finder;

	if (ns->running) {
		net_freeze(dev);
		while (net_tx_in_flight(dev) && time_before(jiffies, limit))
			usleep_range(500, 1000);
		/* As __dev_close_many() does it. Present until after: e1000e_close() frees its
		 * interrupts only then. Not running from now on: suspend and reset works of the
		 * driver look at that. */
		clear_bit(__LINK_STATE_START, &dev->state);
		smp_mb__after_atomic();
		net_find_napis(dev, ns->driver);
		if (ops->ndo_stop && !ns->slot.untrusted) {
			net_finder_begin(&finder, ns->driver);
			ops->ndo_stop(dev);
			net_finder_end(&finder);
		}
		ns->running = false;
	}
	clear_bit(__LINK_STATE_PRESENT, &dev->state);
	/* Wait for a watchdog that saw the device present. */
	spin_lock_bh(&dev->tx_global_lock);
	spin_unlock_bh(&dev->tx_global_lock);
	net_hide(ns);
}

/* As long as whoever waited needs to get to an end: the resets of e1000 take two seconds. */
#define AWAITED_MS 3000

static int net_hold_locked(struct net_slot *ns, unsigned int drain_ms)
{
	struct recov_slot *slot = &ns->slot;
	const char *obstacle;

	if (recov_slot_state(slot) != RECOV_DEV_LIVE)
		return -EBUSY;		  /* somebody else has begun to unload the driver */
	obstacle = net_obstacle(ns->dev); /* may be newer than ARM */
	if (obstacle) {
		recov_slot_fail(slot, -EOPNOTSUPP, "%s", obstacle);
		return -EOPNOTSUPP;
	}
	if (!net_locks_come_free(ns->dev, NET_SPIN_MS)) {
		recov_slot_fail(slot, -EBUSY, "somebody keeps a lock of the device");
		return -EBUSY;
	}
	release_pci_answer(slot->parent);
	net_record(ns);
	net_stop(ns, drain_ms);
	recov_slot_mark(slot, RECOV_MARK_HELD);
	return 0;
}

static int net_hold(struct recov_slot *slot, unsigned int drain_ms)
{
	struct net_slot *ns = to_net_slot(slot);
	struct net_finder finder;
	bool locked;
	int err;

	if (net_find_all_napis(ns->driver))
		msleep(AWAITED_MS);
	net_finder_begin(&finder, ns->driver);
	locked = net_lock_within(NET_LOCK_MS);
	net_finder_end(&finder);
	if (!locked) {
		recov_slot_fail(slot, -EBUSY, "somebody keeps the lock of the network (rtnl)");
		return -EBUSY;
	}
	err = net_hold_locked(ns, drain_ms);
	rtnl_unlock();
	return err;
}

/* ---- detach ---- */

bool net_detach(struct net_slot *ns)
{
	struct recov_slot *slot = &ns->slot;
	struct net_device *dev = ns->dev;
	const struct net_device_ops *ops;

	switch (recov_slot_state(slot)) {
	case RECOV_DEV_LIVE:
		if (slot->done || slot->verdict || net_obstacle(dev)) {
			recov_slot_move(slot, RECOV_DEV_LIVE, RECOV_DEV_RELEASED);
			return false;
		}
		net_record(ns);
		break;
	case RECOV_DEV_REPLAYED:
		ns->running = !!(dev->flags & IFF_UP); /* the user's since replay */
		break;
	}
	net_stop(ns, 0);
	net_remove_rx_group(dev);
	ops = net_driver_ops(ns);
	if (ops->ndo_uninit)
		ops->ndo_uninit(dev);
	/* The addresses stay; that the driver has been told of them does not. It may have written over
	 * their lists: then its call ends here. */
	netif_addr_lock_bh(dev);
	held_add((unsigned long)&dev->addr_list_lock);
	__dev_uc_unsync(dev, NULL);
	__dev_mc_unsync(dev, NULL);
	held_drop((unsigned long)&dev->addr_list_lock);
	netif_addr_unlock_bh(dev);
	net_forget_napis(dev);
	synchronize_net(); /* nobody is inside the driver through dev any more */
	dev->ml_priv = NULL;
	atomic_set_release(&slot->state, RECOV_DEV_DETACHED);
	recov_slot_mark(slot, RECOV_MARK_DETACHED);
	return true;
}

void net_kept(struct net_slot *ns)
{
	recov_slot_move(&ns->slot, RECOV_DEV_DETACHED, RECOV_DEV_KEPT);
}

/* ---- replay and resume ---- */

static void net_replay_features(struct recov_slot *slot)
{
	netdev_update_features(to_net_slot(slot)->dev);
}

static void net_replay_addr(struct recov_slot *slot)
{
	struct net_slot *ns = to_net_slot(slot);
	struct net_device *dev = ns->dev;
	struct sockaddr_storage addr = {.ss_family = dev->type};
	int err = 0;

	if (memcmp(ns->driver_addr, ns->addr, dev->addr_len)) {
		memcpy(((struct sockaddr *)&addr)->sa_data, ns->addr, dev->addr_len);
		/* Some drivers do nothing if the device seems to have it already. */
		dev_addr_set(dev, ns->driver_addr);
		if (dev->netdev_ops->ndo_set_mac_address)
			err = dev->netdev_ops->ndo_set_mac_address(dev, &addr);
		if (err || memcmp(dev->dev_addr, ns->addr, dev->addr_len))
			dev_addr_set(dev, ns->addr);
		if (err)
			recov_slot_fail(slot, err, "its MAC address could not be restored");
	}
	dev->addr_assign_type = ns->addr_assign_type;
}

static void net_replay_mtu(struct recov_slot *slot)
{
	struct net_slot *ns = to_net_slot(slot);
	struct net_device *dev = ns->dev;
	int err = 0;

	if (dev->mtu == ns->mtu)
		return;
	if (dev->netdev_ops->ndo_change_mtu)
		err = dev->netdev_ops->ndo_change_mtu(dev, ns->mtu);
	else
		WRITE_ONCE(dev->mtu, ns->mtu);
	if (err)
		recov_slot_fail(slot, err, "its MTU of %u could not be restored", ns->mtu);
}

/* Both at most push the known VLAN ids down through ndo_vlan_rx_add_vid(). */
static void net_replay_vlans(struct recov_slot *slot)
{
	struct net_device *dev = to_net_slot(slot)->dev;

	call_netdevice_notifiers(NETDEV_CVLAN_FILTER_PUSH_INFO, dev);
	call_netdevice_notifiers(NETDEV_SVLAN_FILTER_PUSH_INFO, dev);
}

static void net_replay_rx_mode(struct recov_slot *slot)
{
	struct net_device *dev = to_net_slot(slot)->dev;
	const struct net_device_ops *ops = dev->netdev_ops;
	unsigned int set = dev->flags & (IFF_PROMISC | IFF_ALLMULTI);

	if (set && ops->ndo_change_rx_flags)
		ops->ndo_change_rx_flags(dev, set);
	netif_addr_lock_bh(dev);
	if (ops->ndo_set_rx_mode)
		ops->ndo_set_rx_mode(dev);
	netif_addr_unlock_bh(dev);
}

static int net_replay_open(struct net_slot *ns)
{
	int err;

	err = net_driver_open(ns);
	if (err) {
		recov_slot_fail(&ns->slot, err, "the driver could not open it");
		return err;
	}
	ns->running = true;
	if (!recov_slot_restore(&ns->slot, RECOV_SETTING_VLANS, net_replay_vlans) ||
	    !recov_slot_restore(&ns->slot, RECOV_SETTING_RX_MODE, net_replay_rx_mode))
		return -EIO;
	return 0;
}

static bool net_replay_closed(struct net_slot *ns)
{
	struct recov_slot *slot = &ns->slot;

	/* As register_netdevice() has the driver take its own. */
	if (slot->leave_out & BIT(RECOV_SETTING_FEATURES))
		netdev_update_features(ns->dev);
	return recov_slot_restore(slot, RECOV_SETTING_FEATURES, net_replay_features) &&
	       recov_slot_restore(slot, RECOV_SETTING_MAC, net_replay_addr) &&
	       recov_slot_restore(slot, RECOV_SETTING_MTU, net_replay_mtu) &&
	       net_settings_replay_closed(ns);
}

/* Others keep what they have been told of. */
static void net_tell_left_out(const struct net_slot *ns)
{
	struct net_device *dev = ns->dev;

	if (ns->slot.left_out & BIT(RECOV_SETTING_MTU))
		call_netdevice_notifiers(NETDEV_CHANGEMTU, dev);
	if (ns->slot.left_out & BIT(RECOV_SETTING_MAC))
		call_netdevice_notifiers(NETDEV_CHANGEADDR, dev);
}

static int net_replay(struct recov_slot *slot)
{
	struct net_slot *ns = to_net_slot(slot);
	struct net_device *dev = ns->dev;
	int from, err = 0;

	rtnl_lock();
	from = recov_slot_state(slot);
	if (from != RECOV_DEV_HELD && from != RECOV_DEV_BOUND) {
		err = -EAGAIN;
		goto out;
	}
	net_show(ns);
	set_bit(__LINK_STATE_PRESENT, &dev->state);
	slot->left_out = 0;
	if (from == RECOV_DEV_BOUND) {
		if (!net_replay_closed(ns))
			err = -EIO;
		dev->gso_max_size = min(ns->gso_max_size, dev->tso_max_size);
		dev->gso_max_segs = min(ns->gso_max_segs, dev->tso_max_segs);
	}
	if (!err && dev->flags & IFF_UP)
		err = net_replay_open(ns);
	if (!err && from == RECOV_DEV_BOUND && !net_settings_replay_open(ns))
		err = -EIO;
	if (err) {
		clear_bit(__LINK_STATE_PRESENT, &dev->state);
		net_hide(ns);
		goto out;
	}
	net_tell_left_out(ns);
	recov_slot_move(slot, from, RECOV_DEV_REPLAYED);
	if (netif_carrier_ok(dev))
		recov_slot_mark(slot, RECOV_MARK_LINK);
out:
	rtnl_unlock();
	return err;
}

static bool net_usable(const struct recov_slot *slot)
{
	const struct net_slot *ns = to_net_slot_const(slot);

	if (recov_slot_state(slot) == RECOV_DEV_RELEASED)
		return false; /* ns->dev is gone */
	if (!(ns->dev->flags & IFF_UP))
		return true;
	return (ns->running || recov_slot_state(slot) == RECOV_DEV_LIVE) &&
	       netif_carrier_ok(ns->dev);
}

/* From REPLAYED; from HELD and BOUND if replay failed: then the device is left down, as after a
 * failed open. */
static void net_resume(struct recov_slot *slot)
{
	struct net_slot *ns = to_net_slot(slot);
	struct net_device *dev = ns->dev;
	bool event;
	unsigned int i;
	int from;

	rtnl_lock();
	from = recov_slot_state(slot);
	if (from != RECOV_DEV_REPLAYED && from != RECOV_DEV_HELD && from != RECOV_DEV_BOUND)
		goto out;
	if (from == RECOV_DEV_REPLAYED)
		ns->running = !!(dev->flags & IFF_UP); /* the user's since replay */
	event = ns->running && netif_carrier_ok(dev) != (bool)slot->link_before;
	if (!event) {
		atomic_set(&dev->carrier_up_count, ns->carrier_up);
		atomic_set(&dev->carrier_down_count, ns->carrier_down);
	}
	if (!ns->running && (dev->flags & IFF_UP))
		dev_close(dev); /* hidden: the driver, which never started, is not told */
	net_show(ns);
	set_bit(__LINK_STATE_PRESENT, &dev->state);
	for (i = 0; i < dev->num_tx_queues; i++) {
		WRITE_ONCE(dev->_tx[i].trans_start, jiffies);
		clear_bit(__QUEUE_STATE_FROZEN, &dev->_tx[i].state);
	}
	/* From here on the class's hooks let everything through. */
	recov_slot_move(slot, from, RECOV_DEV_LIVE);
	if (!ns->running)
		goto out;
	if (netif_carrier_ok(dev))
		dev_activate(dev); /* in case that an event on the eve of the hold undid it */
	__netdev_watchdog_up(dev);
	for (i = 0; i < dev->real_num_tx_queues; i++)
		if (!netif_xmit_stopped(&dev->_tx[i]))
			netif_schedule_queue(&dev->_tx[i]);
	release_serves(slot);
	if (event)
		linkwatch_fire_event(dev);
	else
		netdev_state_change(dev); /* it may have been seen as not running */
out:
	rtnl_unlock();
}

static void net_abandon(struct recov_slot *slot)
{
	struct net_slot *ns = to_net_slot(slot);

	/* The caller may hold locks that somebody with rtnl waits for. */
	if (!net_lock_within(1000))
		return;
	if (recov_slot_move(slot, RECOV_DEV_KEPT, RECOV_DEV_RELEASED)) {
		unregister_netdevice(ns->dev);
		rtnl_unlock();
		free_netdev(ns->dev);
		return;
	}
	rtnl_unlock();
}

static bool net_finish(struct recov_slot *slot)
{
	int state;

	rtnl_lock();
	state = recov_slot_state(slot);
	slot->link = state == RECOV_DEV_LIVE && net_usable(slot);
	slot->done = state == RECOV_DEV_LIVE || state == RECOV_DEV_RELEASED;
	rtnl_unlock();
	return slot->done;
}

const struct recov_class net_class = {
	.name = "net",
	.init = net_init,
	.hooks = net_hooks,
	.n_hooks = N_NET_HOOKS,
	.match = net_match,
	.free = net_free,
	.hold = net_hold,
	.adopt_begin = net_adopt_begin,
	.adopt_end = net_adopt_end,
	.replay = net_replay,
	.usable = net_usable,
	.resume = net_resume,
	.abandon = net_abandon,
	.take = net_take,
	.give_up = net_give_up,
	.private_area = net_private_area,
	.in_flight = net_in_flight,
	.drop = net_drop,
	.finish = net_finish,
};
