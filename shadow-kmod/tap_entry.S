/* SPDX-License-Identifier: GPL-2.0 */
/* The way into an armed driver and out of it: see tap.h. */
#include <linux/linkage.h>
#include <linux/objtool.h>
#include <asm/ibt.h>
#include <asm/nospec-branch.h>
#include <asm/percpu.h>
#include <asm/unwind_hints.h>

#include "lent.h"
#include "tap_compat.h"
#include "tap_offsets.h"

/* r11 is the tap; the driver's arguments are in their registers and stay there. rax, r10 and r11
 * are free: no function of the kernel takes anything in them. */
.macro TAP_CHECK
	movq	TAP_IMAGE(%r11), %r10
	movq	(%rsp), %rax
	subq	IMAGE_TEXT(%r10), %rax
	cmpq	IMAGE_LOOKED_AT(%r10), %rax
	jae	.Lgo_\@
	cmpq	IMAGE_TEXT_SIZE(%r10), %rax
	jb	.Lown_\@
	/* tap_refuse(arg0, tap) answers for the driver. */
	movq	%r11, %rsi
	jmp	tap_refuse
.Lown_\@:
	/* A fault in there is to end in the kernel, not in the driver. */
	movq	TAP_DRIVERS(%r11), %r11
	JMP_NOSPEC r11
.Lgo_\@:
.endm

.macro TAP_RECORD
	pushq	%rbp
	pushq	%rbx
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	pushq	%rdi
	pushfq
	movq	PER_CPU_VAR(TAP_CURRENT), %rax
	pushq	TASK_RCU_NESTING(%rax)
	pushq	TASK_PAGEFAULT_DISABLED(%rax)
	pushq	PER_CPU_VAR(TAP_PREEMPT_COUNT)
	pushq	%r11
	leaq	TAP_MAGIC-8(%rsp), %rax
	pushq	%rax
.endm

/* What is left of a record below the stack is no call. */
.macro TAP_FORGET record:req
	movq	$0, \record
.endm

.macro TAP_RETURN above=0
	addq	$(RECORD_SAVED + \above), %rsp
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%rbx
	popq	%rbp
	RET
.endm

/* A function that takes more off its stack than it has put there finds a guard, not the record. */
.macro TAP_CALL
	subq	$(TAP_GAP - 16), %rsp
	pushq	$TAP_GUARD
	pushq	$TAP_GUARD
	movq	TAP_FUNCTION(%r11), %r11
	CALL_NOSPEC r11
.endm

/* Thunks jump here directly, so there is no ENDBR: it would be one instruction more in each call. */
SYM_CODE_START(recov_tap_enter)
	UNWIND_HINT_FUNC
	ANNOTATE_NOENDBR
	TAP_CHECK
.Lenter:
	TAP_RECORD
	TAP_CALL
SYM_INNER_LABEL(recov_tap_ret, SYM_L_GLOBAL)
	ANNOTATE_NOENDBR
	TAP_FORGET TAP_GAP(%rsp)
	TAP_RETURN above=TAP_GAP
SYM_CODE_END(recov_tap_enter)

/* A call that has disabled preemption more often than enabled it, or less often, has probably kept a
 * lock. */
SYM_CODE_START(recov_tap_enter_balanced)
	UNWIND_HINT_FUNC
	ANNOTATE_NOENDBR
	TAP_CHECK
	TAP_RECORD
	TAP_CALL
SYM_INNER_LABEL(recov_tap_ret_balanced, SYM_L_GLOBAL)
	ANNOTATE_NOENDBR
	movl	PER_CPU_VAR(TAP_PREEMPT_COUNT), %ecx
	cmpl	(RECORD_PREEMPT_COUNT + TAP_GAP)(%rsp), %ecx
	jne	.Lunbalanced
.Lbalanced:
	TAP_FORGET TAP_GAP(%rsp)
	TAP_RETURN above=TAP_GAP
.Lunbalanced:
	leaq	TAP_GAP(%rsp), %rdi
	pushq	%rax	/* what it answers */
	pushq	%rdx
	call	trap_unbalanced
	popq	%rdx
	popq	%rax
	jmp	.Lbalanced
SYM_CODE_END(recov_tap_enter_balanced)

/* tap_guarded() */
SYM_CODE_START(recov_tap_guarded)
	UNWIND_HINT_FUNC
	ANNOTATE_NOENDBR
	movq	%rsi, %r11
	jmp	.Lenter
SYM_CODE_END(recov_tap_guarded)

/* The driver finds its arguments right above its return address: they are there once more. */
SYM_CODE_START(recov_tap_enter_stack)
	UNWIND_HINT_FUNC
	ANNOTATE_NOENDBR
	TAP_CHECK
	TAP_RECORD
	movq	%rsp, %rbp
	UNWIND_HINT sp_reg=ORC_REG_BP sp_offset=RECORD_SIZE type=UNWIND_HINT_TYPE_CALL
	movzwl	TAP_STACK_WORDS(%r11), %r10d
.Lnext_word:
	pushq	RECORD_CALLER(%rbp, %r10, 8)
	decl	%r10d
	jnz	.Lnext_word
	movq	TAP_FUNCTION(%r11), %r11
	CALL_NOSPEC r11
SYM_INNER_LABEL(recov_tap_ret_stack, SYM_L_GLOBAL)
	ANNOTATE_NOENDBR
	TAP_FORGET (%rbp)
	movq	%rbp, %rsp
	UNWIND_HINT sp_reg=ORC_REG_SP sp_offset=RECORD_SIZE type=UNWIND_HINT_TYPE_CALL
	TAP_RETURN
SYM_CODE_END(recov_tap_enter_stack)

/* An image's stub was come to with a stack pointer that leads nowhere near a stack: trap_double() ends
 * the call, since the CPU finds no room for another exception. r10 and r11 tell it what was there. */
SYM_CODE_START(recov_tap_lost)
	TAP_HINT_UNDEFINED
	ANNOTATE_NOENDBR
	cli			/* an interrupt that finds no stack would never be ended */
	movq	%rsp, %r10
	movq	(%rsp), %r11
	xorl	%esp, %esp
SYM_INNER_LABEL(recov_tap_lost_here, SYM_L_GLOBAL)
	ANNOTATE_NOENDBR
	ud2
SYM_CODE_END(recov_tap_lost)

/* In place of a function after which there is something to do: tap_wrapped(record, arg1). */
SYM_FUNC_START(recov_tap_wrapped)
	leaq	(8 + TAP_GAP)(%rsp), %rdi
	jmp	tap_wrapped
SYM_FUNC_END(recov_tap_wrapped)

/* Counts the packet, if it is a socket's: lent.h. */
SYM_FUNC_START(recov_tap_xmit)
	movq	(8 + TAP_GAP + RECORD_TAP)(%rsp), %r11
	testq	%rdi, %rdi	/* as some of USB's call theirs */
	je	.Lnobodys
	cmpq	$0, SKB_SK(%rdi)
	je	.Lnobodys
	movq	TAP_IMAGE(%r11), %r10
	movq	IMAGE_LENT(%r10), %r10
	movq	%rdi, %rax
	shrq	$LENT_SHIFT, %rax
	andl	$(LENT_MAX - 1), %eax
	cmpl	$LENT_ENOUGH, (%r10, %rax, 4)
	jae	.Lnobodys
	lock incl (%r10, %rax, 4)
.Lnobodys:
	movq	TAP_DRIVERS(%r11), %r11
	JMP_NOSPEC r11
SYM_FUNC_END(recov_tap_xmit)

/* The stack is the driver's. */
SYM_CODE_START(recov_tap_end)
	UNWIND_HINT_FUNC
	ANNOTATE_NOENDBR
	movq	%rsp, %rdi
	call	tap_record_at
	movq	%rax, %rdi
	jmp	recov_tap_jump
SYM_CODE_END(recov_tap_end)

SYM_CODE_START(recov_tap_jump)
	UNWIND_HINT_FUNC
	ENDBR
	cli
	movq	%rdi, %rsp
SYM_INNER_LABEL(recov_tap_land, SYM_L_GLOBAL)
	ANNOTATE_NOENDBR
	UNWIND_HINT sp_reg=ORC_REG_SP sp_offset=RECORD_SIZE type=UNWIND_HINT_TYPE_CALL
	movq	%rsp, %rdi
	call	tap_landed
	TAP_RETURN
SYM_CODE_END(recov_tap_jump)
