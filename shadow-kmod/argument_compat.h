/* SPDX-License-Identifier: GPL-2.0 */
/* What of packets 6.1 and 6.12 call differently: the functions by which drivers give them back, parts. */
#ifndef ARGUMENT_COMPAT_H
#define ARGUMENT_COMPAT_H

#include <linux/netdevice.h>
#include <linux/skbuff.h>
#include <linux/version.h>

/* X(name, parameters, arguments); the packet is called skb. */
/* Since 6.3 (b07a2d97ba5e, "net: skb: plumb napi state thru skb freeing paths" and others). */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 3, 0)
#define ARGUMENT_FREE_ANY(X)                                                                       \
	X(__dev_kfree_skb_any, (struct sk_buff * skb, enum skb_free_reason why), (skb, why))       \
	X(__dev_kfree_skb_irq, (struct sk_buff * skb, enum skb_free_reason why), (skb, why))
#else
#define ARGUMENT_FREE_ANY(X)                                                                       \
	X(dev_kfree_skb_any_reason, (struct sk_buff * skb, enum skb_drop_reason why), (skb, why))  \
	X(dev_kfree_skb_irq_reason, (struct sk_buff * skb, enum skb_drop_reason why), (skb, why))
#endif

/* Since 6.11 (ba8de796baf4, "net: introduce sk_skb_reason_drop function"). */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 11, 0)
#define ARGUMENT_DROP(X)                                                                           \
	X(kfree_skb_reason, (struct sk_buff * skb, enum skb_drop_reason why), (skb, why))
#else
#define ARGUMENT_DROP(X)                                                                           \
	X(sk_skb_reason_drop, (struct sock * sk, struct sk_buff * skb, enum skb_drop_reason why),  \
	  (sk, skb, why))
#endif

/* Of memory that is no page. Since 6.12 (9f6b619edf2e, "net: support non paged skb frags"). */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 12, 0)
#define argument_is_net_iov(frag) false
#else
#define argument_is_net_iov(frag) skb_frag_is_net_iov(frag)
#endif

#endif /* ARGUMENT_COMPAT_H */
