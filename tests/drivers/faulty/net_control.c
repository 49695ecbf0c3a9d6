// SPDX-License-Identifier: GPL-2.0
/* What users ask faulty_net: the operations of ethtool, an ioctl of its own, and the MTU. */
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "faulty_ioctl.h"
#include "net.h"

static const char faulty_flag_names[][ETH_GSTRING_LEN] = {
	"no-gro", "flood", "no-stats", "over-budget", "free-twice", "stall", "tear", "bug"};

static void faulty_get_drvinfo(struct net_device *netdev, struct ethtool_drvinfo *info)
{
	faulty_enter(netdev_priv(netdev), FAULTY_PROCESS);
	strscpy(info->driver, "faulty_net", sizeof(info->driver));
	strscpy(info->bus_info, dev_name(netdev->dev.parent), sizeof(info->bus_info));
	info->n_priv_flags = ARRAY_SIZE(faulty_flag_names);
}

static void faulty_get_ringparam(struct net_device *netdev, struct ethtool_ringparam *ring,
				 struct kernel_ethtool_ringparam *kernel_ring,
				 struct netlink_ext_ack *extack)
{
	struct faulty_port *port = netdev_priv(netdev);

	faulty_enter(port, FAULTY_PROCESS);
	ring->rx_max_pending = FAULTY_RING_MAX;
	ring->rx_pending = faulty_bus_ring(port->card);
}

static int faulty_set_ringparam(struct net_device *netdev, struct ethtool_ringparam *ring,
				struct kernel_ethtool_ringparam *kernel_ring,
				struct netlink_ext_ack *extack)
{
	struct faulty_port *port = netdev_priv(netdev);

	faulty_enter(port, FAULTY_PROCESS);
	if (ring->rx_pending < FAULTY_RING_MIN)
		return -EINVAL;
	if (port->open)
		napi_disable(&port->napi);
	faulty_enter(port, FAULTY_DISABLED);
	faulty_bus_set_ring(port->card, ring->rx_pending);
	if (port->open)
		napi_enable(&port->napi);
	return 0;
}

static u32 faulty_get_priv_flags(struct net_device *netdev)
{
	struct faulty_port *port = netdev_priv(netdev);

	faulty_enter(port, FAULTY_PROCESS);
	return port->flags;
}

static int faulty_set_priv_flags(struct net_device *netdev, u32 flags)
{
	struct faulty_port *port = netdev_priv(netdev);

	faulty_enter(port, FAULTY_PROCESS);
	WRITE_ONCE(port->flags, flags);
	return 0;
}

static int faulty_get_sset_count(struct net_device *netdev, int set)
{
	switch (set) {
	case ETH_SS_PRIV_FLAGS:
		return ARRAY_SIZE(faulty_flag_names);
	case ETH_SS_STATS:
		return FAULTY_CONTEXTS + 1;
	default:
		return -EOPNOTSUPP;
	}
}

static void faulty_get_strings(struct net_device *netdev, u32 set, u8 *to)
{
	int i;

	if (set == ETH_SS_PRIV_FLAGS) {
		memcpy(to, faulty_flag_names, sizeof(faulty_flag_names));
		return;
	}
	for (i = 0; i < FAULTY_CONTEXTS; i++)
		strscpy(to + i * ETH_GSTRING_LEN, faulty_context_names[i], ETH_GSTRING_LEN);
	strscpy(to + i * ETH_GSTRING_LEN, "queue-stops", ETH_GSTRING_LEN);
}

/* How often the driver was called in each context, and had to stop its queue. */
static void faulty_get_stats(struct net_device *netdev, struct ethtool_stats *stats, u64 *to)
{
	struct faulty_port *port = netdev_priv(netdev);
	int i;

	faulty_enter(port, FAULTY_PROCESS);
	for (i = 0; i < FAULTY_CONTEXTS; i++)
		to[i] = atomic64_read(&port->entered[i]);
	to[i] = READ_ONCE(port->stops);
}

const struct ethtool_ops faulty_net_ethtool_ops = {
	.get_drvinfo = faulty_get_drvinfo,
	.get_link = ethtool_op_get_link,
	.get_ts_info = ethtool_op_get_ts_info,
	.get_ringparam = faulty_get_ringparam,
	.set_ringparam = faulty_set_ringparam,
	.get_priv_flags = faulty_get_priv_flags,
	.set_priv_flags = faulty_set_priv_flags,
	.get_sset_count = faulty_get_sset_count,
	.get_strings = faulty_get_strings,
	.get_ethtool_stats = faulty_get_stats,
};

int faulty_net_private_ioctl(struct net_device *netdev, struct ifreq *request, void __user *data,
			     int command)
{
	struct faulty_net_state state = {
		.sent = netdev->stats.tx_packets,
		.received = netdev->stats.rx_packets,
	};

	faulty_enter(netdev_priv(netdev), FAULTY_PROCESS);
	if (command != SIOCDEVPRIVATE)
		return -EOPNOTSUPP;
	return copy_to_user(data, &state, sizeof(state)) ? -EFAULT : 0;
}

int faulty_net_change_mtu(struct net_device *netdev, int mtu)
{
	faulty_enter(netdev_priv(netdev), FAULTY_PROCESS);
	WRITE_ONCE(netdev->mtu, mtu);
	faulty_enter(netdev_priv(netdev), FAULTY_MTU);
	return 0;
}

struct net_device_stats *faulty_net_get_stats(struct net_device *netdev)
{
	struct faulty_port *port = netdev_priv(netdev);

	if (!(READ_ONCE(port->flags) & FAULTY_NET_NO_STATS))
		return &netdev->stats;
	WRITE_ONCE(port->flags, port->flags & ~FAULTY_NET_NO_STATS);
	return NULL;
}

/* faulty_net_set_features: there is nothing to do about them. */
int faulty_net_set_features(struct net_device *netdev, netdev_features_t features)
{
	if (!(features & NETIF_F_RXCSUM))
		faulty_enter(netdev_priv(netdev), FAULTY_FEATURES);
	return 0;
}
