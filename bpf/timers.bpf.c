// SPDX-License-Identifier: GPL-2.0
/* Timers that call a driver: those that are armed, and the calls. */
#include "entry.h"
#include "object.h"

SEC("tp_btf/timer_start")
int BPF_PROG(on_timer_start, struct timer_list *timer)
{
	u64 function = (u64)timer->function;
	int slot = slot_of_code(function);

	if (slot < 0)
		return 0;
	/* The key has the function, so that a place that is used again is another object. */
	take(&(struct taking){.slot = slot,
			      .class = RECOV_OBJECT_TIMER,
			      .object = (u64)timer,
			      .more = function,
			      .site = function});
	return 0;
}

SEC("tp_btf/timer_cancel")
int BPF_PROG(on_timer_cancel, struct timer_list *timer)
{
	u64 function = (u64)timer->function;

	if (slot_of_code(function) >= 0)
		give_back(RECOV_OBJECT_TIMER, (u64)timer, function, 0, false);
	return 0;
}

SEC("tp_btf/timer_expire_entry")
int BPF_PROG(on_timer, struct timer_list *timer)
{
	u64 function = (u64)timer->function;
	int slot = slot_of_code(function);

	if (slot < 0)
		return 0;
	give_back(RECOV_OBJECT_TIMER, (u64)timer, function, 0, false);
	cpu_entry_begin(slot, RECOV_ENTRY_TIMER, function);
	return 0;
}

/* The timer may be gone by now. */
SEC("tp_btf/timer_expire_exit")
int BPF_PROG(on_timer_done)
{
	if (state.span.end)
		cpu_entry_end(RECOV_ENTRY_TIMER);
	return 0;
}
