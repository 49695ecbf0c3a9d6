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
#include <linux/uaccess.h>

#include "inject.h"
#include "shadow.h"
#include "tap_compat.h"

#define WAIT_LIMIT  (5 * HZ)
#define RETRY	    HZ /* to undo what a CPU that hangs stands in the way of */
#define RECORD_PORT 0xe9

static DEFINE_MUTEX(verb_mutex); /* one verb at a time; taken before: */
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
		atomic_set(&inject->state, INJECT_ENDED);
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
	atomic_set_release(&inject->state, INJECT_ENDED);
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

/* It has ended: no handler and no work does anything with it any more, but may still look at it. */
static void inject_forget(struct inject *inject)
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

/* The module is held by the caller. */
static int inject_new(struct recov_inject *arg, const struct module *module,
		      struct inject **ret_inject)
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

/* ---- the verbs, one at a time ---- */

/* NULL: nothing is planted, nor was. */
static struct inject *find(const char *driver, u32 index)
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

/* Waits until it is planted, but not too long. The err. */
static int wait_planted(struct inject *inject)
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

static int wait_ended(struct inject *inject)
{
	long left;

	begin_end(inject);
	left = wait_for_completion_killable_timeout(&inject->ended, WAIT_LIMIT);
	return left > 0 ? 0 : left ? (int)left : -ETIMEDOUT;
}

/* Nothing is planted there; what was is forgotten. */
static int make_room(const char *driver)
{
	struct inject *inject = find(driver, 0);
	int state, err;

	if (!inject)
		return 0;
	state = atomic_read_acquire(&inject->state);
	if (state == INJECT_CANCELLED)
		return -EBUSY;
	if (state != INJECT_ENDED && !READ_ONCE(inject->gone))
		return -EEXIST;
	err = wait_ended(inject);
	if (!err)
		inject_forget(inject);
	return err;
}

static int inject_verb(struct recov_inject *arg)
{
	struct inject *inject;
	struct module *module;
	int err;

	if (strnlen(arg->driver, sizeof(arg->driver)) == sizeof(arg->driver) || !arg->driver[0] ||
	    arg->n_sites > RECOV_INJECT_SITES_MAX || arg->n_calls > RECOV_INJECT_CALLS_MAX ||
	    !(arg->n_sites + arg->n_calls) || arg->flags & ~RECOV_INJECT_PORT)
		return -EINVAL;
	err = swap_check_free(arg->driver);
	if (!err)
		err = make_room(arg->driver);
	if (err)
		return err;
	module = ksym_module_get(arg->driver);
	if (IS_ERR(module))
		return PTR_ERR(module);
	err = inject_new(arg, module, &inject);
	if (!err) {
		mutex_lock(&list_mutex);
		list_add_tail_rcu(&inject->list, &injections);
		mutex_unlock(&list_mutex);
	}
	module_put(module); /* from now on it tells when it goes */
	if (err)
		return err;
	queue_work(works, &inject->plant);
	err = wait_planted(inject);
	arg->failed = inject->failed;
	if (err && err != -ETIMEDOUT)
		inject_forget(inject);
	return err;
}

static u32 state_of(const struct inject *inject)
{
	if (READ_ONCE(inject->gone))
		return RECOV_INJECT_GONE;
	switch (atomic_read_acquire(&inject->state)) {
	case INJECT_PLANTED:
		return RECOV_INJECT_PLANTED;
	case INJECT_ENDED:
		return RECOV_INJECT_UNDONE;
	}
	return RECOV_INJECT_ENDING;
}

static void describe(const struct inject *inject, struct recov_injected *arg)
{
	u32 index = arg->index;

	*arg = (struct recov_injected){
		.planted_ns = inject->planted_ns,
		.ended_ns = inject->ended_ns,
		.index = index,
		.state = state_of(inject),
		.n_sites = inject->n_sites,
		.n_calls = inject->n_calls,
		.hits = atomic_read(&inject->n_hits),
		.differing = inject->differing,
		.for_ms = inject->for_ms,
		.max_hits = inject->max_hits,
	};
	strscpy(arg->driver, inject->driver, sizeof(arg->driver));
}

static int injected_verb(struct recov_injected *arg)
{
	const struct inject *inject = find(arg->driver, arg->index);

	if (!inject)
		return -ENOENT;
	describe(inject, arg);
	return 0;
}

static int undo_verb(struct recov_injected *arg)
{
	struct inject *inject = arg->driver[0] ? find(arg->driver, 0) : NULL;
	u32 state;
	int err;

	if (!inject)
		return -ENOENT;
	if (atomic_read(&inject->state) == INJECT_CANCELLED)
		return -EBUSY;
	state = state_of(inject);
	err = wait_ended(inject);
	if (err)
		return err;
	describe(inject, arg);
	arg->state = state;
	inject_forget(inject);
	return 0;
}

static int hits_verb(struct recov_inject_hits *arg)
{
	const struct inject *inject = arg->driver[0] ? find(arg->driver, 0) : NULL;
	struct recov_inject_hit __user *to = u64_to_user_ptr(arg->hits);
	u32 i, n;

	if (!inject)
		return -ENOENT;
	n = inject->n_sites + inject->n_calls;
	if (arg->first > n)
		return -EINVAL;
	arg->n = min(arg->n, n - arg->first);
	for (i = 0; i < arg->n; i++) {
		const struct inject_hit *hit = &inject->hits[arg->first + i];
		struct recov_inject_hit met = {.count = atomic_read_acquire(&hit->count)};

		if (met.count) {
			met.time_ns = hit->time_ns;
			met.cpu = hit->cpu;
			met.pid = hit->pid;
		}
		if (copy_to_user(&to[i], &met, sizeof(met)))
			return -EFAULT;
	}
	return 0;
}

static int text_verb(const struct recov_inject_text *arg)
{
	struct module *module = ksym_module_get(arg->driver);
	unsigned long text, size;
	int err = 0;

	if (IS_ERR(module))
		return PTR_ERR(module);
	tap_module_text(module, &text, &size);
	if (arg->pad)
		err = -EINVAL;
	else if (arg->address < text || arg->address - text > size ||
		 arg->size > size - (arg->address - text))
		err = -ERANGE;
	else if (copy_to_user(u64_to_user_ptr(arg->bytes), (void *)arg->address, arg->size))
		err = -EFAULT;
	module_put(module);
	return err;
}

static long run_verb(unsigned int cmd, void *arg)
{
	/* Where all of them begin with it. */
	if (strnlen(arg, RECOV_NAME_LEN) == RECOV_NAME_LEN)
		return -EINVAL;
	switch (cmd) {
	case RECOV_IOC_INJECT:
		return inject_verb(arg);
	case RECOV_IOC_INJECT_UNDO:
		return undo_verb(arg);
	case RECOV_IOC_INJECTED:
		return injected_verb(arg);
	case RECOV_IOC_INJECT_HITS:
		return hits_verb(arg);
	case RECOV_IOC_INJECT_TEXT:
		return text_verb(arg);
	}
	return -ENOTTY;
}

long inject_ioctl(unsigned int cmd, void __user *user)
{
	union {
		struct recov_inject inject;
		struct recov_injected injected;
		struct recov_inject_hits hits;
		struct recov_inject_text text;
	} arg;
	size_t size = _IOC_SIZE(cmd);
	long err;

	if (size > sizeof(arg) || size < RECOV_NAME_LEN)
		return -ENOTTY;
	if (copy_from_user(&arg, user, size))
		return -EFAULT;
	if (mutex_lock_killable(&verb_mutex))
		return -EINTR;
	if (cmd == RECOV_IOC_INJECT)
		arg.inject.failed = RECOV_INJECT_NOWHERE;
	err = run_verb(cmd, &arg);
	mutex_unlock(&verb_mutex);
	/* Also what tells where it failed. */
	if (err != -ENOTTY && _IOC_DIR(cmd) & _IOC_READ && copy_to_user(user, &arg, size))
		err = -EFAULT;
	return err;
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

/* No session is open. Waits for all that is planted to be undone, and so for ever if a CPU hangs with
 * interrupts off: the handlers are needed until then. */
void inject_uninit(void)
{
	struct inject *inject, *next;

	list_for_each_entry(inject, &injections, list) {
		do {
			begin_end(inject);
			flush_workqueue(works);
		} while (atomic_read_acquire(&inject->state) != INJECT_ENDED);
	}
	list_for_each_entry_safe(inject, next, &injections, list)
		inject_forget(inject);
	unregister_module_notifier(&module_block);
	inject_text_uninit();
	destroy_workqueue(works);
	rcu_barrier();
}
