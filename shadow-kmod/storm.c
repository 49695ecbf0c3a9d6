// SPDX-License-Identifier: GPL-2.0
/*
 * Notices an armed driver's interrupts that come again and again because nobody sees to their cause:
 * whatever they have interrupted comes to no instruction of its own any more.
 */
#include <linux/interrupt.h>
#include <linux/irq.h>
#include <linux/irqdesc.h>
#include <linux/percpu.h>
#include <linux/preempt.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/string.h>

#include "trap.h"

#define INTERRUPTS_MIN 10 /* between two looks: 10,000 a second */
#define SCORE_STUCK    2  /* where it gets nowhere, and one less where it does */
#define SCORE_MAX      20 /* a second of that */
#define LINES_MAX      16

struct storm {
	struct pt_regs regs; /* at the first look of three */
	unsigned int looks, score;
	unsigned int n_lines;
	struct line {
		unsigned int irq, count; /* at the second one */
	} lines[LINES_MAX];
};

static DEFINE_PER_CPU(struct storm, storms);

/* The tap of the armed driver whose line it is; NULL: it is none's, or somebody is changing that. How
 * many interrupts have come there to this CPU. */
static struct recov_tap *tap_of_line(unsigned int irq, unsigned int *ret_count)
{
	struct irq_data *data = irq_get_irq_data(irq);
	const struct irqaction *action;
	struct recov_tap *tap = NULL;
	struct irq_desc *desc;

	if (!data)
		return NULL;
	desc = irq_data_to_desc(data);
	if (!raw_spin_trylock(&desc->lock))
		return NULL;
	for (action = desc->action; action && !tap; action = action->next)
		tap = tap_behind((unsigned long)action->handler);
	*ret_count = irq_desc_kstat_cpu(desc, smp_processor_id());
	raw_spin_unlock(&desc->lock);
	return tap;
}

static void remember_lines(struct storm *storm)
{
	unsigned int irq, count;

	storm->n_lines = 0;
	for (irq = 0; irq < nr_irqs && storm->n_lines < LINES_MAX; irq++)
		if (tap_of_line(irq, &count))
			storm->lines[storm->n_lines++] = (struct line){irq, count};
}

static struct recov_tap *stormiest(const struct storm *storm)
{
	unsigned int i, count, most = INTERRUPTS_MIN;
	struct recov_tap *found = NULL;

	for (i = 0; i < storm->n_lines; i++) {
		struct recov_tap *tap = tap_of_line(storm->lines[i].irq, &count);

		if (!tap || count - storm->lines[i].count < most)
			continue;
		most = count - storm->lines[i].count;
		found = tap;
	}
	return found;
}

/* The next one is refused, and its line goes off. */
static void end_storm(struct recov_tap *tap)
{
	const struct tap_record record = {.tap = tap, .preempt_count = HARDIRQ_OFFSET};
	const struct pt_regs regs = {.ip = tap_function(tap)};
	const struct fault fault = {.cause = RECOV_FAULT_STORM};

	fault_note(&record, &regs, &fault);
}

/* Of the looks that began with the first one. tap: nothing but that has gone on meanwhile. */
static void settle(struct storm *storm, struct recov_tap *tap)
{
	storm->looks = 0;
	if (tap)
		storm->score += SCORE_STUCK;
	else if (storm->score)
		storm->score--;
	if (storm->score < SCORE_MAX)
		return;
	storm->score = 0;
	if (tap && tap_serves(tap_image(tap)))
		end_storm(tap);
}

/*
 * A CPU that comes to anything between two interrupts has other registers after a millisecond, or
 * sleeps with nothing to do. One that waits for something in a loop may have the same, but is not
 * interrupted all the time. QEMU's interrupt controller interrupts a storm for 10 ms now and then.
 */
bool storm_look(const struct pt_regs *regs)
{
	struct storm *storm = this_cpu_ptr(&storms);

	storm->looks++;
	if ((is_idle_task(current) && !need_resched()) ||
	    (storm->looks > 1 && memcmp(&storm->regs, regs, sizeof(*regs)))) {
		settle(storm, NULL);
		return false;
	}
	rcu_read_lock(); /* images, and descriptors of lines */
	switch (storm->looks) {
	case 1:
		storm->regs = *regs;
		break;
	case 2:
		remember_lines(storm);
		break;
	default:
		settle(storm, stormiest(storm));
	}
	rcu_read_unlock();
	return storm->looks;
}
