// SPDX-License-Identifier: GPL-2.0
/*
 * A driver for the network cards of faulty_bus that has what drivers have (NAPI, an interrupt,
 * timers, a tasklet, a work, a thread) and fails in each of these when it is told to.
 */
#include <linux/err.h>
#include <linux/etherdevice.h>
#include <linux/if_vlan.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/platform_device.h>

#include "net.h"

enum {
	PORTS = 2
};

/* Those that are bound, by the number of the device. No fault happens under the lock. */
static DEFINE_MUTEX(faulty_ports_lock);
static struct faulty_port *faulty_ports[PORTS];

const unsigned long faulty_contexts = GENMASK(FAULTY_CONTEXTS - 1, 0);

static void faulty_port_kick(struct faulty_port *port, enum faulty_context context)
{
	switch (context) {
	case FAULTY_HARDIRQ:
		faulty_bus_raise(port->card, FAULTY_CAUSE_ASKED);
		break;
	case FAULTY_NAPI:
	case FAULTY_PREPARED:
		faulty_bus_raise(port->card, FAULTY_CAUSE_TRAFFIC);
		break;
	default:
		faulty_chores_kick(port, context);
	}
}

/* faulty_kick: the first card shall do; the faults that others have to reach wait for them. */
void faulty_kick(enum faulty_context context)
{
	int i;

	mutex_lock(&faulty_ports_lock);
	for (i = 0; i < PORTS; i++) {
		if (faulty_ports[i]) {
			faulty_port_kick(faulty_ports[i], context);
			break;
		}
	}
	mutex_unlock(&faulty_ports_lock);
}

static void faulty_port_publish(struct platform_device *device, struct faulty_port *port)
{
	mutex_lock(&faulty_ports_lock);
	faulty_ports[device->id] = port;
	mutex_unlock(&faulty_ports_lock);
}

static void faulty_net_uninit(struct net_device *netdev)
{
	const struct faulty_port *port = netdev_priv(netdev);

	if (port->flags & FAULTY_NET_BUG)
		BUG();
}

static const struct net_device_ops faulty_net_ops = {
	.ndo_uninit = faulty_net_uninit,
	.ndo_open = faulty_net_open,
	.ndo_stop = faulty_net_stop,
	.ndo_start_xmit = faulty_net_xmit,
	.ndo_tx_timeout = faulty_net_timeout,
	.ndo_change_mtu = faulty_net_change_mtu,
	.ndo_set_features = faulty_net_set_features,
	.ndo_siocdevprivate = faulty_net_private_ioctl,
	.ndo_get_stats = faulty_net_get_stats,
	.ndo_set_mac_address = eth_mac_addr,
	.ndo_validate_addr = eth_validate_addr,
};

static int faulty_net_probe(struct platform_device *device)
{
	struct net_device *netdev;
	struct faulty_port *port;
	u8 address[ETH_ALEN];
	int err;

	faulty_point(FAULTY_PROBE);
	netdev = alloc_etherdev(sizeof(*port));
	if (!netdev)
		return -ENOMEM;
	SET_NETDEV_DEV(netdev, &device->dev);
	netdev->netdev_ops = &faulty_net_ops;
	netdev->ethtool_ops = &faulty_net_ethtool_ops;
	netdev->hw_features = NETIF_F_RXCSUM;
	netdev->features = NETIF_F_RXCSUM;
	netdev->max_mtu = FAULTY_FRAME_MAX - VLAN_ETH_HLEN;
	port = netdev_priv(netdev);
	port->netdev = netdev;
	port->card = faulty_bus_card(device);
	atomic64_set(&port->entered[FAULTY_PROBE], 1);
	faulty_bus_address(port->card, address);
	eth_hw_addr_set(netdev, address);
	netif_napi_add(netdev, &port->napi, faulty_net_poll);
	netif_carrier_off(netdev);
	/* The driver before may not have got as far as to do so. */
	faulty_bus_halt(port->card);
	/* As others have their rings. */
	if (!dmam_alloc_coherent(&device->dev, PAGE_SIZE, &port->ring, GFP_KERNEL)) {
		err = -ENOMEM;
		goto err_free;
	}
	port->irq = platform_get_irq(device, 0);
	if (port->irq < 0) {
		err = port->irq;
		goto err_free;
	}
	err = request_irq(port->irq, faulty_net_interrupt, 0, dev_name(&device->dev), port);
	if (err)
		goto err_free;
	err = faulty_chores_start(port);
	if (err)
		goto err_free_irq;
	err = register_netdev(netdev);
	if (err)
		goto err_chores;
	platform_set_drvdata(device, port);
	faulty_port_publish(device, port);
	return 0;

err_chores:
	faulty_chores_stop(port);
err_free_irq:
	free_irq(port->irq, port);
err_free:
	free_netdev(netdev);
	return err;
}

static void faulty_net_remove(struct platform_device *device)
{
	struct faulty_port *port = platform_get_drvdata(device);

	faulty_enter(port, FAULTY_REMOVE);
	faulty_port_publish(device, NULL);
	if (port->flags & FAULTY_NET_TEAR)
		port->netdev->uc.list.next = LIST_POISON1;
	unregister_netdev(port->netdev);
	free_irq(port->irq, port);
	faulty_finish();
	if (!faulty_chores_stop(port)) {
		dev_warn(&device->dev, "a fault has left something behind: its memory is kept\n");
		return;
	}
	free_netdev(port->netdev);
}

static struct platform_driver faulty_net_driver = {
	.driver.name = "faulty_net",
	.probe = faulty_net_probe,
	.remove_new = faulty_net_remove,
};

module_platform_driver(faulty_net_driver);

MODULE_DESCRIPTION("Test driver of network cards that fails on command");
MODULE_LICENSE("GPL");
MODULE_ALIAS("platform:faulty_net");
