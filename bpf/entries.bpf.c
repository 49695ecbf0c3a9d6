// SPDX-License-Identifier: GPL-2.0
/* Calls into a driver that any driver may get: init, probe, remove, works. */
#include "entry.h"

SEC("fentry/really_probe")
int BPF_PROG(on_probe, struct device *device, struct device_driver *driver)
{
	entry_begin(slot_of_module(BPF_CORE_READ(driver, owner)), RECOV_ENTRY_PROBE, 0, device);
	return 0;
}

SEC("fexit/really_probe")
int BPF_PROG(on_probed, struct device *device, struct device_driver *driver, int ret)
{
	int slot = slot_of_module(BPF_CORE_READ(driver, owner));

	if (slot < 0)
		return 0;
	entry_end(slot, RECOV_ENTRY_PROBE, ret);
	request_log(&(struct request){.slot = slot,
				      .kind = RECOV_ENTRY_PROBE,
				      .object = (u64)device,
				      .result = ret,
				      .device = device});
	return 0;
}

SEC("fentry/device_remove")
int BPF_PROG(on_remove, struct device *device)
{
	entry_begin(slot_of_device(device), RECOV_ENTRY_REMOVE, 0, device);
	return 0;
}

SEC("fexit/device_remove")
int BPF_PROG(on_removed, struct device *device)
{
	int slot = slot_of_device(device);

	if (slot < 0)
		return 0;
	entry_end(slot, RECOV_ENTRY_REMOVE, 0);
	request_log(&(struct request){
		.slot = slot, .kind = RECOV_ENTRY_REMOVE, .object = (u64)device, .device = device});
	return 0;
}

SEC("tp_btf/workqueue_execute_start")
int BPF_PROG(on_work, struct work_struct *work)
{
	u64 function = (u64)work->func;

	entry_begin(slot_of_code(function), RECOV_ENTRY_WORK, function, 0);
	return 0;
}

SEC("raw_tp/workqueue_execute_end")
int BPF_PROG(on_work_done, struct work_struct *work, void *function)
{
	if (slot_of_code((u64)function) >= 0)
		entry_end(-1, RECOV_ENTRY_WORK, 0);
	return 0;
}

SEC("fentry/do_init_module")
int BPF_PROG(on_init, struct module *module)
{
	entry_begin(slot_of_module(module), RECOV_ENTRY_INIT, 0, 0);
	return 0;
}

/* The init code's memory is free from now on: what is there next is somebody else's. */
SEC("fexit/do_init_module")
int BPF_PROG(on_init_done, struct module *module, int ret)
{
	int slot = slot_of_module(module);

	if (slot < 0)
		return 0;
	entry_end(slot, RECOV_ENTRY_INIT, ret);
	__builtin_memset(&watch_of(slot)->init, 0, sizeof(struct recov_range));
	update_span();
	return 0;
}
