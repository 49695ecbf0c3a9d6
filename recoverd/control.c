// SPDX-License-Identifier: GPL-2.0-or-later
/* Answers the methods of io.recoverd.Control that only ask. */
#include "control.h"

#include <string.h>

#include "arming.h"
#include "attempt.h"
#include "cleanup.h"
#include "control_holders.h"
#include "control_observe.h"
#include "control_replug.h"
#include "inventory.h"
#include "manager.h"
#include "query.h"
#include "report.h"
#include "text.h"
#include "version.h"

#define STATUS_SCHEMA  "recov.status/1"
#define DEVICES_SCHEMA "recov.devices/1"

int control_fail(struct varlink_call *call, int r)
{
	if (r == -EBUSY)
		return varlink_error(call, CONTROL_INTERFACE ".Busy", NULL);
	return varlink_error(call, CONTROL_INTERFACE ".Failed",
			     json_pack("{s:s}", "reason", strerror(-r)));
}

/* ---- Status ---- */

static json_t *shadow_json(const struct manager *manager)
{
	static const char *const keys[] = {
		"present",   "reason",		 "abi",	  "swaps", "swap_state",
		"owner_pid", "deadline_left_ns", "driver"};
	json_t *shadow = json_object();

	if (!manager->look)
		return json_pack("{s:b, s:s, s:i, s:i, s:s, s:i, s:i, s:s}", "present", 0, "reason",
				 "the shadow module did not answer", "abi", 0, "swaps", 0,
				 "swap_state", "unknown", "owner_pid", 0, "deadline_left_ns", 0,
				 "driver", "");
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		json_object_set(shadow, keys[i], json_object_get(manager->look, keys[i]));
	return shadow;
}

static json_t *interrupted_json(const struct manager *manager)
{
	const struct intent *intent = manager->intent;
	const struct driver *driver;
	json_t *list = json_array(), *modules;

	if (!intent)
		return list;
	driver = driver_set_find(&manager->drivers, intent->driver);
	/* The intent of a swap that is running as it should is nobody's concern. */
	if (manager->swap && !manager->interruption)
		return list;
	if (!driver || driver->state == DRIVER_LIVE)
		return list;
	modules = json_array();
	for (size_t i = 0; i < intent->n_modules; i++)
		json_array_append_new(modules, json_string(intent->modules[i].name));
	json_array_append_new(list,
			      json_pack("{s:s, s:o, s:s, s:o}", "driver", intent->driver, "image",
					intent->image ? text_json(intent->image) : json_null(),
					"started", intent->started, "modules", modules));
	return list;
}

static json_t *driver_status(const struct driver *driver)
{
	json_t *status = driver_json(driver);

	json_object_set_new(status, "armed", json_boolean(arming_is_armed(driver->name)));
	return status;
}

static void status_reply(struct manager *manager, struct varlink_call *call)
{
	_cleanup_free_ char *started = event_timestamp(&manager->started);
	json_auto_t *devices = NULL;
	json_t *drivers = json_array();

	if (inventory_scan(SYSFS, &devices) >= 0)
		manager_saw(manager, devices);
	for (size_t i = 0; i < manager->drivers.n; i++)
		json_array_append_new(drivers, driver_status(manager->drivers.list[i]));
	(void)varlink_reply(call,
			    json_pack("{s:s, s:s, s:i, s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:I}",
				      "schema", STATUS_SCHEMA, "version", RECOVERD_VERSION, "pid",
				      (int)getpid(), "started", started ? started : "", "boot_id",
				      manager->boot_id, "mode", "observe", "shadow",
				      shadow_json(manager), "swap",
				      manager->swap ? attempt_json(manager->swap) : json_null(),
				      "interrupted", interrupted_json(manager), "drivers", drivers,
				      "seq", (json_int_t)event_log_seq(manager->events)),
			    false);
}

static void on_status_look(struct manager *manager, void *ctx, json_t *answers,
			   const struct replug_result *result)
{
	struct varlink_call *call = ctx;

	(void)answers;
	(void)result;
	status_reply(manager, call);
	varlink_call_unref(call);
}

static int handle_status(struct varlink_call *call, json_t *parameters, void *ctx)
{
	struct manager *manager = ctx;
	int r;

	if (varlink_parameters(call, parameters, NULL, 0) < 0)
		return 0;
	/* In the middle of a swap the shadow may be busy; the daemon knows enough by itself. */
	if (manager->swap) {
		status_reply(manager, call);
		return 0;
	}
	r = query_look(manager, on_status_look, varlink_call_ref(call));
	if (r < 0) {
		varlink_call_unref(call);
		return control_fail(call, r);
	}
	return 0;
}

/* ---- Devices ---- */

struct devices_question {
	struct varlink_call *call;
	json_t *devices; /* inventory of the drivers asked for */
};

static void devices_question_free(struct devices_question *question)
{
	varlink_call_unref(question->call);
	json_decref(question->devices);
	free(question);
}

static bool same_text(const json_t *a, const json_t *b, const char *key)
{
	const char *x = json_string_value(json_object_get(a, key));
	const char *y = json_string_value(json_object_get(b, key));

	return x && y && strcmp(x, y) == 0;
}

static json_t *match_of(const json_t *answers, const json_t *device)
{
	const char *driver = json_string_value(json_object_get(device, "driver"));
	json_t *answer, *match;
	size_t i, k;

	json_array_foreach((json_t *)answers, i, answer) {
		if (!text_same_module(json_string_value(json_object_get(answer, "driver")), driver))
			continue;
		json_array_foreach(json_object_get(answer, "devices"), k, match) {
			if (same_text(match, device, "name") && same_text(match, device, "object"))
				return match;
		}
	}
	return NULL;
}

/* What the kernel said of one device, if it did. */
static void device_complete(json_t *device, const json_t *answers, const char *why_not)
{
	static const char *const keys[] = {"supported", "reason", "room", "need"};
	json_t *match = match_of(answers, device);
	json_t *reason;

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		json_object_set_new(device, keys[i], json_null());
	if (json_is_true(json_object_get(device, "built_in"))) {
		json_object_set_new(device, "supported", json_false());
		json_object_set_new(device, "reason",
				    json_string("its driver is built into the kernel"));
	} else if (match) {
		for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
			json_object_set(device, keys[i], json_object_get(match, keys[i]));
		reason = json_object_get(device, "reason");
		if (json_string_length(reason) == 0)
			json_object_set_new(device, "reason", json_null());
	} else if (why_not) {
		json_object_set_new(device, "reason", text_json(why_not));
	}
}

static void devices_reply(struct varlink_call *call, json_t *devices, const json_t *answers,
			  const char *why_not)
{
	json_t *device;
	size_t i;

	json_array_foreach(devices, i, device)
		device_complete(device, answers, why_not);
	(void)varlink_reply(
		call, json_pack("{s:s, s:O}", "schema", DEVICES_SCHEMA, "devices", devices), false);
}

static void on_match(struct manager *manager, void *ctx, json_t *answers,
		     const struct replug_result *result)
{
	struct devices_question *question = ctx;
	const char *why_not = "the shadow module does not know it";

	(void)manager;
	if (result->outcome != REPLUG_SUCCESS)
		why_not = result->error.text;
	devices_reply(question->call, question->devices, answers, why_not);
	devices_question_free(question);
}

/* Only the devices of the driver stay in the array. */
static void keep_driver(json_t *devices, const char *driver)
{
	for (size_t i = json_array_size(devices); i-- > 0;) {
		const json_t *name = json_object_get(json_array_get(devices, i), "driver");

		if (!text_same_module(json_string_value(name), driver))
			json_array_remove(devices, i);
	}
}

static int ask_for_devices(struct manager *manager, struct varlink_call *call, json_t *devices)
{
	const char **drivers = NULL;
	struct devices_question *question;
	json_t *device;
	size_t i, n = 0;
	int r = -ENOMEM;

	question = calloc(1, sizeof(*question));
	drivers = calloc(json_array_size(devices) + 1, sizeof(*drivers));
	if (!question || !drivers)
		goto fail;
	json_array_foreach(devices, i, device) {
		const char *name = json_string_value(json_object_get(device, "driver"));
		size_t k;

		if (json_is_true(json_object_get(device, "built_in")) || !text_is_module_name(name))
			continue;
		for (k = 0; k < n && strcmp(drivers[k], name) != 0; k++)
			;
		if (k == n)
			drivers[n++] = name;
	}
	if (n == 0) {
		devices_reply(call, devices, NULL, NULL);
		free(question);
		free(drivers);
		return 0;
	}
	question->call = varlink_call_ref(call);
	question->devices = json_incref(devices);
	r = query_match(manager, drivers, on_match, question);
	if (r < 0)
		goto fail_question;
	free(drivers);
	return 0;
fail_question:
	devices_question_free(question);
	question = NULL;
fail:
	free(question);
	free(drivers);
	return r;
}

static int handle_devices(struct varlink_call *call, json_t *parameters, void *ctx)
{
	struct manager *manager = ctx;
	const char *driver = NULL;
	const struct varlink_parameter table[] = {
		{.name = "driver", .type = VARLINK_STRING, .ret = &driver},
	};
	json_auto_t *devices = NULL;
	int r;

	if (varlink_parameters(call, parameters, table, ARRAY_SIZE(table)) < 0)
		return 0;
	r = inventory_scan(SYSFS, &devices);
	if (r < 0)
		return control_fail(call, r);
	manager_saw(manager, devices);
	if (driver) {
		keep_driver(devices, driver);
		if (json_array_size(devices) == 0 &&
		    !(text_is_module_name(driver) && inventory_is_loaded(SYSFS, driver)) &&
		    !driver_set_find(&manager->drivers, driver))
			return varlink_error(call, CONTROL_INTERFACE ".NoSuchDriver",
					     json_pack("{s:s}", "driver", driver));
	}
	if (manager->swap) {
		devices_reply(call, devices, NULL, "a swap is under way");
		return 0;
	}
	r = ask_for_devices(manager, call, devices);
	return r < 0 ? control_fail(call, r) : 0;
}

/* ---- Events ---- */

struct follower {
	struct event_listener listener; /* first */
	struct manager *manager;
	struct varlink_call *call;
};

static int follower_deliver(struct event_listener *listener, const json_t *event)
{
	struct follower *follower = (struct follower *)listener;
	int r;

	r = varlink_reply(
		follower->call,
		json_pack("{s:[O], s:I}", "events", event, "lost", (json_int_t)listener->lost),
		true);
	/* A connection that breaks is noticed by the loop, which then calls on_close. */
	return r == -ENOBUFS ? r : 0;
}

static void follower_close(void *ctx)
{
	struct follower *follower = ctx;

	event_log_remove(follower->manager->events, &follower->listener);
	varlink_call_unref(follower->call);
	free(follower);
}

static int follow(struct manager *manager, struct varlink_call *call)
{
	struct follower *follower;

	if (!varlink_call_more(call))
		return varlink_error(call, "org.varlink.service.ExpectedMore", NULL);
	follower = calloc(1, sizeof(*follower));
	if (!follower)
		return control_fail(call, -ENOMEM);
	follower->listener.deliver = follower_deliver;
	follower->listener.lost = event_log_evicted(manager->events);
	follower->manager = manager;
	follower->call = varlink_call_ref(call);
	varlink_call_on_close(call, follower_close, follower);
	event_log_add(manager->events, &follower->listener);
	for (size_t i = 0; i < event_log_kept(manager->events); i++)
		event_hand_out(&follower->listener, event_log_get(manager->events, i));
	return 0;
}

static int handle_events(struct varlink_call *call, json_t *parameters, void *ctx)
{
	struct manager *manager = ctx;
	bool wants_more = false;
	const struct varlink_parameter table[] = {
		{.name = "follow", .type = VARLINK_BOOL, .ret = &wants_more},
	};
	json_t *events;

	if (varlink_parameters(call, parameters, table, ARRAY_SIZE(table)) < 0)
		return 0;
	if (wants_more)
		return follow(manager, call);
	events = json_array();
	for (size_t i = 0; i < event_log_kept(manager->events); i++)
		json_array_append(events, (json_t *)event_log_get(manager->events, i));
	return varlink_reply(call,
			     json_pack("{s:o, s:I}", "events", events, "lost",
				       (json_int_t)event_log_evicted(manager->events)),
			     false);
}

static const struct varlink_method methods[] = {
	{.name = "Status", .handle = handle_status},
	{.name = "Devices", .handle = handle_devices},
	{.name = "Replug", .handle = control_replug},
	{.name = "Events", .handle = handle_events},
	{.name = "Holders", .handle = control_holders},
	{.name = "Trace", .handle = control_trace},
	{.name = "Objects", .handle = control_objects},
	{.name = "Requests", .handle = control_requests},
	{.name = "Leaks", .handle = control_leaks},
	{},
};

const struct varlink_interface control_interface = {
	.name = CONTROL_INTERFACE,
	.description = control_interface_text,
	.methods = methods,
};
