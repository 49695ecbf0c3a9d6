// SPDX-License-Identifier: GPL-2.0
/* What a driver has put off to a workqueue, and workqueues. */
#include "object.h"

static __always_inline void take_work(struct work_struct *work)
{
	u64 function = (u64)BPF_CORE_READ(work, func);
	int slot = slot_of_code(function);

	if (slot < 0)
		return;
	/* The key has the function, so that a place that is used again is another object. */
	take(&(struct taking){.slot = slot,
			      .class = RECOV_OBJECT_WORK,
			      .object = (u64)work,
			      .more = function,
			      .site = function});
}

/* Delayed works are armed here alone, and are queued later. */
SEC("fentry/__queue_delayed_work")
int BPF_PROG(on_delay_work, int cpu, struct workqueue_struct *queue, struct delayed_work *work)
{
	take_work(__builtin_preserve_access_index(&work->work));
	return 0;
}

SEC("raw_tp/workqueue_queue_work")
int BPF_PROG(on_queue_work, int cpu, struct pool_workqueue *pwq, struct work_struct *work)
{
	take_work(work);
	return 0;
}

static __always_inline void work_ended(struct work_struct *work, u64 function)
{
	if (slot_of_code(function) >= 0)
		give_back(RECOV_OBJECT_WORK, (u64)work, function, 0, false);
}

SEC("raw_tp/workqueue_execute_start")
int BPF_PROG(on_work_start, struct work_struct *work)
{
	work_ended(work, (u64)BPF_CORE_READ(work, func));
	return 0;
}

/* Cancelling takes a queued work off its queue without a tracepoint; all ways to do so go through
 * here. The second argument is a bool in 6.1 and flags in 6.12. */
SEC("fexit/try_to_grab_pending")
int BPF_PROG(on_grab, struct work_struct *work, u32 is_delayed, void *irq_flags, int ret)
{
	work_ended(work, (u64)BPF_CORE_READ(work, func));
	return 0;
}

/* ---- workqueues ---- */

/* alloc_workqueue() takes any number of arguments, which no trampoline can. When it returns, the
 * instruction pointer is already where it returns to. */
SEC("kretprobe/alloc_workqueue")
int on_alloc_workqueue(struct pt_regs *ctx)
{
	u64 queue = PT_REGS_RC_CORE(ctx), site = PT_REGS_IP_CORE(ctx);
	int slot = slot_of_code(site);

	if (slot < 0 || !queue)
		return 0;
	take(&(struct taking){.slot = slot,
			      .class = RECOV_OBJECT_WORKQUEUE,
			      .object = queue,
			      .size = 1,
			      .site = site});
	return 0;
}

SEC("fentry/destroy_workqueue")
int BPF_PROG(on_destroy_workqueue, struct workqueue_struct *queue)
{
	give_back(RECOV_OBJECT_WORKQUEUE, (u64)queue, 0, caller_of(ctx, 1), true);
	return 0;
}
