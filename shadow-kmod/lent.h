/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Packets that a driver was given to be sent, and has not given back. One that it gives back though it
 * has not got it has become somebody else's since: of those that belong to a socket it is known.
 */
#ifndef LENT_H
#define LENT_H

#define LENT_SHIFT  8	       /* of a packet's address: its record is as large */
#define LENT_MAX    16384      /* so those of a page are counted beside each other */
#define LENT_ENOUGH 0x40000000 /* where what was never given back has added up to that */
#define LENT_IMAGES 4	       /* those of more are not counted */

#ifndef __ASSEMBLY__

#include <linux/atomic.h>
#include <linux/skbuff.h>

struct tap_image;
struct mod_kallsyms;

/* Of one image. Whoever asks is called from it, so that it stays. */
struct lent {
	unsigned long text, text_size; /* size 0: of none */
	atomic_t *counts;	       /* LENT_MAX of them, or NULL; until this module goes */
};

extern struct lent lents[LENT_IMAGES];

void lent_init(void);
void lent_uninit(void);
/* For an image that is being loaded: sets its counters, or NULL. Where packets of sockets come to it in
 * other ways than by ndo_start_xmit(), nothing is counted. May sleep. */
void lent_begin(struct tap_image *image, const struct mod_kallsyms *symbols);
void lent_end(struct tap_image *image);
/* Does a socket send it? Any context. */
bool lent_is_sent(const struct sk_buff *skb);
/* May the image have it? Any context. */
bool lent_may_have(const struct tap_image *image, const struct sk_buff *skb);

static inline unsigned int lent_place(const struct sk_buff *skb)
{
	return ((unsigned long)skb >> LENT_SHIFT) % LENT_MAX;
}

static __always_inline atomic_t *lent_count(const struct sk_buff *skb, unsigned long caller)
{
	unsigned int i;

	for (i = 0; i < LENT_IMAGES; i++)
		if (caller - READ_ONCE(lents[i].text) < READ_ONCE(lents[i].text_size))
			return &lents[i].counts[lent_place(skb)];
	return NULL;
}

/* Called from there: may the image have the packet? Any context. */
static inline bool lent_to(const struct sk_buff *skb, unsigned long caller)
{
	const atomic_t *count = skb->sk ? lent_count(skb, caller) : NULL;

	return !count || atomic_read(count) > 0 || !lent_is_sent(skb);
}

/* Likewise; then it has it no more, if this is the last reference. Packets without a socket are not
 * counted: of those that lose it the count stays, so that what is in their place passes. */
static __always_inline bool lent_give_back(const struct sk_buff *skb, unsigned long caller)
{
	atomic_t *count;

	if (!skb->sk || refcount_read(&skb->users) != 1)
		return true;
	count = lent_count(skb, caller);
	return !count || likely(atomic_dec_if_positive(count) >= 0) || !lent_is_sent(skb);
}

#endif /* !__ASSEMBLY__ */

#endif /* LENT_H */
