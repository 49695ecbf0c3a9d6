// SPDX-License-Identifier: GPL-2.0
/* Finds the call into an armed driver in which a CPU is. */
#include <linux/percpu.h>
#include <linux/preempt.h>
#include <linux/sched.h>
#include <linux/sched/task_stack.h>
#include <linux/uaccess.h>
#include <asm/unwind.h>

#include "tap_compat.h"
#include "trap.h"

#define FRAMES_MAX 256

static void *__percpu *irq_stack; /* the address of its last word */

static unsigned long word_at(unsigned long address)
{
	unsigned long word;

	return copy_from_kernel_nofault(&word, (void *)address, sizeof(word)) ? 0 : word;
}

/* A call belongs to what the CPU does now, not to what it was interrupted in. Of softirqs only the
 * bit counts that says that one is served. */
static bool is_of_context(const struct tap_record *record, unsigned int context)
{
	const unsigned int serving = NMI_MASK | HARDIRQ_MASK | SOFTIRQ_OFFSET;

	return !((record->preempt_count ^ context) & serving);
}

/* The record above the word at which the driver's function returns to its tap: behind a gap, or behind
 * arguments. */
static struct tap_record *record_above(unsigned long address, unsigned int context)
{
	unsigned int i;

	static_assert(TAP_GAP <= RECOV_TAP_STACK_MAX * sizeof(long));
	for (i = 1; i <= RECOV_TAP_STACK_MAX + 1; i++) {
		struct tap_record *record = (void *)(address + i * sizeof(long));

		if (word_at((unsigned long)record) == tap_magic(record))
			return is_of_context(record, context) ? record : NULL;
	}
	return NULL;
}

enum walk {
	WALK_FOUND,
	WALK_NONE, /* the whole way has been seen, and no call of a driver on it */
	WALK_LOST,
};

/* The unwinder begins with the caller of where the registers are. */
static enum walk unwind_to_record(struct pt_regs *regs, struct fault *fault,
				  struct tap_record **ret_record)
{
	struct unwind_state state;
	unsigned int i;

	unwind_start(&state, current, regs, NULL);
	for (i = 0; i < FRAMES_MAX && !unwind_done(&state); i++) {
		/* Where the kernel was interrupted another context begins. */
		if (unwind_get_entry_regs(&state, NULL))
			break;
		if (tap_is_return(state.ip)) {
			*ret_record = record_above(state.sp - sizeof(long), fault->context);
			return *ret_record ? WALK_FOUND : WALK_NONE;
		}
		if (i < RECOV_FAULT_STACK_DEPTH)
			fault->stack[i] = state.ip;
		if (!unwind_next_frame(&state))
			break;
	}
	/* On the way it may have guessed, which it remembers. */
	return unwind_error(&state) || i == FRAMES_MAX ? WALK_LOST : WALK_NONE;
}

/* Of records that are no more, nothing is left to be found: the lowest one is the innermost call. */
static struct tap_record *lowest_record(unsigned long begin, unsigned long end,
					unsigned int context)
{
	for (; begin + sizeof(struct tap_record) <= end; begin += sizeof(long)) {
		struct tap_record *record = (void *)begin;

		if (word_at(begin) == tap_magic(record) && is_of_context(record, context))
			return record;
	}
	return NULL;
}

static unsigned long irq_stack_end(void)
{
	return ALIGN((unsigned long)*raw_cpu_ptr(irq_stack), PAGE_SIZE);
}

/* Of a CPU whose stack pointer leads nowhere. */
static struct tap_record *record_of_cpu(unsigned int context)
{
	unsigned long begin = (unsigned long)task_stack_page(current), end = irq_stack_end();
	struct tap_record *record = lowest_record(end - IRQ_STACK_SIZE, end, context);

	return record ? record : lowest_record(begin, begin + THREAD_SIZE, context);
}

/* Where the unwinder does not know its way: up to the end of the stack. That it knows may be another
 * one by now, on which what it took for a frame pointer led. */
static struct tap_record *scan_for_record(unsigned long sp, unsigned int context)
{
	unsigned long task_end = (unsigned long)task_stack_page(current) + THREAD_SIZE;
	unsigned long begin = ALIGN(sp, sizeof(long)), irq_end = irq_stack_end();

	if (task_end - begin <= THREAD_SIZE)
		return lowest_record(begin, task_end, context);
	if (irq_end - begin <= IRQ_STACK_SIZE)
		return lowest_record(begin, irq_end, context);
	return record_of_cpu(context);
}

struct tap_record *trap_find(struct pt_regs *regs, struct fault *fault)
{
	struct tap_record *record;
	enum walk walk = unwind_to_record(regs, fault, &record);

	/* The call's return address is no longer on the stack. */
	if (regs->ip == (unsigned long)TAP_GUARD)
		walk = WALK_LOST;
	switch (walk) {
	case WALK_FOUND:
		return record;
	case WALK_LOST:
		return scan_for_record(regs->sp, fault->context);
	default:
		return NULL;
	}
}

unsigned long *trap_find_return(struct pt_regs *regs, const struct tap_image *image)
{
	struct unwind_state state;
	unsigned int i;

	unwind_start(&state, current, regs, NULL);
	for (i = 0; i < FRAMES_MAX && !unwind_done(&state); i++) {
		unsigned long *slot = (unsigned long *)state.sp - 1;

		if (unwind_get_entry_regs(&state, NULL) || tap_is_return(state.ip))
			break;
		/* Something else lies there where a tracer waits for the return. */
		if (tap_is_in(image, state.ip))
			return word_at((unsigned long)slot) == state.ip ? slot : NULL;
		if (!unwind_next_frame(&state))
			break;
	}
	return NULL;
}

/* Called by recov_tap_end: the record of the call whose stack that is, which has one. */
asmlinkage struct tap_record *tap_record_at(unsigned long sp);
asmlinkage struct tap_record *tap_record_at(unsigned long sp)
{
	return scan_for_record(sp, preempt_count());
}

struct tap_record *trap_find_lost(struct pt_regs *regs, struct fault *fault)
{
	struct tap_record *record = NULL;

	if (unwind_to_record(regs, fault, &record) == WALK_FOUND)
		return record;
	return record_of_cpu(fault->context);
}

int __init trap_find_init(void)
{
	irq_stack = tap_irq_stack();
	if (irq_stack)
		return 0;
	pr_err("recov_shadow: this kernel has no hardirq_stack_ptr\n");
	return -ENOENT;
}
