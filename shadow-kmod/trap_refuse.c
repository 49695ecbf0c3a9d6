// SPDX-License-Identifier: GPL-2.0
/* Calls into armed drivers end before the kernel does for them what would not go well. */
#include <linux/preempt.h>
#include <linux/ptrace.h>
#include <linux/string.h>
#include <asm/segment.h>

#include "held.h"
#include "trap.h"

/* Of the way here from the driver nothing is told. */
static void cut_stack(struct fault *fault, unsigned long caller)
{
	unsigned int i = 0;

	while (i < RECOV_FAULT_STACK_DEPTH && fault->stack[i++] != caller)
		;
	memmove(fault->stack, fault->stack + i, (RECOV_FAULT_STACK_DEPTH - i) * sizeof(u64));
	memset(fault->stack + RECOV_FAULT_STACK_DEPTH - i, 0, i * sizeof(u64));
}

/* Returns if the CPU is in no call. Without a cause nothing is noted. */
static noinline void end_call(struct fault *fault, unsigned long caller)
{
	struct pt_regs regs = {.cs = __KERNEL_CS};
	struct tap_record *record;

	fault->context = preempt_count();
	asm volatile("lea (%%rip), %0\n\tmov %%rsp, %1\n\tmov %%rbp, %2"
		     : "=r"(regs.ip), "=r"(regs.sp), "=r"(regs.bp));
	record = trap_find(&regs, fault);
	if (!record)
		return;
	if (fault->cause) {
		cut_stack(fault, caller);
		regs.ip = caller;
		fault_note(record, &regs, fault);
	}
	recov_tap_jump(record);
}

noinline void trap_deadlock(unsigned long lock, unsigned long caller)
{
	struct fault fault = {.cause = RECOV_FAULT_DEADLOCK, .address = lock};

	end_call(&fault, caller);
}

noinline void trap_argument(const char *service, unsigned long argument, unsigned long caller)
{
	struct fault fault = {
		.cause = RECOV_FAULT_ARGUMENT, .address = argument, .service = service};

	end_call(&fault, caller);
}

noinline void trap_bad_answer(unsigned long answer, unsigned long function)
{
	struct fault fault = {.cause = RECOV_FAULT_ANSWER, .address = answer};

	end_call(&fault, function);
}

noinline void trap_abandoned(unsigned long caller)
{
	struct fault fault = {};

	/* There release_calls() leads it to. */
	if (caller == (unsigned long)recov_tap_end || tap_is_abandoned(caller))
		end_call(&fault, caller);
}

void trap_unbalanced(struct tap_record *record)
{
	struct fault fault = {.cause = RECOV_FAULT_ANSWER};
	struct pt_regs regs = {.cs = __KERNEL_CS};
	bool balanced = preempt_count() == (record->preempt_count & ~PREEMPT_NEED_RESCHED);

	if (!balanced)
		preempt_disable(); /* the end of the call puts the count right */
	if (preempt_count())
		fault.address = held_spin_of(record);
	if (balanced && !fault.address && in_task())
		fault.address = held_mutex_of(record);
	if (balanced && !fault.address)
		return;
	regs.ip = tap_function(record->tap);
	fault_note(record, &regs, &fault);
	recov_tap_jump(record);
}
