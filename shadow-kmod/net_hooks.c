// SPDX-License-Identifier: GPL-2.0
/* The functions of the network core that the net class stands in for while a swap is on. */
#include <linux/etherdevice.h>
#include <linux/netdevice.h>
#include <linux/rculist.h>
#include <linux/rtnetlink.h>

#include "held.h"
#include "net.h"

/* ---- whose call is it? Runs in any context and may not sleep ---- */

static struct net_slot *slot_arg(const struct pt_regs *regs)
{
	return net_slot_of((const struct net_device *)regs->di);
}

/* The first device of this task's probe that has not been handed out yet. */
static struct net_slot *adoptable_slot(void)
{
	struct list_head *slots = recov_swap_slots();
	struct recov_slot *slot;

	if (!slots)
		return NULL;
	list_for_each_entry_rcu(slot, slots, list, true)
		if (READ_ONCE(to_net_slot(slot)->prober) == current &&
		    recov_slot_state(slot) == RECOV_DEV_PROBING)
			return to_net_slot(slot);
	return NULL;
}

static bool wants_unregister(const struct pt_regs *regs)
{
	struct net_slot *ns = slot_arg(regs);

	if (!ns)
		return false;
	switch (recov_slot_state(&ns->slot)) {
	case RECOV_DEV_LIVE:
	case RECOV_DEV_HELD:
	case RECOV_DEV_REGISTERED:
	case RECOV_DEV_BOUND:
	case RECOV_DEV_REPLAYED:
		return true;
	}
	return false;
}

static bool wants_free(const struct pt_regs *regs)
{
	struct net_slot *ns = slot_arg(regs);
	int state = ns ? recov_slot_state(&ns->slot) : RECOV_DEV_RELEASED;

	return state == RECOV_DEV_DETACHED || state == RECOV_DEV_ADOPTED;
}

static bool wants_alloc(const struct pt_regs *regs)
{
	/* Ethernet devices only: drivers allocate others for their own ends. */
	return regs->cx == (unsigned long)ether_setup && adoptable_slot() != NULL;
}

static bool wants_register(const struct pt_regs *regs)
{
	struct net_slot *ns = slot_arg(regs);

	return ns && recov_slot_state(&ns->slot) == RECOV_DEV_ADOPTED;
}

static bool wants_rtnl(const struct pt_regs *regs)
{
	return net_probing_slot() != NULL;
}

/* From hold to resume nothing may be seen of what the driver goes through. */
static bool wants_held(const struct pt_regs *regs)
{
	struct net_slot *ns = slot_arg(regs);
	int state = ns ? recov_slot_state(&ns->slot) : RECOV_DEV_RELEASED;

	return state != RECOV_DEV_LIVE && state != RECOV_DEV_RELEASED;
}

/* ---- the replacements ---- */

/* A task in its probe() keeps rtnl until the end of it. True if the caller has to unlock; so does the
 * end of a driver's call that does not get there. */
static __always_inline bool lock_for_caller(void)
{
	struct net_slot *ns = net_probing_slot();

	if (ns) {
		net_probe_lock(ns);
		return false;
	}
	rtnl_lock();
	held_add_shadow_rtnl((unsigned long)__builtin_frame_address(0));
	return true;
}

static void unlock_for_caller(void)
{
	held_drop_shadow_rtnl();
	rtnl_unlock();
}

static void hook_unregister_netdevice_queue(struct net_device *dev, struct list_head *head)
{
	if (!net_detach(net_slot_of(dev)))
		unregister_netdevice_queue(dev, head);
	recov_hook_leave();
}

static void hook_unregister_netdev(struct net_device *dev)
{
	struct net_slot *ns = net_slot_of(dev);
	bool locked = lock_for_caller();

	if (!net_detach(ns))
		unregister_netdevice(dev);
	if (locked)
		unlock_for_caller();
	recov_hook_leave();
}

static void hook_free_netdev(struct net_device *dev)
{
	struct net_slot *ns = net_slot_of(dev);

	if (recov_slot_state(&ns->slot) == RECOV_DEV_ADOPTED) {
		bool locked = lock_for_caller();

		net_unadopt(ns);
		if (locked)
			unlock_for_caller();
	}
	net_kept(ns);
	recov_hook_leave();
}

static struct net_device *hook_alloc_netdev_mqs(int sizeof_priv, const char *name,
						unsigned char name_assign_type,
						void (*setup)(struct net_device *),
						unsigned int txqs, unsigned int rxqs)
{
	struct net_device *dev;

	dev = net_adopt(adoptable_slot(), sizeof_priv, name, name_assign_type, setup, txqs, rxqs);
	recov_hook_leave();
	return dev;
}

static int hook_register_netdevice(struct net_device *dev)
{
	int err;

	err = net_adopt_registered(net_slot_of(dev));
	recov_hook_leave();
	return err;
}

static int hook_register_netdev(struct net_device *dev)
{
	bool locked = lock_for_caller();
	int err;

	err = net_adopt_registered(net_slot_of(dev));
	if (locked)
		unlock_for_caller();
	recov_hook_leave();
	return err;
}

/* A probe() that holds rtnl for the sake of its device goes on holding it. */
static void hook_rtnl_lock(void)
{
	net_probe_lock(net_probing_slot());
	recov_hook_leave();
}

static void hook_rtnl_unlock(void)
{
	recov_hook_leave();
}

static int hook_rtnl_trylock(void)
{
	bool taken = net_probe_trylock(net_probing_slot());

	recov_hook_leave();
	return taken;
}

static int hook_rtnl_lock_killable(void)
{
	net_probe_lock(net_probing_slot());
	recov_hook_leave();
	return 0;
}

static void hook_linkwatch_fire_event(struct net_device *dev)
{
	struct net_slot *ns = net_slot_of(dev);

	if (recov_slot_state(&ns->slot) == RECOV_DEV_REPLAYED && netif_carrier_ok(dev))
		recov_slot_mark(&ns->slot, RECOV_MARK_LINK);
	recov_hook_leave();
}

static struct rtnl_link_stats64 *hook_dev_get_stats(struct net_device *dev,
						    struct rtnl_link_stats64 *storage)
{
	struct rtnl_link_stats64 stats = net_slot_of(dev)->stats;

	/* Before: a driver may ask in its timer, for where nothing is. */
	recov_hook_leave();
	*storage = stats;
	return storage;
}

struct recov_hook net_hooks[N_NET_HOOKS] = {
#define NET_HOOK(fn, want)                                                                         \
	{                                                                                          \
		.symbol = #fn, .replacement = hook_##fn, .wanted = want                            \
	}
	NET_HOOK(unregister_netdevice_queue, wants_unregister),
	NET_HOOK(unregister_netdev, wants_unregister),
	NET_HOOK(free_netdev, wants_free),
	NET_HOOK(alloc_netdev_mqs, wants_alloc),
	NET_HOOK(register_netdevice, wants_register),
	NET_HOOK(register_netdev, wants_register),
	NET_HOOK(rtnl_lock, wants_rtnl),
	NET_HOOK(rtnl_unlock, wants_rtnl),
	NET_HOOK(rtnl_trylock, wants_rtnl),
	NET_HOOK(rtnl_lock_killable, wants_rtnl),
	NET_HOOK(linkwatch_fire_event, wants_held),
	NET_HOOK(dev_get_stats, wants_held),
#undef NET_HOOK
};
