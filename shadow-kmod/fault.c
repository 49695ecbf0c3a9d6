// SPDX-License-Identifier: GPL-2.0
/* The faults of armed drivers, kept until the daemon has fetched them. */
#include <linux/irq_work.h>
#include <linux/kallsyms.h>
#include <linux/ktime.h>
#include <linux/preempt.h>
#include <linux/sched.h>
#include <linux/string.h>
#include <linux/wait.h>

#include "shadow.h"
#include "trap.h"

/* A slot is written by the CPU that has taken its number, and read by whoever finds that number
 * before and after in it. Names are looked up when it is read: the driver stays loaded until it
 * has been swapped, which its reader does. */
static struct fault_slot {
	u64 seq; /* 0: being written */
	struct recov_fault fault;
} slots[RECOV_FAULTS];

static atomic64_t last = ATOMIC64_INIT(0);
static DECLARE_WAIT_QUEUE_HEAD(fault_wait);

static void wake(struct irq_work *work)
{
	wake_up_all(&fault_wait);
}

static DEFINE_IRQ_WORK(wake_work, wake);

u64 fault_last(void)
{
	return atomic64_read(&last);
}

wait_queue_head_t *fault_wait_queue(void)
{
	return &fault_wait;
}

/* ---- faults while settings are put back ---- */

static struct {
	struct task_struct *task; /* compared only */
	u32 setting;
	bool failed;
} restoring;

void fault_restore_begin(u32 setting)
{
	restoring.failed = false;
	restoring.setting = setting;
	WRITE_ONCE(restoring.task, current);
}

bool fault_restore_end(void)
{
	WRITE_ONCE(restoring.task, NULL);
	return restoring.failed;
}

/* Not what has interrupted the task. */
static u32 setting_of(const struct tap_record *record, const struct task_struct *task)
{
	if (READ_ONCE(restoring.task) != task ||
	    record->preempt_count & (NMI_MASK | HARDIRQ_MASK | SOFTIRQ_OFFSET))
		return RECOV_SETTING_NONE;
	restoring.failed = true;
	return restoring.setting;
}

/* ---- what is kept ---- */

static u32 flags_of(const struct tap_record *record, bool first)
{
	u32 flags = first ? RECOV_FAULT_FIRST : 0;

	if (record->preempt_count & HARDIRQ_MASK)
		flags |= RECOV_FAULT_IN_HARDIRQ;
	if (record->preempt_count & SOFTIRQ_OFFSET)
		flags |= RECOV_FAULT_IN_SOFTIRQ;
	if (!(record->flags & X86_EFLAGS_IF))
		flags |= RECOV_FAULT_IRQS_OFF;
	return flags;
}

void fault_note(const struct tap_record *record, const struct pt_regs *regs,
		const struct fault *fault)
{
	const struct task_struct *task = fault->task ? fault->task : current;
	bool first = tap_image_fail(tap_image(record->tap));
	u64 seq = atomic64_inc_return(&last);
	struct fault_slot *slot = &slots[seq % RECOV_FAULTS];
	struct recov_fault *to = &slot->fault;

	WRITE_ONCE(slot->seq, 0);
	smp_wmb();
	memset(to, 0, sizeof(*to));
	to->seq = seq;
	to->time_ns = ktime_get_mono_fast_ns();
	to->ip = regs->ip;
	to->address = fault->address;
	to->error = fault->error;
	to->tap = tap_function(record->tap);
	memcpy(to->stack, fault->stack, sizeof(to->stack));
	to->cause = fault->cause;
	to->trap = fault->trap;
	to->flags = flags_of(record, first);
	to->cpu = raw_smp_processor_id();
	to->pid = task->pid;
	to->setting = setting_of(record, task);
	memcpy(to->comm, task->comm, sizeof(to->comm));
	if (fault->service)
		strscpy(to->service, fault->service, sizeof(to->service));
	strscpy(to->driver, tap_image(record->tap)->module->name, sizeof(to->driver));
	smp_wmb();
	WRITE_ONCE(slot->seq, seq);
	irq_work_queue(&wake_work);
}

int fault_get(u64 seq, struct recov_fault *fault)
{
	const struct fault_slot *slot = &slots[seq % RECOV_FAULTS];
	u64 newest = fault_last();

	if (!seq)
		return -EINVAL;
	if (seq > newest)
		return -EAGAIN;
	if (newest - seq < RECOV_FAULTS) {
		if (READ_ONCE(slot->seq) < seq)
			return -EAGAIN;
		smp_rmb();
		*fault = slot->fault;
		smp_rmb();
		if (READ_ONCE(slot->seq) == seq) {
			/* Longer than their room are none but names that nobody gives. */
			char symbol[KSYM_SYMBOL_LEN];

			sprint_symbol(symbol, fault->ip);
			strscpy(fault->site, symbol, sizeof(fault->site));
			sprint_symbol(symbol, fault->tap);
			strscpy(fault->entry, symbol, sizeof(fault->entry));
			return 0;
		}
	}
	/* More may have come meanwhile. */
	fault->seq = fault_last() - RECOV_FAULTS + 1;
	return -EOVERFLOW;
}

/* Nobody notes faults any more. */
void fault_uninit(void)
{
	irq_work_sync(&wake_work);
}
