// SPDX-License-Identifier: GPL-2.0
/* All through which a net_device leads into its driver: hidden while the driver is away. */
#include <linux/ethtool.h>
#include <linux/netdevice.h>
#include <linux/sysfs.h>

#include "net.h"

static netdev_tx_t net_shadow_xmit(struct sk_buff *skb, struct net_device *dev)
{
	return NETDEV_TX_BUSY; /* back to the qdisc */
}

/* As the target of an XDP redirect, which asks for it without looking. */
static int net_shadow_xdp_xmit(struct net_device *dev, int n, struct xdp_frame **frames, u32 flags)
{
	return -ENETDOWN;
}

#ifdef CONFIG_RFS_ACCEL
static int net_shadow_rx_flow_steer(struct net_device *dev, const struct sk_buff *skb, u16 rxq,
				    u32 flow_id)
{
	return -EOPNOTSUPP;
}
#endif

/* Serve a device without a driver: everything optional is absent, so the core does without. */
const struct net_device_ops net_shadow_ops = {
	.ndo_start_xmit = net_shadow_xmit,
	.ndo_xdp_xmit = net_shadow_xdp_xmit,
#ifdef CONFIG_RFS_ACCEL
	.ndo_rx_flow_steer = net_shadow_rx_flow_steer,
#endif
};
static const struct ethtool_ops net_shadow_ethtool_ops = {};

/* Where a net_device leads into its driver, and what stands there while it is hidden. */
static const struct {
	size_t offset;
	const void *shadow;
} net_pointers[] = {
#define NET_POINTER(field, value)                                                                  \
	{                                                                                          \
		.offset = offsetof(struct net_device, field), .shadow = value                      \
	}
	NET_POINTER(netdev_ops, &net_shadow_ops),
	NET_POINTER(ethtool_ops, &net_shadow_ethtool_ops),
	NET_POINTER(qdisc_tx_busylock, NULL),
	NET_POINTER(udp_tunnel_nic_info, NULL),
#ifdef CONFIG_WIRELESS_EXT
	NET_POINTER(wireless_handlers, NULL),
#endif
#ifdef CONFIG_DCB
	NET_POINTER(dcbnl_ops, NULL),
#endif
#ifdef CONFIG_XFRM_OFFLOAD
	NET_POINTER(xfrmdev_ops, NULL),
#endif
#if IS_ENABLED(CONFIG_TLS_DEVICE)
	NET_POINTER(tlsdev_ops, NULL),
#endif
#if IS_ENABLED(CONFIG_MACSEC)
	NET_POINTER(macsec_ops, NULL),
#endif
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 12, 0)
	NET_POINTER(xdp_metadata_ops, NULL),
	NET_POINTER(xsk_tx_metadata_ops, NULL),
	NET_POINTER(stat_ops, NULL),
	NET_POINTER(queue_mgmt_ops, NULL),
#endif
#undef NET_POINTER
};
static_assert(ARRAY_SIZE(net_pointers) <= NET_POINTERS_MAX);

bool net_pointer_known(size_t offset)
{
	unsigned int i;

	if (offset == offsetof(struct net_device, sysfs_rx_queue_group))
		return true; /* see net_remove_rx_group() */
	for (i = 0; i < ARRAY_SIZE(net_pointers); i++)
		if (net_pointers[i].offset == offset)
			return true;
	return false;
}

static const void **net_pointer(struct net_device *dev, unsigned int i)
{
	return (const void **)((char *)dev + net_pointers[i].offset);
}

void net_hide(struct net_slot *ns)
{
	unsigned int i;

	if (ns->hidden)
		return;
	for (i = 0; i < ARRAY_SIZE(net_pointers); i++) {
		const void **p = net_pointer(ns->dev, i);

		ns->pointers[i] = *p;
		WRITE_ONCE(*p, net_pointers[i].shadow);
	}
	ns->hidden = true;
}

void net_show(struct net_slot *ns)
{
	unsigned int i;

	if (!ns->hidden)
		return;
	for (i = 0; i < ARRAY_SIZE(net_pointers); i++)
		WRITE_ONCE(*net_pointer(ns->dev, i), ns->pointers[i]);
	ns->hidden = false;
}

const struct net_device_ops *net_driver_ops(struct net_slot *ns)
{
	return ns->hidden ? ns->pointers[0] : ns->dev->netdev_ops;
}

void net_remove_rx_group(struct net_device *dev)
{
	unsigned int i;

	if (!dev->sysfs_rx_queue_group)
		return;
	for (i = 0; i < dev->real_num_rx_queues; i++)
		sysfs_remove_group(&dev->_rx[i].kobj, dev->sysfs_rx_queue_group);
	dev->sysfs_rx_queue_group = NULL;
}

void net_add_rx_group(struct net_device *dev, const struct attribute_group *group)
{
	unsigned int i;

	if (!group)
		return;
	for (i = 0; i < dev->real_num_rx_queues; i++)
		if (sysfs_create_group(&dev->_rx[i].kobj, group))
			netdev_warn(dev, "recov_shadow: no %s below rx-%u\n", group->name, i);
	dev->sysfs_rx_queue_group = group;
}
