// SPDX-License-Identifier: GPL-2.0
/* Calls into armed drivers that would wait for themselves end before they do. */
#include <linux/preempt.h>
#include <linux/ptrace.h>
#include <linux/string.h>
#include <asm/segment.h>

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

noinline void trap_deadlock(unsigned long lock, unsigned long caller)
{
	struct fault fault = {
		.cause = RECOV_FAULT_DEADLOCK, .address = lock, .context = preempt_count()};
	struct pt_regs regs = {.cs = __KERNEL_CS};
	struct tap_record *record;

	asm volatile("lea (%%rip), %0\n\tmov %%rsp, %1\n\tmov %%rbp, %2"
		     : "=r"(regs.ip), "=r"(regs.sp), "=r"(regs.bp));
	record = trap_find(&regs, &fault);
	if (!record)
		return;
	cut_stack(&fault, caller);
	regs.ip = caller;
	fault_note(record, &regs, &fault);
	recov_tap_jump(record);
}
