// SPDX-License-Identifier: GPL-2.0-or-later
/* Answers what is asked about drivers that are watched, and watches one while a client traces it. */
#include "control_observe.h"

#include <libkmod.h>
#include <string.h>

#include "cleanup.h"
#include "control.h"
#include "control_replug.h"
#include "inside.h"
#include "inventory.h"
#include "manager.h"
#include "observation.h"
#include "programs.h"
#include "text.h"

#define TRACE_SCHEMA	"recov.trace/1"
#define OBJECTS_SCHEMA	"recov.objects/1"
#define REQUESTS_SCHEMA "recov.requests/1"
#define LEAKS_SCHEMA	"recov.leaks/1"

#define INTERVAL_MS	   1000
#define EVENTS_INTERVAL_MS 200

static int no_such_driver(struct varlink_call *call, const char *driver)
{
	return varlink_error(call, CONTROL_INTERFACE ".NoSuchDriver",
			     json_pack("{s:o}", "driver", text_json(driver)));
}

static int no_such_function(struct varlink_call *call, const char *driver, const char *glob)
{
	return varlink_error(
		call, CONTROL_INTERFACE ".NoSuchFunction",
		json_pack("{s:o, s:o}", "driver", text_json(driver), "functions", text_json(glob)));
}

static int fail(struct varlink_call *call, const struct replug_error *error)
{
	const char *name = CONTROL_INTERFACE ".Failed";

	if (error->fault == REPLUG_FAULT_UNSUPPORTED)
		name = CONTROL_INTERFACE ".Unsupported";
	else if (error->fault == REPLUG_FAULT_REFUSED)
		name = CONTROL_INTERFACE ".Refused";
	return varlink_error(call, name, json_pack("{s:o}", "reason", text_json(error->text)));
}

/* A module that could be loaded; only looks into the index of the installed ones. */
static bool is_installed(const char *driver)
{
	struct kmod_ctx *kmod = kmod_new(NULL, NULL);
	struct kmod_list *list = NULL;
	bool found;

	found = kmod && kmod_module_new_from_lookup(kmod, driver, &list) >= 0 && list;
	kmod_module_unref_list(list);
	kmod_unref(kmod);
	return found;
}

/* ---- Trace ---- */

struct trace {
	struct manager *manager;
	struct varlink_call *call;
	sd_event_source *timer;
	uint64_t interval_usec;
	struct watch *watch;
	bool events;	       /* each single one, too */
	struct inside *inside; /* NULL: its functions are not counted */
	char driver[RECOV_MODULE_LEN];
};

static json_t *take_snapshot(const struct trace *trace)
{
	struct manager *manager = trace->manager;
	json_auto_t *leaks = observation_leaks(manager, trace->driver);
	json_t *entries = observation_entries(manager, trace->driver), *snapshot;
	uint64_t lost;

	if (trace->inside)
		inside_list(trace->inside, entries);
	snapshot = json_pack("{s:s, s:s, s:o, s:o, s:o, s:i, s:o}", "schema", TRACE_SCHEMA,
			     "driver", trace->driver, "watch",
			     observation_watch_json(manager, trace->driver), "entries", entries,
			     "objects", observation_classes(manager, trace->driver), "leaks",
			     (int)json_array_size(leaks), "missed", observation_missed(manager));
	if (trace->events) {
		json_object_set_new(snapshot, "events", observation_events(trace->watch, &lost));
		json_object_set_new(snapshot, "events_lost", json_integer((json_int_t)lost));
	}
	if (trace->inside)
		json_object_set_new(snapshot, "inside", inside_json(trace->inside));
	return snapshot;
}

static int on_interval(sd_event_source *source, uint64_t due_usec, void *ctx)
{
	struct trace *trace = ctx;

	json_auto_t *snapshot = take_snapshot(trace);

	(void)due_usec;
	/* A client that reads too slowly misses a look: the next one has all the counts. */
	if (varlink_reply(trace->call, json_incref(snapshot), true) < 0)
		observation_events_lost(trace->watch,
					json_array_size(json_object_get(snapshot, "events")));
	(void)sd_event_source_set_time_relative(source, trace->interval_usec);
	return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

static void trace_end(void *ctx)
{
	struct trace *trace = ctx;

	sd_event_source_disable_unref(trace->timer);
	observation_unwatch(trace->watch);
	inside_free(trace->inside);
	varlink_call_unref(trace->call);
	free(trace);
}

static void on_watched(void *ctx, const struct replug_error *error)
{
	struct trace *trace = ctx;
	struct replug_error no_inside = {};

	if (!error && trace->inside && inside_start(trace->inside, &no_inside) < 0)
		error = &no_inside;
	if (error) {
		(void)fail(trace->call, error);
		trace_end(trace);
		return;
	}
	if (trace->events)
		observation_listen(trace->watch);
	/* The first answer tells that the driver is watched from now on. */
	(void)varlink_reply(trace->call, take_snapshot(trace), true);
	(void)sd_event_add_time_relative(trace->manager->loop, &trace->timer, CLOCK_MONOTONIC,
					 trace->interval_usec, 0, on_interval, trace);
}

/* inside: the functions to count, or NULL; taken over. */
static int trace_begin(struct manager *manager, struct varlink_call *call, const char *driver,
		       unsigned groups, bool events, uint64_t budget, uint64_t interval_usec,
		       struct inside *inside)
{
	struct trace *trace;
	int r;

	trace = calloc(1, sizeof(*trace));
	r = trace ? observation_watch(manager, driver, groups, on_watched, trace, &trace->watch)
		  : -ENOMEM;
	if (r < 0) {
		inside_free(inside);
		free(trace);
		return control_fail(call, r);
	}
	observation_set_budget(trace->watch, budget);
	trace->inside = inside;
	trace->manager = manager;
	trace->call = varlink_call_ref(call);
	trace->events = events;
	trace->interval_usec = interval_usec;
	snprintf(trace->driver, sizeof(trace->driver), "%s", driver);
	varlink_call_on_close(call, trace_end, trace);
	return 0;
}

int control_trace(struct varlink_call *call, json_t *parameters, void *ctx)
{
	struct manager *manager = ctx;
	bool from_load = false, memory = false, dma_maps = false, packets = false, events = false;
	const char *driver = NULL, *functions = NULL;
	struct replug_error error = {};
	struct inside *inside = NULL;
	int64_t interval_ms = 0, budget = 0;
	unsigned groups;
	int r = 0;
	const struct varlink_parameter table[] = {
		{.name = "driver", .type = VARLINK_STRING, .required = true, .ret = &driver},
		{.name = "inside", .type = VARLINK_STRING, .ret = &functions},
		{.name = "from_load", .type = VARLINK_BOOL, .ret = &from_load},
		{.name = "memory", .type = VARLINK_BOOL, .ret = &memory},
		{.name = "dma_maps", .type = VARLINK_BOOL, .ret = &dma_maps},
		{.name = "packets", .type = VARLINK_BOOL, .ret = &packets},
		{.name = "events", .type = VARLINK_BOOL, .ret = &events},
		{.name = "budget",
		 .type = VARLINK_INT,
		 .least = 1,
		 .most = INT64_MAX,
		 .ret = &budget},
		{.name = "interval_ms",
		 .type = VARLINK_INT,
		 .least = 100,
		 .most = 3600000,
		 .ret = &interval_ms},
	};

	if (varlink_parameters(call, parameters, table, ARRAY_SIZE(table)) < 0)
		return 0;
	if (!varlink_call_more(call))
		return varlink_error(call, "org.varlink.service.ExpectedMore", NULL);
	if (!text_is_module_name(driver) ||
	    !(inventory_is_loaded(SYSFS, driver) || (from_load && is_installed(driver))))
		return no_such_driver(call, driver);
	groups = 1U << PROGRAMS_INTERRUPTS | (memory || budget ? 1U << PROGRAMS_MEMORY : 0) |
		 (dma_maps ? 1U << PROGRAMS_DMA_MAPS : 0) | (packets ? 1U << PROGRAMS_PACKETS : 0);
	if (!interval_ms)
		interval_ms = events ? EVENTS_INTERVAL_MS : INTERVAL_MS;
	if (functions)
		r = inside_new(driver, functions, &inside, &error);
	if (r < 0)
		return r == -ENODATA ? no_such_function(call, driver, functions)
				     : fail(call, &error);
	return trace_begin(manager, call, driver, groups, events, (uint64_t)budget,
			   (uint64_t)interval_ms * 1000, inside);
}

/* ---- what is known now ---- */

static int answer(struct varlink_call *call, json_t *parameters, struct manager *manager,
		  const char *schema, const char *member,
		  json_t *(*get)(struct manager *manager, const char *driver))
{
	const char *driver = NULL;
	const struct varlink_parameter table[] = {
		{.name = "driver", .type = VARLINK_STRING, .required = true, .ret = &driver},
	};

	if (varlink_parameters(call, parameters, table, ARRAY_SIZE(table)) < 0)
		return 0;
	if (!text_is_module_name(driver))
		return no_such_driver(call, driver);
	if (!observation_watches(manager, driver)) {
		if (!inventory_is_loaded(SYSFS, driver))
			return no_such_driver(call, driver);
		return varlink_error(call, CONTROL_INTERFACE ".NotWatched",
				     json_pack("{s:s}", "driver", driver));
	}
	return varlink_reply(call,
			     json_pack("{s:s, s:s, s:o, s:o, s:o}", "schema", schema, "driver",
				       driver, "watch", observation_watch_json(manager, driver),
				       member, get(manager, driver), "missed",
				       observation_missed(manager)),
			     false);
}

int control_objects(struct varlink_call *call, json_t *parameters, void *ctx)
{
	return answer(call, parameters, ctx, OBJECTS_SCHEMA, "objects", observation_objects);
}

int control_requests(struct varlink_call *call, json_t *parameters, void *ctx)
{
	return answer(call, parameters, ctx, REQUESTS_SCHEMA, "requests", observation_requests);
}

int control_leaks(struct varlink_call *call, json_t *parameters, void *ctx)
{
	return answer(call, parameters, ctx, LEAKS_SCHEMA, "leaks", observation_leaks);
}
