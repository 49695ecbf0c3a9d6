// SPDX-License-Identifier: GPL-2.0
/*
 * Notices an armed driver's interrupts that come again and again because nobody sees to their cause:
 * whatever they have interrupted comes to no instruction of its own any more.
 */
#include <linux/cpumask.h>
#include <linux/interrupt.h>
#include <linux/irq.h>
#include <linux/irqdesc.h>
#include <linux/percpu.h>
#include <linux/preempt.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/string.h>

#include "trap.h"

#define STORM_MS       1			      /* from look to look */
#define GAP_NS	       (3 * STORM_MS * NSEC_PER_MSEC) /* between two; after more it may be another place */
#define INTERRUPTS_MIN 10			      /* in STORM_MS: 10,000 a second */
#define TRIALS_MIN     3			      /* without the line, one after the other */
#define FAR	       256 /* bytes of code, beyond any loop that only waits */
#define SCORE_STUCK    3   /* where it gets nowhere, and one less where it does */
#define SCORE_MAX      12  /* trials tell the rest; a look may come once a second */
#define NEXT_MS	       20  /* and less than SPREAD_MS more, while there is a score */
#define SPREAD_MS      16
#define LINES_MAX      16

struct storm {
	struct pt_regs regs; /* at the first look */
	u64 looked_ns;
	unsigned int looks;
	unsigned int irq, score; /* the line that it may be */
	bool held;		 /* which is off until the next look */
	unsigned int trials;	 /* in which the CPU got on then */
	unsigned int n_lines;
	struct line {
		unsigned int irq, count; /* at the second look */
	} lines[LINES_MAX];
};

static DEFINE_PER_CPU(struct storm, storms);

/* The tap of the armed driver that has the line for itself and this CPU for its interrupts, and how many
 * have come; NULL: there is none, or somebody is changing that. */
static struct recov_tap *tap_of_line(unsigned int irq, unsigned int *ret_count)
{
	struct irq_data *data = irq_get_irq_data(irq);
	const struct irqaction *action;
	const struct cpumask *cpus;
	struct recov_tap *tap = NULL;
	struct irq_desc *desc;

	if (!data)
		return NULL;
	cpus = irq_data_get_effective_affinity_mask(data);
	/* Some chips do not tell. */
	if (!cpumask_empty(cpus) && !cpumask_test_cpu(smp_processor_id(), cpus))
		return NULL;
	desc = irq_data_to_desc(data);
	if (!raw_spin_trylock(&desc->lock))
		return NULL;
	for (action = desc->action; action; action = action->next) {
		struct recov_tap *next = tap_behind((unsigned long)action->handler);

		if (!next || (tap && tap_image(tap) != tap_image(next))) {
			tap = NULL;
			break;
		}
		tap = next;
	}
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

/* The line with the most interrupts since; NULL: there are not as many of any. */
static const struct line *stormiest(const struct storm *storm, u64 gap_ns)
{
	unsigned int most = max_t(unsigned int, INTERRUPTS_MIN,
				  div_u64(INTERRUPTS_MIN * gap_ns, STORM_MS * NSEC_PER_MSEC));
	unsigned int i, count;
	const struct line *found = NULL;

	for (i = 0; i < storm->n_lines; i++) {
		const struct line *line = &storm->lines[i];

		if (!tap_of_line(line->irq, &count) || count - line->count < most)
			continue;
		most = count - line->count;
		found = line;
	}
	return found;
}

/* The next interrupt is refused; a line that is asserted as long as nobody sees to it goes off then. */
static void end_storm(const struct storm *storm)
{
	const struct fault fault = {.cause = RECOV_FAULT_STORM};
	struct tap_record record = {.preempt_count = HARDIRQ_OFFSET};
	struct pt_regs regs = {};
	unsigned int count;

	record.tap = tap_of_line(storm->irq, &count);
	if (!record.tap || !tap_serves(tap_image(record.tap)))
		return;
	regs.ip = tap_function(record.tap);
	fault_note(&record, &regs, &fault);
}

/* Who has freed the line meanwhile has left it off, who has taken it again has it on. */
static void let_go_of_line(struct storm *storm)
{
	struct irq_data *data = irq_get_irq_data(storm->irq);

	storm->held = false;
	if (data && irqd_irq_disabled(data) && irq_has_action(storm->irq))
		enable_irq(storm->irq);
}

static bool is_idle(void)
{
	return is_idle_task(current) && !need_resched();
}

static void judge_trial(struct storm *storm, const struct pt_regs *regs)
{
	if (!is_idle() && regs->sp == storm->regs.sp &&
	    regs->ip - storm->regs.ip + FAR <= 2 * FAR) {
		storm->trials = 0;
		return;
	}
	if (++storm->trials < TRIALS_MIN) {
		storm->score = SCORE_MAX - SCORE_STUCK; /* the next time is the next one */
		return;
	}
	storm->trials = 0;
	end_storm(storm);
}

/* True: the line is off until the next look, for it is likely to be a storm. */
static bool count_look(struct storm *storm, const struct line *line)
{
	storm->looks = 0;
	if (!line) {
		storm->score -= !!storm->score;
		if (!storm->score)
			storm->trials = 0;
		return false;
	}
	if (storm->irq != line->irq)
		storm->score = storm->trials = 0;
	storm->irq = line->irq;
	storm->score += SCORE_STUCK;
	if (storm->score < SCORE_MAX)
		return false;
	storm->score = 0;
	disable_irq_nosync(storm->irq);
	storm->held = true;
	return true;
}

static bool look(struct storm *storm, const struct pt_regs *regs, u64 gap_ns)
{
	bool late = gap_ns > GAP_NS;
	bool stuck = regs && !memcmp(&storm->regs, regs, sizeof(*regs));

	if (storm->held) {
		if (regs && !late)
			judge_trial(storm, regs);
		else
			storm->score = SCORE_MAX - SCORE_STUCK;
		let_go_of_line(storm);
		return false;
	}
	if (late && storm->looks && !stuck) {
		storm->looks = 0;
		return false;
	}
	if (!regs || is_idle() || (storm->looks && !stuck))
		return count_look(storm, NULL);
	switch (storm->looks++) {
	case 0:
		storm->regs = *regs;
		return true;
	case 1:
		remember_lines(storm);
		return true;
	default:
		return count_look(storm, stormiest(storm, gap_ns));
	}
}

/*
 * Three looks, a millisecond apart. A CPU that comes to anything between two interrupts has other
 * registers at the next one, or sleeps with nothing to do. One that waits in a loop may have the same,
 * whatever interrupts it: a line is a storm only if the CPU gets on as soon as it is off, each time that
 * this is tried. QEMU's interrupt controller lets the CPU get on for 10 ms after each 10,000 interrupts
 * (IOAPIC_SUCCESSIVE_IRQ_MAX_COUNT): the times between looks vary, for not to be in step with that. Of
 * two lines that storm on the same CPU none is known: it does not get on without one of them.
 */
unsigned int storm_look(const struct pt_regs *regs, u64 now_ns)
{
	struct storm *storm = this_cpu_ptr(&storms);
	u64 gap_ns = now_ns - storm->looked_ns;
	bool again;

	storm->looked_ns = now_ns;
	rcu_read_lock(); /* images, and descriptors of lines */
	again = look(storm, regs, gap_ns);
	rcu_read_unlock();
	if (again)
		return STORM_MS;
	return storm->score ? NEXT_MS + (now_ns >> 10) % SPREAD_MS : 0;
}

void storm_stop(unsigned int cpu)
{
	struct storm *storm = per_cpu_ptr(&storms, cpu);

	if (storm->held)
		let_go_of_line(storm);
	storm->looks = storm->score = storm->trials = 0;
}
