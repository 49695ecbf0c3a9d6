// SPDX-License-Identifier: GPL-2.0
/* Which packets an armed driver may give back: a counter for each place where one may be. */
#include <linux/kallsyms.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/string.h>

#include "lent.h"
#include "shadow.h"
#include "tap.h"

/* Of packets that sockets send, until they are given back. */
static const char *const sender_names[] = {"sock_wfree", "__sock_wfree", "tcp_wfree",
					   "unix_destruct_scm"};
static void (*senders[ARRAY_SIZE(sender_names)])(struct sk_buff *skb);

struct lent lents[LENT_IMAGES];
static DEFINE_MUTEX(lents_mutex);

/* Who calls one of them has packets of sockets that came to it otherwise, or makes some; who has one of
 * the last two gets them from IPoIB. */
static const char *const others[] = {
	"skb_set_owner_w",	"skb_clone_sk",	   "skb_expand_head",
	"__skb_gso_segment",	"skb_segment",	   "sock_wmalloc",
	"sock_alloc_send_pskb", "tls_encrypt_skb", "netdev_rx_handler_register",
	"__dev_forward_skb",	"hfi1_ipoib_send", "mlx5i_xmit",
};

bool lent_is_sent(const struct sk_buff *skb)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(senders); i++)
		if (skb->destructor && skb->destructor == senders[i])
			return true;
	return false;
}

bool lent_may_have(const struct tap_image *image, const struct sk_buff *skb)
{
	return !image->lent || !skb->sk || atomic_read(&image->lent[lent_place(skb)]) > 0 ||
	       !lent_is_sent(skb);
}

static bool has_others(const struct mod_kallsyms *symbols)
{
	unsigned int i;

	for (i = 0; i < symbols->num_symtab; i++) {
		const Elf_Sym *symbol = &symbols->symtab[i];

		if (match_string(others, ARRAY_SIZE(others), symbols->strtab + symbol->st_name) >=
		    0)
			return true;
	}
	return false;
}

/* By functions that have one way in. */
static bool sends_packets(const struct tap_image *image)
{
	bool sends = false;
	u32 i;

	for (i = 0; i < image->n_taps; i++) {
		if (image->taps[i].kind != RECOV_TAP_XMIT)
			continue;
		if (image->taps[i].stack_words)
			return false;
		sends = true;
	}
	return sends;
}

/* Nothing is counted, either, if there is no memory for that. */
static void begin(struct lent *lent, struct tap_image *image)
{
	if (!lent->counts)
		lent->counts = kvcalloc(LENT_MAX, sizeof(*lent->counts), GFP_KERNEL);
	else
		memset(lent->counts, 0, LENT_MAX * sizeof(*lent->counts));
	if (!lent->counts)
		return;
	image->lent = lent->counts;
	WRITE_ONCE(lent->text, image->text);
	smp_store_release(&lent->text_size, image->text_size);
}

void lent_begin(struct tap_image *image, const struct mod_kallsyms *symbols)
{
	unsigned int i;

	if (!sends_packets(image) || has_others(symbols))
		return;
	mutex_lock(&lents_mutex);
	for (i = 0; i < LENT_IMAGES && !image->lent; i++)
		if (!lents[i].text_size)
			begin(&lents[i], image);
	mutex_unlock(&lents_mutex);
}

void lent_end(struct tap_image *image)
{
	unsigned int i;

	mutex_lock(&lents_mutex);
	for (i = 0; i < LENT_IMAGES; i++)
		if (image->lent && lents[i].counts == image->lent)
			WRITE_ONCE(lents[i].text_size, 0);
	mutex_unlock(&lents_mutex);
}

/* What is missing, as where there is no module of unix sockets, sends nothing. */
void __init lent_init(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(senders); i++)
		senders[i] = (void *)ksym_lookup(sender_names[i]);
}

void lent_uninit(void)
{
	unsigned int i;

	for (i = 0; i < LENT_IMAGES; i++)
		kvfree(lents[i].counts);
}
