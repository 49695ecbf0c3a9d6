// SPDX-License-Identifier: GPL-2.0
/* The end of a call that was cut short: the state of the CPU and the task as it was before. */
#include <linux/blkdev.h>
#include <linux/bottom_half.h>
#include <linux/irqflags.h>
#include <linux/magic.h>
#include <linux/preempt.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/sched/task_stack.h>

#include "held.h"
#include "trap.h"

#define RCU_NESTING_MAX 64 /* no driver gets that deep */

/* Sections in which the driver held bottom halves off end as one. */
static void leave_sections(const struct tap_record *record)
{
	unsigned int before = record->preempt_count & ~PREEMPT_NEED_RESCHED;
	bool bh = (preempt_count() & SOFTIRQ_MASK) > (before & SOFTIRQ_MASK);

	preempt_count_set(bh ? before + SOFTIRQ_DISABLE_OFFSET : before);
	if (record->flags & X86_EFLAGS_IF)
		local_irq_enable();
	if (bh && !(before & (HARDIRQ_MASK | NMI_MASK)) && (record->flags & X86_EFLAGS_IF))
		local_bh_enable();
	else if (bh)
		preempt_count_set(before);
}

static void leave_rcu(const struct tap_record *record)
{
#ifdef CONFIG_PREEMPT_RCU
	unsigned int i;

	for (i = 0; i < RCU_NESTING_MAX; i++) {
		if (current->rcu_read_lock_nesting <= record->rcu_nesting)
			break;
		rcu_read_unlock();
	}
#endif
}

/* What lay on the part of the stack that is dead now. */
static void forget_stack(const struct tap_record *record)
{
	unsigned long plug = (unsigned long)current->plug;

	if (plug && plug < (unsigned long)record &&
	    plug >= (unsigned long)task_stack_page(current) && object_is_on_stack(record))
		current->plug = NULL;
}

/* Called by recov_tap_land, with interrupts off. */
asmlinkage long tap_landed(struct tap_record *record);
asmlinkage long tap_landed(struct tap_record *record)
{
	struct recov_tap *tap = record->tap;

	record->magic = 0;
	/* The scheduler looks for it: the driver may have used all of the stack, which is the task's
	 * also where an interrupt has come out of user space. */
	*end_of_stack(current) = STACK_END_MAGIC;
	current->pagefault_disabled = record->pagefault_disabled;
	if (in_task()) {
		forget_stack(record);
		__set_current_state(TASK_RUNNING);
	}
	held_release_spins(record);
	leave_rcu(record);
	leave_sections(record);
	if (in_task())
		held_release_sleeping(record);
	return tap_answer(tap, record->arg0, false);
}
