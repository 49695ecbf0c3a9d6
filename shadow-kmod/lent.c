// SPDX-License-Identifier: GPL-2.0
/* Which packets an armed driver may give back: a counter for each place where one may be. */
#include <linux/errno.h>
#include <linux/kallsyms.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/rcupdate.h>
#include <linux/string.h>

#include "lent.h"
#include "shadow.h"
#include "tap.h"

/* Of packets that sockets send, until they are given back. */
static const char *const sender_names[] = {"sock_wfree", "__sock_wfree", "tcp_wfree",
					   "unix_destruct_scm"};
static void (*senders[ARRAY_SIZE(sender_names)])(struct sk_buff *skb);

/* Who calls one of them has packets of sockets that came to it otherwise, or makes some. */
static const char *const others[] = {
	"skb_set_owner_w",   "skb_clone_sk",	     "__skb_gso_segment",
	"skb_segment",	     "sock_alloc_send_pskb", "netdev_rx_handler_register",
	"__dev_forward_skb",
};

static bool is_sent(const struct sk_buff *skb)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(senders); i++)
		if (skb->destructor && skb->destructor == senders[i])
			return true;
	return false;
}

static atomic_t *count_of(const struct tap_image *image, const struct sk_buff *skb)
{
	return &image->lent[((unsigned long)skb >> LENT_SHIFT) % LENT_MAX];
}

bool lent_to(const struct sk_buff *skb, unsigned long caller)
{
	const struct tap_image *image;
	bool right;

	if (!skb->sk)
		return true;
	rcu_read_lock();
	image = tap_image_at(caller);
	right = !image || !image->lent || atomic_read(count_of(image, skb)) > 0 || !is_sent(skb);
	rcu_read_unlock();
	return right;
}

/* Packets without a socket are not counted: of those that lose it the count stays, so that what is in
 * their place passes. */
bool lent_give_back(const struct sk_buff *skb, unsigned long caller)
{
	const struct tap_image *image;
	bool right;

	if (!skb->sk || refcount_read(&skb->users) != 1)
		return true;
	rcu_read_lock();
	image = tap_image_at(caller);
	right = !image || !image->lent || atomic_dec_if_positive(count_of(image, skb)) >= 0 ||
		!is_sent(skb);
	rcu_read_unlock();
	return right;
}

static bool imports_others(const struct mod_kallsyms *symbols)
{
	unsigned int i;

	for (i = 0; i < symbols->num_symtab; i++) {
		const Elf_Sym *symbol = &symbols->symtab[i];

		if (symbol->st_shndx == SHN_UNDEF &&
		    match_string(others, ARRAY_SIZE(others), symbols->strtab + symbol->st_name) >=
			    0)
			return true;
	}
	return false;
}

static bool sends_packets(const struct tap_image *image)
{
	u32 i;

	for (i = 0; i < image->n_taps; i++)
		if (image->taps[i].kind == RECOV_TAP_XMIT)
			return true;
	return false;
}

int lent_begin(struct tap_image *image, const struct mod_kallsyms *symbols)
{
	if (!sends_packets(image) || imports_others(symbols))
		return 0;
	image->lent = kvcalloc(LENT_MAX, sizeof(*image->lent), GFP_KERNEL);
	return image->lent ? 0 : -ENOMEM;
}

void lent_end(struct tap_image *image)
{
	kvfree(image->lent);
}

/* What is missing, as where there is no module of unix sockets, sends nothing. */
void __init lent_init(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(senders); i++)
		senders[i] = (void *)ksym_lookup(sender_names[i]);
}
