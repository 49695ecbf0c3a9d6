// SPDX-License-Identifier: GPL-2.0
/* The armed images that are loaded, and what they answer once they have failed. */
#include <linux/errno.h>
#include <linux/interrupt.h>
#include <linux/irq.h>
#include <linux/kallsyms.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/netdevice.h>
#include <linux/sched.h>
#include <linux/skbuff.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/virtio.h>

#include "argument.h"
#include "coherent.h"
#include "held.h"
#include "lent.h"
#include "release.h"
#include "shadow.h"
#include "tap.h"
#include "tap_compat.h"
#include "trap.h"

#define WAY_MIN_NS (5 * NSEC_PER_SEC) /* who sleeps for less does not hang */

static LIST_HEAD(images);
static DEFINE_MUTEX(images_mutex);

EXPORT_SYMBOL_GPL(recov_tap_enter);
EXPORT_SYMBOL_GPL(recov_tap_enter_balanced);
EXPORT_SYMBOL_GPL(recov_tap_enter_stack);
EXPORT_SYMBOL_GPL(recov_tap_lost);

unsigned long recov_tap_stacks __ro_after_init;
EXPORT_SYMBOL_GPL(recov_tap_stacks);

bool tap_image_fail(struct tap_image *image)
{
	bool got = try_module_get(image->module);

	if (cmpxchg(&image->looked_at, image->text_size, got ? TAP_FAILED_PINNED : TAP_FAILED) ==
	    image->text_size)
		return true;
	if (got)
		module_put(image->module);
	return false;
}

/* A line that stays asserted would be the CPU's only work. */
static void close_line(struct tap_image *image, unsigned int irq)
{
	struct irq_data *data = irq_get_irq_data(irq);
	unsigned int i;

	if (!data || !irqd_is_level_type(data))
		return;
	for (i = 0; i < TAP_LINES_MAX; i++)
		if (atomic_read(&image->lines[i]) == irq)
			return;
	disable_irq_nosync(irq);
	for (i = 0; i < TAP_LINES_MAX; i++)
		if (!atomic_cmpxchg(&image->lines[i], 0, irq))
			return;
	enable_irq(irq);
}

static void open_lines(struct tap_image *image)
{
	unsigned int i;

	for (i = 0; i < TAP_LINES_MAX; i++) {
		int irq = atomic_xchg(&image->lines[i], 0);

		if (irq)
			enable_irq(irq);
	}
}

/*
 * A packet that is never freed would keep its connection from sending it once more: TCP takes it for
 * queued. Only of TCP's packets it can be known that the driver has not freed it before it failed:
 * the other one of the pair counts them. Once the driver is gone it shows whether it still had it.
 */
static void keep_packet(struct tap_image *image, struct sk_buff *packet)
{
	struct sk_buff_fclones *pair;
	unsigned int i;
	long word;

	/* The driver may have written over the record. */
	if (get_kernel_nofault(word, (long *)packet) || !is_packet(packet) ||
	    packet->fclone != SKB_FCLONE_CLONE)
		return;
	pair = container_of(packet, struct sk_buff_fclones, skb2);
	if (refcount_read(&pair->fclone_ref) != 2 || refcount_read(&packet->users) != 1)
		return;
	i = atomic_fetch_inc(&image->n_packets);
	if (i >= TAP_PACKETS_MAX)
		return;
	refcount_inc(&packet->users);
	WRITE_ONCE(image->packets[i], packet);
}

bool tap_keeps(const struct sk_buff *packet)
{
	const struct tap_image *image;
	unsigned int i;
	bool kept = false;

	rcu_read_lock();
	list_for_each_entry_rcu(image, &images, list)
		for (i = 0; i < TAP_PACKETS_MAX; i++)
			kept |= READ_ONCE(image->packets[i]) == packet;
	rcu_read_unlock();
	return kept;
}

/* After the driver is gone. */
static void drop_packets(struct tap_image *image)
{
	unsigned int i;

	for (i = 0; i < TAP_PACKETS_MAX; i++) {
		struct sk_buff *packet = image->packets[i];

		if (!packet)
			continue;
		/* The driver's own reference, if it did not come to give it back. */
		if (refcount_read(&packet->users) > 1)
			kfree_skb(packet);
		kfree_skb(packet);
	}
}

static void distrust(struct tap_image *image)
{
	tap_image_fail(image);
	image->trusted = false;
}

static void trust(struct tap_image *image)
{
	unsigned long failed = xchg(&image->looked_at, image->text_size);

	if (failed == image->text_size)
		return;
	if (failed == TAP_FAILED_PINNED)
		module_put(image->module);
	open_lines(image);
	image->abandoned = false;
	image->trusted = true;
}

static bool has_failed(unsigned long function, bool forgive)
{
	struct tap_image *image;
	bool failed = false;

	mutex_lock(&images_mutex);
	list_for_each_entry(image, &images, list) {
		if (!tap_is_in(image, function) || tap_serves(image))
			continue;
		if (forgive)
			trust(image);
		failed = true;
	}
	mutex_unlock(&images_mutex);
	return failed;
}

bool tap_has_failed(unsigned long function)
{
	return has_failed(function, false);
}

bool tap_forgive(unsigned long function)
{
	return has_failed(function, true);
}

bool tap_was_cut(const char *driver)
{
	struct tap_image *image;
	bool cut = false;

	mutex_lock(&images_mutex);
	list_for_each_entry(image, &images, list)
		if (!strcmp(image->module->name, driver))
			cut |= image->trusted || !tap_serves(image);
	mutex_unlock(&images_mutex);
	return cut;
}

static void cut_short(struct tap_image *image, const struct task_struct *caller, u64 now,
		      u64 deadline_ns)
{
	enum module_state state = READ_ONCE(image->module->state);
	unsigned int n;

	if (image->way_state != state || image->way_caller != caller) {
		image->way_state = state;
		image->way_caller = caller;
		image->way_ns = now;
		image->way_limit_ns = max((now + deadline_ns) / 2, now + WAY_MIN_NS);
	}
	if ((state == MODULE_STATE_LIVE && !caller) || now < image->way_limit_ns)
		return;
	/* Nobody would take from it what it has left: it could only be parked. */
	if (state == MODULE_STATE_GOING && !image->release_at_exit)
		return;
	image->way_limit_ns = now + WAY_MIN_NS;
	n = release_sleepers(image, caller, (now - image->way_ns) / NSEC_PER_MSEC);
	if (!n)
		return;
	tap_image_fail(image);
	pr_warn("recov_shadow: %s takes too long: %u calls that sleep end\n", image->module->name,
		n);
}

void tap_cut_short(const char *driver, const struct task_struct *caller, u64 now, u64 deadline_ns)
{
	struct tap_image *image;

	mutex_lock(&images_mutex);
	list_for_each_entry(image, &images, list)
		if (!strcmp(image->module->name, driver))
			cut_short(image, caller, now, deadline_ns);
	mutex_unlock(&images_mutex);
}

struct tap_image *tap_get_image(const char *driver)
{
	struct tap_image *image, *found = NULL;

	mutex_lock(&images_mutex);
	list_for_each_entry(image, &images, list)
		if (!strcmp(image->module->name, driver) && try_module_get(image->module))
			found = image;
	mutex_unlock(&images_mutex);
	return found;
}

/* A line without a handler is off, and stays so until there is one. */
static void forget_lines(struct tap_image *image)
{
	unsigned int i;

	for (i = 0; i < TAP_LINES_MAX; i++) {
		int irq = atomic_read(&image->lines[i]);

		if (irq && !irq_has_action(irq))
			atomic_set(&image->lines[i], 0);
	}
	open_lines(image);
}

void tap_image_released(struct tap_image *image)
{
	forget_lines(image);
	image->released = true;
	if (cmpxchg(&image->looked_at, TAP_FAILED_PINNED, TAP_FAILED) == TAP_FAILED_PINNED)
		module_put(image->module);
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
		armed->failed = !tap_serves(image);
		if (armed->flags & RECOV_ARMED_TRUST && !image->released) {
			image->release_at_exit = armed->flags & RECOV_ARMED_RELEASE;
			trust(image);
		}
		if (image->trusted && armed->flags & RECOV_ARMED_DISTRUST)
			distrust(image);
		if (armed->flags & RECOV_ARMED_FAIL) {
			distrust(image);
			WRITE_ONCE(image->abandoned, true);
		}
		err = 0;
		break;
	}
	mutex_unlock(&images_mutex);
	return err;
}

struct tap_image *tap_image_at(unsigned long address)
{
	struct tap_image *image;

	list_for_each_entry_rcu(image, &images, list)
		if (tap_is_in(image, address))
			return image;
	return NULL;
}

bool tap_is_abandoned(unsigned long address)
{
	const struct tap_image *image;
	bool abandoned;

	rcu_read_lock();
	image = tap_image_at(address);
	abandoned = image && READ_ONCE(image->abandoned);
	rcu_read_unlock();
	return abandoned;
}

struct recov_tap *tap_behind(unsigned long thunk)
{
	const unsigned long lea = thunk + RECOV_THUNK_LEA;
	struct tap_image *image = tap_image_at(thunk);
	const struct recov_tap *tap;
	s32 displacement;

	if (!image || get_kernel_nofault(displacement, (s32 *)lea))
		return NULL;
	tap = (void *)(lea + sizeof(displacement) + displacement);
	if (tap < image->taps || tap >= image->taps + image->n_taps)
		return NULL;
	return &image->taps[tap - image->taps];
}

/* The array of taps; NULL: the module is not armed. */
static struct recov_tap *find_taps(const struct mod_kallsyms *symbols, u32 *ret_n)
{
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

static void tap_init_one(struct recov_tap *tap, struct tap_image *image)
{
	tap->kernel[0] = (u64)image;
	tap->kernel[1] = tap->function;
	if (tap->stack_words) /* what is in its place would not find the record */
		return;
	switch (tap->kind) {
	case RECOV_TAP_INIT:
	case RECOV_TAP_EXIT:
	case RECOV_TAP_POLL:
	case RECOV_TAP_STATS:
	case RECOV_TAP_WORK:
		tap->function = (u64)recov_tap_wrapped;
		break;
	case RECOV_TAP_XMIT:
		if (image->lent)
			tap->function = (u64)recov_tap_xmit;
	}
}

static int image_add(struct module *module)
{
	/* It is being loaded: nobody else has it, and it is all there. */
	const struct mod_kallsyms *symbols = rcu_dereference_protected(module->kallsyms, true);
	struct recov_tap *taps;
	struct tap_image *image;
	u32 n, i;
	int err;

	taps = find_taps(symbols, &n);
	if (!taps)
		return 0;
	image = kzalloc(sizeof(*image), GFP_KERNEL);
	if (!image)
		return -ENOMEM;
	image->module = module;
	image->taps = taps;
	image->n_taps = n;
	err = trap_get();
	if (err) {
		kfree(image);
		return err;
	}
	tap_module_text(module, &image->text, &image->text_size);
	image->looked_at = image->text_size;
	lent_begin(image, symbols);
	for (i = 0; i < n; i++)
		tap_init_one(&taps[i], image);
	mutex_lock(&images_mutex);
	list_add_rcu(&image->list, &images);
	mutex_unlock(&images_mutex);
	return 0;
}

static void image_remove(const struct module *module)
{
	struct tap_image *image, *found = NULL;

	mutex_lock(&images_mutex);
	list_for_each_entry(image, &images, list)
		if (image->module == module)
			found = image; /* it goes here only */
	mutex_unlock(&images_mutex);
	if (!found)
		return;
	release_last_calls(found);
	mutex_lock(&images_mutex);
	list_del_rcu(&found->list);
	if (list_empty(&images))
		held_forget();
	mutex_unlock(&images_mutex);
	synchronize_rcu(); /* tap_image_at() */
	open_lines(found);
	drop_packets(found);
	trap_put();
	lent_end(found);
	coherent_forget(found);
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
	/* Where stacks are pages that are mapped for them, what is in the direct map is none. */
	recov_tap_stacks = IS_ENABLED(CONFIG_VMAP_STACK) ? VMALLOC_START : PAGE_OFFSET;
	lent_init();
	coherent_init();
	return register_module_notifier(&module_block);
}

/* No armed image is loaded: each depends on this module. */
void tap_uninit(void)
{
	unregister_module_notifier(&module_block);
	lent_uninit();
	coherent_uninit();
}

long tap_guarded(struct tap_image *image, long (*function)(void *data), void *data)
{
	struct recov_tap tap = {
		.function = (u64)function,
		.answer = RECOV_TAP_ERROR,
		.kind = RECOV_TAP_OTHER,
		.kernel = {(u64)image, (u64)function},
	};

	return recov_tap_guarded(data, &tap);
}

/* A module that has failed must stay in memory: what it has registered may not have been taken back.
 * A module is freed as soon as its exit function returns, so this one does not. */
static void __noreturn park(const struct tap_image *image)
{
	pr_err("recov_shadow: %s failed while it was being unloaded: it stays in memory\n",
	       image->module->name);
	for (;;) {
		set_current_state(TASK_IDLE);
		schedule();
	}
}

/* After an exit function that has failed, or in place of one. */
static void end_exit(struct tap_image *image)
{
	if (image->released || (image->release_at_exit && !swap_release_at_exit(image)))
		return;
	park(image);
}

/* A module whose init function fails is freed, too: it stays, so that it can be taken out. */
static int call_module(const struct recov_tap *tap)
{
	struct tap_image *image = tap_image(tap);
	int ret = 0;

	if (tap->kind == RECOV_TAP_INIT)
		ret = ((int (*)(void))tap_function(tap))();
	else
		((void (*)(void))tap_function(tap))();
	if (tap_serves(image))
		return ret;
	if (tap->kind == RECOV_TAP_EXIT)
		end_exit(image);
	return 0;
}

/* Whoever asks reads the counters. */
static struct net_device_stats *call_stats(const struct recov_tap *tap, unsigned long dev)
{
	struct net_device_stats *(*function)(unsigned long) = (void *)tap_function(tap);
	struct net_device_stats *stats = function(dev), counters;

	if (copy_from_kernel_nofault(&counters, stats, sizeof(counters)))
		trap_bad_answer((unsigned long)stats, (unsigned long)function);
	return stats;
}

/* Who has used up the budget is polled again. One that has ended that itself would be in two lists as
 * soon as it is scheduled: some drivers do so, in which it goes well nearly always. */
static int call_poll(struct tap_record *record, int budget)
{
	int (*function)(struct napi_struct *, int) = (void *)tap_function(record->tap);
	struct napi_struct *napi = (struct napi_struct *)record->arg0;
	int done = function(napi, budget);

	if (held_any_spin())
		trap_unbalanced(record);
	if (budget && (unsigned int)done > budget)
		trap_bad_answer(done, (unsigned long)function);
	if (budget && done == budget && !test_bit(NAPI_STATE_SCHED, &napi->state))
		return budget - 1;
	return done;
}

/* The next one that the worker gets does not give back what this one has taken, semaphores apart. */
static void call_work(struct tap_record *record)
{
	((void (*)(unsigned long))tap_function(record->tap))(record->arg0);
	trap_unbalanced(record);
}

/* Called by recov_tap_wrapped. */
asmlinkage long tap_wrapped(struct tap_record *record, unsigned long arg1);
asmlinkage long tap_wrapped(struct tap_record *record, unsigned long arg1)
{
	const struct recov_tap *tap = record->tap;

	switch (tap->kind) {
	case RECOV_TAP_STATS:
		return (long)call_stats(tap, record->arg0);
	case RECOV_TAP_POLL:
		return call_poll(record, arg1);
	case RECOV_TAP_WORK:
		call_work(record);
		return 0;
	default:
		return call_module(tap);
	}
}

static bool is_next_of(const struct list_head *entry, struct list_head *before)
{
	struct list_head *self;

	return !get_kernel_nofault(self, &before->next) && self == entry;
}

/* By one of its neighbours: while it goes from one list to another, one of them may not know it. */
static bool is_in_list(const struct list_head *entry)
{
	struct list_head *self;

	return is_next_of(entry, entry->prev) ||
	       (!get_kernel_nofault(self, &entry->next->prev) && self == entry);
}

/* Is it this CPU's to end? A driver may have done so before it failed, and may have written over the
 * record that tells which it is: a NAPI is in the list of its device. While it is polled it is in
 * no other, whatever is written there. */
static bool is_polled(struct napi_struct *napi)
{
	struct list_head *before;

	if (get_kernel_nofault(before, &napi->dev_list.prev) ||
	    !is_next_of(&napi->dev_list, before) || !test_bit(NAPI_STATE_SCHED, &napi->state))
		return false;
	if (list_empty(&napi->poll_list))
		return true;
	if (is_in_list(&napi->poll_list))
		return false;
	INIT_LIST_HEAD(&napi->poll_list);
	return true;
}

/* Where the kernel keeps them: those of a device that cannot be read are none. */
static long counters_of(struct net_device *dev)
{
	static const struct net_device_stats none;
	struct net_device_stats counters;

	return (long)(copy_from_kernel_nofault(&counters, &dev->stats, sizeof(counters))
			      ? &none
			      : &dev->stats);
}

long tap_answer(struct recov_tap *tap, unsigned long arg0, bool refused)
{
	struct tap_image *image = tap_image(tap);

	switch (tap->kind) {
	case RECOV_TAP_INIT:
		return 0;
	case RECOV_TAP_EXIT:
		end_exit(image);
		break;
	case RECOV_TAP_XMIT:
		if (refused)
			dev_kfree_skb_any((struct sk_buff *)arg0);
		else
			keep_packet(image, (struct sk_buff *)arg0);
		break;
	case RECOV_TAP_POLL:
		if (refused || is_polled((struct napi_struct *)arg0))
			napi_complete_done((struct napi_struct *)arg0, 0);
		break;
	case RECOV_TAP_IRQ:
		close_line(image, arg0);
		break;
	case RECOV_TAP_STATS:
		return counters_of((struct net_device *)arg0);
	case RECOV_TAP_VIRTIO:
		if (preemptible())
			release_virtio_quiet(&((struct virtio_device *)arg0)->dev);
		break;
	}
	switch (tap->answer) {
	case RECOV_TAP_ERROR:
		return -EIO;
	case RECOV_TAP_UNSUPPORTED:
		return -EOPNOTSUPP;
	default:
		return 0;
	}
}

/* Called by recov_tap_enter in place of a function of a driver that has failed. Any context that the
 * driver is called in. */
asmlinkage long tap_refuse(unsigned long arg0, struct recov_tap *tap);
asmlinkage long tap_refuse(unsigned long arg0, struct recov_tap *tap)
{
	return tap_answer(tap, arg0, true);
}
