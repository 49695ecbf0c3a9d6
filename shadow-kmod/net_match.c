// SPDX-License-Identifier: GPL-2.0
/* Finds a driver's net_devices and says whether each can be carried over. */
#include <linux/if_arp.h>
#include <linux/mm.h>
#include <linux/netdevice.h>
#include <linux/rculist.h>
#include <linux/rtnetlink.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>
#include <net/dsa.h>
#include <net/net_namespace.h>
#include <net/sch_generic.h>

#include "held.h"
#include "net.h"
#include "release.h"

/* Bytes from the private area to the end of the allocation it lies in. */
static u32 net_priv_room(const struct net_device *dev)
{
	char *start = net_allocation(dev);
	struct vm_struct *area;
	size_t size = 0;

	if (is_vmalloc_addr(start)) {
		area = net_ksyms.find_vm_area(start);
		if (area)
			size = get_vm_area_size(area);
	} else {
		size = ksize(start);
	}
	start += size;
	return start > (char *)netdev_priv(dev) ? start - (char *)netdev_priv(dev) : 0;
}

static bool net_has_xsk(const struct net_device *dev)
{
#ifdef CONFIG_XDP_SOCKETS
	unsigned int i;

	for (i = 0; i < dev->num_tx_queues; i++)
		if (dev->_tx[i].pool)
			return true;
	for (i = 0; i < dev->num_rx_queues; i++)
		if (dev->_rx[i].pool)
			return true;
#endif
	return false;
}

/* Offset of a pointer into the driver that hiding would miss, or 0. */
static size_t net_stray_pointer(const struct net_device *dev, const struct module *mod)
{
	size_t offset;

	for (offset = 0; offset < sizeof(*dev); offset += sizeof(void *)) {
		unsigned long value = *(unsigned long *)((char *)dev + offset);

		if (within_module(value, mod) && !net_pointer_known(offset))
			return offset;
	}
	return 0;
}

const char *net_obstacle(struct net_device *dev)
{
	const struct netdev_queue *ingress = rtnl_dereference(dev->ingress_queue);
	const struct net_device_ops *ops = dev->netdev_ops;

	if (dev_xdp_prog_count(dev))
		return "an XDP program is attached";
	if (net_has_xsk(dev))
		return "an AF_XDP socket is bound to it";
	if (dev->features & (NETIF_F_HW_TLS_TX | NETIF_F_HW_TLS_RX))
		return "TLS offload is on";
	if (dev->features & (NETIF_F_HW_ESP | NETIF_F_HW_MACSEC))
		return "IPsec or MACsec offload is on";
	if (dev->udp_tunnel_nic)
		return "it offloads UDP tunnels";
	if (rtnl_dereference(dev->qdisc)->flags & TCQ_F_OFFLOADED)
		return "its queueing discipline is offloaded";
	if (ops->ndo_setup_tc &&
	    (dev->num_tc ||
	     (ingress && rcu_access_pointer(ingress->qdisc_sleeping) != &noop_qdisc)))
		return "traffic control may be offloaded to it";
#ifdef CONFIG_NETFILTER_INGRESS
	if (ops->ndo_setup_tc && rcu_access_pointer(dev->nf_hooks_ingress))
		return "netfilter may be offloaded to it";
#endif
	if (!list_empty(&dev->adj_list.lower))
		return "another network device works below it";
	if (dev->features & NETIF_F_HW_L2FW_DOFFLOAD)
		return "macvlan offload is on";
	if (dev->dev.parent && dev_num_vf(dev->dev.parent) > 0)
		return "it has SR-IOV functions enabled";
	if (net_has_rss_contexts(dev))
		return "it has further RSS contexts";
	if (net_settings_rules(dev))
		return "it has ethtool flow rules";
	if (rcu_access_pointer(dev->npinfo))
		return "netconsole or another netpoll user is attached";
	if (dev->phydev || dev->sfp_bus)
		return "its PHY is run by phylib";
	if (dev->type != ARPHRD_ETHER || netdev_uses_dsa(dev) || dev->ieee80211_ptr ||
	    dev->rtnl_link_ops)
		return "it is not a plain network card";
	if (net_has_devlink_port(dev))
		return "it is a devlink port";
	if (!net_name_ok(dev))
		return "this kernel keeps names of devices in an unknown way";
	if (dev->priv_destructor || dev->needs_free_netdev)
		return "its driver frees it by a destructor";
	return NULL;
}

/* A driver that has failed may have written over any of what is looked at here. */
bool net_is_of(const struct net_device *dev, const char *driver)
{
	struct device_driver *by;
	struct device *parent;
	struct module *owner;
	char name[MODULE_NAME_LEN];

	return !get_kernel_nofault(parent, &dev->dev.parent) && parent &&
	       !get_kernel_nofault(by, &parent->driver) && by &&
	       !get_kernel_nofault(owner, &by->owner) && owner &&
	       !copy_from_kernel_nofault(name, owner->name, sizeof(name)) &&
	       !strncmp(name, driver, sizeof(name));
}

static bool net_is_live(const struct net_device *dev)
{
	const struct net_slot *ns = net_slot_of(dev);

	return !ns || recov_slot_state(&ns->slot) == RECOV_DEV_LIVE;
}

static struct net_slot *net_slot_new(struct net_device *dev, const char *driver)
{
	const struct module *mod = dev->dev.parent->driver->owner;
	struct net_slot *ns;
	struct recov_slot *slot;
	const char *obstacle;
	size_t stray;

	ns = kzalloc(sizeof(*ns), GFP_KERNEL);
	if (!ns)
		return NULL;
	ns->dev = dev;
	strscpy(ns->driver, driver, sizeof(ns->driver));
	slot = &ns->slot;
	slot->class = &net_class;
	slot->parent = get_device(dev->dev.parent);
	atomic_set(&slot->state, RECOV_DEV_LIVE);
	slot->object_id = dev->ifindex;
	slot->object_up = !!(dev->flags & IFF_UP);
	slot->link_before = slot->object_up && netif_carrier_ok(dev);
	slot->link = !slot->object_up || slot->link_before;
	slot->room = net_priv_room(dev);
	slot->need = net_priv_need(dev);
	slot->queues = min(dev->num_tx_queues, 0xffffu) << 16 | min(dev->num_rx_queues, 0xffffu);
	strscpy(slot->object_name, dev->name, sizeof(slot->object_name));

	obstacle = net_obstacle(dev);
	stray = net_stray_pointer(dev, mod);
	if (obstacle) {
		slot->verdict = -EOPNOTSUPP;
		strscpy(slot->reason, obstacle, sizeof(slot->reason));
	} else if (!within_module((unsigned long)dev->netdev_ops, mod)) {
		slot->verdict = -EOPNOTSUPP;
		strscpy(slot->reason, "it is run by another module than its bus driver",
			sizeof(slot->reason));
	} else if (stray) {
		slot->verdict = -EOPNOTSUPP;
		scnprintf(slot->reason, sizeof(slot->reason),
			  "byte %zu of its net_device points into the driver", stray);
	}
	return ns;
}

/* Which of several devices a probe() asks back can't be told when it allocates them. */
static void refuse_siblings(struct list_head *slots)
{
	struct recov_slot *a, *b;

	list_for_each_entry(a, slots, list) {
		list_for_each_entry(b, slots, list) {
			if (a == b || a->parent != b->parent || a->verdict)
				continue;
			a->verdict = -EOPNOTSUPP;
			strscpy(a->reason, "its parent has several network devices",
				sizeof(a->reason));
		}
	}
}

#define OWN_MS 1000

static int lock_net(const char *driver, bool asks)
{
	unsigned int ms;

	for (ms = 0; ms < NET_LOCK_MS; ms += OWN_MS) {
		if (net_lock_within(OWN_MS))
			return 0;
		if (asks && release_has_call(driver, held_owner_of_rtnl))
			return -EDEADLK;
	}
	return -EBUSY;
}

int net_match(const char *driver, struct list_head *slots, bool asks)
{
	struct net_device *dev;
	struct net_slot *ns;
	struct net *net;
	struct net_finder finder;
	int err;

	net_finder_begin(&finder, driver);
	err = lock_net(driver, asks);
	if (err) {
		net_finder_end(&finder);
		return err;
	}
	down_read(&net_rwsem); /* in this order elsewhere, too: roce_gid_mgmt.c */
	for_each_net(net) {
		for_each_netdev(net, dev) {
			/* What a swap under way has taken out is no driver's. */
			if (err || !net_is_live(dev) || !net_is_of(dev, driver))
				continue;
			ns = net_slot_new(dev, driver);
			if (ns)
				list_add_tail_rcu(&ns->slot.list, slots);
			else
				err = -ENOMEM;
		}
	}
	refuse_siblings(slots);
	up_read(&net_rwsem);
	rtnl_unlock();
	net_finder_end(&finder);
	return err;
}
