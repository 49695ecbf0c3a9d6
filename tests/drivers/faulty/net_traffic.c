// SPDX-License-Identifier: GPL-2.0
/* The traffic of faulty_net: frames out and in, the interrupt, and the card up and down. */
#include <linux/delay.h>
#include <linux/etherdevice.h>
#include <linux/skbuff.h>

#include "net.h"

/* May be called when the card is down: then NAPI does not let itself be scheduled. */
irqreturn_t faulty_net_interrupt(int irq, void *data)
{
	struct faulty_port *port = data;
	u32 cause = faulty_bus_cause(port->card);

	if (!cause)
		return IRQ_NONE;
	faulty_enter(port, FAULTY_HARDIRQ);
	if ((cause & FAULTY_CAUSE_TRAFFIC) && napi_schedule_prep(&port->napi)) {
		faulty_bus_mask(port->card);
		faulty_enter(port, FAULTY_PREPARED);
		__napi_schedule_irqoff(&port->napi);
	}
	return IRQ_HANDLED;
}

static void faulty_net_receive(struct faulty_port *port, unsigned int len)
{
	struct net_device *netdev = port->netdev;
	struct sk_buff *skb = napi_alloc_skb(&port->napi, len);

	if (!skb) {
		faulty_bus_receive(port->card, NULL, 0);
		netdev->stats.rx_dropped++;
		return;
	}
	faulty_bus_receive(port->card, skb_put(skb, len), len);
	netdev->stats.rx_packets++;
	netdev->stats.rx_bytes += len;
	skb->protocol = eth_type_trans(skb, netdev);
	if (READ_ONCE(port->flags) & FAULTY_NET_NO_GRO)
		netif_receive_skb(skb);
	else
		napi_gro_receive(&port->napi, skb);
}

int faulty_net_poll(struct napi_struct *napi, int budget)
{
	struct faulty_port *port = container_of(napi, struct faulty_port, napi);
	unsigned int len;
	int done = 0;

	WARN_ON_ONCE(!READ_ONCE(port->open));
	faulty_enter(port, FAULTY_NAPI);
	if (netif_queue_stopped(port->netdev) && faulty_bus_has_room(port->card) &&
	    !READ_ONCE(port->stalled))
		netif_wake_queue(port->netdev);
	while (done < budget && (len = faulty_bus_pending(port->card))) {
		faulty_net_receive(port, len);
		done++;
	}
	if (READ_ONCE(port->flags) & FAULTY_NET_OVER_BUDGET) {
		WRITE_ONCE(port->flags, port->flags & ~FAULTY_NET_OVER_BUDGET);
		return budget + 1;
	}
	if (READ_ONCE(port->flags) & FAULTY_NET_FLOOD) {
		mdelay(1);
		return budget;
	}
	if (done < budget && napi_complete_done(napi, done))
		faulty_bus_unmask(port->card);
	return done;
}

static void faulty_net_wait(struct faulty_port *port)
{
	port->stops++;
	netif_stop_queue(port->netdev);
	/* The interrupt may have been earlier than the stop. */
	if (faulty_bus_has_room(port->card))
		netif_wake_queue(port->netdev);
}

/* The queue stops as soon as the peer is full; an interrupt comes when there is room again. */
netdev_tx_t faulty_net_xmit(struct sk_buff *skb, struct net_device *netdev)
{
	struct faulty_port *port = netdev_priv(netdev);

	port->sending = skb;
	if (!(READ_ONCE(port->flags) & FAULTY_NET_FREE_TWICE) || skb->fclone == SKB_FCLONE_CLONE)
		faulty_enter(port, FAULTY_XMIT);
	port->sending = NULL;
	skb_tx_timestamp(skb);
	if (!faulty_bus_send(port->card, skb->data, skb->len)) {
		faulty_net_wait(port);
		return NETDEV_TX_BUSY;
	}
	netdev->stats.tx_packets++;
	netdev->stats.tx_bytes += skb->len;
	dev_consume_skb_any(skb);
	if (READ_ONCE(port->flags) & FAULTY_NET_STALL) {
		WRITE_ONCE(port->flags, port->flags & ~FAULTY_NET_STALL);
		WRITE_ONCE(port->stalled, true);
		netif_stop_queue(netdev);
	} else if (!faulty_bus_has_room(port->card)) {
		faulty_net_wait(port);
	}
	return NETDEV_TX_OK;
}

/* There is nothing that it could reset. */
void faulty_net_timeout(struct net_device *netdev, unsigned int queue)
{
}

int faulty_net_open(struct net_device *netdev)
{
	struct faulty_port *port = netdev_priv(netdev);

	faulty_enter(port, FAULTY_OPEN);
	WRITE_ONCE(port->open, true);
	napi_enable(&port->napi);
	faulty_bus_start(port->card);
	netif_start_queue(netdev);
	netif_carrier_on(netdev);
	return 0;
}

int faulty_net_stop(struct net_device *netdev)
{
	struct faulty_port *port = netdev_priv(netdev);

	faulty_enter(port, FAULTY_STOP);
	netif_carrier_off(netdev);
	netif_stop_queue(netdev);
	faulty_bus_halt(port->card);
	napi_disable(&port->napi);
	dev_kfree_skb_any(port->sending);
	if (READ_ONCE(port->flags) & FAULTY_NET_FREE_TWICE) {
		WRITE_ONCE(port->flags, port->flags & ~FAULTY_NET_FREE_TWICE);
		dev_kfree_skb_any(port->sending);
	}
	port->sending = NULL;
	WRITE_ONCE(port->open, false);
	return 0;
}
