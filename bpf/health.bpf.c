// SPDX-License-Identifier: GPL-2.0
/* Signs that a driver is in trouble: warnings, oopses, transmissions that time out. */
#include "watch.h"

/* In the driver, or below a function of it that is on the stack. */
static __always_inline void tell(void *ctx, u16 type, u64 address, u64 detail)
{
	int slot = slot_of_code(address);
	struct recov_record *record;
	u64 site = address;

	if (!state.span.end)
		return;
	if (slot < 0) {
		site = site_on_stack(ctx, -1);
		slot = slot_of_code(site);
	}
	if (slot < 0)
		return;
	record = record_begin(type, slot);
	if (!record)
		return;
	record->site = site;
	record->detail = detail;
	BPF_SNPRINTF(record->symbol, sizeof(record->symbol), "%pS", site);
	record_end(record);
}

SEC("fentry/__warn")
int BPF_PROG(on_warn, const char *file, int line, u64 caller)
{
	tell(ctx, RECOV_RECORD_WARN, caller, caller);
	return 0;
}

#define SAME_NS 1000000000

/* The page fault that came last: an oops follows, unless somebody knows what to do about it. */
static u64 fault_task, fault_ip, fault_address, fault_ns;

SEC("fentry/page_fault_oops")
int BPF_PROG(on_page_fault, struct pt_regs *regs, unsigned long error, u64 address)
{
	fault_task = bpf_get_current_task();
	fault_ip = BPF_CORE_READ(regs, ip);
	fault_address = address;
	fault_ns = bpf_ktime_get_ns();
	return 0;
}

SEC("fentry/oops_enter")
int BPF_PROG(on_oops)
{
	if (fault_task == bpf_get_current_task() && bpf_ktime_get_ns() < fault_ns + SAME_NS)
		tell(ctx, RECOV_RECORD_OOPS, fault_ip, fault_address);
	else
		tell(ctx, RECOV_RECORD_OOPS, 0, 0);
	fault_task = 0;
	return 0;
}

SEC("raw_tp/net_dev_xmit_timeout")
int BPF_PROG(on_tx_timeout, struct net_device *dev, int queue)
{
	int slot = slot_of_netdev(dev);
	struct recov_record *record;

	if (slot < 0)
		return 0;
	record = record_begin(RECOV_RECORD_TX_TIMEOUT, slot);
	if (!record)
		return 0;
	record->detail = queue;
	label_of_device(record->object.device, parent_of_netdev(dev));
	bpf_probe_read_kernel_str(record->object.name, sizeof(record->object.name), dev->name);
	record_end(record);
	return 0;
}
