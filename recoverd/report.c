// SPDX-License-Identifier: GPL-2.0-or-later
/* Says what happened: builds the event of each kind and the object of a swap's result. */
#include "report.h"

#include <string.h>

#include "cleanup.h"
#include "log.h"
#include "text.h"

const char *fault_name(enum replug_fault fault)
{
	static const char *const names[] = {
		[REPLUG_FAULT_NONE] = "none",	    [REPLUG_FAULT_FAILED] = "failed",
		[REPLUG_FAULT_USAGE] = "usage",	    [REPLUG_FAULT_UNSUPPORTED] = "unsupported",
		[REPLUG_FAULT_REFUSED] = "refused",
	};

	return (size_t)fault < ARRAY_SIZE(names) ? names[fault] : "failed";
}

/* What a reader of one event wants to know of a device. */
static json_t *device_of_event(const char *driver, const json_t *device)
{
	static const char *const keys[] = {"bus", "name", "object", "class"};
	json_t *brief = json_object(), *value;

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		value = json_object_get(device, keys[i]);
		if (json_string_length(value))
			json_object_set(brief, keys[i], value);
	}
	json_object_set_new(brief, "driver", text_json(driver));
	return brief;
}

/* "device" is always there, and tells everything when the driver has a single one. */
static json_t *fields_of_driver(const char *driver, const json_t *devices)
{
	return json_pack("{s:o}", "device",
			 device_of_event(driver, json_array_size(devices) == 1
							 ? json_array_get(devices, 0)
							 : NULL));
}

static json_t *devices_of_event(const char *driver, const json_t *devices)
{
	json_t *briefs = json_array(), *device;
	size_t i;

	json_array_foreach((json_t *)devices, i, device)
		json_array_append_new(briefs, device_of_event(driver, device));
	return briefs;
}

static void set_text(json_t *object, const char *key, const char *text)
{
	json_object_set_new(object, key, text_json(text));
}

static void set_number(json_t *object, const char *key, uint64_t number)
{
	json_object_set_new(object, key, json_integer((json_int_t)number));
}

static json_t *phases_object(const uint64_t phases_ns[REPLUG_PHASES])
{
	json_t *phases = json_object();

	for (int i = 0; i < REPLUG_PHASES; i++)
		set_number(phases, replug_phase_name(i), phases_ns[i]);
	return phases;
}

/* What was taken from a driver that was not called; null: it was. */
static json_t *released_object(const struct replug_result *result)
{
	json_t *released;

	if (!result->untrusted)
		return json_null();
	released = json_object();
	for (unsigned i = 0; i < REPLUG_RELEASED; i++)
		set_number(released, replug_released_name(i), result->released[i]);
	return released;
}

static json_t *left_out_list(const struct replug_result *result)
{
	json_t *list = json_array();
	const char *name;

	for (unsigned i = 1; (name = replug_setting_name(i)); i++) {
		if (result->left_out & 1U << i)
			json_array_append_new(list, json_string(name));
	}
	return list;
}

void report_daemon_started(struct event_log *log, const char *version, pid_t pid)
{
	event_publish(log, "daemon.started", EVENT_INFO,
		      json_pack("{s:s, s:i, s:s}", "version", version, "pid", (int)pid, "mode",
				"observe"));
}

void report_daemon_reloaded(struct event_log *log)
{
	event_publish(log, "daemon.reloaded", EVENT_INFO, json_object());
}

void report_daemon_stopped(struct event_log *log, const char *reason)
{
	event_publish(log, "daemon.stopped", EVENT_INFO, json_pack("{s:s}", "reason", reason));
}

void report_shadow_loaded(struct event_log *log, unsigned abi, unsigned swaps)
{
	event_publish(log, "shadow.loaded", EVENT_INFO,
		      json_pack("{s:I, s:I}", "abi", (json_int_t)abi, "swaps", (json_int_t)swaps));
}

void report_shadow_missing(struct event_log *log, const char *reason)
{
	log_line(LOG_WARNING, "Drivers are watched but can't be swapped: %s", reason);
	event_publish(log, "shadow.missing", EVENT_WARNING,
		      json_pack("{s:o}", "reason", text_json(reason)));
}

void report_swap_planned(struct event_log *log, const char *driver, const char *cause,
			 const json_t *devices, const json_t *modules)
{
	json_t *fields = fields_of_driver(driver, devices);

	set_text(fields, "cause", cause);
	json_object_set_new(fields, "devices", devices_of_event(driver, devices));
	json_object_set_new(fields, "modules",
			    modules ? json_copy((json_t *)modules) : json_array());
	event_publish(log, "swap.planned", EVENT_NOTICE, fields);
}

void report_swap_phase(struct event_log *log, const char *driver, const json_t *devices,
		       enum replug_phase phase, bool rollback, bool done, uint64_t ns)
{
	json_t *fields = fields_of_driver(driver, devices);

	set_text(fields, "phase", replug_phase_name(phase));
	json_object_set_new(fields, "rollback", json_boolean(rollback));
	json_object_set_new(fields, "done", json_boolean(done));
	if (done)
		set_number(fields, "duration_ns", ns);
	event_publish(log, "swap.phase", EVENT_INFO, fields);
}

void report_swap_finished(struct event_log *log, const char *driver, const char *cause,
			  const json_t *devices, const struct replug_result *result,
			  uint64_t duration_ns)
{
	enum event_severity severity = EVENT_ERROR;
	json_t *fields = fields_of_driver(driver, devices);

	if (result->outcome == REPLUG_SUCCESS)
		severity = EVENT_NOTICE;
	else if (result->outcome == REPLUG_ROLLED_BACK)
		severity = EVENT_WARNING;

	set_text(fields, "cause", cause);
	set_text(fields, "outcome", replug_outcome_name(result->outcome));
	if (result->outcome != REPLUG_SUCCESS)
		set_text(fields, "reason", result->error.text);
	set_number(fields, "duration_ns", duration_ns);
	set_number(fields, "pause_ns", result->pause_ns);
	json_object_set_new(fields, "phases_ns", phases_object(result->phases_ns));
	json_object_set_new(fields, "released", released_object(result));
	json_object_set_new(fields, "left_out", left_out_list(result));
	json_object_set_new(fields, "devices", devices_of_event(driver, devices));
	event_publish(log, "swap.finished", severity, fields);
}

void report_swap_refused(struct event_log *log, const char *driver, const char *cause,
			 const struct replug_error *error)
{
	json_t *fields = fields_of_driver(driver, NULL);

	set_text(fields, "cause", cause);
	set_text(fields, "outcome", replug_outcome_name(REPLUG_REFUSED));
	set_text(fields, "fault", fault_name(error->fault));
	set_text(fields, "reason", error->text);
	event_publish(log, "swap.refused", EVENT_NOTICE, fields);
}

void report_swap_interrupted(struct event_log *log, const char *driver, const char *reason,
			     const json_t *modules, const json_t *kernel)
{
	const json_t *devices = json_object_get(kernel, "swap_devices");
	json_t *fields = fields_of_driver(driver, devices);

	set_text(fields, "cause", "interrupted");
	set_text(fields, "reason", reason);
	if (modules)
		json_object_set(fields, "modules", (json_t *)modules);
	if (kernel)
		json_object_set(fields, "kernel", (json_t *)kernel);
	event_publish(log, "swap.interrupted", EVENT_WARNING, fields);
}

static void recovered_one(struct event_log *log, json_t *device, const char *cause,
			  uint64_t duration_ns)
{
	json_t *fields = json_pack("{s:o}", "device", device);

	set_text(fields, "cause", cause);
	set_text(fields, "outcome", replug_outcome_name(REPLUG_SUCCESS));
	set_number(fields, "duration_ns", duration_ns);
	event_publish(log, "driver.recovered", EVENT_NOTICE, fields);
}

void report_driver_recovered(struct event_log *log, const char *driver, const char *cause,
			     const json_t *devices, uint64_t duration_ns)
{
	json_t *device;
	size_t i;

	if (json_array_size(devices) == 0)
		recovered_one(log, device_of_event(driver, NULL), cause, duration_ns);
	json_array_foreach((json_t *)devices, i, device)
		recovered_one(log, device_of_event(driver, device), cause, duration_ns);
}

void report_driver_failed(struct event_log *log, const char *driver, const char *cause,
			  const char *reason)
{
	json_t *fields = fields_of_driver(driver, NULL);

	set_text(fields, "cause", cause);
	set_text(fields, "outcome", replug_outcome_name(REPLUG_FAILED));
	set_text(fields, "reason", reason);
	event_publish(log, "driver.failed", EVENT_ERROR, fields);
}

json_t *report_swap_object(const char *driver, const json_t *devices,
			   const struct replug_result *result)
{
	json_t *object =
		json_pack("{s:s, s:o, s:s}", "schema", SWAP_SCHEMA, "driver", text_json(driver),
			  "outcome", replug_outcome_name(result->outcome));

	if (result->outcome == REPLUG_SUCCESS)
		json_object_set_new(object, "reason", json_null());
	else
		set_text(object, "reason", result->error.text);
	json_object_set_new(object, "devices", devices_of_event(driver, devices));
	json_object_set_new(object, "phases_ns", phases_object(result->phases_ns));
	set_number(object, "pause_ns", result->pause_ns);
	json_object_set_new(object, "released", released_object(result));
	json_object_set_new(object, "left_out", left_out_list(result));
	set_text(object, "fault", fault_name(result->error.fault));
	return object;
}
