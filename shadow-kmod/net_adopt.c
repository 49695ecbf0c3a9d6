// SPDX-License-Identifier: GPL-2.0
/* Hands a kept net_device to the driver that returns for it. */
#include <linux/netdevice.h>
#include <linux/rtnetlink.h>
#include <linux/slab.h>
#include <net/sch_generic.h>

#include "net.h"

/* Capability bits of priv_flags that belong to the driver; the rest is the kernel's own state. */
#define NET_DRIVER_FLAGS                                                                           \
	(IFF_UNICAST_FLT | IFF_LIVE_ADDR_CHANGE | IFF_SUPP_NOFCS | IFF_TX_SKB_SHARING |            \
	 IFF_TX_SKB_NO_LINEAR | IFF_DONT_BRIDGE)

void net_adopt_begin(struct recov_slot *slot)
{
	struct net_slot *ns = to_net_slot(slot);

	if (!recov_slot_move(slot, RECOV_DEV_KEPT, RECOV_DEV_PROBING))
		return; /* there is nothing to adopt, or the deadline was faster */
	slot->error = 0;
	slot->reason[0] = '\0';
	WRITE_ONCE(ns->prober, current);
	/* The PCI core would hand a probe() for a device of some NUMA node to a worker there, where
	 * the hooks would not know it. */
	ns->node = dev_to_node(slot->parent);
	set_dev_node(slot->parent, NUMA_NO_NODE);
}

static void net_restore_node(struct net_slot *ns)
{
	set_dev_node(ns->slot.parent, ns->node);
}

void net_probe_lock(struct net_slot *ns)
{
	if (ns->rtnl)
		return;
	rtnl_lock();
	ns->rtnl = true;
}

bool net_probe_trylock(struct net_slot *ns)
{
	if (!ns->rtnl)
		ns->rtnl = rtnl_trylock();
	return ns->rtnl;
}

/* What the kernel object itself keeps and a probe() overwrites. Once for all attempts to bring
 * the device back: a failed one leaves its own values behind. */
static void net_remember(struct net_slot *ns)
{
	struct net_device *dev = ns->dev;

	strscpy(ns->name, dev->name, sizeof(ns->name));
	/* As many queues have a kobject now. */
	ns->real_num_tx = dev->real_num_tx_queues;
	ns->real_num_rx = dev->real_num_rx_queues;
	if (ns->remembered)
		return;
	memcpy(ns->addr, dev->dev_addr, MAX_ADDR_LEN);
	ns->addr_assign_type = dev->addr_assign_type;
	ns->mtu = dev->mtu;
	ns->gso_max_size = dev->gso_max_size;
	ns->gso_max_segs = dev->gso_max_segs;
	ns->hw_features = dev->hw_features;
	ns->wanted_features = dev->wanted_features;
	ns->remembered = true;
}

/* Copies what a driver finds in a device that it has just allocated. */
static void net_take_defaults(struct net_device *dev, const struct net_device *from)
{
	dev->netdev_ops = from->netdev_ops ?: &net_shadow_ops; /* until the driver sets its own */
	dev->ethtool_ops = from->ethtool_ops;
	dev->header_ops = from->header_ops;
	dev->priv_flags =
		(dev->priv_flags & ~(u64)NET_DRIVER_FLAGS) | (from->priv_flags & NET_DRIVER_FLAGS);
	dev->features = from->features;
	dev->hw_features = from->hw_features;
	dev->wanted_features = from->wanted_features;
	dev->vlan_features = from->vlan_features;
	dev->hw_enc_features = from->hw_enc_features;
	dev->mpls_features = from->mpls_features;
	dev->gso_partial_features = from->gso_partial_features;
	dev->gso_max_size = from->gso_max_size;
	dev->gso_max_segs = from->gso_max_segs;
	dev->tso_max_size = from->tso_max_size;
	dev->tso_max_segs = from->tso_max_segs;
	dev->mtu = from->mtu;
	dev->min_mtu = from->min_mtu;
	dev->max_mtu = from->max_mtu;
	dev->type = from->type;
	dev->hard_header_len = from->hard_header_len;
	dev->min_header_len = from->min_header_len;
	dev->needed_headroom = from->needed_headroom;
	dev->needed_tailroom = from->needed_tailroom;
	dev->addr_len = from->addr_len;
	dev->addr_assign_type = from->addr_assign_type;
	dev->neigh_priv_len = from->neigh_priv_len;
	dev->watchdog_timeo = from->watchdog_timeo;
	dev->irq = from->irq;
	dev->base_addr = from->base_addr;
	dev->mem_start = from->mem_start;
	dev->mem_end = from->mem_end;
	dev->if_port = from->if_port;
	dev->dma = from->dma;
	dev->dev_id = from->dev_id;
	dev->dev_port = from->dev_port;
	dev->real_num_tx_queues = from->real_num_tx_queues;
	dev->real_num_rx_queues = from->real_num_rx_queues;
	net_copy_version_fields(dev, from);
}

/* In place of alloc_netdev_mqs(), in probe(), under its rtnl. NULL as there: no memory. */
struct net_device *net_adopt(struct net_slot *ns, int sizeof_priv, const char *name,
			     unsigned char name_assign_type, void (*setup)(struct net_device *),
			     unsigned int txqs, unsigned int rxqs)
{
	struct net_device *fresh, *dev = ns->dev;

	net_probe_lock(ns);
	net_restore_node(ns);
	ns->slot.need = sizeof_priv;
	if (sizeof_priv > ns->slot.room) {
		recov_slot_fail(&ns->slot, -ENOSPC,
				"the driver needs %d bytes of private area, %u are there",
				sizeof_priv, ns->slot.room);
		return NULL;
	}
	if (txqs > dev->num_tx_queues || rxqs > dev->num_rx_queues) {
		recov_slot_fail(&ns->slot, -ENOSPC,
				"the driver needs %u tx and %u rx queues, %u and %u are there",
				txqs, rxqs, dev->num_tx_queues, dev->num_rx_queues);
		return NULL;
	}
	fresh = alloc_netdev_mqs(sizeof_priv, name, name_assign_type, setup, txqs, rxqs);
	if (!fresh)
		return NULL;

	net_remember(ns);
	memset(netdev_priv(dev), 0, sizeof_priv);
	net_set_priv_need(dev, sizeof_priv);
	/* Statistics that the core allocated for the old driver; the new one says its wish. */
	ns->pcpu_type = dev->pcpu_stat_type;
	ns->pcpu_stats = dev->pcpu_stat_type == NETDEV_PCPU_STAT_NONE ? NULL : dev->lstats;
	dev->pcpu_stat_type = NETDEV_PCPU_STAT_NONE;
	dev->lstats = NULL;
	net_take_defaults(dev, fresh);
	ns->hidden = false;
	/* Drivers write dev->name before they register; look-ups go by this one. */
	WRITE_ONCE(dev->name_node->name, ns->name);
	WRITE_ONCE(dev->reg_state, NETREG_UNINITIALIZED);
	free_netdev(fresh);
	recov_slot_move(&ns->slot, RECOV_DEV_PROBING, RECOV_DEV_ADOPTED);
	return dev;
}

static void net_restore_identity(struct net_slot *ns)
{
	struct net_device *dev = ns->dev;

	strscpy(dev->name, ns->name, sizeof(dev->name));
	WRITE_ONCE(dev->name_node->name, dev->name);
	WRITE_ONCE(dev->reg_state, NETREG_REGISTERED);
}

static int net_restore_pcpu_stats(struct net_slot *ns)
{
	struct net_device *dev = ns->dev;

	if (ns->pcpu_type != dev->pcpu_stat_type) {
		free_percpu(ns->pcpu_stats);
		ns->pcpu_stats = NULL;
		switch (dev->pcpu_stat_type) {
		case NETDEV_PCPU_STAT_NONE:
			return 0; /* dev->lstats is the driver's, if anything */
		case NETDEV_PCPU_STAT_LSTATS:
			ns->pcpu_stats = netdev_alloc_pcpu_stats(struct pcpu_lstats);
			break;
		case NETDEV_PCPU_STAT_TSTATS:
			ns->pcpu_stats = netdev_alloc_pcpu_stats(struct pcpu_sw_netstats);
			break;
		case NETDEV_PCPU_STAT_DSTATS:
			ns->pcpu_stats = netdev_alloc_pcpu_stats(struct pcpu_dstats);
			break;
		}
		if (!ns->pcpu_stats)
			return -ENOMEM;
		ns->pcpu_type = dev->pcpu_stat_type;
	}
	if (dev->pcpu_stat_type != NETDEV_PCPU_STAT_NONE) {
		dev->lstats = ns->pcpu_stats;
		ns->pcpu_stats = NULL;
	}
	return 0;
}

/* The kobjects of the queues follow the number that the driver left before it registered. */
static int net_restore_queues(struct net_slot *ns)
{
	struct net_device *dev = ns->dev;
	unsigned int tx = dev->real_num_tx_queues, rx = dev->real_num_rx_queues;
	const struct attribute_group *rx_group = dev->sysfs_rx_queue_group;
	int err;

	dev->sysfs_rx_queue_group = NULL;
	dev->real_num_tx_queues = ns->real_num_tx;
	dev->real_num_rx_queues = ns->real_num_rx;
	err = netif_set_real_num_tx_queues(dev, tx);
	if (!err)
		err = netif_set_real_num_rx_queues(dev, rx);
	/* Between its allocation and now the device seemed to have all of them. */
	if (!err && tx < dev->num_tx_queues) {
		synchronize_net();
		qdisc_reset_all_tx_gt(dev, tx);
	}
	if (!err)
		net_add_rx_group(dev, rx_group);
	return err;
}

/* What register_netdevice() makes of the driver's features, and of the user's wishes, unless these are
 * left out. */
static void net_restore_features(struct net_slot *ns)
{
	struct net_device *dev = ns->dev;
	netdev_features_t both;

	dev->hw_features |= NETIF_F_SOFT_FEATURES | NETIF_F_SOFT_FEATURES_OFF;
	dev->features |= NETIF_F_SOFT_FEATURES;
	dev->wanted_features = dev->features & dev->hw_features;
	dev->hw_features |= NETIF_F_NOCACHE_COPY;
	if (dev->hw_features & NETIF_F_TSO)
		dev->hw_features |= NETIF_F_TSO_MANGLEID;
	if (dev->vlan_features & NETIF_F_TSO)
		dev->vlan_features |= NETIF_F_TSO_MANGLEID;
	if (dev->mpls_features & NETIF_F_TSO)
		dev->mpls_features |= NETIF_F_TSO_MANGLEID;
	if (dev->hw_enc_features & NETIF_F_TSO)
		dev->hw_enc_features |= NETIF_F_TSO_MANGLEID;
	net_version_features(dev);
	dev->vlan_features |= NETIF_F_HIGHDMA;
	dev->hw_enc_features |= NETIF_F_SG | NETIF_F_GSO_PARTIAL;
	dev->mpls_features |= NETIF_F_SG;

	if (ns->slot.leave_out & BIT(RECOV_SETTING_FEATURES))
		return;
	both = dev->hw_features & ns->hw_features;
	dev->wanted_features = (dev->wanted_features & ~both) | (ns->wanted_features & both);
}

/* In place of register_netdevice(), under the probe's rtnl. */
int net_adopt_registered(struct net_slot *ns)
{
	struct net_device *dev = ns->dev;
	int err;

	net_show(ns);
	if (dev->dev.parent != ns->slot.parent) {
		recov_slot_fail(&ns->slot, -EINVAL, "the driver gave it another parent device");
		return -EINVAL;
	}
	if (dev->netdev_ops->ndo_init) {
		err = dev->netdev_ops->ndo_init(dev);
		if (err)
			return err > 0 ? -EIO : err;
	}
	err = net_restore_pcpu_stats(ns);
	if (err)
		goto err_uninit;
	net_restore_features(ns);
	if (dev->addr_assign_type == NET_ADDR_PERM)
		memcpy(dev->perm_addr, dev->dev_addr, dev->addr_len);
	/* Packets built from here on carry the address that the user has set. */
	memcpy(ns->driver_addr, dev->dev_addr, MAX_ADDR_LEN);
	if (!(ns->slot.leave_out & BIT(RECOV_SETTING_MAC)))
		dev_addr_set(dev, ns->addr);
	net_restore_identity(ns);
	err = net_restore_queues(ns);
	if (err)
		goto err_unregistered;
	recov_slot_move(&ns->slot, RECOV_DEV_ADOPTED, RECOV_DEV_REGISTERED);
	if (!ns->prober) {
		net_hide(ns);
		recov_slot_move(&ns->slot, RECOV_DEV_REGISTERED, RECOV_DEV_BOUND);
	}
	return 0;

err_unregistered:
	WRITE_ONCE(dev->reg_state, NETREG_UNINITIALIZED);
err_uninit:
	if (dev->netdev_ops->ndo_uninit)
		dev->netdev_ops->ndo_uninit(dev);
	return err;
}

/* In place of free_netdev() by a driver that has not registered; net_kept() follows. Under rtnl. */
void net_unadopt(struct net_slot *ns)
{
	struct net_device *dev = ns->dev;

	net_restore_identity(ns);
	dev->real_num_tx_queues = ns->real_num_tx;
	dev->real_num_rx_queues = ns->real_num_rx;
	dev->sysfs_rx_queue_group = NULL;
	if (ns->pcpu_stats) {
		dev->pcpu_stat_type = ns->pcpu_type;
		dev->lstats = ns->pcpu_stats;
		ns->pcpu_stats = NULL;
	}
	net_hide(ns);
	net_forget_napis(dev);
	synchronize_net();
	recov_slot_move(&ns->slot, RECOV_DEV_ADOPTED, RECOV_DEV_DETACHED);
}

void net_adopt_end(struct recov_slot *slot, bool bound)
{
	struct net_slot *ns = to_net_slot(slot);

	if (READ_ONCE(ns->prober) != current)
		return;
	if (bound) {
		switch (recov_slot_state(slot)) {
		case RECOV_DEV_REGISTERED:
			net_hide(ns); /* the world waits for replay */
			recov_slot_move(slot, RECOV_DEV_REGISTERED, RECOV_DEV_BOUND);
			break;
		case RECOV_DEV_PROBING:
			recov_slot_fail(slot, -ENODEV, "the driver bound but made no device");
			break;
		case RECOV_DEV_ADOPTED:
			net_hide(ns); /* some drivers register later than in their probe() */
			break;
		}
	} else {
		recov_slot_fail(slot, -EIO, "the driver's probe failed");
		/* Still adopted or registered? Then devres gives it up next. */
		if (recov_slot_state(slot) == RECOV_DEV_ADOPTED)
			net_restore_identity(ns);
		if (ns->rtnl)
			net_hide(ns);
	}
	net_restore_node(ns);
	recov_slot_move(slot, RECOV_DEV_PROBING, RECOV_DEV_KEPT);
	WRITE_ONCE(ns->prober, NULL);
	if (ns->rtnl) {
		ns->rtnl = false;
		rtnl_unlock();
	}
}
