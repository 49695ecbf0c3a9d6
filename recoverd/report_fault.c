// SPDX-License-Identifier: GPL-2.0-or-later
/* Says what faults of armed drivers were. */
#include "report_fault.h"

#include <inttypes.h>

#include "cleanup.h"
#include "text.h"

static const char *cause_name(unsigned cause)
{
	static const char *const names[] = {
		[RECOV_FAULT_PAGE] = "page-fault",
		[RECOV_FAULT_PROTECTION] = "general-protection",
		[RECOV_FAULT_OPCODE] = "invalid-opcode",
		[RECOV_FAULT_DIVIDE] = "divide-error",
		[RECOV_FAULT_STACK] = "stack-protector",
		[RECOV_FAULT_DOUBLE] = "double-fault",
		[RECOV_FAULT_OTHER] = "exception",
		[RECOV_FAULT_DEADLOCK] = "deadlock",
		[RECOV_FAULT_HANG] = "hang",
		[RECOV_FAULT_ARGUMENT] = "bad-argument",
		[RECOV_FAULT_BREAKPOINT] = "breakpoint",
		[RECOV_FAULT_ANSWER] = "bad-answer",
		[RECOV_FAULT_STORM] = "irq-storm",
	};

	return cause < ARRAY_SIZE(names) && names[cause] ? names[cause] : "unknown";
}

static json_t *fields_of(const char *driver)
{
	return json_pack("{s:{s:o}}", "device", "driver", text_json(driver));
}

static json_t *address(uint64_t value)
{
	return json_sprintf("0x%" PRIx64, value);
}

json_t *report_fault_fields(const struct recov_fault *fault)
{
	json_t *fields = fields_of(fault->driver), *stack = json_array();
	const char *setting = replug_setting_name(fault->setting);
	const char *context = fault->flags & RECOV_FAULT_IN_HARDIRQ   ? "hardirq"
			      : fault->flags & RECOV_FAULT_IN_SOFTIRQ ? "softirq"
								      : "task";

	for (size_t i = 0; i < RECOV_FAULT_STACK_DEPTH && fault->stack[i]; i++)
		json_array_append_new(stack, address(fault->stack[i]));
	json_object_set_new(fields, "cause", json_string(cause_name(fault->cause)));
	json_object_set_new(fields, "trap", json_integer(fault->trap));
	json_object_set_new(fields, "site", text_json(fault->site));
	json_object_set_new(fields, "entry", text_json(fault->entry));
	if (fault->cause == RECOV_FAULT_ARGUMENT)
		json_object_set_new(fields, "service", text_json(fault->service));
	if (fault->cause == RECOV_FAULT_PAGE || fault->cause == RECOV_FAULT_DEADLOCK ||
	    fault->cause == RECOV_FAULT_ARGUMENT || fault->cause == RECOV_FAULT_ANSWER)
		json_object_set_new(fields, "address", address(fault->address));
	if (fault->cause == RECOV_FAULT_HANG)
		json_object_set_new(fields, "duration_ns",
				    json_integer((json_int_t)fault->error * 1000000));
	if (setting)
		json_object_set_new(fields, "setting", json_string(setting));
	json_object_set_new(fields, "context", json_string(context));
	json_object_set_new(fields, "first", json_boolean(fault->flags & RECOV_FAULT_FIRST));
	json_object_set_new(fields, "cpu", json_integer(fault->cpu));
	json_object_set_new(fields, "pid", json_integer(fault->pid));
	json_object_set_new(fields, "comm", text_json(fault->comm));
	json_object_set_new(fields, "stack", stack);
	return fields;
}

void report_fault_caught(struct event_log *log, json_t *fields, const char *report)
{
	if (report)
		json_object_set_new(fields, "report", text_json(report));
	event_publish(log, "driver.fault", EVENT_ERROR, fields);
}

static json_t *policy_json(const char *policy)
{
	return policy ? text_json(policy) : json_null();
}

void report_recovering(struct event_log *log, const char *driver, const char *policy,
		       const char *step, unsigned n, unsigned delay_ms,
		       const struct suspect *leave_out, json_t *dependants)
{
	json_t *fields = fields_of(driver);

	json_object_set_new(fields, "policy", policy_json(policy));
	json_object_set_new(fields, "step", text_json(step));
	json_object_set_new(fields, "faults", json_integer(n));
	json_object_set_new(fields, "delay_ns", json_integer((json_int_t)delay_ms * 1000000));
	json_object_set_new(fields, "leave_out", suspect_json(leave_out));
	json_object_set_new(fields, "dependants", dependants);
	event_publish(log, "driver.recovering", EVENT_NOTICE, fields);
}

void report_not_recovered(struct event_log *log, const char *driver, const char *policy,
			  const char *reason)
{
	json_t *fields = fields_of(driver);

	json_object_set_new(fields, "policy", policy_json(policy));
	json_object_set_new(fields, "reason", json_string(reason));
	event_publish(log, "driver.not-recovered", EVENT_WARNING, fields);
}

void report_given_up(struct event_log *log, const char *driver, const char *policy, unsigned n,
		     const char *reason)
{
	json_t *fields = fields_of(driver);

	json_object_set_new(fields, "policy", policy_json(policy));
	json_object_set_new(fields, "faults", json_integer(n));
	json_object_set_new(fields, "reason", json_string(reason));
	event_publish(log, "driver.given-up", EVENT_ERROR, fields);
}

void report_unbound(struct event_log *log, const char *driver, bool done)
{
	json_t *fields = fields_of(driver);

	json_object_set_new(fields, "outcome", json_string(done ? "success" : "failed"));
	event_publish(log, "driver.unbound", done ? EVENT_NOTICE : EVENT_ERROR, fields);
}

void report_step_failed(struct event_log *log, const char *driver, const char *policy,
			const char *step, const char *reason)
{
	json_t *fields = fields_of(driver);

	json_object_set_new(fields, "policy", policy_json(policy));
	json_object_set_new(fields, "step", text_json(step));
	json_object_set_new(fields, "reason", text_json(reason));
	event_publish(log, "driver.step-failed", EVENT_WARNING, fields);
}

void report_script(struct event_log *log, const char *driver, const char *script, int status,
		   bool late, const char *answer)
{
	json_t *fields = fields_of(driver);

	json_object_set_new(fields, "script", text_json(script));
	json_object_set_new(fields, "status", json_integer(status));
	json_object_set_new(fields, "late", json_boolean(late));
	json_object_set_new(fields, "answer", answer ? text_json(answer) : json_null());
	event_publish(log, "driver.script", EVENT_INFO, fields);
}

void report_heartbeat(struct event_log *log, const char *driver, const char *reason)
{
	json_t *fields = fields_of(driver);

	json_object_set_new(fields, "reason", json_string(reason));
	event_publish(log, "driver.heartbeat", EVENT_ERROR, fields);
}

void report_policy_refused(struct event_log *log, const char *file, unsigned line,
			   const char *reason)
{
	event_publish(log, "policy.refused", EVENT_ERROR,
		      json_pack("{s:o, s:i, s:o}", "file", text_json(file), "line", (int)line,
				"reason", text_json(reason)));
}
