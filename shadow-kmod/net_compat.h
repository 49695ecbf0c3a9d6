/* SPDX-License-Identifier: GPL-2.0 */
/* Where the supported kernels (6.1 and 6.12) differ for the net class: one helper each. */
#ifndef SHADOW_NET_COMPAT_H
#define SHADOW_NET_COMPAT_H

#include <linux/ethtool.h>
#include <linux/linkmode.h>
#include <linux/netdevice.h>
#include <linux/version.h>
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 7, 0)
#include <net/netdev_rx_queue.h> /* split off in 49e47a5b6145 */
#endif

/* 6.8 split the kernel's form of EEE (ethtool_keee) from that of user space. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 8, 0)
typedef struct ethtool_keee net_eee_t;
static inline bool net_eee_same(const net_eee_t *a, const net_eee_t *b)
{
	return a->eee_enabled == b->eee_enabled && a->tx_lpi_enabled == b->tx_lpi_enabled &&
	       a->tx_lpi_timer == b->tx_lpi_timer && linkmode_equal(a->advertised, b->advertised);
}
#else
typedef struct ethtool_eee net_eee_t;
static inline bool net_eee_same(const net_eee_t *a, const net_eee_t *b)
{
	return a->eee_enabled == b->eee_enabled && a->tx_lpi_enabled == b->tx_lpi_enabled &&
	       a->tx_lpi_timer == b->tx_lpi_timer && a->advertised == b->advertised;
}
#endif

/* fb6e30a72539 (6.8): get_rxfh and set_rxfh take a struct. */
struct net_rss {
	u32 indir_size, key_size;
	u32 *indir;
	u8 *key;
	u8 hfunc;
};

static inline int net_rss_get(struct net_device *dev, struct net_rss *rss)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 8, 0)
	struct ethtool_rxfh_param p = {
		.indir_size = rss->indir_size,
		.indir = rss->indir,
		.key_size = rss->key_size,
		.key = rss->key,
	};
	int err = dev->ethtool_ops->get_rxfh(dev, &p);

	rss->hfunc = p.hfunc;
	return err;
#else
	return dev->ethtool_ops->get_rxfh(dev, rss->indir, rss->key, &rss->hfunc);
#endif
}

static inline int net_rss_set(struct net_device *dev, const struct net_rss *rss)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 8, 0)
	struct ethtool_rxfh_param p = {
		.indir_size = rss->indir_size,
		.indir = rss->indir,
		.key_size = rss->key_size,
		.key = rss->key,
		.hfunc = rss->hfunc,
		.input_xfrm = RXH_XFRM_NO_CHANGE,
	};

	return dev->ethtool_ops->set_rxfh(dev, &p, NULL);
#else
	return dev->ethtool_ops->set_rxfh(dev, rss->indir, rss->key, rss->hfunc);
#endif
}

/* 6.11 lets the core know of further RSS contexts (ethtool_netdev_state.rss_ctx). */
static inline bool net_has_rss_contexts(struct net_device *dev)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 11, 0)
	return !xa_empty(&dev->ethtool->rss_ctx);
#else
	return false;
#endif
}

/* Since 6.8 queues know their NAPI (netif_queue_set_napi). */
static inline void net_clear_queue_napi(struct net_device *dev)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 8, 0)
	unsigned int i;

	for (i = 0; i < dev->num_tx_queues; i++)
		WRITE_ONCE(dev->_tx[i].napi, NULL);
	for (i = 0; i < dev->num_rx_queues; i++)
		WRITE_ONCE(dev->_rx[i].napi, NULL);
#endif
}

/* The size asked for the private area: kept since 6.11, when it became a flexible array; 0 if not
 * known. */
static inline u32 net_priv_need(const struct net_device *dev)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 11, 0)
	return dev->priv_len;
#else
	return 0;
#endif
}

static inline void net_set_priv_need(struct net_device *dev, u32 need)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 11, 0)
	dev->priv_len = need;
#endif
}

/* Start of the allocation that dev lies in: aligned by hand until the same change. */
static inline void *net_allocation(const struct net_device *dev)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 11, 0)
	return (void *)dev;
#else
	return (char *)dev - dev->padded;
#endif
}

/* Since 6.2 a devlink port hangs on the device; before, the driver was asked for it. */
static inline bool net_has_devlink_port(const struct net_device *dev)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 2, 0)
	return dev->devlink_port != NULL;
#else
	return dev->netdev_ops->ndo_get_devlink_port != NULL;
#endif
}

/* Fields that only one of the kernels has, copied from the fresh device a driver asked for. */
static inline void net_copy_version_fields(struct net_device *dev, const struct net_device *from)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 12, 0)
	dev->lltx = from->lltx; /* 00d066a4d4ed */
	dev->mangleid_features = from->mangleid_features;
	dev->see_all_hwtstamp_requests = from->see_all_hwtstamp_requests;
	dev->change_proto_down = from->change_proto_down;
	dev->xdp_zc_max_segs = from->xdp_zc_max_segs;
	dev->irq_moder = NULL;
#endif
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 3, 0)
	dev->xdp_features = from->xdp_features; /* d3d854fd6a1d */
#endif
}

/* net/core/dev.h: how a name leads to its device. Checked by net_name_ok() before it is used. */
struct netdev_name_node {
	struct hlist_node hlist;
	struct list_head list;
	struct net_device *dev;
	const char *name;
};

static inline bool net_name_ok(const struct net_device *dev)
{
	return dev->name_node && dev->name_node->dev == dev && dev->name_node->name == dev->name;
}

/* Handles a pending event of the link watch now, under rtnl. Not exported; another name until 6.8. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 8, 0)
#define NET_RUN_LINKWATCH "linkwatch_sync_dev"
#else
#define NET_RUN_LINKWATCH "linkwatch_forget_dev"
#endif

/* register_netdevice() of 6.12 makes TSO's mangling explicit. */
static inline void net_version_features(struct net_device *dev)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 12, 0)
	dev->mangleid_features |= NETIF_F_TSO_MANGLEID;
#endif
}

#endif /* SHADOW_NET_COMPAT_H */
