// SPDX-License-Identifier: GPL-2.0
/*
 * Catches what would be an oops. In the order in which the kernel gets there: the die notifiers,
 * which it asks before it gives up on an exception; page_fault_oops(), which comes after all that
 * handles a page fault but KFENCE; and panic(), as called by the stack protector.
 */
#include <linux/delay.h>
#include <linux/ftrace.h>
#include <linux/kdebug.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/notifier.h>
#include <linux/workqueue.h>
#include <asm/text-patching.h>
#include <asm/trapnr.h>

#include "shadow.h"
#include "trap.h"

#define LANDING_FLAGS (X86_EFLAGS_IF | X86_EFLAGS_DF | X86_EFLAGS_AC | X86_EFLAGS_TF)

void trap_redirect(struct pt_regs *regs, const struct tap_record *record)
{
	regs->ip = (unsigned long)recov_tap_land;
	regs->sp = (unsigned long)record;
	regs->flags &= ~LANDING_FLAGS;
}

static bool unwind(struct pt_regs *regs, struct fault *fault)
{
	struct tap_record *record;

	if (user_mode(regs) || fault->context & NMI_MASK)
		return false;
	record = trap_find(regs, fault);
	if (!record)
		return false;
	fault_note(record, regs, fault);
	/* The exception's end looks at the flags for what it has to undo. */
	local_irq_disable();
	trap_redirect(regs, record);
	return true;
}

static u32 cause_of(int trap)
{
	switch (trap) {
	case X86_TRAP_GP:
		return RECOV_FAULT_PROTECTION;
	case X86_TRAP_UD:
		return RECOV_FAULT_OPCODE;
	case X86_TRAP_DE:
		return RECOV_FAULT_DIVIDE;
	}
	return RECOV_FAULT_OTHER;
}

static const struct exception_table_entry *(*find_fixup)(unsigned long ip);

static int on_die(struct notifier_block *block, unsigned long event, void *data)
{
	struct die_args *args = data;
	struct fault fault = {.cause = cause_of(args->trapnr),
			      .trap = args->trapnr,
			      .error = args->err,
			      .context = preempt_count()};

	if (event != DIE_GPF && event != DIE_TRAP)
		return NOTIFY_DONE;
	if (args->trapnr == X86_TRAP_DF) {
		trap_double(args->regs, args->err);
		return NOTIFY_DONE;
	}
	/* That one is told before the kernel looks whether it has a fixup. */
	if (event == DIE_TRAP && find_fixup(args->regs->ip))
		return NOTIFY_DONE;
	return unwind(args->regs, &fault) ? NOTIFY_STOP : NOTIFY_DONE;
}

static struct notifier_block die_block = {
	.notifier_call = on_die, .priority = INT_MAX - 1, /* before those who only watch */
};

/* A breakpoint that is nobody's, of which the kernel tells as of an NMI. */
static int on_breakpoint(struct notifier_block *block, unsigned long event, void *data)
{
	const struct die_args *args = data;
	struct fault fault = {.cause = RECOV_FAULT_BREAKPOINT,
			      .trap = X86_TRAP_BP,
			      .context = preempt_count() - NMI_OFFSET - HARDIRQ_OFFSET};

	if (event != DIE_INT3 || user_mode(args->regs))
		return NOTIFY_DONE;
	/* What comes behind it has another frame, perhaps. */
	args->regs->ip -= INT3_INSN_SIZE;
	if (unwind(args->regs, &fault))
		return NOTIFY_STOP;
	args->regs->ip += INT3_INSN_SIZE;
	return NOTIFY_DONE;
}

static struct notifier_block breakpoint_block = {
	.notifier_call = on_breakpoint, .priority = INT_MIN, /* behind those who plant them */
};

/* Runs in place of a function that has nothing to do any more. */
static void nothing(void)
{
}

/* noinline void page_fault_oops(struct pt_regs *regs, unsigned long error_code,
 *				 unsigned long address) */
static void notrace on_page_fault(struct pt_regs *regs)
{
	struct fault fault = {.cause = RECOV_FAULT_PAGE,
			      .trap = X86_TRAP_PF,
			      .error = regs->si,
			      .address = regs->dx,
			      .context = preempt_count()};

	if (unwind((struct pt_regs *)regs->di, &fault))
		regs->ip = (unsigned long)nothing;
}

static void notrace on_panic(struct pt_regs *regs)
{
	struct fault fault = {.cause = RECOV_FAULT_STACK, .context = preempt_count()};
	struct tap_record *record = trap_find(regs, &fault);

	if (!record)
		return;
	fault_note(record, regs, &fault);
	/* Instead of a function that does not return. */
	regs->di = (unsigned long)record;
	regs->ip = (unsigned long)recov_tap_jump;
}

static struct catch
{
	const char *symbol;
	const char *caller; /* only when called by this; NULL: by anybody */
	void (*caught)(struct pt_regs * regs);
	unsigned long ip, caller_ip;
}
catches[] = {
	{.symbol = "page_fault_oops", .caught = on_page_fault},
	{.symbol = "panic", .caller = "__stack_chk_fail", .caught = on_panic},
};

#define CALLER_SIZE 64 /* bytes from the start of such a caller to the end of its call */

static void notrace on_call(unsigned long ip, unsigned long parent_ip, struct ftrace_ops *ops,
			    struct ftrace_regs *fregs)
{
	struct pt_regs *regs = ftrace_get_regs(fregs);
	unsigned int i;

	for (i = 0; regs && i < ARRAY_SIZE(catches); i++) {
		struct catch *catch = &catches[i];

		if (ip - catch->ip <= RECOV_FENTRY_OFFSET_MAX &&
		    (!catch->caller || parent_ip - catch->caller_ip <= CALLER_SIZE))
			catch->caught(regs);
	}
}

static struct ftrace_ops catch_ops = {
	.func = on_call,
	.flags = FTRACE_OPS_FL_IPMODIFY | FTRACE_OPS_FL_SAVE_REGS | FTRACE_OPS_FL_PERMANENT,
};

/* ---- only while a driver is armed ---- */

/* From one copy of a driver to the next nothing is taken out and put in again. */
#define LINGER (5 * HZ)
#define TRIES  3 /* while somebody else changes what is attached to one of the functions */

static DEFINE_MUTEX(trap_mutex); /* the two below */
static unsigned int n_users;
static bool is_set;

static int set_catches(void)
{
	unsigned int i;
	int err;

	for (i = 0; i < TRIES; i++) {
		err = register_ftrace_function(&catch_ops);
		if (err != -EAGAIN)
			break;
		msleep(1);
	}
	if (err)
		return err;
	err = register_die_notifier(&die_block);
	if (err)
		goto err_ftrace;
	err = register_die_notifier(&breakpoint_block);
	if (err)
		goto err_die;
	err = watch_start();
	if (err)
		goto err_breakpoint;
	return 0;

err_breakpoint:
	unregister_die_notifier(&breakpoint_block);
err_die:
	unregister_die_notifier(&die_block);
err_ftrace:
	unregister_ftrace_function(&catch_ops);
	return err;
}

/* No armed driver is loaded: nobody is in what is taken out here. */
static void unset_if_unused(struct work_struct *work)
{
	mutex_lock(&trap_mutex);
	if (is_set && !n_users) {
		watch_stop();
		unregister_die_notifier(&breakpoint_block);
		unregister_die_notifier(&die_block);
		unregister_ftrace_function(&catch_ops);
		is_set = false;
	}
	mutex_unlock(&trap_mutex);
}

static DECLARE_DELAYED_WORK(unset_work, unset_if_unused);

int trap_get(void)
{
	int err = 0;

	mutex_lock(&trap_mutex);
	if (!is_set)
		err = set_catches();
	if (!err) {
		is_set = true;
		n_users++;
	}
	mutex_unlock(&trap_mutex);
	return err;
}

void trap_put(void)
{
	mutex_lock(&trap_mutex);
	if (!--n_users)
		mod_delayed_work(system_wq, &unset_work, LINGER);
	mutex_unlock(&trap_mutex);
}

int __init recov_trap_init(void)
{
	unsigned long ips[ARRAY_SIZE(catches)];
	unsigned int i;
	int err;

	find_fixup = (void *)ksym_lookup("search_exception_tables");
	if (!find_fixup) {
		pr_err("recov_shadow: this kernel has no search_exception_tables\n");
		return -ENOENT;
	}
	err = trap_find_init();
	if (!err)
		err = trap_double_init();
	if (err)
		return err;
	for (i = 0; i < ARRAY_SIZE(catches); i++) {
		struct catch *catch = &catches[i];

		ips[i] = catch->ip = ksym_lookup(catch->symbol);
		if (catch->caller)
			catch->caller_ip = ksym_lookup(catch->caller);
		if (!catch->ip || (catch->caller && !catch->caller_ip)) {
			pr_err("recov_shadow: this kernel has no %s\n", catch->symbol);
			return -ENOENT;
		}
	}
	return ftrace_set_filter_ips(&catch_ops, ips, ARRAY_SIZE(ips), 0, 1);
}

void recov_trap_uninit(void)
{
	cancel_delayed_work_sync(&unset_work);
	unset_if_unused(NULL);
	ftrace_free_filter(&catch_ops);
}
