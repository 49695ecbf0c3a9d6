/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Packets that a driver was given to be sent, and has not given back. One that it gives back though it
 * has not got it has become somebody else's since: of those that belong to a socket it is known.
 */
#ifndef LENT_H
#define LENT_H

#define LENT_SHIFT 8	 /* of a packet's address: its record is as large */
#define LENT_MAX   16384 /* so those of a page are counted beside each other */

#ifndef __ASSEMBLY__

#include <linux/atomic.h>
#include <linux/skbuff.h>

struct tap_image;
struct mod_kallsyms;

void lent_init(void);
/* For an image that is being loaded; may sleep. Where packets of sockets come to it in other ways than
 * by ndo_start_xmit(), nothing is counted. */
int lent_begin(struct tap_image *image, const struct mod_kallsyms *symbols);
void lent_end(struct tap_image *image);
/* Called from there: has the image got the packet? Any context. */
bool lent_to(const struct sk_buff *skb, unsigned long caller);
/* Likewise; then it has it no more, if this is the last reference. */
bool lent_give_back(const struct sk_buff *skb, unsigned long caller);

#endif /* !__ASSEMBLY__ */

#endif /* LENT_H */
