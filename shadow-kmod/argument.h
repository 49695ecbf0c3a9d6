/* SPDX-License-Identifier: GPL-2.0 */
/* What an argument of a kernel service has to be, as far as can be told without a lock. Any context. */
#ifndef ARGUMENT_H
#define ARGUMENT_H

#include <linux/mm.h>
#include <linux/skbuff.h>
#include <linux/slab.h>

#include "net.h"
#include "release_compat.h"

/* In the direct map. It may have holes: to look there is a fault of the driver's, too. */
static __always_inline bool is_in_memory(const void *p)
{
	return (unsigned long)p - PAGE_OFFSET < (unsigned long)high_memory - PAGE_OFFSET;
}

/* Of a slab object; NULL: it is none. */
static __always_inline struct kmem_cache *cache_of(const void *p)
{
	struct folio *folio;

	if (!is_in_memory(p) || !IS_ALIGNED((unsigned long)p, ARCH_SLAB_MINALIGN))
		return NULL;
	folio = virt_to_folio(p);
	return folio_test_slab(folio) ? release_page_cache(&folio->page) : NULL;
}

/* One that somebody has. */
static __always_inline bool is_packet(struct sk_buff *skb)
{
	return net_is_packet_cache(cache_of(skb)) && refcount_read(&skb->users) &&
	       skb->tstamp != NET_PACKET_FREED;
}

#endif /* ARGUMENT_H */
