// SPDX-License-Identifier: GPL-2.0
/* Who is in a driver's code, however it got there: tasks that sleep, and CPUs. */
#include "watch.h"

#define TASK_UNINTERRUPTIBLE 0x0002
#define TASK_NOLOAD	     0x0400 /* waits for something to do */
#define PF_KTHREAD	     0x00200000

/*
 * Stays the same for as long as a task is in the same call. A task of the kernel has to give up the
 * CPU for another mark, which the kernel's watchdog sees to every 4 s where nobody else does.
 */
static __always_inline u64 mark_of(struct task_struct *task)
{
	u64 mark;

	if (task->flags & PF_KTHREAD)
		return task->nvcsw + task->nivcsw;
	mark = task->utime + task->min_flt + task->maj_flt;
	if (bpf_core_field_exists(task->ioac.syscr))
		mark += task->ioac.syscr + task->ioac.syscw;
	return mark;
}

static __always_inline void describe(struct recov_stay *stay, struct task_struct *task, u64 site,
				     int slot)
{
	stay->site = site;
	stay->mark = mark_of(task);
	stay->slot = slot;
	stay->generation = watch_of(slot)->generation;
	stay->pid = task->pid;
	bpf_probe_read_kernel(stay->comm, sizeof(stay->comm), task->comm);
}

SEC("iter/task")
int tasks(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct recov_stay stay = {};
	struct stack stack = {};
	unsigned int asleep;
	long size;
	int slot;
	u64 site;

	if (!task || !state.span.end || task->on_cpu)
		return 0; /* what a stack says in use is of the last time it was not */
	/* Below a kretprobe the kernel warns of who looks at the stack of a task that may run:
	 * rethook_find_ret_addr(). */
	if (bpf_core_field_exists(task->rethooks) && task->rethooks.first)
		return 0;
	asleep = task->__state;
	if (asleep && (!(asleep & TASK_UNINTERRUPTIBLE) || asleep & TASK_NOLOAD))
		return 0;
	size = bpf_get_task_stack(task, stack.address, sizeof(stack.address), 0);
	if (size <= 0)
		return 0;
	stack.size = size;
	site = stack_site(&stack, -1);
	slot = slot_of_code(site);
	if (slot < 0)
		return 0;
	describe(&stay, task, site, slot);
	stay.cpu = task->thread_info.cpu;
	stay.asleep = asleep != 0;
	bpf_seq_write(ctx->meta->seq, &stay, sizeof(stay));
	return 0;
}

/*
 * From within a retpoline the kernel can't tell who has called it (UNWIND_HINT_EMPTY, later
 * UNWIND_HINT_UNDEFINED, in the THUNK of arch/x86/lib/retpoline.S), and at its RET it takes the callee for
 * the caller: such a stack has one or two addresses, a whole one has more.
 */
static __always_inline bool is_blind(const struct stack *stack)
{
	return stack->size && stack->size <= 2 * sizeof(stack->address[0]);
}

/* On each CPU, by a clock of its own: nobody can look at the stack of a task that runs elsewhere. */
SEC("perf_event")
int look_at_cpu(void *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct recov_stay *stay, before;
	struct stack stack = {};
	u32 zero = 0;
	u64 site = 0;
	int slot;

	look_at_irqs();
	stay = bpf_map_lookup_elem(&stay_on_cpu, &zero);
	if (!stay)
		return 0;
	if (state.span.end && stack_here(ctx, &stack))
		site = stack_site(&stack, -1);
	if (!site && is_blind(&stack)) {
		if (stay->pid != task->pid || stay->mark != mark_of(task))
			stay->since_ns = 0;
		return 0;
	}
	slot = slot_of_code(site);
	if (slot < 0) {
		stay->since_ns = 0;
		return 0;
	}
	before = *stay;
	describe(stay, task, site, slot);
	stay->cpu = bpf_get_smp_processor_id();
	stay->seen_ns = bpf_ktime_get_ns();
	if (!before.since_ns || before.pid != stay->pid || before.mark != stay->mark ||
	    before.slot != stay->slot || before.generation != stay->generation)
		stay->since_ns = stay->seen_ns;
	return 0;
}
