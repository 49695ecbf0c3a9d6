// SPDX-License-Identifier: GPL-2.0
/* Timers, high-resolution timers and delayed works of a driver, found in the kernel's own queues. */
#include <linux/cpu.h>
#include <linux/delay.h>
#include <linux/hrtimer.h>
#include <linux/interrupt.h>
#include <linux/jiffies.h>
#include <linux/slab.h>
#include <linux/timer.h>
#include <linux/timerqueue.h>
#include <linux/workqueue.h>

#include "release.h"
#include "release_compat.h"

#define FOUND_MAX  64 /* at once */
#define ROUNDS_MAX 64

static struct release_timer_base __percpu *timer_bases;
static struct hrtimer_cpu_base __percpu *hrtimer_bases;

struct found {
	const struct tap_image *image;
	struct timer_list *timers[FOUND_MAX];
	struct hrtimer *hrtimers[FOUND_MAX];
	unsigned int n_timers, n_hrtimers;
};

static struct delayed_work *delayed_work_of(const struct timer_list *timer)
{
	return timer->function == delayed_work_timer_fn
		       ? container_of(timer, struct delayed_work, timer)
		       : NULL;
}

static bool is_wanted(const struct tap_image *image, const struct timer_list *timer)
{
	const struct delayed_work *work = delayed_work_of(timer);

	return release_is_of(image, timer->function) ||
	       (work && release_is_of(image, work->work.func));
}

static void find_in_wheel(struct found *found, struct release_timer_base *base)
{
	struct timer_list *timer;
	unsigned long flags;
	unsigned int i;

	raw_spin_lock_irqsave(&base->lock, flags);
	for (i = 0; i < RELEASE_WHEEL_SIZE; i++)
		hlist_for_each_entry(timer, &base->vectors[i],
				     entry) if (found->n_timers < FOUND_MAX &&
						is_wanted(found->image, timer))
			found->timers[found->n_timers++] = timer;
	raw_spin_unlock_irqrestore(&base->lock, flags);
}

static void find_in_trees(struct found *found, struct hrtimer_cpu_base *base)
{
	struct timerqueue_node *node;
	unsigned long flags;
	unsigned int i;

	raw_spin_lock_irqsave(&base->lock, flags);
	for (i = 0; i < HRTIMER_MAX_CLOCK_BASES; i++)
		for (node = timerqueue_getnext(&base->clock_base[i].active); node;
		     node = timerqueue_iterate_next(node)) {
			struct hrtimer *timer = container_of(node, struct hrtimer, node);

			if (found->n_hrtimers < FOUND_MAX &&
			    release_is_of(found->image, timer->function))
				found->hrtimers[found->n_hrtimers++] = timer;
		}
	raw_spin_unlock_irqrestore(&base->lock, flags);
}

static void find(struct found *found)
{
	unsigned int cpu, i;

	found->n_timers = 0;
	found->n_hrtimers = 0;
	for_each_possible_cpu(cpu)
	{
		for (i = 0; i < RELEASE_TIMER_BASES; i++)
			find_in_wheel(found, per_cpu_ptr(timer_bases, cpu) + i);
		find_in_trees(found, per_cpu_ptr(hrtimer_bases, cpu));
	}
}

/* One that runs now is refused at once, and not queued again. */
static void cancel(const struct found *found, struct recov_released *report)
{
	unsigned int i;

	for (i = 0; i < found->n_timers; i++) {
		struct delayed_work *work = delayed_work_of(found->timers[i]);

		if (work)
			report->counts[RECOV_RELEASED_WORK] += cancel_delayed_work(work);
		else
			report->counts[RECOV_RELEASED_TIMER] +=
				try_to_del_timer_sync(found->timers[i]) > 0;
	}
	for (i = 0; i < found->n_hrtimers; i++)
		report->counts[RECOV_RELEASED_HRTIMER] +=
			hrtimer_try_to_cancel(found->hrtimers[i]) > 0;
}

int release_timers(const struct tap_image *image, struct recov_released *report)
{
	struct found *found;
	unsigned int i;
	int err = 0;

	found = kmalloc(sizeof(*found), GFP_KERNEL);
	if (!found)
		return release_fail(report, -ENOMEM, "there is no memory");
	found->image = image;
	for (i = 0;; i++) {
		find(found);
		if (!found->n_timers && !found->n_hrtimers)
			break;
		if (i == ROUNDS_MAX) {
			err = release_fail(report, -EBUSY, "its timers can't be stopped");
			break;
		}
		if (i)
			usleep_range(500, 1000);
		cancel(found, report);
	}
	kfree(found);
	return err;
}

/* ---- works and tasklets ----
 *
 * Workers take works, and a CPU takes tasklets, in the order in which they came: what was there before
 * is done when a work, and a tasklet of its, has been.
 */

struct follower {
	struct work_struct work;
	struct tasklet_struct tasklet;
	bool done;
};

static void follow_tasklets(struct tasklet_struct *tasklet)
{
	struct follower *follower = container_of(tasklet, struct follower, tasklet);

	smp_store_release(&follower->done, true);
}

static void follow_works(struct work_struct *work)
{
	tasklet_schedule(&container_of(work, struct follower, work)->tasklet);
}

static struct workqueue_struct *queue_of(unsigned int i)
{
	switch (i % 3) {
	case 0:
		return system_wq;
	case 1:
		return system_highpri_wq;
	}
	return system_unbound_wq;
}

static bool all_done(const struct follower *followers, unsigned int n)
{
	while (n--)
		if (!smp_load_acquire(&followers[n].done))
			return false;
	return true;
}

int release_works(struct recov_released *report)
{
	unsigned long limit = jiffies + msecs_to_jiffies(RELEASE_MS);
	unsigned int cpu, i, n = 0;
	struct follower *followers;
	int err = 0;

	cpus_read_lock();
	followers = kcalloc(3 * num_online_cpus(), sizeof(*followers), GFP_KERNEL);
	if (!followers) {
		cpus_read_unlock();
		return release_fail(report, -ENOMEM, "there is no memory");
	}
	for_each_online_cpu(cpu)
		for (i = 0; i < 3; i++, n++) {
			INIT_WORK(&followers[n].work, follow_works);
			tasklet_setup(&followers[n].tasklet, follow_tasklets);
			queue_work_on(cpu, queue_of(i), &followers[n].work);
		}
	cpus_read_unlock();
	while (!all_done(followers, n)) {
		if (time_after(jiffies, limit)) {
			err = release_fail(report, -EBUSY, "works that were queued do not run");
			break;
		}
		usleep_range(500, 1000);
	}
	for (i = 0; i < n; i++) {
		cancel_work_sync(&followers[i].work);
		tasklet_kill(&followers[i].tasklet);
	}
	kfree(followers);
	return err;
}

/* The kernel's own structure is not for modules: is it what it is taken for here? */
static bool wheel_is_known(void)
{
	unsigned int cpu, i;

	for_each_possible_cpu(cpu) for (i = 0; i < RELEASE_TIMER_BASES;
					i++) if (per_cpu_ptr(timer_bases, cpu)[i].cpu !=
						 cpu) return false;
	return true;
}

int __init release_timers_init(void)
{
	timer_bases = (void __percpu *)ksym_lookup("timer_bases");
	hrtimer_bases = (void __percpu *)ksym_lookup("hrtimer_bases");
	if (timer_bases && hrtimer_bases && wheel_is_known())
		return 0;
	pr_err("recov_shadow: this kernel's timers are not where they are expected\n");
	return -EOPNOTSUPP;
}
