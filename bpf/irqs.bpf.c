// SPDX-License-Identifier: GPL-2.0
/* Interrupts: which are a driver's and run now, when the daemon asks; and each call, in a trace. */
#include "entry.h"

#define IRQD_IRQ_INPROGRESS (1 << 18) /* include/linux/irq.h; the same in 6.1 and 6.12 */
#define ACTIONS_MAX	    16	      /* on one line */

/* What a driver has on a line: its handler or, where that is the kernel's own, its thread. */
static __always_inline u64 function_of(struct irqaction *action)
{
	u64 handler = (u64)BPF_CORE_READ(action, handler);

	return slot_of_code(handler) >= 0 ? handler : (u64)BPF_CORE_READ(action, thread_fn);
}

/*
 * Reading /sys/kernel/irq/N/per_cpu_count is how the daemon asks for line N: it costs nothing
 * between two looks, where tracepoints would cost something at each interrupt of the system. The
 * line stays while it is read; its actions may go, so what is read is taken for numbers only.
 */
SEC("fentry/per_cpu_count_show")
int BPF_PROG(on_irq_asked, struct kobject *kobj)
{
	struct irq_desc *desc = (void *)kobj - bpf_core_field_offset(struct irq_desc, kobj);
	struct irqaction *action = BPF_CORE_READ(desc, action);
	u32 number = BPF_CORE_READ(desc, irq_data.irq), actions = 0;
	struct recov_irq irq = {};
	int slot = -1;

	for (; action && actions < ACTIONS_MAX; actions++) {
		if (slot < 0) {
			irq.function = function_of(action);
			slot = slot_of_code(irq.function);
		}
		action = BPF_CORE_READ(action, next);
	}
	if (slot < 0) {
		bpf_map_delete_elem(&irqs, &number);
		return 0;
	}
	irq.slot = slot;
	irq.generation = watch_of(slot)->generation;
	irq.is_shared = actions > 1;
	irq.in_progress =
		!!(BPF_CORE_READ(desc, irq_common_data.state_use_accessors) & IRQD_IRQ_INPROGRESS);
	if (bpf_map_update_elem(&irqs, &number, &irq, BPF_ANY))
		count(RECOV_COUNTER_ENTRIES_FULL);
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
