// SPDX-License-Identifier: GPL-2.0
/* What the kernel itself complains of: warnings, and faults that kill a thread of leaky. */
#include <linux/bug.h>
#include <linux/compiler.h>
#include <linux/completion.h>
#include <linux/interrupt.h>
#include <linux/kthread.h>
#include <linux/sched/task.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

#include "leaky.h"
#include "leaky_friend.h"

enum {
	ATOMIC_SIZE = 321
};

static DEFINE_SPINLOCK(leaky_spinlock);

/* It may sleep, and would be told of by kernels with CONFIG_DEBUG_ATOMIC_SLEEP only. */
static noinline int leaky_atomic(struct leaky_truth *truth, const unsigned long *args)
{
	void *p;

	spin_lock(&leaky_spinlock);
	p = kmalloc(ATOMIC_SIZE, GFP_KERNEL);
	spin_unlock(&leaky_spinlock);
	kfree(p);
	truth->size = ATOMIC_SIZE;
	return leaky_done(truth, __func__, (unsigned long)p);
}

static noinline int leaky_warn(struct leaky_truth *truth, const unsigned long *args)
{
	WARN(1, "leaky: a warning\n");
	truth->site = __func__;
	return 0;
}

/* The object is the number of a line that is enabled. */
static noinline int leaky_warn_below(struct leaky_truth *truth, const unsigned long *args)
{
	enable_irq(leaky_friend_own_line);
	return leaky_done(truth, __func__, leaky_friend_own_line);
}

/* ---- Faults ---- */

/* Both die without a lock, in a thread that nobody needs. */
static noinline int leaky_bug(void *data)
{
	complete(data);
	BUG();
}

static noinline int leaky_oops(void *data)
{
	int *nowhere = NULL;

	complete(data);
	OPTIMIZER_HIDE_VAR(nowhere);
	WRITE_ONCE(*nowhere, 1);
	return 0;
}

static int leaky_die(int (*how)(void *), const char *name)
{
	DECLARE_COMPLETION_ONSTACK(begun);
	struct task_struct *task;

	task = kthread_create(how, &begun, "%s", name);
	if (IS_ERR(task))
		return PTR_ERR(task);
	get_task_struct(task);
	wake_up_process(task);
	wait_for_completion(&begun);
	/* Waits until it is gone. */
	kthread_stop(task);
	put_task_struct(task);
	return 0;
}

static int leaky_make_bug(struct leaky_truth *truth, const unsigned long *args)
{
	truth->site = "leaky_bug";
	return leaky_die(leaky_bug, "leaky_bug");
}

static int leaky_make_oops(struct leaky_truth *truth, const unsigned long *args)
{
	truth->site = "leaky_oops";
	return leaky_die(leaky_oops, "leaky_oops");
}

const struct leaky_request leaky_crash[] = {
	{"atomic", NULL, leaky_atomic},
	{"warn", NULL, leaky_warn, .says = "leaky: a warning", .warns = true},
	{"warn-below", NULL, leaky_warn_below, .says = "Unbalanced enable for IRQ", .warns = true},
	{"bug", NULL, leaky_make_bug, .says = "kernel BUG at", .warns = true},
	{"oops", NULL, leaky_make_oops, .says = "BUG: kernel NULL pointer dereference",
	 .warns = true},
	{}};
