// SPDX-License-Identifier: GPL-2.0
/* Finds the call into an armed driver in which a CPU is. */
#include <linux/percpu.h>
#include <linux/preempt.h>
#include <linux/sched.h>
#include <linux/sched/task_stack.h>
#include <linux/uaccess.h>
#include <asm/stacktrace.h>
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

/* The record above the word at which the driver's function returns to its tap: next to it, or behind
 * arguments. */
static struct tap_record *record_above(unsigned long address, unsigned int context)
{
	unsigned int i, words = 1;

	if (word_at(address) == (unsigned long)recov_tap_ret_stack)
		words += RECOV_TAP_STACK_MAX;
	for (i = 1; i <= words; i++) {
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
				  struct stack_info *ret_stack, struct tap_record **ret_record)
{
	struct unwind_state state;
	unsigned int i;

	unwind_start(&state, current, regs, NULL);
	*ret_stack = state.stack_info;
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

/* Where the unwinder does not know its way: up to the end of the stack. */
static struct tap_record *scan_for_record(unsigned long sp, const struct stack_info *stack,
					  unsigned int context)
{
	unsigned long word = ALIGN(sp, sizeof(long));

	/* What an unwinder that has failed calls its type is of no interest. */
	if (!stack->begin || word < (unsigned long)stack->begin)
		return NULL;
	for (; word < (unsigned long)stack->end; word += sizeof(long)) {
		struct tap_record *record;

		record = tap_is_return(word_at(word)) ? record_above(word, context) : NULL;
		if (record)
			return record;
	}
	return NULL;
}

/* Of records that are no more, nothing is left to be found: the lowest one is the innermost call. */
static struct tap_record *lowest_record(unsigned long begin, unsigned long end)
{
	for (; begin + sizeof(struct tap_record) <= end; begin += sizeof(long)) {
		struct tap_record *record = (void *)begin;

		if (word_at(begin) == tap_magic(record))
			return record;
	}
	return NULL;
}

/* Of a CPU whose stack pointer leads nowhere. */
static struct tap_record *record_of_cpu(unsigned int context)
{
	unsigned long begin = (unsigned long)task_stack_page(current);
	unsigned long end = ALIGN((unsigned long)*raw_cpu_ptr(irq_stack), PAGE_SIZE);
	struct tap_record *record = lowest_record(end - IRQ_STACK_SIZE, end);

	if (!record)
		record = lowest_record(begin, begin + THREAD_SIZE);
	return record && is_of_context(record, context) ? record : NULL;
}

/* A function that takes one word more off its stack than it has put there returns to what is above its
 * return address. The record's first word may lie below what the exception has put there by now. */
static struct tap_record *record_returned_to(const struct pt_regs *regs, unsigned int context)
{
	struct tap_record *record = (void *)(regs->sp - sizeof(long));

	return regs->ip == tap_magic(record) && is_of_context(record, context) ? record : NULL;
}

struct tap_record *trap_find(struct pt_regs *regs, struct fault *fault)
{
	struct tap_record *record = record_returned_to(regs, fault->context);
	struct stack_info stack;

	if (record)
		return record;
	switch (unwind_to_record(regs, fault, &stack, &record)) {
	case WALK_FOUND:
		return record;
	case WALK_LOST:
		return stack.begin ? scan_for_record(regs->sp, &stack, fault->context)
				   : record_of_cpu(fault->context);
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
	struct unwind_state state;

	unwind_start(&state, current, NULL, NULL);
	return scan_for_record(sp, &state.stack_info, preempt_count());
}

struct tap_record *trap_find_lost(struct pt_regs *regs, struct fault *fault)
{
	struct tap_record *record = NULL;
	struct stack_info stack;

	if (unwind_to_record(regs, fault, &stack, &record) == WALK_FOUND)
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
