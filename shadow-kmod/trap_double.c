// SPDX-License-Identifier: GPL-2.0
/*
 * Double faults: the CPU found no room on the stack to tell of another exception, because the stack
 * is used up or its address is lost.
 *
 * The kernel asks the die notifiers, but goes on to panic whatever they say. So the way out is not
 * back, but from here to where the call of the driver ends.
 */
#include <linux/entry-common.h>
#include <linux/preempt.h>
#include <linux/ptrace.h>
#include <linux/uaccess.h>
#include <asm/special_insns.h>
#include <asm/text-patching.h>
#include <asm/trapnr.h>

#include "shadow.h"
#include "trap.h"

static void (*leave_nmi)(struct pt_regs *regs, irqentry_state_t state);

/* Where a call has put its return address, which was somebody's: whoever looks there must not find the
 * way into a driver that is about to go. What was there is lost. */
static void take_back(unsigned long *sp, unsigned long caller, const struct tap_image *image)
{
	unsigned long word;
	u8 call;

	/* Before a jump nothing was put there. */
	if (tap_is_in(image, caller) && !get_kernel_nofault(call, (u8 *)caller - CALL_INSN_SIZE) &&
	    call == CALL_INSN_OPCODE && !get_kernel_nofault(word, sp) && word == caller)
		WRITE_ONCE(*sp, 0);
}

/* Runs on the exception's own stack, as an NMI, with interrupts off. What the notifiers' caller has
 * locked for them is a read side of RCU, which ends with those of the driver. */
void trap_double(struct pt_regs *regs, unsigned long error)
{
	struct fault fault = {.cause = RECOV_FAULT_DOUBLE,
			      .trap = X86_TRAP_DF,
			      .error = error,
			      .address = read_cr2(),
			      .context = preempt_count() - NMI_OFFSET - HARDIRQ_OFFSET};
	struct tap_record *record;

	if (user_mode(regs))
		return;
	record = trap_find_lost(regs, &fault);
	if (!record)
		return;
	if (regs->ip == (unsigned long)recov_tap_lost_here) {
		fault.address = regs->r10;
		regs->ip = regs->r11;
		take_back((unsigned long *)regs->r10, regs->r11, tap_image(record->tap));
	}
	fault_note(record, regs, &fault);
	leave_nmi(regs, (irqentry_state_t){});
	recov_tap_jump(record);
}

int __init trap_double_init(void)
{
	leave_nmi = (void *)ksym_lookup("irqentry_nmi_exit");
	if (leave_nmi)
		return 0;
	pr_err("recov_shadow: this kernel has no irqentry_nmi_exit\n");
	return -ENOENT;
}
