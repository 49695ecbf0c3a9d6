// SPDX-License-Identifier: GPL-2.0
/* Interrupts: the lines of drivers, which are looked at now and then; and each call, in a trace. */
#include "entry.h"

#define IRQD_IRQ_INPROGRESS (1 << 18) /* include/linux/irq.h; the same in 6.1 and 6.12 */
#define ACTIONS_MAX	    16	      /* on one line */
#define EEXIST		    17
#define LOOK_NS		    500000000

/* What a driver has on a line: its handler or, where that is the kernel's own, its thread. */
static __always_inline u64 function_of(struct irqaction *action)
{
	u64 handler = (u64)BPF_CORE_READ(action, handler);

	return slot_of_code(handler) >= 0 ? handler : (u64)BPF_CORE_READ(action, thread_fn);
}

/* Whose line it is; false: no watched driver's. Its actions may go meanwhile, so what is read is
 * taken for numbers only. */
static __always_inline bool find_owner(struct irq_desc *desc, struct recov_irq *irq)
{
	struct irqaction *action = BPF_CORE_READ(desc, action);
	int slot = -1, actions = 0;

	for (; action && actions < ACTIONS_MAX; actions++) {
		if (slot < 0) {
			irq->function = function_of(action);
			slot = slot_of_code(irq->function);
		}
		action = BPF_CORE_READ(action, next);
	}
	if (slot < 0)
		return false;
	irq->slot = slot;
	irq->generation = watch_of(slot)->generation;
	irq->is_shared = actions > 1;
	return true;
}

/*
 * Reading /sys/kernel/irq/N/per_cpu_count is how the daemon shows a line to the programs: where its
 * descriptor is no other place tells that does not cost something at each interrupt.
 */
SEC("fentry/per_cpu_count_show")
int BPF_PROG(on_irq_asked, struct kobject *kobj)
{
	struct irq_desc *desc = (void *)kobj - bpf_core_field_offset(struct irq_desc, kobj);
	u32 number = BPF_CORE_READ(desc, irq_data.irq);
	struct recov_irq irq = {.desc = (u64)desc};
	long err;

	if (!find_owner(desc, &irq)) {
		bpf_map_delete_elem(&irqs, &number);
		return 0;
	}
	irq.calls = BPF_CORE_READ(desc, tot_count);
	err = bpf_map_update_elem(&irqs, &number, &irq, BPF_NOEXIST);
	if (err && err != -EEXIST)
		count(RECOV_COUNTER_ENTRIES_FULL);
	return 0;
}

static long look_at_irq(void *map, u32 *number, struct recov_irq *irq, u64 *now_ns)
{
	struct irq_desc *desc = (void *)irq->desc;
	struct recov_irq owner = {};
	u32 calls, state;

	(void)map;
	/* The memory of a line that is gone may be anything by now. */
	if (BPF_CORE_READ(desc, irq_data.irq) != *number || !find_owner(desc, &owner)) {
		bpf_map_delete_elem(&irqs, number);
		return 0;
	}
	state = BPF_CORE_READ(desc, irq_common_data.state_use_accessors);
	calls = BPF_CORE_READ(desc, tot_count);
	if (state & IRQD_IRQ_INPROGRESS) {
		if (calls != irq->calls || !irq->is_busy)
			irq->since_ns = *now_ns + *number; /* not the same for two lines */
		irq->seen_ns = *now_ns;
	}
	irq->is_busy = !!(state & IRQD_IRQ_INPROGRESS);
	irq->is_shared = owner.is_shared;
	irq->function = owner.function;
	irq->slot = owner.slot;
	irq->generation = owner.generation;
	irq->calls = calls;
	return 0;
}

__noinline int look_at_irqs(void)
{
	u64 before = state.irqs_ns, now = bpf_ktime_get_ns();

	if (now < before + LOOK_NS ||
	    __sync_val_compare_and_swap(&state.irqs_ns, before, now) != before)
		return 0;
	bpf_for_each_map_elem(&irqs, look_at_irq, &now, 0);
	return 0;
}

SEC("tp_btf/irq_handler_entry")
int BPF_PROG(on_irq, int irq, struct irqaction *action)
{
	u64 handler = (u64)action->handler;

	cpu_entry_begin(slot_of_code(handler), RECOV_ENTRY_IRQ, handler);
	return 0;
}

SEC("tp_btf/irq_handler_exit")
int BPF_PROG(on_irq_done, int irq, struct irqaction *action)
{
	if (slot_of_code((u64)action->handler) >= 0)
		cpu_entry_end(RECOV_ENTRY_IRQ);
	return 0;
}
