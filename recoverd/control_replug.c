// SPDX-License-Identifier: GPL-2.0-or-later
/* Answers Replug: decides who may, and whether it is a plan, a swap or the end of one. */
#include "control_replug.h"

#include <limits.h>
#include <stdarg.h>
#include <string.h>

#include "../include/recov_shadow.h"
#include "attempt.h"
#include "cleanup.h"
#include "control.h"
#include "inventory.h"
#include "manager.h"
#include "report.h"
#include "text.h"

struct replug_request {
	const char *driver, *image;
	enum job_target target;
	bool check, dry_run, untrusted;
	int64_t drain_ms;
};

static bool may_replug(const struct varlink_call *call)
{
	uid_t uid = varlink_call_uid(call);

	return uid == 0 || uid == geteuid();
}

__attribute__((format(printf, 3, 4))) static void
refuse(struct replug_error *error, enum replug_fault fault, const char *format, ...)
{
	va_list ap;

	error->fault = fault;
	va_start(ap, format);
	vsnprintf(error->text, sizeof(error->text), format, ap);
	va_end(ap);
}

/* A swap of this driver that was begun and not ended. */
static bool is_unfinished(const struct manager *manager, const char *driver_name)
{
	const struct driver *driver = driver_set_find(&manager->drivers, driver_name);

	if (!driver)
		return false;
	if (driver->state == DRIVER_INTERRUPTED)
		return true;
	/* One that is loaded all the same has let go of its devices: it is put in anew. */
	return driver->state == DRIVER_FAILED && manager->intent &&
	       text_same_module(manager->intent->driver, driver_name) &&
	       !inventory_is_loaded(SYSFS, driver_name);
}

/* One that fails all calls may have lost its devices, too. */
static bool may_have_lost_devices(const struct manager *manager, const char *driver_name)
{
	const struct driver *driver = driver_set_find(&manager->drivers, driver_name);

	return driver && (driver->state == DRIVER_FAILED || driver->state == DRIVER_FAULTED);
}

/* A swap that somebody else began is known by its driver's name alone. */
static int need_intent(struct manager *manager, const char *driver)
{
	_cleanup_free_ char *stamp = NULL;
	struct timespec real;
	uint64_t mono_ns;

	if (manager->intent && text_same_module(manager->intent->driver, driver))
		return 0;
	event_system_clock.now(NULL, &real, &mono_ns);
	stamp = event_timestamp(&real);
	if (!stamp)
		return -ENOMEM;
	intent_free(manager->intent);
	manager->intent = NULL;
	return intent_new(driver, NULL, manager->boot_id, stamp, mono_ns, NULL, &manager->intent);
}

static bool plan_of_finish(struct attempt_request *attempt, const struct manager *manager,
			   const struct replug_request *request, struct replug_error *error)
{
	const struct intent *intent = manager->intent;

	attempt->kind = JOB_FINISH;
	attempt->undo = true;
	if (!request->image)
		return true;
	if (intent->image && strcmp(intent->image, request->image) == 0) {
		attempt->undo = false;
		return true;
	}
	refuse(error, REPLUG_FAULT_REFUSED,
	       "the interrupted swap of %s has to be finished first, without another image",
	       intent->driver);
	return false;
}

/* Begins what was asked for, or says why not. */
static int begin(struct manager *manager, struct varlink_call *call,
		 const struct replug_request *request, struct replug_error *error)
{
	struct attempt_request attempt = {
		.kind = request->check || request->dry_run ? JOB_PLAN : JOB_SWAP,
		.driver = request->driver,
		.target = request->target,
		.image = request->image,
		.without_devices = may_have_lost_devices(manager, request->driver),
		.drain_ms = (uint32_t)request->drain_ms,
		.untrusted = request->untrusted,
		.cause = "request",
		.call = call,
	};
	int r;

	if (!text_is_module_name(request->driver)) {
		refuse(error, REPLUG_FAULT_USAGE, "\"%.80s\" can't be the name of a driver",
		       request->driver);
		return 0;
	}
	if (request->image && (request->image[0] != '/' || strlen(request->image) >= PATH_MAX)) {
		refuse(error, REPLUG_FAULT_USAGE, "the image has to be an absolute path");
		return 0;
	}
	if (!attempt_allowed(manager, request->driver, error))
		return 0;
	if (is_unfinished(manager, request->driver)) {
		r = need_intent(manager, request->driver);
		if (r < 0)
			return r;
		if (attempt.kind == JOB_PLAN) {
			refuse(error, REPLUG_FAULT_REFUSED,
			       "an interrupted swap of %s has to be finished first",
			       request->driver);
			return 0;
		}
		if (!plan_of_finish(&attempt, manager, request, error))
			return 0;
	}
	return attempt_start(manager, &attempt);
}

static bool parse_target(const char *text, enum job_target *ret_target)
{
	static const char *const names[] = {
		[TARGET_INSTALLED] = "installed",
		[TARGET_LOADED] = "loaded",
		[TARGET_ARMED] = "armed",
		[TARGET_DISARMED] = "disarmed",
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (strcmp(names[i], text) == 0) {
			*ret_target = (enum job_target)i;
			return true;
		}
	}
	return false;
}

int control_replug(struct varlink_call *call, json_t *parameters, void *ctx)
{
	struct manager *manager = ctx;
	const char *target = NULL;
	struct replug_request request = {.drain_ms = manager->config->drain_ms};
	const struct varlink_parameter table[] = {
		{.name = "driver",
		 .type = VARLINK_STRING,
		 .required = true,
		 .ret = &request.driver},
		{.name = "image", .type = VARLINK_STRING, .ret = &request.image},
		{.name = "target", .type = VARLINK_STRING, .ret = &target},
		{.name = "check", .type = VARLINK_BOOL, .ret = &request.check},
		{.name = "untrusted", .type = VARLINK_BOOL, .ret = &request.untrusted},
		{.name = "dry_run", .type = VARLINK_BOOL, .ret = &request.dry_run},
		{.name = "drain_limit_ms",
		 .type = VARLINK_INT,
		 .least = 0,
		 .most = RECOV_DRAIN_MAX_MS,
		 .ret = &request.drain_ms},
	};
	struct replug_error error = {};
	int r;

	if (varlink_parameters(call, parameters, table, ARRAY_SIZE(table)) < 0)
		return 0;
	if (target && (!parse_target(target, &request.target) || request.image))
		return varlink_error_parameter(call, "target");
	if (!may_replug(call))
		return varlink_error(call, CONTROL_INTERFACE ".PermissionDenied", NULL);

	r = begin(manager, call, &request, &error);
	if (r < 0)
		return control_fail(call, r);
	if (error.fault == REPLUG_FAULT_NONE)
		return 0; /* the attempt answers */
	if (!request.check && !request.dry_run)
		report_swap_refused(manager->events, request.driver, "request", &error);
	attempt_answer(call, request.check || request.dry_run, request.driver, &error);
	return 0;
}
