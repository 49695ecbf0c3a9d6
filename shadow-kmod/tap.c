// SPDX-License-Identifier: GPL-2.0
/* The armed images that are loaded, and what they answer once they have failed. */
#include <linux/errno.h>
#include <linux/interrupt.h>
#include <linux/irq.h>
#include <linux/kallsyms.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/netdevice.h>
#include <linux/random.h>
#include <linux/skbuff.h>
#include <linux/slab.h>

#include "tap.h"
#include "tap_compat.h"

unsigned long recov_tap_cookie __ro_after_init;

static LIST_HEAD(images);
static DEFINE_MUTEX(images_mutex);

EXPORT_SYMBOL_GPL(recov_tap_enter);
EXPORT_SYMBOL_GPL(recov_tap_enter_stack);

bool tap_image_fail(struct tap_image *image)
{
	if (xchg(&image->failed, 1))
		return false;
	WRITE_ONCE(image->pinned, try_module_get(image->module));
	return true;
}

/* A line that stays asserted would be the CPU's only work. tap->kernel[1] remembers it. */
static void quiet_line(struct recov_tap *tap, unsigned int irq)
{
	struct irq_data *data = irq_get_irq_data(irq);

	if (data && irqd_is_level_type(data) && !cmpxchg(&tap->kernel[1], 0, irq))
		disable_irq_nosync(irq);
}

static void open_lines(const struct tap_image *image)
{
	u32 i;

	for (i = 0; i < image->n_taps; i++) {
		u64 irq = xchg(&image->taps[i].kernel[1], 0);

		if (irq)
			enable_irq(irq);
	}
}

/* A packet that is never freed would keep its connection from sending it once more. */
static void keep_packet(struct tap_image *image, struct sk_buff *packet)
{
	unsigned int i = atomic_fetch_inc(&image->n_packets);

	if (i < TAP_PACKETS_MAX && refcount_inc_not_zero(&packet->users))
		image->packets[i] = packet;
}

/* After the driver is gone. */
static void drop_packets(struct tap_image *image)
{
	unsigned int i;

	for (i = 0; i < TAP_PACKETS_MAX; i++) {
		struct sk_buff *packet = image->packets[i];

		if (!packet)
			continue;
		/* The driver's own, if it did not come to free it. */
		if (refcount_read(&packet->users) > 1)
			kfree_skb(packet);
		kfree_skb(packet);
	}
}

int tap_armed(struct recov_armed *armed)
{
	struct tap_image *image;
	int err = -ENOENT;

	mutex_lock(&images_mutex);
	list_for_each_entry(image, &images, list) {
		if (strcmp(image->module->name, armed->driver))
			continue;
		armed->taps = image->n_taps;
		armed->failed = READ_ONCE(image->failed);
		if (armed->failed && armed->flags & RECOV_ARMED_TRUST) {
			if (xchg(&image->pinned, false))
				module_put(image->module);
			WRITE_ONCE(image->failed, 0);
			open_lines(image);
			image->trusted = true;
		}
		if (image->trusted && armed->flags & RECOV_ARMED_DISTRUST) {
			tap_image_fail(image);
			image->trusted = false;
		}
		err = 0;
		break;
	}
	mutex_unlock(&images_mutex);
	return err;
}

/* The array of taps; NULL: the module is not armed. Only while it is being loaded. */
static struct recov_tap *find_taps(const struct module *module, u32 *ret_n)
{
	/* Nobody else has it yet. */
	const struct mod_kallsyms *symbols = rcu_dereference_protected(module->kallsyms, true);
	unsigned int i;

	for (i = 0; i < symbols->num_symtab; i++) {
		const Elf_Sym *symbol = &symbols->symtab[i];

		if (strcmp(symbols->strtab + symbol->st_name, RECOV_TAPS_SYMBOL))
			continue;
		*ret_n = symbol->st_size / sizeof(struct recov_tap);
		return (struct recov_tap *)symbol->st_value;
	}
	return NULL;
}

static int image_add(struct module *module)
{
	struct recov_tap *taps;
	struct tap_image *image;
	u32 n, i;

	taps = find_taps(module, &n);
	if (!taps)
		return 0;
	image = kzalloc(sizeof(*image), GFP_KERNEL);
	if (!image)
		return -ENOMEM;
	image->module = module;
	image->taps = taps;
	image->n_taps = n;
	tap_module_text(module, &image->text, &image->text_size);
	for (i = 0; i < n; i++)
		taps[i].kernel[0] = (u64)image;
	mutex_lock(&images_mutex);
	list_add(&image->list, &images);
	mutex_unlock(&images_mutex);
	return 0;
}

static void image_remove(const struct module *module)
{
	struct tap_image *image, *found = NULL;

	mutex_lock(&images_mutex);
	list_for_each_entry(image, &images, list)
		if (image->module == module)
			found = image;
	if (found)
		list_del(&found->list);
	mutex_unlock(&images_mutex);
	if (!found)
		return;
	drop_packets(found);
	kfree(found);
}

static int on_module(struct notifier_block *block, unsigned long state, void *data)
{
	struct module *module = data;

	switch (state) {
	case MODULE_STATE_COMING:
		return notifier_from_errno(image_add(module));
	case MODULE_STATE_GOING:
		image_remove(module);
		break;
	}
	return NOTIFY_OK;
}

static struct notifier_block module_block = {.notifier_call = on_module};

int __init tap_init(void)
{
	get_random_bytes(&recov_tap_cookie, sizeof(recov_tap_cookie));
	return register_module_notifier(&module_block);
}

/* No armed image is loaded: each depends on this module. */
void tap_uninit(void)
{
	unregister_module_notifier(&module_block);
}

long tap_answer(struct recov_tap *tap, unsigned long arg0, bool refused)
{
	switch (tap->kind) {
	case RECOV_TAP_XMIT:
		if (refused)
			dev_kfree_skb_any((struct sk_buff *)arg0);
		else
			keep_packet((struct tap_image *)tap->kernel[0], (struct sk_buff *)arg0);
		break;
	case RECOV_TAP_POLL:
		napi_complete_done((struct napi_struct *)arg0, 0);
		break;
	case RECOV_TAP_IRQ:
		quiet_line(tap, arg0);
		break;
	}
	return tap->answer == RECOV_TAP_ERROR ? -EIO : 0;
}

/* Called by recov_tap_enter in place of a function of a driver that has failed. Any context that the
 * driver is called in. */
asmlinkage long tap_refuse(unsigned long arg0, struct recov_tap *tap);
asmlinkage long tap_refuse(unsigned long arg0, struct recov_tap *tap)
{
	return tap_answer(tap, arg0, true);
}
