// SPDX-License-Identifier: GPL-2.0-or-later
/* Carries one request through its worker: writes the intent, reports, answers. */
#include "attempt.h"

#include <string.h>

#include "cleanup.h"
#include "faults.h"
#include "interruption.h"
#include "log.h"
#include "recovery.h"
#include "report.h"
#include "text.h"
#include "worker.h"

/* Beyond the deadline that the kernel keeps for the swap itself. */
#define PLAN_LIMIT_MS	  60000 /* reading and decompressing images */
#define MODULES_MARGIN_MS 60000 /* delete_module and init_module take what they take */

struct attempt {
	struct manager *manager;
	struct attempt *next; /* of the plans */
	struct worker *worker;
	enum job_kind kind;
	enum job_target target;
	char driver[REPLUG_NAME_MAX];
	char *image;
	const char *cause;
	uint32_t drain_ms, deadline_ms;
	struct varlink_call *call;
	json_t *modules, *devices; /* NULL: not known yet */
	uint64_t begun_ns;
	bool going; /* something may have been touched */
};

static uint64_t now_ns(void)
{
	struct timespec real;
	uint64_t mono_ns;

	event_system_clock.now(NULL, &real, &mono_ns);
	return mono_ns;
}

static void attempt_free(struct attempt *attempt)
{
	struct manager *manager = attempt->manager;

	if (manager->swap == attempt)
		manager->swap = NULL;
	for (struct attempt **p = &manager->plans; *p; p = &(*p)->next) {
		if (*p == attempt) {
			*p = attempt->next;
			manager->n_plans--;
			break;
		}
	}
	worker_free(attempt->worker);
	varlink_call_unref(attempt->call);
	json_decref(attempt->modules);
	json_decref(attempt->devices);
	free(attempt->image);
	free(attempt);
}

static void attempt_freep(struct attempt **attempt)
{
	if (*attempt)
		attempt_free(*attempt);
}

static json_t *plan_object(const char *driver, const struct replug_error *error, json_t *modules,
			   json_t *devices)
{
	bool possible = error->fault == REPLUG_FAULT_NONE;

	return json_pack("{s:s, s:o, s:b, s:o, s:o, s:o, s:s}", "schema", PLAN_SCHEMA, "driver",
			 text_json(driver), "possible", possible, "reason",
			 possible ? json_null() : text_json(error->text), "modules",
			 modules ? json_incref(modules) : json_array(), "devices",
			 devices ? json_incref(devices) : json_array(), "fault",
			 fault_name(error->fault));
}

/* Several replies are only for those who asked for them; one that is dropped is no loss. */
static void tell_client(struct attempt *attempt, const char *key, json_t *value)
{
	if (attempt->call && varlink_call_more(attempt->call))
		(void)varlink_reply(attempt->call, json_pack("{s:o}", key, value), true);
	else
		json_decref(value);
}

static void answer_client(struct attempt *attempt, const char *key, json_t *value)
{
	if (attempt->call)
		(void)varlink_reply(attempt->call, json_pack("{s:o}", key, value), false);
	else
		json_decref(value);
}

void attempt_answer(struct varlink_call *call, bool plan_only, const char *driver,
		    const struct replug_error *error)
{
	struct replug_result result = {.outcome = REPLUG_REFUSED, .error = *error};

	if (error->fault == REPLUG_FAULT_FAILED)
		result.outcome = REPLUG_FAILED;
	if (plan_only)
		(void)varlink_reply(
			call, json_pack("{s:o}", "plan", plan_object(driver, error, NULL, NULL)),
			false);
	else
		(void)varlink_reply(
			call, json_pack("{s:o}", "swap", report_swap_object(driver, NULL, &result)),
			false);
}

static struct driver *attempt_driver(struct attempt *attempt)
{
	struct driver *driver = NULL;

	if (driver_set_get(&attempt->manager->drivers, attempt->driver, &driver) < 0)
		return NULL;
	return driver;
}

static void attempt_feed(struct attempt *attempt, enum driver_input input)
{
	struct driver *driver = attempt_driver(attempt);

	if (driver && driver_feed(driver, input) < 0)
		log_line(LOG_ERR, "Driver %s: input %d does not fit its state %s, ignoring",
			 driver->name, (int)input, driver_state_name(driver->state));
}

static int attempt_write_intent(struct attempt *attempt)
{
	struct manager *manager = attempt->manager;
	_cleanup_free_ char *stamp = NULL;
	struct intent *intent = NULL;
	struct timespec real;
	uint64_t mono_ns;
	int r;

	event_system_clock.now(NULL, &real, &mono_ns);
	stamp = event_timestamp(&real);
	if (!stamp)
		return -ENOMEM;
	r = intent_new(attempt->driver, attempt->image, manager->boot_id, stamp, mono_ns,
		       attempt->modules, &intent);
	if (r < 0)
		return r;
	r = intent_write(intent, manager->intent_path);
	if (r < 0) {
		intent_free(intent);
		return r;
	}
	if (manager->intent)
		log_line(LOG_WARNING, "The unfinished swap of %s is given up",
			 manager->intent->driver);
	intent_free(manager->intent);
	manager->intent = intent;
	return 0;
}

static void on_plan(struct attempt *attempt, const struct worker_message *message)
{
	struct replug_error error = {.fault = REPLUG_FAULT_FAILED};
	int r;

	if (attempt->kind == JOB_FINISH || attempt->modules)
		return; /* a worker plans once */
	attempt->modules = json_incref(json_object_get(message->body, "modules"));
	attempt->devices = json_incref(json_object_get(message->body, "devices"));
	if (attempt->kind == JOB_PLAN)
		return;

	r = attempt_write_intent(attempt);
	if (r < 0) {
		snprintf(error.text, sizeof(error.text),
			 "%s can't be written, and without it a crash could not be undone: %s",
			 attempt->manager->intent_path, strerror(-r));
		worker_stop(attempt->worker, &error);
		return;
	}
	attempt_feed(attempt, DRIVER_BEGIN);
	attempt->going = true;
	report_swap_planned(attempt->manager->events, attempt->driver, attempt->cause,
			    attempt->devices, attempt->modules);
	tell_client(attempt, "plan",
		    plan_object(attempt->driver, &(struct replug_error){}, attempt->modules,
				attempt->devices));
	(void)worker_go(attempt->worker); /* if it is gone its exit will tell */
}

static void on_phase(struct attempt *attempt, const struct worker_message *message)
{
	struct driver *driver = attempt_driver(attempt);
	json_t *phase;

	if (driver) {
		driver->phase = message->phase.phase;
		driver->rollback = message->phase.rollback;
	}
	report_swap_phase(attempt->manager->events, attempt->driver, attempt->devices,
			  message->phase.phase, message->phase.rollback, message->phase.done,
			  message->phase.ns);
	phase = json_pack("{s:s, s:b, s:b, s:I}", "phase", replug_phase_name(message->phase.phase),
			  "rollback", message->phase.rollback, "done", message->phase.done,
			  "duration_ns", (json_int_t)message->phase.ns);
	tell_client(attempt, "phase", phase);
}

static void on_message(void *ctx, const struct worker_message *message)
{
	if (message->type == WORKER_PLAN)
		on_plan(ctx, message);
	else if (message->type == WORKER_PHASE)
		on_phase(ctx, message);
}

static void finish_plan(struct attempt *attempt, const struct replug_result *result)
{
	struct replug_error error = result->error;

	if (result->outcome == REPLUG_SUCCESS && !attempt->modules) {
		error.fault = REPLUG_FAULT_FAILED;
		snprintf(error.text, sizeof(error.text), "the plan was lost");
	}
	answer_client(attempt, "plan",
		      plan_object(attempt->driver, &error, attempt->modules, attempt->devices));
}

/* Of a swap or of finishing one. */
static void finish_swap(struct attempt *attempt, const struct replug_result *result, bool lost)
{
	struct manager *manager = attempt->manager;
	uint64_t duration_ns = now_ns() - attempt->begun_ns;
	bool serves = result->outcome == REPLUG_SUCCESS || result->outcome == REPLUG_ROLLED_BACK;
	struct driver *driver;
	struct timespec real;
	uint64_t mono_ns;

	if (result->outcome == REPLUG_REFUSED)
		report_swap_refused(manager->events, attempt->driver, attempt->cause,
				    &result->error);
	else
		report_swap_finished(manager->events, attempt->driver, attempt->cause,
				     attempt->devices, result, duration_ns);
	answer_client(attempt, "swap",
		      report_swap_object(attempt->driver, attempt->devices, result));
	recovery_swapped(manager->recovery, attempt->driver, serves, &result->error,
			 attempt->devices);
	if (!attempt->going)
		return;

	driver = attempt_driver(attempt);
	event_system_clock.now(NULL, &real, &mono_ns);
	if (driver)
		driver_record(driver, result, &real);

	if (lost) {
		attempt_feed(attempt, DRIVER_LOSES);
	} else if (serves || (result->outcome == REPLUG_REFUSED && attempt->kind == JOB_SWAP)) {
		attempt_feed(attempt, DRIVER_SERVES);
		if (attempt->kind == JOB_FINISH)
			report_driver_recovered(manager->events, attempt->driver, "interrupted",
						attempt->devices, duration_ns);
		manager_drop_intent(manager);
	} else {
		attempt_feed(attempt, DRIVER_BREAKS);
		report_driver_failed(manager->events, attempt->driver, attempt->cause,
				     result->error.text);
	}
}

/* To put the same image back in is what the user asks for; that another one did not get in, or that one
 * armed, is not. */
static void name_undone(const struct attempt *attempt, struct replug_result *result)
{
	const struct intent *intent = attempt->manager->intent;
	bool same = attempt->target == TARGET_INSTALLED || attempt->target == TARGET_LOADED;

	if (strcmp(attempt->cause, "request") == 0 && same && intent && !intent->image) {
		result->outcome = REPLUG_SUCCESS;
		result->error = (struct replug_error){};
	} else if (!result->error.text[0]) {
		snprintf(result->error.text, sizeof(result->error.text),
			 "the swap was interrupted and has been undone");
	}
}

static void on_done(void *ctx, const struct replug_result *result, bool lost)
{
	_cleanup_(attempt_freep) struct attempt *attempt = ctx;
	struct manager *manager = attempt->manager;
	char driver[REPLUG_NAME_MAX], reason[sizeof(result->error.text)];
	struct replug_result outcome = *result;
	bool retry, begun = attempt->kind == JOB_SWAP && attempt->going && lost;

	attempt->worker = NULL;
	if (attempt->kind == JOB_PLAN) {
		finish_plan(attempt, result);
		return;
	}
	if (!attempt->going)
		outcome.outcome = REPLUG_REFUSED; /* whatever went wrong, nothing was touched */
	else if (attempt->kind == JOB_FINISH && outcome.outcome == REPLUG_ROLLED_BACK)
		name_undone(attempt, &outcome);
	finish_swap(attempt, &outcome, lost);

	retry = attempt->kind == JOB_FINISH && manager->intent;
	strcpy(driver, attempt->driver);
	strcpy(reason, result->error.text);
	attempt_freep(&attempt);
	attempt = NULL;
	faults_check(manager->faults);
	recovery_check(manager->recovery);
	if (begun)
		interruption_begin(manager, driver, reason);
	else if (retry)
		interruption_retry(manager, reason);
	manager_idle(manager);
}

bool attempt_allowed(const struct manager *manager, const char *driver,
		     struct replug_error *ret_error)
{
	const struct driver *interrupted = NULL;
	const char *why = NULL;
	const char *other = "";

	if (manager->stopping) {
		why = "the daemon is being stopped";
	} else if (manager->swap) {
		why = text_same_module(manager->swap->driver, driver)
			      ? "a swap is under way already, of "
			      : "another swap is under way, of ";
		other = manager->swap->driver;
	} else if (manager->intent && !text_same_module(manager->intent->driver, driver)) {
		interrupted = driver_set_find(&manager->drivers, manager->intent->driver);
		if (interrupted && interrupted->state == DRIVER_INTERRUPTED) {
			why = "an interrupted swap has to be finished first, of ";
			other = interrupted->name;
		}
	}
	if (!why)
		return true;
	ret_error->fault = REPLUG_FAULT_REFUSED;
	snprintf(ret_error->text, sizeof(ret_error->text), "%s%s", why, other);
	return false;
}

static void attempt_begin_finish(struct attempt *attempt)
{
	const json_t *look = attempt->manager->look;

	attempt->devices = json_incref(json_object_get(look, "swap_devices"));
	attempt->begun_ns = attempt->manager->intent->mono_ns;
	attempt->going = true;
	attempt_feed(attempt, DRIVER_BEGIN);
}

int attempt_start(struct manager *manager, const struct attempt_request *request)
{
	static const struct worker_ops ops = {.on_message = on_message, .on_done = on_done};
	struct job job = {
		.kind = request->kind,
		.driver = request->driver,
		.target = request->target,
		.image = request->image,
		.kept_dir = manager->kept_dir,
		.parameters = request->parameters,
		.without_devices = request->without_devices,
		.undo = request->undo,
		.untrusted = request->untrusted,
		.intent = request->kind == JOB_FINISH ? manager->intent : NULL,
		.drain_ms = request->drain_ms,
		.deadline_ms = manager->config->deadline_ms,
		.link_ms = manager->config->link_ms,
	};
	const struct suspect *leave_out = request->leave_out;
	unsigned limit_ms = PLAN_LIMIT_MS;
	struct attempt *attempt;
	int r;

	if (request->kind == JOB_PLAN && manager->n_plans >= PLANS_MAX)
		return -EBUSY;
	if (request->kind != JOB_PLAN && manager->swap)
		return -EBUSY;
	if (strlen(request->driver) >= sizeof(attempt->driver))
		return -EINVAL;
	if (leave_out && leave_out->setting) {
		job.leave_out = 1U << leave_out->setting;
		job.leave_out_of = leave_out->device;
	}

	attempt = calloc(1, sizeof(*attempt));
	if (!attempt)
		return -ENOMEM;
	attempt->manager = manager;
	attempt->kind = request->kind;
	attempt->target = request->target;
	attempt->cause = request->cause;
	attempt->begun_ns = now_ns();
	strcpy(attempt->driver, request->driver);
	attempt->image = request->image ? strdup(request->image) : NULL;
	if (request->image && !attempt->image) {
		r = -ENOMEM;
		goto fail;
	}
	if (request->kind != JOB_PLAN)
		limit_ms += job.deadline_ms + MODULES_MARGIN_MS;
	r = worker_new(manager->loop, &job, limit_ms, &ops, attempt, &attempt->worker);
	if (r < 0)
		goto fail;

	if (request->call)
		attempt->call = varlink_call_ref(request->call);
	if (request->kind == JOB_PLAN) {
		attempt->next = manager->plans;
		manager->plans = attempt;
		manager->n_plans++;
	} else {
		manager->swap = attempt;
		if (request->kind == JOB_FINISH)
			attempt_begin_finish(attempt);
	}
	return 0;
fail:
	attempt_free(attempt);
	return r;
}

void attempt_drop_all(struct manager *manager)
{
	while (manager->plans)
		attempt_free(manager->plans);
	if (manager->swap)
		attempt_free(manager->swap);
}

json_t *attempt_json(const struct attempt *attempt)
{
	const struct driver *driver = driver_set_find(&attempt->manager->drivers, attempt->driver);
	enum replug_phase phase = REPLUG_PLAN;

	if (driver && driver->state == DRIVER_SWAPPING)
		phase = driver->phase;
	return json_pack("{s:o, s:s, s:b, s:i, s:s}", "driver", text_json(attempt->driver), "phase",
			 replug_phase_name(phase), "rollback",
			 driver && driver->state == DRIVER_SWAPPING && driver->rollback, "pid",
			 (int)worker_pid(attempt->worker), "cause", attempt->cause);
}
