// SPDX-License-Identifier: GPL-2.0
/* The references that drivers take on other modules. */
#include "object.h"

/* The slot is part of the key: several drivers may hold the same module. One that the core gives back
 * for a driver stays; to itself a driver has none when it is unloaded. */
SEC("raw_tp/module_get")
int BPF_PROG(on_module_get, struct module *module, u64 caller)
{
	int slot = slot_of_code(caller);

	if (slot < 0 || slot_of_module(module) == slot)
		return 0;
	take(&(struct taking){.slot = slot,
			      .class = RECOV_OBJECT_REFERENCE,
			      .object = (u64)module,
			      .more = slot,
			      .size = 1,
			      .site = caller,
			      .name = module->name,
			      .nests = true});
	return 0;
}

SEC("raw_tp/module_put")
int BPF_PROG(on_module_put, struct module *module, u64 caller)
{
	int slot = slot_of_code(caller);

	if (slot >= 0)
		give_back(RECOV_OBJECT_REFERENCE, (u64)module, slot, caller, false);
	return 0;
}
