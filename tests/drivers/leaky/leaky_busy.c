// SPDX-License-Identifier: GPL-2.0
/* Entries that take too long, and more events than a driver should have. */
#include <linux/atomic.h>
#include <linux/delay.h>
#include <linux/jiffies.h>
#include <linux/ktime.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/mutex.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/timer.h>
#include <linux/workqueue.h>

#include "leaky.h"
#include "leaky_friend.h"

enum {
	HANG_MAX_MS = 20000,
	STORM_MAX = 10 * 1000 * 1000,
	STORM_TIMERS = 32,
};

static const char *const leaky_entries[LEAKY_ENTRIES] = {
	[LEAKY_IRQ] = "irq",   [LEAKY_TIMER] = "timer",	    [LEAKY_WORK] = "work",
	[LEAKY_OPEN] = "open", [LEAKY_RELEASE] = "release", [LEAKY_READ] = "read",
	[LEAKY_MMAP] = "mmap", [LEAKY_IOCTL] = "ioctl",	    [LEAKY_PROBE] = "probe",
};

/* How an entry hangs, the number behind the time; interrupts and timers can only spin. */
enum leaky_way {
	LEAKY_SLEEPS,
	LEAKY_SPINS,
	LEAKY_POLLS, /* sleeps a little, again and again */
	LEAKY_WAITS, /* for a signal as well: which is no hang */
	LEAKY_WAYS
};

static unsigned int leaky_hang_ms[LEAKY_ENTRIES];
static enum leaky_way leaky_hang_way[LEAKY_ENTRIES];
static atomic_long_t leaky_counts[LEAKY_ENTRIES];
static atomic_long_t leaky_kept = ATOMIC_LONG_INIT(0); /* objects of storm alloc */

module_param_named(probe_ms, leaky_hang_ms[LEAKY_PROBE], uint, 0600);
MODULE_PARM_DESC(probe_ms, "how long probe takes, in ms");

static int leaky_get_counts(char *buffer, const struct kernel_param *param)
{
	size_t n = 0;
	int i;

	n += scnprintf(buffer + n, PAGE_SIZE - n, "{");
	for (i = 0; i < LEAKY_ENTRIES; i++)
		n += scnprintf(buffer + n, PAGE_SIZE - n, "\"%s\":%ld,", leaky_entries[i],
			       atomic_long_read(&leaky_counts[i]));
	n += scnprintf(buffer + n, PAGE_SIZE - n, "\"kept\":%ld}\n", atomic_long_read(&leaky_kept));
	return n;
}

static const struct kernel_param_ops leaky_counts_ops = {.get = leaky_get_counts};
module_param_cb(counts, &leaky_counts_ops, NULL, 0400);
MODULE_PARM_DESC(counts, "how often each entry has been entered, as JSON");

/* ---- Hangs ---- */

/* One function each where it hangs, as an observer names it. */
static noinline void leaky_hang_spinning(unsigned int ms)
{
	u64 limit = ktime_get_ns() + ms * (u64)NSEC_PER_MSEC;

	/* By the clock: where CPUs are emulated, mdelay() takes several times as long. */
	while (ktime_get_ns() < limit)
		cpu_relax();
}

static noinline void leaky_hang_sleeping(unsigned int ms)
{
	msleep(ms);
}

static noinline void leaky_hang_polling(unsigned int ms)
{
	unsigned long limit = jiffies + msecs_to_jiffies(ms);

	while (time_before(jiffies, limit))
		msleep(20);
}

static noinline void leaky_hang_waiting(unsigned int ms)
{
	msleep_interruptible(ms);
}

static const struct {
	void (*hang)(unsigned int ms);
	const char *name;
} leaky_ways[LEAKY_WAYS] = {
	[LEAKY_SLEEPS] = {leaky_hang_sleeping, "leaky_hang_sleeping"},
	[LEAKY_SPINS] = {leaky_hang_spinning, "leaky_hang_spinning"},
	[LEAKY_POLLS] = {leaky_hang_polling, "leaky_hang_polling"},
	[LEAKY_WAITS] = {leaky_hang_waiting, "leaky_hang_waiting"},
};

void leaky_enter(enum leaky_entry entry)
{
	unsigned int ms;

	atomic_long_inc(&leaky_counts[entry]);
	/* Only probe hangs each time: there are two devices. */
	if (entry == LEAKY_PROBE)
		ms = READ_ONCE(leaky_hang_ms[entry]);
	else
		ms = xchg(&leaky_hang_ms[entry], 0);
	ms = min_t(unsigned int, ms, HANG_MAX_MS);
	if (ms)
		leaky_ways[READ_ONCE(leaky_hang_way[entry])].hang(ms);
}

/* leaky_function: what the kernel calls. */
static const char *leaky_function(enum leaky_entry entry)
{
	static const char *const functions[LEAKY_ENTRIES] = {
		[LEAKY_IRQ] = "leaky_soft_interrupt", [LEAKY_TIMER] = "leaky_timer_expires",
		[LEAKY_WORK] = "leaky_work_runs",     [LEAKY_OPEN] = "leaky_open",
		[LEAKY_RELEASE] = "leaky_release",    [LEAKY_READ] = "leaky_read",
		[LEAKY_MMAP] = "leaky_mmap",	      [LEAKY_IOCTL] = "leaky_ioctl",
		[LEAKY_PROBE] = "leaky_probe",
	};

	if (entry == LEAKY_IRQ && leaky_edu_interrupts())
		return "leaky_edu_interrupt";
	if (entry == LEAKY_PROBE && leaky_edu_device())
		return "leaky_edu_probe";
	return functions[entry];
}

static int leaky_hang(struct leaky_truth *truth, enum leaky_entry entry, const unsigned long *args)
{
	unsigned long ms = args[0], way = args[1];

	if (!ms || ms > HANG_MAX_MS || way >= LEAKY_WAYS)
		return -EINVAL;
	if (entry == LEAKY_IRQ || entry == LEAKY_TIMER)
		way = LEAKY_SPINS;
	truth->ms = ms;
	truth->site = leaky_ways[way].name;
	strscpy(truth->name, leaky_function(entry), sizeof(truth->name));
	WRITE_ONCE(leaky_hang_way[entry], way);
	WRITE_ONCE(leaky_hang_ms[entry], ms);
	return 0;
}

/* leaky_raise: an interrupt of the edu device or, without it, of a line without hardware. */
static int leaky_raise(void)
{
	if (leaky_edu_interrupts())
		leaky_edu_raise();
	else if (leaky_soft_irq >= 0)
		leaky_friend_raise(leaky_soft_irq);
	else
		return -ENODEV;
	return 0;
}

static int leaky_hang_irq(struct leaky_truth *truth, const unsigned long *args)
{
	int err = leaky_hang(truth, LEAKY_IRQ, args);

	return err ?: leaky_raise();
}

static void leaky_timer_expires(struct timer_list *timer)
{
	leaky_enter(LEAKY_TIMER);
}

static DEFINE_TIMER(leaky_timer, leaky_timer_expires);

static int leaky_hang_timer(struct leaky_truth *truth, const unsigned long *args)
{
	int err = leaky_hang(truth, LEAKY_TIMER, args);

	if (!err)
		mod_timer(&leaky_timer, jiffies + 1);
	return err;
}

static void leaky_work_runs(struct work_struct *work)
{
	leaky_enter(LEAKY_WORK);
}

static DECLARE_WORK(leaky_work, leaky_work_runs);

static int leaky_hang_work(struct leaky_truth *truth, const unsigned long *args)
{
	int err = leaky_hang(truth, LEAKY_WORK, args);

	if (!err)
		queue_work(system_unbound_wq, &leaky_work);
	return err;
}

/* The others hang when somebody comes. */
#define LEAKY_HANG(name, entry)                                                                    \
	static int name(struct leaky_truth *truth, const unsigned long *args)                      \
	{                                                                                          \
		return leaky_hang(truth, entry, args);                                             \
	}

LEAKY_HANG(leaky_hang_open, LEAKY_OPEN)
LEAKY_HANG(leaky_hang_release, LEAKY_RELEASE)
LEAKY_HANG(leaky_hang_read, LEAKY_READ)
LEAKY_HANG(leaky_hang_mmap, LEAKY_MMAP)
LEAKY_HANG(leaky_hang_ioctl, LEAKY_IOCTL)
LEAKY_HANG(leaky_hang_probe, LEAKY_PROBE)

/* ---- Storms: what is still to come of each ---- */

static atomic_long_t leaky_irqs_left, leaky_works_left, leaky_timers_left;

/* leaky_left: whether there is one more to come, which is then taken. */
static bool leaky_left(atomic_long_t *left)
{
	return atomic_long_dec_if_positive(left) >= 0;
}

/* One that the handler has not yet seen would be the same one again. */
static void leaky_irqs_storm(struct work_struct *work)
{
	unsigned long limit;
	long seen;

	while (leaky_left(&leaky_irqs_left)) {
		seen = atomic_long_read(&leaky_counts[LEAKY_IRQ]);
		if (leaky_raise())
			break;
		limit = jiffies + HZ / 10;
		while (atomic_long_read(&leaky_counts[LEAKY_IRQ]) == seen &&
		       time_before(jiffies, limit))
			cpu_relax();
		cond_resched();
	}
}

static DECLARE_WORK(leaky_irqs_work, leaky_irqs_storm);

static void leaky_works_storm(struct work_struct *work)
{
	leaky_enter(LEAKY_WORK);
	if (leaky_left(&leaky_works_left))
		queue_work(system_unbound_wq, work);
}

static DECLARE_WORK(leaky_works_work, leaky_works_storm);

static struct timer_list leaky_timers[STORM_TIMERS];

static void leaky_timers_storm(struct timer_list *timer)
{
	leaky_enter(LEAKY_TIMER);
	if (leaky_left(&leaky_timers_left))
		mod_timer(timer, jiffies);
}

static int leaky_storm(struct leaky_truth *truth, atomic_long_t *left, unsigned long count,
		       const char *site)
{
	if (!count || count > STORM_MAX)
		return -EINVAL;
	truth->count = count;
	truth->site = site;
	atomic_long_set(left, count);
	return 0;
}

static int leaky_storm_irq(struct leaky_truth *truth, const unsigned long *args)
{
	int err;

	if (!leaky_edu_interrupts() && leaky_soft_irq < 0)
		return -ENODEV;
	err = leaky_storm(truth, &leaky_irqs_left, args[0], leaky_function(LEAKY_IRQ));
	if (!err)
		queue_work(system_unbound_wq, &leaky_irqs_work);
	return err;
}

static int leaky_storm_work(struct leaky_truth *truth, const unsigned long *args)
{
	int err = leaky_storm(truth, &leaky_works_left, args[0], "leaky_works_storm");

	if (!err && leaky_left(&leaky_works_left))
		queue_work(system_unbound_wq, &leaky_works_work);
	return err;
}

/* A wheel of timers turns once a tick, so there are several of them. */
static int leaky_storm_timer(struct leaky_truth *truth, const unsigned long *args)
{
	int err, i;

	err = leaky_storm(truth, &leaky_timers_left, args[0], "leaky_timers_storm");
	if (err)
		return err;
	for (i = 0; i < STORM_TIMERS && leaky_left(&leaky_timers_left); i++) {
		if (!leaky_timers[i].function)
			timer_setup(&leaky_timers[i], leaky_timers_storm, 0);
		mod_timer(&leaky_timers[i], jiffies);
	}
	return 0;
}

/* Under leaky_lock. */
static LIST_HEAD(leaky_objects);

static noinline int leaky_storm_alloc(struct leaky_truth *truth, const unsigned long *args)
{
	struct list_head *object;
	unsigned long i;

	if (!args[0] || args[0] > STORM_MAX || args[1] < sizeof(*object) ||
	    args[1] > KMALLOC_MAX_SIZE)
		return -EINVAL;
	for (i = 0; i < args[0]; i++) {
		object = kmalloc(args[1], GFP_KERNEL | __GFP_NORETRY | __GFP_NOWARN);
		if (!object)
			return -ENOMEM;
		list_add_tail(object, &leaky_objects);
		atomic_long_inc(&leaky_kept);
		cond_resched();
	}
	truth->count = args[0];
	truth->size = args[1];
	truth->site = __func__;
	return 0;
}

/* ---- The calm ---- */

void leaky_calm_irq(void)
{
	atomic_long_set(&leaky_irqs_left, 0);
	cancel_work_sync(&leaky_irqs_work);
}

void leaky_calm(void)
{
	struct list_head *object, *next;
	int i;

	leaky_calm_irq();
	memset(leaky_hang_ms, 0, sizeof(leaky_hang_ms));
	atomic_long_set(&leaky_works_left, 0);
	atomic_long_set(&leaky_timers_left, 0);
	del_timer_sync(&leaky_timer);
	for (i = 0; i < STORM_TIMERS; i++)
		if (leaky_timers[i].function)
			del_timer_sync(&leaky_timers[i]);
	cancel_work_sync(&leaky_work);
	cancel_work_sync(&leaky_works_work);
	list_for_each_safe(object, next, &leaky_objects)
	{
		list_del(object);
		kfree(object);
		atomic_long_dec(&leaky_kept);
	}
}

static int leaky_calm_request(struct leaky_truth *truth, const unsigned long *args)
{
	leaky_calm();
	return 0;
}

const struct leaky_request leaky_busy[] = {
	{"hang", "irq", leaky_hang_irq, .args = 1, .optional = 1},
	{"hang", "timer", leaky_hang_timer, .args = 1, .optional = 1},
	{"hang", "work", leaky_hang_work, .args = 1, .optional = 1},
	{"hang", "open", leaky_hang_open, .args = 1, .optional = 1},
	{"hang", "release", leaky_hang_release, .args = 1, .optional = 1},
	{"hang", "read", leaky_hang_read, .args = 1, .optional = 1},
	{"hang", "mmap", leaky_hang_mmap, .args = 1, .optional = 1},
	{"hang", "ioctl", leaky_hang_ioctl, .args = 1, .optional = 1},
	{"hang", "probe", leaky_hang_probe, .args = 1, .optional = 1},
	{"storm", "irq", leaky_storm_irq, .args = 1},
	{"storm", "timer", leaky_storm_timer, .args = 1},
	{"storm", "work", leaky_storm_work, .args = 1},
	{"storm", "alloc", leaky_storm_alloc, .args = 2},
	{"calm", NULL, leaky_calm_request},
	{}};
