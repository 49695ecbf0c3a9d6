// SPDX-License-Identifier: GPL-2.0
/* A net_device is taken from a driver that may not be called: see release.c. */
#include <linux/delay.h>
#include <linux/hrtimer.h>
#include <linux/jiffies.h>
#include <linux/mm.h>
#include <linux/netdevice.h>
#include <linux/rtnetlink.h>
#include <linux/skbuff.h>
#include <linux/slab.h>

#include "held.h"
#include "lent.h"
#include "net.h"
#include "release.h"
#include "release_compat.h"

struct kmem_cache *net_packet_cache __ro_after_init, *net_pair_cache __ro_after_init;

/* As napi_disable() does it, which waits for ever. One that the driver has scheduled and that is on no
 * CPU's list was never to be polled. */
static bool end_polling(struct napi_struct *napi, unsigned long limit)
{
	const unsigned long busy = NAPIF_STATE_SCHED | NAPIF_STATE_NPSVC;
	unsigned long state;

	set_bit(NAPI_STATE_DISABLE, &napi->state);
	for (;;) {
		state = READ_ONCE(napi->state);
		if (!(state & busy)) {
			if (cmpxchg(&napi->state, state, state | busy) == state)
				break;
			continue;
		}
		if (time_after(jiffies, limit)) {
			if (!list_empty(&napi->poll_list)) {
				clear_bit(NAPI_STATE_DISABLE, &napi->state);
				return false;
			}
			set_bit(NAPI_STATE_SCHED, &napi->state);
			set_bit(NAPI_STATE_NPSVC, &napi->state);
			break;
		}
		/* Not enabled, or this has been done before. */
		if ((state & busy) == busy && list_empty(&napi->poll_list))
			break;
		usleep_range(500, 1000);
	}
	hrtimer_cancel(&napi->timer);
	clear_bit(NAPI_STATE_DISABLE, &napi->state);
	return true;
}

static int end_all_polling(struct net_device *dev, unsigned int *ret_n)
{
	unsigned long limit = jiffies + msecs_to_jiffies(RELEASE_MS);
	struct napi_struct *napi;

	list_for_each_entry(napi, &dev->napi_list, dev_list) {
		if (!end_polling(napi, limit))
			return -EBUSY;
		++*ret_n;
	}
	return 0;
}

#define ADDRESSES_MAX 65536

/* What the driver has written over is forgotten: the rest of the way goes over it. */
static void mend_addresses(struct netdev_hw_addr_list *addresses)
{
	struct list_head *at = &addresses->list, *next, *back;
	unsigned int i;

	for (i = 0; i < ADDRESSES_MAX; i++) {
		if (get_kernel_nofault(next, &at->next) || get_kernel_nofault(back, &next->prev) ||
		    back != at)
			break;
		if (next == &addresses->list)
			return;
		at = next;
	}
	INIT_LIST_HEAD(&addresses->list);
	addresses->count = 0;
	addresses->tree = RB_ROOT;
}

int net_take(struct recov_slot *slot, unsigned int *ret_n)
{
	struct net_slot *ns = to_net_slot(slot);
	int state, err = 0;

	if (recov_slot_state(slot) == RECOV_DEV_LIVE)
		err = slot->class->hold(slot, 0);
	if (err)
		return err;
	rtnl_lock();
	state = recov_slot_state(slot);
	switch (state) {
	case RECOV_DEV_KEPT:
	case RECOV_DEV_RELEASED:
		break;
	default:
		if (state == RECOV_DEV_REPLAYED)
			ns->running = !!(ns->dev->flags & IFF_UP);
		if (state != RECOV_DEV_DETACHED && !net_locks_come_free(ns->dev, NET_SPIN_MS)) {
			err = -EBUSY;
			break;
		}
		netif_addr_lock_bh(ns->dev);
		mend_addresses(&ns->dev->uc);
		mend_addresses(&ns->dev->mc);
		netif_addr_unlock_bh(ns->dev);
		if (state != RECOV_DEV_DETACHED)
			net_stop(ns, 0);
		err = end_all_polling(ns->dev, ret_n);
	}
	rtnl_unlock();
	return err;
}

void net_give_up(struct recov_slot *slot)
{
	struct net_slot *ns = to_net_slot(slot);

	rtnl_lock();
	held_add_shadow_rtnl((unsigned long)__builtin_frame_address(0));
	switch (recov_slot_state(slot)) {
	case RECOV_DEV_HELD:
	case RECOV_DEV_REGISTERED:
	case RECOV_DEV_BOUND:
	case RECOV_DEV_REPLAYED:
		net_detach(ns);
		break;
	case RECOV_DEV_ADOPTED:
		net_unadopt(ns);
		break;
	}
	net_kept(ns);
	held_drop_shadow_rtnl();
	rtnl_unlock();
}

void *net_private_area(const struct recov_slot *slot, size_t *ret_size)
{
	*ret_size = slot->room;
	return netdev_priv(to_net_slot_const(slot)->dev);
}

/* The one for the next frame of pages, which goes with the NAPI. */
static bool is_of_napi(const struct net_device *dev, const struct sk_buff *packet)
{
	const struct napi_struct *napi;

	list_for_each_entry(napi, &dev->napi_list, dev_list)
		if (napi->skb == packet)
			return true;
	return false;
}

/* A packet that was given to the driver to be sent, whole, and that only it has. One that it has given
 * back while its memory still led there may be another one by now, on its way to the same device.
 * TCP's are clones of those that TCP keeps. */
bool net_in_flight(const struct tap_image *image, const struct recov_slot *slot, unsigned long word)
{
	const struct kmem_cache *cache = release_slab_cache((void *)word);
	const struct net_device *dev = to_net_slot_const(slot)->dev;
	const struct sk_buff *packet = (void *)word;
	const struct sk_buff_fclones *pair;
	size_t size;

	if (cache == net_pair_cache) {
		pair = container_of(packet, struct sk_buff_fclones, skb2);
		if (release_object(word, &size) != (unsigned long)pair ||
		    packet->fclone != SKB_FCLONE_CLONE || !refcount_read(&pair->fclone_ref))
			return false;
	} else if (cache != net_packet_cache || release_object(word, &size) != word) {
		return false;
	}
	/* validate_xmit_skb_list() has each lead back to itself. Users stay 1 as it is given back. */
	return packet->dev == dev && refcount_read(&packet->users) == 1 &&
	       packet->tstamp != NET_PACKET_FREED && !packet->next &&
	       (!packet->prev || packet->prev == packet) && !is_of_napi(dev, packet) &&
	       lent_may_have(image, packet);
}

void net_drop(unsigned long word)
{
	struct sk_buff *packet = (struct sk_buff *)word;

	packet->tstamp = NET_PACKET_FREED; /* what leads here does so still */
	kfree_skb(packet);
}

/* If it is not found where it is, the kernel's struct kmem_cache is another one; KFENCE's tell nothing. */
static bool is_found(const void *object, struct kmem_cache *cache)
{
	size_t size;

	return is_kfence_address(object) ||
	       (release_object((unsigned long)object, &size) == (unsigned long)object &&
		size == kmem_cache_size(cache));
}

/* The caches of packets are known by what comes out of them. */
int net_release_init(void)
{
	struct sk_buff *packet = alloc_skb(0, GFP_KERNEL);
	struct sk_buff *pair = alloc_skb_fclone(0, GFP_KERNEL);
	int err = -ENOMEM;

	if (packet && pair) {
		net_packet_cache = release_slab_cache(packet);
		net_pair_cache = release_slab_cache(pair);
		err = is_found(packet, net_packet_cache) && is_found(pair, net_pair_cache)
			      ? 0
			      : -EINVAL;
	}
	if (err == -EINVAL)
		pr_err("recov_shadow: this kernel's slab allocator is not known\n");
	kfree_skb(packet);
	kfree_skb(pair);
	return err;
}
