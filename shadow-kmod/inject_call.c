// SPDX-License-Identifier: GPL-2.0
/* Calls of a driver to functions of the kernel are left out, and return what a failure would. */
#include <linux/kprobes.h>
#include <linux/string.h>

#include "inject.h"
#include "shadow.h"
#include "tap.h"

/* Runs in place of a function that is left out; leaves the result alone. To return for it, by taking
 * the address off the stack, does not work: ftrace does not put the stack pointer back. */
static void left_out(void)
{
}

/* Is it one of those that are left out? Counts it. */
static bool is_wanted(struct inject_call *call)
{
	u32 calls = atomic_inc_return(&call->calls), first = call->what.first;

	return calls >= first && (!call->what.count || calls - first < call->what.count);
}

/* Of the whole kernel's calls. */
static int on_call(struct kprobe *probe, struct pt_regs *regs)
{
	struct inject_call *call = container_of(probe, struct inject_call, probe);
	struct inject *inject = call->inject;
	unsigned long caller = *(unsigned long *)regs->sp;

	if (caller - inject->text >= inject->text_size ||
	    (call->what.size && caller - call->what.caller > call->what.size))
		return 0;
	if (READ_ONCE(inject->gone) || atomic_read(&inject->state) != INJECT_PLANTED ||
	    !is_wanted(call))
		return 0;
	inject_hit(inject, call->index);
	regs->ax = call->what.result;
	regs->ip = (unsigned long)left_out;
	return 1;
}

/* Without one the probe might become a jump, which can't change where the function goes on. */
static void after_call(struct kprobe *probe, struct pt_regs *regs, unsigned long flags)
{
}

/* What an armed driver calls in place of the function, or 0. */
static unsigned long twin_of(const struct inject *inject, const struct inject_call *call)
{
	char name[sizeof(RECOV_TWIN_PREFIX) + RECOV_KSYM_LEN];
	struct tap_image *image = tap_get_image(inject->driver);

	if (!image)
		return 0;
	module_put(image->module);
	scnprintf(name, sizeof(name), RECOV_TWIN_PREFIX "%s", call->what.symbol);
	return ksym_lookup(name);
}

static int plant_call(const struct inject *inject, struct inject_call *call)
{
	struct recov_symbol symbol = {};

	strscpy(symbol.name, call->what.symbol, sizeof(symbol.name));
	if (ksym_export(&symbol))
		return -ENXIO;
	if (!strcmp(symbol.owner, inject->driver) || !strcmp(symbol.owner, THIS_MODULE->name))
		return -EINVAL;
	call->probe.addr = (kprobe_opcode_t *)twin_of(inject, call);
	if (!call->probe.addr)
		call->probe.symbol_name = call->what.symbol;
	call->probe.pre_handler = on_call;
	call->probe.post_handler = after_call;
	return register_kprobe(&call->probe);
}

int inject_calls_plant(struct inject *inject)
{
	int err;

	for (inject->n_probes = 0; inject->n_probes < inject->n_calls; inject->n_probes++) {
		err = plant_call(inject, &inject->calls[inject->n_probes]);
		if (err) {
			inject->failed = inject->n_sites + inject->n_probes;
			inject_calls_restore(inject);
			return err;
		}
	}
	return 0;
}

void inject_calls_restore(struct inject *inject)
{
	while (inject->n_probes)
		unregister_kprobe(&inject->calls[--inject->n_probes].probe);
}
