// SPDX-License-Identifier: GPL-2.0-or-later
/* Builds and checks what worker processes tell the daemon. */
#include "worker_message.h"

#include <limits.h>
#include <string.h>

#include "../include/recov_shadow.h"
#include "cleanup.h"
#include "report.h"
#include "text.h"

#define MODULES_MAX 32
#define DEVICES_MAX 256 /* of all drivers of a match */
#define TEXT_MAX    4096

/* Every string of the object is of bearable length. */
static bool strings_fit(const json_t *object, size_t most)
{
	const json_t *value;
	const char *key;

	json_object_foreach((json_t *)object, key, value) {
		if (json_string_length(value) >= most)
			return false;
	}
	return true;
}

static int check_array(const json_t *array, size_t most, int (*check)(json_t *element))
{
	json_t *element;
	size_t i;
	int r;

	if (!json_is_array(array) || json_array_size(array) > most)
		return -EBADMSG;
	json_array_foreach((json_t *)array, i, element) {
		r = check(element);
		if (r < 0)
			return r;
	}
	return 0;
}

static int check_device(json_t *device)
{
	const char *bus, *name, *object, *class, *reason;
	json_int_t room, need;
	int supported;

	if (json_unpack_ex(device, NULL, JSON_STRICT, "{s:s, s:s, s:s, s:s, s:I, s:I, s:b, s:s}",
			   "bus", &bus, "name", &name, "object", &object, "class", &class, "room",
			   &room, "need", &need, "supported", &supported, "reason", &reason) < 0)
		return -EBADMSG;
	if (room < 0 || room > UINT32_MAX || need < 0 || need > UINT32_MAX ||
	    !strings_fit(device, 1024))
		return -EBADMSG;
	return 0;
}

static int check_swap_device(json_t *device)
{
	const char *bus, *name, *object, *class, *state, *reason;
	json_int_t error;

	if (json_unpack_ex(device, NULL, JSON_STRICT, "{s:s, s:s, s:s, s:s, s:s, s:I, s:s}", "bus",
			   &bus, "name", &name, "object", &object, "class", &class, "state", &state,
			   "error", &error, "reason", &reason) < 0)
		return -EBADMSG;
	if (error < INT32_MIN || error > INT32_MAX || !strings_fit(device, 1024))
		return -EBADMSG;
	return 0;
}

static int check_module(json_t *module)
{
	const char *name, *old_path, *new_path, *options, *old_version, *new_version;

	if (json_unpack_ex(module, NULL, JSON_STRICT, "{s:s, s:s, s:s, s:s, s:s, s:s}", "name",
			   &name, "old_path", &old_path, "new_path", &new_path, "options", &options,
			   "old_version", &old_version, "new_version", &new_version) < 0)
		return -EBADMSG;
	if (!text_is_module_name(name) || old_path[0] != '/' || new_path[0] != '/')
		return -EBADMSG;
	return strings_fit(module, PATH_MAX) ? 0 : -EBADMSG;
}

static int parse_plan(json_t *body)
{
	json_t *modules, *devices;
	const char *type, *driver;
	int r;

	if (json_unpack_ex(body, NULL, JSON_STRICT, "{s:s, s:s, s:o, s:o}", "type", &type, "driver",
			   &driver, "modules", &modules, "devices", &devices) < 0 ||
	    !text_is_module_name(driver))
		return -EBADMSG;
	r = check_array(modules, MODULES_MAX, check_module);
	if (r < 0)
		return r;
	return check_array(devices, DEVICES_MAX, check_device);
}

static int parse_phase(json_t *body, struct worker_message *message)
{
	const char *type, *name;
	int rollback, done;
	json_int_t ns;

	if (json_unpack_ex(body, NULL, JSON_STRICT, "{s:s, s:s, s:b, s:b, s:I}", "type", &type,
			   "phase", &name, "rollback", &rollback, "done", &done, "ns", &ns) < 0 ||
	    ns < 0)
		return -EBADMSG;
	for (int i = 0; i < REPLUG_PHASES; i++) {
		if (strcmp(replug_phase_name(i), name) != 0)
			continue;
		message->phase.phase = i;
		message->phase.rollback = rollback;
		message->phase.done = done;
		message->phase.ns = (uint64_t)ns;
		return 0;
	}
	return -EBADMSG;
}

static int parse_result(json_t *body, struct worker_message *message)
{
	struct replug_result result = {};
	const char *type, *outcome, *fault, *reason;
	json_t *phases, *released, *number;
	json_int_t pause_ns, left_out;
	int found = 0, untrusted;
	size_t i;

	if (json_unpack_ex(body, NULL, JSON_STRICT, "{s:s, s:s, s:s, s:s, s:o, s:I, s:I, s:b, s:o}",
			   "type", &type, "outcome", &outcome, "fault", &fault, "reason", &reason,
			   "phases_ns", &phases, "pause_ns", &pause_ns, "left_out", &left_out,
			   "untrusted", &untrusted, "released", &released) < 0)
		return -EBADMSG;
	for (int o = REPLUG_SUCCESS; o <= REPLUG_FAILED; o++) {
		if (strcmp(replug_outcome_name(o), outcome) == 0) {
			result.outcome = o;
			found++;
		}
	}
	for (int f = REPLUG_FAULT_NONE; f <= REPLUG_FAULT_REFUSED; f++) {
		if (strcmp(fault_name(f), fault) == 0) {
			result.error.fault = f;
			found++;
		}
	}
	if (found != 2 || pause_ns < 0 || left_out < 0 || left_out > UINT32_MAX ||
	    strlen(reason) >= TEXT_MAX || json_array_size(phases) != REPLUG_PHASES)
		return -EBADMSG;
	json_array_foreach(phases, i, number) {
		if (!json_is_integer(number) || json_integer_value(number) < 0)
			return -EBADMSG;
		result.phases_ns[i] = (uint64_t)json_integer_value(number);
	}
	if (json_array_size(released) != REPLUG_RELEASED)
		return -EBADMSG;
	json_array_foreach(released, i, number) {
		if (!json_is_integer(number) || json_integer_value(number) < 0 ||
		    json_integer_value(number) > UINT32_MAX)
			return -EBADMSG;
		result.released[i] = (uint32_t)json_integer_value(number);
	}
	result.untrusted = untrusted;
	result.pause_ns = (uint64_t)pause_ns;
	result.left_out = (uint32_t)left_out;
	snprintf(result.error.text, sizeof(result.error.text), "%s", reason);
	message->result = result;
	return 0;
}

static int parse_look(json_t *body)
{
	const char *type, *reason, *state, *driver;
	json_int_t abi, swaps, owner, left;
	json_t *devices;
	int present;

	if (json_unpack_ex(body, NULL, JSON_STRICT,
			   "{s:s, s:b, s:s, s:I, s:I, s:s, s:I, s:I, s:s, s:o}", "type", &type,
			   "present", &present, "reason", &reason, "abi", &abi, "swaps", &swaps,
			   "swap_state", &state, "owner_pid", &owner, "deadline_left_ns", &left,
			   "driver", &driver, "swap_devices", &devices) < 0)
		return -EBADMSG;
	if (abi < 0 || swaps < 0 || owner < 0 || left < 0 || !strings_fit(body, TEXT_MAX) ||
	    (*driver && !text_is_module_name(driver)))
		return -EBADMSG;
	return check_array(devices, RECOV_DEVICES_MAX, check_swap_device);
}

static int parse_match(json_t *body)
{
	const char *type, *driver, *fault, *reason;
	json_t *devices;

	if (json_unpack_ex(body, NULL, JSON_STRICT, "{s:s, s:s, s:s, s:s, s:o}", "type", &type,
			   "driver", &driver, "fault", &fault, "reason", &reason, "devices",
			   &devices) < 0)
		return -EBADMSG;
	if (!text_is_module_name(driver) || !strings_fit(body, TEXT_MAX))
		return -EBADMSG;
	return check_array(devices, DEVICES_MAX, check_device);
}

static bool is_text_or_null(const json_t *value)
{
	return json_is_string(value) || json_is_null(value);
}

static int check_holder(json_t *holder)
{
	static const char *const kinds[] = {"process", "netdev", "mount",
					    "module",  "bpf",	 "reference"};
	json_t *pid, *comm, *object, *device, *count, *uncertain;
	const char *kind, *name, *detail, *how;
	size_t i;
	int pins;

	if (json_unpack_ex(holder, NULL, JSON_STRICT,
			   "{s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:b, s:o, s:s}", "kind", &kind,
			   "name", &name, "detail", &detail, "pid", &pid, "comm", &comm, "object",
			   &object, "device", &device, "count", &count, "pins", &pins, "uncertain",
			   &uncertain, "free", &how) < 0)
		return -EBADMSG;
	for (i = 0; i < ARRAY_SIZE(kinds) && strcmp(kinds[i], kind) != 0; i++)
		;
	if (i == ARRAY_SIZE(kinds) || !is_text_or_null(comm) || !is_text_or_null(object) ||
	    !is_text_or_null(device) || !is_text_or_null(uncertain) ||
	    (!json_is_null(pid) && json_integer_value(pid) <= 0) ||
	    (!json_is_null(count) && json_integer_value(count) <= 0))
		return -EBADMSG;
	return strings_fit(holder, 2 * TEXT_MAX) ? 0 : -EBADMSG;
}

static int parse_holders(json_t *body)
{
	json_t *holders, *summary;
	const char *type, *incomplete;
	json_int_t references;

	if (json_unpack_ex(body, NULL, JSON_STRICT, "{s:s, s:o, s:o}", "type", &type, "holders",
			   &holders, "summary", &summary) < 0)
		return -EBADMSG;
	if (!json_is_null(summary) &&
	    (json_unpack_ex(summary, NULL, JSON_STRICT, "{s:I, s:s}", "references", &references,
			    "incomplete", &incomplete) < 0 ||
	     references < 0 || strlen(incomplete) >= TEXT_MAX))
		return -EBADMSG;
	return check_array(holders, HOLDERS_MAX, check_holder);
}

int worker_message_parse(json_t *body, struct worker_message *ret_message)
{
	static const char *const names[] = {
		[WORKER_PLAN] = "plan", [WORKER_PHASE] = "phase", [WORKER_RESULT] = "result",
		[WORKER_LOOK] = "look", [WORKER_MATCH] = "match", [WORKER_HOLDERS] = "holders",
	};
	struct worker_message message = {.body = body};
	const char *type = json_string_value(json_object_get(body, "type"));
	size_t i;
	int r;

	for (i = 0; type && i < ARRAY_SIZE(names) && strcmp(names[i], type) != 0; i++)
		;
	if (!type || i == ARRAY_SIZE(names))
		return -EBADMSG;
	message.type = (enum worker_message_type)i;
	switch (message.type) {
	case WORKER_PLAN:
		r = parse_plan(body);
		break;
	case WORKER_PHASE:
		r = parse_phase(body, &message);
		break;
	case WORKER_RESULT:
		r = parse_result(body, &message);
		break;
	case WORKER_LOOK:
		r = parse_look(body);
		break;
	case WORKER_MATCH:
		r = parse_match(body);
		break;
	case WORKER_HOLDERS:
		r = parse_holders(body);
		break;
	default:
		r = -EBADMSG;
	}
	if (r < 0)
		return r;
	*ret_message = message;
	return 0;
}

static json_t *device_json(const struct replug_device *device)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:I, s:I, s:b, s:o}", "bus", text_json(device->bus),
			 "name", text_json(device->name), "object", text_json(device->object),
			 "class", text_json(device->object_class), "room", (json_int_t)device->room,
			 "need", (json_int_t)device->need, "supported", device->verdict == 0,
			 "reason", text_json(device->reason));
}

static json_t *devices_json(const struct replug_device *devices, size_t n)
{
	json_t *array = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(array, device_json(&devices[i]));
	return array;
}

json_t *worker_message_plan(const struct replug_plan *plan)
{
	const struct replug_module *modules;
	const struct replug_device *devices;
	size_t n_modules, n_devices;
	json_t *array = json_array();

	modules = replug_plan_modules(plan, &n_modules);
	devices = replug_plan_devices(plan, &n_devices);
	for (size_t i = 0; i < n_modules; i++) {
		const struct replug_module *m = &modules[i];

		json_array_append_new(
			array,
			json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "name", text_json(m->name),
				  "old_path", text_json(replug_image_path(m->old_image)),
				  "new_path", text_json(replug_image_path(m->new_image)), "options",
				  text_json(m->options ? m->options : ""), "old_version",
				  text_json(replug_image_version(m->old_image)), "new_version",
				  text_json(replug_image_version(m->new_image))));
	}
	return json_pack("{s:s, s:o, s:o, s:o}", "type", "plan", "driver",
			 text_json(replug_plan_driver(plan)), "modules", array, "devices",
			 devices_json(devices, n_devices));
}

json_t *worker_message_phase(enum replug_phase phase, bool rollback, bool done, uint64_t ns)
{
	return json_pack("{s:s, s:s, s:b, s:b, s:I}", "type", "phase", "phase",
			 replug_phase_name(phase), "rollback", rollback, "done", done, "ns",
			 (json_int_t)ns);
}

json_t *worker_message_result(const struct replug_result *result)
{
	json_t *phases = json_array(), *released = json_array();

	for (int i = 0; i < REPLUG_PHASES; i++)
		json_array_append_new(phases, json_integer((json_int_t)result->phases_ns[i]));
	for (int i = 0; i < REPLUG_RELEASED; i++)
		json_array_append_new(released, json_integer((json_int_t)result->released[i]));
	return json_pack("{s:s, s:s, s:s, s:o, s:o, s:I, s:I, s:b, s:o}", "type", "result",
			 "outcome", replug_outcome_name(result->outcome), "fault",
			 fault_name(result->error.fault), "reason", text_json(result->error.text),
			 "phases_ns", phases, "pause_ns", (json_int_t)result->pause_ns, "left_out",
			 (json_int_t)result->left_out, "untrusted", result->untrusted, "released",
			 released);
}

json_t *worker_message_match(const char *driver, const struct replug_error *error,
			     const struct replug_device *devices, size_t n)
{
	return json_pack("{s:s, s:o, s:s, s:o, s:o}", "type", "match", "driver", text_json(driver),
			 "fault", fault_name(error->fault), "reason", text_json(error->text),
			 "devices", devices_json(devices, n));
}

json_t *worker_message_holders(json_t *holders, const struct holders_summary *summary)
{
	json_t *end = json_null();

	if (summary)
		end = json_pack("{s:I, s:o}", "references",
				(json_int_t)(summary->references > 0 ? summary->references : 0),
				"incomplete", text_json(summary->incomplete));
	return json_pack("{s:s, s:o, s:o}", "type", "holders", "holders", holders, "summary", end);
}
