// SPDX-License-Identifier: GPL-2.0
/*
 * The parameters: `fault` takes "FAULT CONTEXT" and plants it in place of what was planted before
 * ("none" just clears that away), `last` tells as JSON whether it was reached, `faults` lists what
 * there is. For a fault in the first probe: insmod FILE 'fault="FAULT probe"'.
 */
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/string.h>

#include "faulty.h"

const char *const faulty_context_names[FAULTY_CONTEXTS] = {
	[FAULTY_PROCESS] = "process",	[FAULTY_XMIT] = "xmit",
	[FAULTY_WORK] = "work",		[FAULTY_KTHREAD] = "kthread",
	[FAULTY_TIMER] = "timer",	[FAULTY_HRTIMER] = "hrtimer",
	[FAULTY_TASKLET] = "tasklet",	[FAULTY_NAPI] = "napi",
	[FAULTY_HARDIRQ] = "hardirq",	[FAULTY_PREPARED] = "prepared",
	[FAULTY_PROBE] = "probe",	[FAULTY_REMOVE] = "remove",
	[FAULTY_OPEN] = "open",		[FAULTY_STOP] = "stop",
	[FAULTY_FEATURES] = "features", [FAULTY_MTU] = "mtu",
	[FAULTY_DISABLED] = "disabled",
};

atomic_t faulty_armed = ATOMIC_INIT(FAULTY_CONTEXTS);

/*
 * Written under the kernel's lock for the parameters of a module while nothing is armed; the two
 * flags by whoever disarms it.
 */
static struct faulty_plan {
	unsigned int number; /* counts the plans, 0 for none */
	const struct faulty_fault *fault;
	enum faulty_context context;
	bool reached;
	bool returned; /* it did no harm: the driver goes on behind it */
} faulty_plan;

/* faulty_reach: of all CPUs that get here, one makes the fault. */
noinline void faulty_reach(enum faulty_context context)
{
	unsigned int number;

	if (atomic_cmpxchg(&faulty_armed, context, FAULTY_CONTEXTS) != context)
		return;
	number = faulty_plan.number;
	WRITE_ONCE(faulty_plan.reached, true);
	faulty_plan.fault->make();
	if (READ_ONCE(faulty_plan.number) == number)
		WRITE_ONCE(faulty_plan.returned, true);
}

static bool faulty_possible(const struct faulty_fault *fault, enum faulty_context context)
{
	return !(fault->needs & ~faulty_contexts) && faulty_contexts & ~fault->never & BIT(context);
}

static int faulty_set(const char *value, const struct kernel_param *param)
{
	char name[24], where[12], rest[2];
	const struct faulty_fault *fault;
	int words, context;

	words = sscanf(value, "%23s %11s %1s", name, where, rest);
	if (words == 1 && !strcmp(name, "none")) {
		atomic_set(&faulty_armed, FAULTY_CONTEXTS);
		return 0;
	}
	if (words != 2)
		return -EINVAL;
	for (fault = faulty_faults; fault->name; fault++)
		if (!strcmp(fault->name, name))
			break;
	context = match_string(faulty_context_names, FAULTY_CONTEXTS, where);
	if (!fault->name || context < 0 || !faulty_possible(fault, context))
		return -EINVAL;

	atomic_set(&faulty_armed, FAULTY_CONTEXTS);
	faulty_renew();
	WRITE_ONCE(faulty_plan.number, faulty_plan.number + 1);
	faulty_plan.fault = fault;
	faulty_plan.context = context;
	faulty_plan.reached = false;
	faulty_plan.returned = false;
	atomic_set_release(&faulty_armed, context);
	faulty_kick(context);
	return 0;
}

static const char *faulty_bool(const bool *flag)
{
	return READ_ONCE(*flag) ? "true" : "false";
}

static int faulty_get_last(char *buffer, const struct kernel_param *param)
{
	const struct faulty_plan *plan = &faulty_plan;

	if (!plan->number)
		return sysfs_emit(buffer, "{}\n");
	return sysfs_emit(buffer,
			  "{\"number\":%u,\"fault\":\"%s\",\"context\":\"%s\",\"site\":\"%s\","
			  "\"reached\":%s,\"returned\":%s}\n",
			  plan->number, plan->fault->name, faulty_context_names[plan->context],
			  plan->fault->site, faulty_bool(&plan->reached),
			  faulty_bool(&plan->returned));
}

/* One line a fault: its name, and the contexts of this driver in which it cannot be. Such a file has a
 * page. */
static int faulty_get_faults(char *buffer, const struct kernel_param *param)
{
	const struct faulty_fault *fault;
	int n = 0, context;

	for (fault = faulty_faults; fault->name; fault++) {
		n += sysfs_emit_at(buffer, n, "%s", fault->name);
		for (context = 0; context < FAULTY_CONTEXTS; context++)
			if (faulty_contexts & BIT(context) && !faulty_possible(fault, context))
				n += sysfs_emit_at(buffer, n, " %s", faulty_context_names[context]);
		n += sysfs_emit_at(buffer, n, "\n");
	}
	return n < PAGE_SIZE - 1 ? n : -E2BIG;
}

static const struct kernel_param_ops faulty_fault_ops = {.set = faulty_set};
static const struct kernel_param_ops faulty_last_ops = {.get = faulty_get_last};
static const struct kernel_param_ops faulty_faults_ops = {.get = faulty_get_faults};

module_param_cb(fault, &faulty_fault_ops, NULL, 0200);
MODULE_PARM_DESC(fault, "plant a fault: FAULT CONTEXT");
module_param_cb(last, &faulty_last_ops, NULL, 0400);
MODULE_PARM_DESC(last, "what was planted last, and whether it was reached");
module_param_cb(faults, &faulty_faults_ops, NULL, 0400);
MODULE_PARM_DESC(faults, "which faults there are, and the contexts in which each cannot be");
