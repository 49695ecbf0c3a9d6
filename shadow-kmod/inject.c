// SPDX-License-Identifier: GPL-2.0
/*
 * Mistakes planted into loaded drivers: which there are, and how they end. One work at a time plants
 * or ends one, so that a verb waits no longer than its limit where a CPU does not stop any more: what
 * was to be planted is cancelled then, and what was to be undone is undone when that CPU stops.
 */
#include <linux/io.h>
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/overflow.h>
#include <linux/rculist.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/string.h>

#include "inject.h"
#include "shadow.h"
#include "tap_compat.h"

#define WAIT_LIMIT  (5 * HZ)
#define RETRY	    HZ /* to undo what a CPU that hangs stands in the way of */
#define RECORD_PORT 0xe9

static DEFINE_MUTEX(list_mutex); /* what is on the list */
static LIST_HEAD(injections);
static struct workqueue_struct *works; /* one after the other */

/* ---- when one is met ---- */

static void record_hit(const struct inject *inject, u32 index)
{
	static DEFINE_RAW_SPINLOCK(lock);
	char line[RECOV_NAME_LEN + 32];
	unsigned long flags;
	int i, n;

	n = scnprintf(line, sizeof(line), "recov-inject %s %u\n", inject->driver, index);
	raw_spin_lock_irqsave(&lock, flags);
	for (i = 0; i < n; i++)
		outb(line[i], RECORD_PORT);
	raw_spin_unlock_irqrestore(&lock, flags);
}

void inject_hit(struct inject *inject, u32 index)
{
	struct inject_hit *hit = &inject->hits[index];
	int n;

	if (cmpxchg64(&hit->time_ns, 0, ktime_get_mono_fast_ns())) {
		if (index >= inject->n_sites)
			atomic_inc(&hit->count);
		return;
	}
	hit->cpu = raw_smp_processor_id();
	hit->pid = current->pid;
	smp_mb__before_atomic(); /* whoever sees that it was met sees these */
	atomic_inc(&hit->count);
	n = atomic_inc_return(&inject->n_hits);
	if (inject->flags & RECOV_INJECT_PORT)
		record_hit(inject, index);
	if (n == inject->max_hits)
		irq_work_queue(&inject->full);
}

struct inject *inject_find_text(unsigned long address)
{
	struct inject *inject;

	list_for_each_entry_rcu(inject, &injections, list)
		if (address - inject->text < inject->text_size && !READ_ONCE(inject->gone))
			return inject;
	return NULL;
}

bool inject_commit(struct inject *inject)
{
	inject->planted_ns = ktime_get_mono_fast_ns();
	return !READ_ONCE(inject->gone) &&
	       atomic_cmpxchg(&inject->state, INJECT_PLANTING, INJECT_PLANTED) == INJECT_PLANTING;
}

/* ---- the works ---- */

/* What it had of the driver is as it was: this module may go. */
static void set_ended(struct inject *inject)
{
	atomic_set_release(&inject->state, INJECT_ENDED);
	module_put(THIS_MODULE);
}

static void plant(struct work_struct *work)
{
	struct inject *inject = container_of(work, struct inject, plant);

	inject->err = inject_calls_plant(inject);
	if (!inject->err) {
		if (inject->n_sites)
			inject->err = inject_text_plant(inject);
		else if (!inject_commit(inject))
			inject->err = -ENOENT;
		if (inject->err)
			inject_calls_restore(inject);
	}
	if (inject->err)
		set_ended(inject);
	else if (inject->for_ms)
		queue_delayed_work(works, &inject->end, msecs_to_jiffies(inject->for_ms));
	complete_all(&inject->planted);
}

static void end(struct work_struct *work)
{
	struct inject *inject = container_of(to_delayed_work(work), struct inject, end);

	if (atomic_cmpxchg(&inject->state, INJECT_PLANTED, INJECT_ENDING) != INJECT_PLANTED)
		return;
	if (inject->n_sites && inject_text_restore(inject) == -ETIMEDOUT) {
		atomic_set(&inject->state, INJECT_PLANTED);
		queue_delayed_work(works, &inject->end, RETRY);
		return;
	}
	inject_calls_restore(inject);
	inject->ended_ns = ktime_get_ns();
	set_ended(inject);
	complete_all(&inject->ended);
}

static void begin_end(struct inject *inject)
{
	mod_delayed_work(works, &inject->end, 0);
}

static void on_full(struct irq_work *work)
{
	begin_end(container_of(work, struct inject, full));
}

/* ---- from the creation until it is forgotten ---- */

static void inject_free(struct inject *inject)
{
	inject_text_unmap(inject);
	kvfree(inject->sites);
	kvfree(inject->calls);
	kvfree(inject->hits);
	kfree(inject);
}

static void inject_free_rcu(struct rcu_head *rcu)
{
	inject_free(container_of(rcu, struct inject, rcu));
}

/* Handlers and works may still look at it. */
void inject_forget(struct inject *inject)
{
	mutex_lock(&list_mutex);
	list_del_rcu(&inject->list);
	mutex_unlock(&list_mutex);
	irq_work_sync(&inject->full);
	cancel_work_sync(&inject->plant);
	cancel_delayed_work_sync(&inject->end);
	inject_text_unmap(inject);
	call_rcu(&inject->rcu, inject_free_rcu);
}

static int check_sites(const struct inject *inject, u32 *ret_failed)
{
	u64 from = inject->text;
	u32 i;

	for (i = 0; i < inject->n_sites; i++) {
		const struct recov_inject_site *site = &inject->sites[i];
		u64 offset = site->address - inject->text;

		*ret_failed = i;
		if (offset >= inject->text_size || site->length > inject->text_size - offset)
			return -ERANGE;
		if (site->pad || !site->length || site->length > RECOV_INJECT_LEN ||
		    site->address < from)
			return -EINVAL;
		from = site->address + site->length;
	}
	return 0;
}

static int check_calls(const struct recov_inject_call *whats, u32 n)
{
	u32 i;

	for (i = 0; i < n; i++)
		if (!whats[i].symbol[0] || !whats[i].first ||
		    strnlen(whats[i].symbol, sizeof(whats[i].symbol)) == sizeof(whats[i].symbol))
			return -EINVAL;
	return 0;
}

static int copy_sites(struct inject *inject, struct recov_inject *arg)
{
	void *sites;

	sites = vmemdup_user(u64_to_user_ptr(arg->sites),
			     array_size(arg->n_sites, sizeof(*inject->sites)));
	if (IS_ERR(sites))
		return PTR_ERR(sites);
	inject->sites = sites;
	inject->n_sites = arg->n_sites;
	return check_sites(inject, &arg->failed);
}

static int copy_calls(struct inject *inject, const struct recov_inject *arg)
{
	struct recov_inject_call *whats;
	int err;
	u32 i;

	whats = vmemdup_user(u64_to_user_ptr(arg->calls), array_size(arg->n_calls, sizeof(*whats)));
	if (IS_ERR(whats))
		return PTR_ERR(whats);
	err = check_calls(whats, arg->n_calls);
	inject->calls = kvcalloc(arg->n_calls, sizeof(*inject->calls), GFP_KERNEL);
	if (!inject->calls)
		err = -ENOMEM;
	for (i = 0; i < arg->n_calls && !err; i++) {
		inject->calls[i].inject = inject;
		inject->calls[i].what = whats[i];
		inject->calls[i].index = inject->n_sites + i;
		inject->n_calls++;
	}
	kvfree(whats);
	return err;
}

int inject_new(struct recov_inject *arg, const struct module *module, struct inject **ret_inject)
{
	struct inject *inject;
	int err = 0;

	inject = kzalloc(sizeof(*inject), GFP_KERNEL);
	if (!inject)
		return -ENOMEM;
	strscpy(inject->driver, module->name, sizeof(inject->driver));
	inject->for_ms = arg->for_ms;
	inject->max_hits = arg->max_hits;
	inject->flags = arg->flags;
	inject->failed = RECOV_INJECT_NOWHERE;
	INIT_WORK(&inject->plant, plant);
	INIT_DELAYED_WORK(&inject->end, end);
	init_irq_work(&inject->full, on_full);
	init_completion(&inject->planted);
	init_completion(&inject->ended);
	tap_module_text(module, &inject->text, &inject->text_size);
	if (arg->n_sites)
		err = copy_sites(inject, arg);
	if (!err && arg->n_calls)
		err = copy_calls(inject, arg);
	if (err)
		goto err_free;
	err = -ENOMEM;
	inject->hits =
		kvcalloc(inject->n_sites + inject->n_calls, sizeof(*inject->hits), GFP_KERNEL);
	if (!inject->hits)
		goto err_free;
	err = inject_text_map(inject);
	if (err)
		goto err_free;
	*ret_inject = inject;
	return 0;

err_free:
	inject_free(inject);
	return err;
}

void inject_begin(struct inject *inject)
{
	mutex_lock(&list_mutex);
	list_add_tail_rcu(&inject->list, &injections);
	mutex_unlock(&list_mutex);
	/* Where a CPU hangs it can't be undone, which the module's exit could only wait for. */
	__module_get(THIS_MODULE);
	queue_work(works, &inject->plant);
}

struct inject *inject_find(const char *driver, u32 index)
{
	struct inject *inject, *next;

	list_for_each_entry_safe(inject, next, &injections, list) {
		if (inject->err && atomic_read_acquire(&inject->state) == INJECT_ENDED)
			inject_forget(inject); /* one that was cancelled */
		else if (driver[0] ? !strcmp(inject->driver, driver) : !index--)
			return inject;
	}
	return NULL;
}

int inject_wait_planted(struct inject *inject)
{
	if (wait_for_completion_killable_timeout(&inject->planted, WAIT_LIMIT) <= 0) {
		if (atomic_cmpxchg(&inject->state, INJECT_PLANTING, INJECT_CANCELLED) ==
		    INJECT_PLANTING)
			return -ETIMEDOUT;
		/* All CPUs have come already. */
		wait_for_completion(&inject->planted);
	}
	return inject->err;
}

int inject_wait_ended(struct inject *inject)
{
	long left;

	begin_end(inject);
	left = wait_for_completion_killable_timeout(&inject->ended, WAIT_LIMIT);
	return left > 0 ? 0 : left ? (int)left : -ETIMEDOUT;
}

/* ---- drivers that go ---- */

static int on_module(struct notifier_block *block, unsigned long state, void *data)
{
	const struct module *module = data;
	struct inject *inject;

	if (state != MODULE_STATE_GOING)
		return NOTIFY_DONE;
	mutex_lock(&list_mutex);
	list_for_each_entry(inject, &injections, list) {
		if (strcmp(inject->driver, module->name) || inject->gone)
			continue;
		/* Nothing is in there any more. Where the machine is stopped meanwhile it is looked at
		 * first. */
		WRITE_ONCE(inject->gone, true);
		inject_text_unmap(inject);
		begin_end(inject);
	}
	mutex_unlock(&list_mutex);
	return NOTIFY_OK;
}

static struct notifier_block module_block = {.notifier_call = on_module};

int __init inject_init(void)
{
	int err;

	works = alloc_ordered_workqueue("recov_inject", 0);
	if (!works)
		return -ENOMEM;
	err = inject_text_init();
	if (err)
		goto err_works;
	err = register_module_notifier(&module_block);
	if (err)
		goto err_text;
	return 0;

err_text:
	inject_text_uninit();
err_works:
	destroy_workqueue(works);
	return err;
}

/* No session is open, and all has ended: either would hold the module. */
void inject_uninit(void)
{
	struct inject *inject, *next;

	list_for_each_entry_safe(inject, next, &injections, list)
		inject_forget(inject);
	unregister_module_notifier(&module_block);
	inject_text_uninit();
	destroy_workqueue(works);
	rcu_barrier();
}
