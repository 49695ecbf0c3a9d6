// SPDX-License-Identifier: GPL-2.0
/* Replaces whole kernel functions through ftrace, in one batch, while a swap is on. */
#include <linux/atomic.h>
#include <linux/ftrace.h>
#include <linux/module.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/wait.h>

#include "held.h"
#include "shadow.h"

static struct recov_hook *armed_hooks;
static unsigned int n_armed_hooks;
static atomic_t in_replacement = ATOMIC_INIT(0);
static DECLARE_WAIT_QUEUE_HEAD(all_left);

static void notrace hook_callback(unsigned long ip, unsigned long parent_ip, struct ftrace_ops *ops,
				  struct ftrace_regs *fregs)
{
	struct pt_regs *regs = ftrace_get_regs(fregs);
	unsigned int i;

	/* The shadow's own calls reach the original. What an armed driver jumps to as its last act
	 * returns to the tap, but is the driver's. */
	if (!regs || (within_module(parent_ip, THIS_MODULE) && !tap_is_return(parent_ip)))
		return;
	for (i = 0; i < n_armed_hooks; i++) {
		struct recov_hook *hook = &armed_hooks[i];

		if (ip - hook->ip > RECOV_FENTRY_OFFSET_MAX)
			continue;
		if (hook->wanted(regs)) {
			/* Counted here and not in the replacement, so that a task preempted
			 * before its first instruction counts as well. */
			atomic_inc(&in_replacement);
			if (in_task())
				held_add_hook(regs->sp);
			regs->ip = (unsigned long)hook->replacement;
		}
		return;
	}
}

static struct ftrace_ops hook_ops = {
	.func = hook_callback,
	/* PERMANENT: without it `sysctl kernel.ftrace_enabled=0` would take the hooks out. */
	.flags = FTRACE_OPS_FL_IPMODIFY | FTRACE_OPS_FL_SAVE_REGS | FTRACE_OPS_FL_PERMANENT,
};

void recov_hook_leave(void)
{
	if (in_task())
		held_drop_hook();
	recov_hook_left();
}

void recov_hook_left(void)
{
	if (atomic_dec_and_test(&in_replacement))
		wake_up_all(&all_left);
}

int recov_hooks_resolve(struct recov_hook *hooks, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++) {
		hooks[i].ip = ksym_lookup(hooks[i].symbol);
		if (!hooks[i].ip) {
			pr_err("recov_shadow: this kernel has no %s\n", hooks[i].symbol);
			return -ENOENT;
		}
	}
	return 0;
}

int recov_hooks_arm(struct recov_hook *hooks, unsigned int n)
{
	unsigned long *ips;
	unsigned int i;
	int err;

	ips = kcalloc(n, sizeof(*ips), GFP_KERNEL);
	if (!ips)
		return -ENOMEM;
	for (i = 0; i < n; i++)
		ips[i] = hooks[i].ip;
	armed_hooks = hooks;
	n_armed_hooks = n;
	err = ftrace_set_filter_ips(&hook_ops, ips, n, 0, 1);
	kfree(ips);
	if (!err)
		err = register_ftrace_function(&hook_ops);
	return err;
}

void recov_hooks_disarm(void)
{
	unregister_ftrace_function(&hook_ops);
	wait_event(all_left, !atomic_read(&in_replacement));
	/* The last instructions of a replacement run after its recov_hook_leave(). */
	synchronize_rcu_tasks();
}

void recov_hooks_uninit(void)
{
	/* Only now: ftrace_free_filter() leaves pointers to what it has freed. */
	ftrace_free_filter(&hook_ops);
}
