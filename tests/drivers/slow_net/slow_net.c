// SPDX-License-Identifier: GPL-2.0
/*
 * A small driver for virtio network cards that takes as long as it is told in each step of its
 * life, so that a test can do something else meanwhile.
 */
#include <linux/ethtool.h>
#include <linux/etherdevice.h>
#include <linux/module.h>
#include <linux/netdevice.h>
#include <linux/scatterlist.h>
#include <linux/version.h>
#include <linux/virtio.h>
#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <linux/workqueue.h>

#include "slow_lib.h"

/* What drivers made of this one change. */
#ifndef SLOW_CARRIER_MS
#define SLOW_CARRIER_MS 0
#endif
#ifndef SLOW_OPEN_ERROR
#define SLOW_OPEN_ERROR 0
#endif

#define SLOW_PARAM(name, preset, text)                                                             \
	static unsigned int name = preset;                                                         \
	module_param(name, uint, 0644);                                                            \
	MODULE_PARM_DESC(name, "how long " text " takes, in ms")

SLOW_PARAM(match_ms, 0, "telling its flow rules");
SLOW_PARAM(init_ms, 0, "loading");
SLOW_PARAM(probe_ms, 0, "probe");
SLOW_PARAM(open_ms, 0, "bringing it up");
SLOW_PARAM(carrier_ms, SLOW_CARRIER_MS, "it from being up until it has a link");
SLOW_PARAM(stop_ms, 0, "bringing it down");
SLOW_PARAM(remove_ms, 0, "remove");
SLOW_PARAM(exit_ms, 0, "unloading");

enum {
	RX,
	TX,
	QUEUES
};

struct slow_net {
	struct virtio_device *vdev;
	struct net_device *netdev;
	struct virtqueue *queues[QUEUES];
	struct napi_struct napi;
	struct delayed_work carrier;
	unsigned int header; /* bytes before each frame */
};

/* The header of a frame lives in its skb's control block, as the stock driver has it. */
static void slow_map(struct slow_net *slow, struct sk_buff *skb, unsigned int len,
		     struct scatterlist sg[2])
{
	sg_init_table(sg, 2);
	sg_set_buf(&sg[0], skb->cb, slow->header);
	sg_set_buf(&sg[1], skb->data, len);
}

static void slow_fill(struct slow_net *slow, gfp_t gfp)
{
	struct virtqueue *queue = slow->queues[RX];
	struct scatterlist sg[2];
	struct sk_buff *skb;

	while (queue->num_free >= 2) {
		skb = __netdev_alloc_skb_ip_align(slow->netdev, ETH_FRAME_LEN + VLAN_HLEN, gfp);
		if (!skb)
			break;
		slow_map(slow, skb, ETH_FRAME_LEN + VLAN_HLEN, sg);
		if (virtqueue_add_inbuf(queue, sg, 2, skb, gfp)) {
			kfree_skb(skb);
			break;
		}
	}
	virtqueue_kick(queue);
}

static void slow_reclaim(struct slow_net *slow)
{
	struct netdev_queue *txq = netdev_get_tx_queue(slow->netdev, 0);
	struct sk_buff *skb;
	unsigned int len;

	__netif_tx_lock(txq, smp_processor_id());
	virtqueue_disable_cb(slow->queues[TX]);
	do {
		while ((skb = virtqueue_get_buf(slow->queues[TX], &len)))
			dev_consume_skb_any(skb);
	} while (!virtqueue_enable_cb(slow->queues[TX]));
	if (netif_tx_queue_stopped(txq) && slow->queues[TX]->num_free >= 4)
		netif_tx_wake_queue(txq);
	__netif_tx_unlock(txq);
}

static void slow_receive(struct slow_net *slow, struct sk_buff *skb, unsigned int len)
{
	struct net_device *netdev = slow->netdev;

	if (len < slow->header + ETH_HLEN || len > slow->header + ETH_FRAME_LEN + VLAN_HLEN) {
		netdev->stats.rx_length_errors++;
		dev_kfree_skb_any(skb);
		return;
	}
	skb_put(skb, len - slow->header);
	netdev->stats.rx_packets++;
	netdev->stats.rx_bytes += skb->len;
	skb->protocol = eth_type_trans(skb, netdev);
	memset(skb->cb, 0, sizeof(skb->cb));
	napi_gro_receive(&slow->napi, skb);
}

static int slow_poll(struct napi_struct *napi, int budget)
{
	struct slow_net *slow = container_of(napi, struct slow_net, napi);
	struct sk_buff *skb;
	unsigned int len;
	int done = 0;

	slow_reclaim(slow);
	while (done < budget && (skb = virtqueue_get_buf(slow->queues[RX], &len))) {
		slow_receive(slow, skb, len);
		done++;
	}
	slow_fill(slow, GFP_ATOMIC);
	if (done < budget && napi_complete_done(napi, done) &&
	    !virtqueue_enable_cb(slow->queues[RX]) && napi_schedule_prep(napi)) {
		virtqueue_disable_cb(slow->queues[RX]);
		__napi_schedule(napi);
	}
	return done;
}

static void slow_interrupt(struct virtqueue *queue)
{
	struct slow_net *slow = queue->vdev->priv;

	virtqueue_disable_cb(queue);
	napi_schedule(&slow->napi);
}

static netdev_tx_t slow_xmit(struct sk_buff *skb, struct net_device *netdev)
{
	struct slow_net *slow = *(struct slow_net **)netdev_priv(netdev);
	struct virtqueue *queue = slow->queues[TX];
	unsigned int len = skb->len;
	struct scatterlist sg[2];

	memset(skb->cb, 0, slow->header);
	slow_map(slow, skb, len, sg);
	if (virtqueue_add_outbuf(queue, sg, 2, skb, GFP_ATOMIC)) {
		netdev->stats.tx_dropped++;
		dev_kfree_skb_any(skb);
		return NETDEV_TX_OK;
	}
	netdev->stats.tx_packets++;
	netdev->stats.tx_bytes += len;
	if (queue->num_free < 4)
		netif_stop_queue(netdev);
	virtqueue_kick(queue);
	return NETDEV_TX_OK;
}

static void slow_carrier(struct work_struct *work)
{
	struct slow_net *slow = container_of(work, struct slow_net, carrier.work);

	netif_carrier_on(slow->netdev);
}

static int slow_open(struct net_device *netdev)
{
	struct slow_net *slow = *(struct slow_net **)netdev_priv(netdev);

	slow_sleep("open", open_ms);
	if (SLOW_OPEN_ERROR)
		return SLOW_OPEN_ERROR;
	slow_fill(slow, GFP_KERNEL);
	napi_enable(&slow->napi);
	local_bh_disable();
	napi_schedule(&slow->napi);
	local_bh_enable();
	netif_start_queue(netdev);
	schedule_delayed_work(&slow->carrier, msecs_to_jiffies(carrier_ms));
	return 0;
}

static int slow_stop(struct net_device *netdev)
{
	struct slow_net *slow = *(struct slow_net **)netdev_priv(netdev);

	slow_sleep("stop", stop_ms);
	cancel_delayed_work_sync(&slow->carrier);
	netif_carrier_off(netdev);
	napi_disable(&slow->napi);
	return 0;
}

static void slow_set_rx_mode(struct net_device *netdev)
{
	/* Without a control queue the card passes everything on. */
}

static const struct net_device_ops slow_ops = {
	.ndo_open = slow_open,
	.ndo_stop = slow_stop,
	.ndo_start_xmit = slow_xmit,
	.ndo_set_rx_mode = slow_set_rx_mode,
	.ndo_set_mac_address = eth_mac_addr,
	.ndo_validate_addr = eth_validate_addr,
};

/* Whoever wants to know whether there are flow rules has to wait. */
static int slow_get_rxnfc(struct net_device *netdev, struct ethtool_rxnfc *info, u32 *rules)
{
	slow_sleep("match", match_ms);
	return -EOPNOTSUPP;
}

static const struct ethtool_ops slow_ethtool_ops = {
	.get_link = ethtool_op_get_link,
	.get_rxnfc = slow_get_rxnfc,
};

/* 6.11 passes an array of structures: c502eb85c34e ("virtio: introduce virtio_queue_info struct
 * and find_vqs_info() config op"). */
static int slow_find_queues(struct slow_net *slow)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 11, 0)
	struct virtqueue_info infos[QUEUES] = {
		[RX] = {"input", slow_interrupt},
		[TX] = {"output", slow_interrupt},
	};

	return virtio_find_vqs(slow->vdev, QUEUES, slow->queues, infos, NULL);
#else
	vq_callback_t *callbacks[QUEUES] = {slow_interrupt, slow_interrupt};
	static const char *const names[QUEUES] = {"input", "output"};

	return virtio_find_vqs(slow->vdev, QUEUES, slow->queues, callbacks, names, NULL);
#endif
}

static void slow_read_address(struct slow_net *slow)
{
	u8 address[ETH_ALEN];

	virtio_cread_bytes(slow->vdev, offsetof(struct virtio_net_config, mac), address,
			   sizeof(address));
	eth_hw_addr_set(slow->netdev, address);
}

/* What the driver knows of a card lies outside of the net_device, as some drivers have it. */
static int slow_probe(struct virtio_device *vdev)
{
	struct net_device *netdev;
	struct slow_net *slow;
	int err;

	slow_sleep("probe", probe_ms);
	slow = kzalloc(sizeof(*slow), GFP_KERNEL);
	if (!slow)
		return -ENOMEM;
	netdev = alloc_etherdev(sizeof(slow));
	if (!netdev) {
		err = -ENOMEM;
		goto err_free;
	}
	*(struct slow_net **)netdev_priv(netdev) = slow;
	SET_NETDEV_DEV(netdev, &vdev->dev);
	netdev->netdev_ops = &slow_ops;
	netdev->ethtool_ops = &slow_ethtool_ops;
	netdev->max_mtu = ETH_DATA_LEN;
	slow->vdev = vdev;
	slow->netdev = netdev;
	slow->header = virtio_has_feature(vdev, VIRTIO_F_VERSION_1)
			       ? sizeof(struct virtio_net_hdr_mrg_rxbuf)
			       : sizeof(struct virtio_net_hdr);
	INIT_DELAYED_WORK(&slow->carrier, slow_carrier);
	netif_napi_add(netdev, &slow->napi, slow_poll);
	slow_read_address(slow);
	vdev->priv = slow;
	err = slow_find_queues(slow);
	if (err)
		goto err_free_netdev;
	netif_carrier_off(netdev);
	virtio_device_ready(vdev);
	err = register_netdev(netdev);
	if (err)
		goto err_queues;
	return 0;

err_queues:
	virtio_reset_device(vdev);
	vdev->config->del_vqs(vdev);
err_free_netdev:
	free_netdev(netdev);
err_free:
	kfree(slow);
	return err;
}

static void slow_remove(struct virtio_device *vdev)
{
	struct slow_net *slow = vdev->priv;
	struct sk_buff *skb;
	int i;

	unregister_netdev(slow->netdev);
	slow_sleep("remove", remove_ms);
	virtio_reset_device(vdev);
	for (i = 0; i < QUEUES; i++)
		while ((skb = virtqueue_detach_unused_buf(slow->queues[i])))
			dev_kfree_skb_any(skb);
	vdev->config->del_vqs(vdev);
	free_netdev(slow->netdev);
	kfree(slow);
}

static const struct virtio_device_id slow_ids[] = {{VIRTIO_ID_NET, VIRTIO_DEV_ANY_ID}, {}};
MODULE_DEVICE_TABLE(virtio, slow_ids);

static const unsigned int slow_features[] = {VIRTIO_NET_F_MAC};

static struct virtio_driver slow_driver = {
	.driver.name = KBUILD_MODNAME,
	.driver.owner = THIS_MODULE,
	.id_table = slow_ids,
	.feature_table = slow_features,
	.feature_table_size = ARRAY_SIZE(slow_features),
	.probe = slow_probe,
	.remove = slow_remove,
};

static int __init slow_init(void)
{
	slow_sleep("init", init_ms);
	return register_virtio_driver(&slow_driver);
}

static void __exit slow_exit(void)
{
	unregister_virtio_driver(&slow_driver);
	slow_sleep("exit", exit_ms);
}

module_init(slow_init);
module_exit(slow_exit);

MODULE_DESCRIPTION("Test driver that takes its time");
MODULE_LICENSE("GPL");
