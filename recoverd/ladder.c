// SPDX-License-Identifier: GPL-2.0-or-later
/* Goes up the steps of a policy and carries each of them out. */
#include "ladder.h"

#include <string.h>

#include "arming.h"
#include "attempt.h"
#include "cleanup.h"
#include "dependants.h"
#include "log.h"
#include "manager.h"
#include "rebind.h"
#include "recovery.h"
#include "report.h"
#include "report_fault.h"
#include "script.h"
#include "trusted.h"

#define RETRY_USEC	(100 * 1000) /* while another swap stands in the way */
#define REBIND_LIMIT_MS 30000

static uint64_t now_ns(void)
{
	struct timespec real;
	uint64_t mono_ns;

	event_system_clock.now(NULL, &real, &mono_ns);
	return mono_ns;
}

static const struct policy *policy_of(const struct patient *patient)
{
	return recovery_policy(patient->recovery, patient->driver);
}

static struct event_log *events_of(const struct patient *patient)
{
	return patient->manager->events;
}

static const char *cause_of(const struct patient *patient)
{
	return policy_trigger_name(patient->trigger);
}

static void begin_grace(struct patient *patient, const struct policy *policy)
{
	patient->grace_end_ns = now_ns() + policy->grace_ms * UINT64_C(1000000);
}

bool ladder_is_swap(const struct policy_step *step)
{
	switch (step->action) {
	case POLICY_RESTART:
	case POLICY_UNTRUSTED:
	case POLICY_INSTALLED:
	case POLICY_REPLUG:
		return true;
	default:
		return false;
	}
}

/* It has failed once more after it was given back what it had been asked: of that the suspect is left
 * out now, once. */
static void blame(struct patient *patient)
{
	patient->leave_out = patient->suspect;
	patient->suspect = (struct suspect){};
}

/* Not before now: what was under way as it failed had to come to its end. */
static void find_suspect(struct patient *patient, const struct policy *policy)
{
	if (patient->fault_ns)
		patient->suspect = suspect_find(patient->manager, patient->driver,
						patient->fault_ns, policy->grace_ms);
	patient->fault_ns = 0;
}

static void report_step(const struct patient *patient, const struct policy *policy,
			uint32_t delay_ms)
{
	char text[POLICY_STEP_TEXT_MAX];

	report_recovering(events_of(patient), patient->driver, policy->name,
			  policy_step_text(&patient->step, text), patient->count, delay_ms,
			  ladder_is_swap(&patient->step) ? &patient->leave_out : NULL,
			  json_incref(patient->dependants));
}

static void take_step(struct patient *patient, const struct policy *policy, size_t rung,
		      uint32_t delay_ms);

static void recovered(struct patient *patient, const json_t *devices)
{
	report_driver_recovered(events_of(patient), patient->driver, cause_of(patient), devices,
				now_ns() - patient->since_ns);
	patient_rest(patient);
}

static void on_unbound(void *ctx, const struct child_result *result)
{
	struct patient *patient = ctx;

	patient->child = NULL;
	if (result->late || result->status)
		log_line(LOG_ERR, "The devices of %s can't be unbound: %s", patient->driver,
			 result->late ? "it takes too long" : result->said);
	report_unbound(events_of(patient), patient->driver, !result->late && !result->status);
	patient_rest(patient);
}

static int start_rebind(struct patient *patient, enum rebind_kind kind,
			void (*done)(void *ctx, const struct child_result *result))
{
	const struct rebind how = {.sysfs = SYSFS, .driver = patient->driver, .kind = kind};

	return child_new(patient->manager->loop, rebind_run, &how, REBIND_LIMIT_MS, done, patient,
			 &patient->child);
}

static void give_up(struct patient *patient, const struct policy *policy, const char *reason)
{
	report_given_up(events_of(patient), patient->driver, policy->name, patient->count, reason);
	patient->given_up = true;
	if (policy->unbind && start_rebind(patient, REBIND_NEVER, on_unbound) >= 0)
		return;
	patient_rest(patient);
}

static void leave(struct patient *patient, const struct policy *policy, const char *reason)
{
	report_not_recovered(events_of(patient), patient->driver, policy ? policy->name : NULL,
			     reason);
	patient_rest(patient);
}

/* The step has not served: the one above it is next. */
static void climb(struct patient *patient, const char *reason)
{
	const struct policy *policy = policy_of(patient);
	char text[POLICY_STEP_TEXT_MAX];

	if (!policy) {
		leave(patient, NULL, "no policy is about it any more");
		return;
	}
	report_step_failed(events_of(patient), patient->driver, policy->name,
			   policy_step_text(&patient->step, text), reason);
	if (patient->rung + 1 < policy->n_steps)
		take_step(patient, policy, patient->rung + 1, 0);
	else
		give_up(patient, policy, "its last step did not serve");
}

static void on_rebound(void *ctx, const struct child_result *result)
{
	struct patient *patient = ctx;
	const struct driver *driver = driver_set_find(&patient->manager->drivers, patient->driver);
	const struct policy *policy = policy_of(patient);

	patient->child = NULL;
	if (result->late || result->status) {
		climb(patient, result->late	 ? "it takes too long"
			       : result->said[0] ? result->said
						 : "it was ended");
		return;
	}
	if (!driver || driver->state != DRIVER_LIVE) {
		climb(patient, "it has faulted meanwhile");
		return;
	}
	if (policy)
		begin_grace(patient, policy);
	recovered(patient, NULL);
}

static void schedule(struct patient *patient, uint32_t delay_ms);

static void on_script_done(void *ctx, const struct child_result *result)
{
	struct patient *patient = ctx;
	const struct policy *policy = policy_of(patient);
	char text[POLICY_STEP_TEXT_MAX] = "";
	struct policy_step step;
	const char *why;

	patient->child = NULL;
	why = script_answer(result, &step);
	report_script(events_of(patient), patient->driver, patient->step.path, result->status,
		      result->late, why ? NULL : policy_step_text(&step, text));
	if (why || !policy) {
		climb(patient, why ? why : "");
		if (!why)
			free(step.path);
	} else if (step.action == POLICY_NONE) {
		leave(patient, policy, "its script has dealt with it");
	} else if (step.action == POLICY_GIVE_UP) {
		give_up(patient, policy, "its script says so");
	} else {
		patient->hangs = false; /* it knows of it */
		patient_set_step(patient, &step);
		report_step(patient, policy, 0);
		schedule(patient, 0);
	}
}

static int start_script(struct patient *patient, const struct policy *policy, const char **ret_why)
{
	const struct script_call call = {
		.path = patient->step.path,
		.driver = patient->driver,
		.device = patient->device[0] ? patient->device : "-",
		.cause = cause_of(patient),
		.count = patient->count,
		.report = patient->report ? patient->report : "-",
	};

	return script_start(patient->manager->loop, &call, policy->script_ms, on_script_done,
			    patient, &patient->child, ret_why);
}

static int start_swap(struct patient *patient, const struct policy *policy,
		      const struct driver *driver, const char **ret_why)
{
	enum policy_action action = patient->step.action;
	struct manager *manager = patient->manager;
	struct attempt_request request = {
		.kind = JOB_SWAP,
		.driver = patient->driver,
		.target = action == POLICY_INSTALLED ? TARGET_INSTALLED
			  : action == POLICY_REPLUG  ? TARGET_ALIKE
						     : TARGET_LOADED,
		.untrusted = action == POLICY_UNTRUSTED,
		.image = patient->step.path,
		.parameters = policy->parameters,
		/* No device may be left of one that fails all calls. */
		.without_devices = driver->state != DRIVER_LIVE && action != POLICY_UNTRUSTED,
		.drain_ms = manager->config->drain_ms,
		.leave_out = &patient->leave_out,
		.cause = cause_of(patient),
	};
	int r;

	find_suspect(patient, policy);
	*ret_why = request.image ? trusted_check(request.image, false) : NULL;
	if (*ret_why)
		return -EPERM;
	r = attempt_start(manager, &request);
	patient->swapping = r >= 0;
	return r;
}

/* Would the step wait for a call that hangs, and is there one above it that ends such calls? */
static bool would_wait(const struct patient *patient, const struct policy *policy)
{
	if (!patient->hangs || patient->step.action == POLICY_UNTRUSTED ||
	    patient->step.action == POLICY_SCRIPT || !arming_is_armed(patient->driver))
		return false;
	for (size_t i = patient->rung + 1; i < policy->n_steps; i++) {
		if (policy->steps[i].action == POLICY_UNTRUSTED)
			return true;
	}
	return false;
}

static void carry_out(struct patient *patient, const struct policy *policy,
		      const struct driver *driver)
{
	const char *why = NULL;
	int r = 0;

	if (would_wait(patient, policy)) {
		climb(patient, "it would wait for the call that hangs");
		return;
	}
	switch (patient->step.action) {
	case POLICY_REBIND:
	case POLICY_BUS_RESET:
		if (driver->state != DRIVER_LIVE) {
			climb(patient,
			      "a driver that has failed answers no call until it is swapped");
			return;
		}
		r = start_rebind(patient,
				 patient->step.action == POLICY_REBIND ? REBIND_AGAIN
								       : REBIND_RESET,
				 on_rebound);
		break;
	case POLICY_RESTART:
	case POLICY_UNTRUSTED:
	case POLICY_INSTALLED:
	case POLICY_REPLUG:
		r = start_swap(patient, policy, driver, &why);
		break;
	case POLICY_SCRIPT:
		r = start_script(patient, policy, &why);
		break;
	case POLICY_NONE:
	case POLICY_GIVE_UP:
	case POLICY_ACTIONS:
		break;
	}
	if (r < 0)
		climb(patient, why ? why : strerror(-r));
}

/* Somebody else may have been faster. */
static bool is_still_ill(const struct patient *patient, const struct driver *driver)
{
	if (!driver)
		return false;
	if (driver->state == DRIVER_LIVE)
		return patient->trigger != POLICY_ON_FAULT && driver->swaps == patient->swaps;
	return driver->state == DRIVER_FAULTED || driver->state == DRIVER_FAILED;
}

static int on_due(sd_event_source *source, uint64_t usec, void *ctx)
{
	struct patient *patient = ctx;
	struct manager *manager = patient->manager;
	const struct driver *driver = driver_set_find(&manager->drivers, patient->driver);
	const struct policy *policy = policy_of(patient);
	struct replug_error why = {};

	(void)usec;
	if (!manager->stopping && !attempt_allowed(manager, patient->driver, &why)) {
		(void)sd_event_source_set_time_relative(source, RETRY_USEC);
		return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
	}
	if (manager->stopping || !is_still_ill(patient, driver))
		patient_rest(patient);
	else if (!policy)
		leave(patient, NULL, "no policy is about it any more");
	else
		carry_out(patient, policy, driver);
	return 0;
}

static void schedule(struct patient *patient, uint32_t delay_ms)
{
	int r;

	patient->timer = sd_event_source_disable_unref(patient->timer);
	r = sd_event_add_time_relative(patient->manager->loop, &patient->timer, CLOCK_MONOTONIC,
				       delay_ms * UINT64_C(1000), 0, on_due, patient);
	if (r < 0) {
		log_errno(LOG_ERR, r, "%s can't be recovered: %m", patient->driver);
		patient_rest(patient);
	}
}

static void take_step(struct patient *patient, const struct policy *policy, size_t rung,
		      uint32_t delay_ms)
{
	struct policy_step step = policy->steps[rung];

	patient->rung = rung;
	if (step.action == POLICY_NONE) {
		leave(patient, policy, "its policy is to do nothing");
		return;
	}
	if (step.action == POLICY_GIVE_UP) {
		give_up(patient, policy, "its policy is to give up now");
		return;
	}
	if (step.path) {
		step.path = strdup(step.path);
		if (!step.path) {
			leave(patient, policy, strerror(ENOMEM));
			return;
		}
	}
	patient_set_step(patient, &step);
	report_step(patient, policy, delay_ms);
	schedule(patient, delay_ms);
}

/* It does not serve, once more. Of one recovery all tries count, however long ago the first one was. */
static void treat(struct patient *patient)
{
	const struct policy *policy = policy_of(patient);
	uint64_t now = now_ns();
	unsigned faults;
	size_t rung;

	patient->under_way = true;
	patient_count(patient, now);
	if (!policy || !policy_is_on(policy, patient->trigger)) {
		leave(patient, policy,
		      policy ? "its policy is not about faults" : "no policy is about it");
		return;
	}
	faults = patient_faults(patient, now, policy->interval_ms);
	patient->count = faults > patient->count ? faults : patient->count + 1;
	rung = policy_rung(policy, patient->count);
	if (rung == policy->n_steps)
		give_up(patient, policy, "there were too many faults");
	else
		take_step(patient, policy, rung, policy_backoff_ms(policy, patient->count));
}

void ladder_begin(struct patient *patient, enum policy_trigger trigger, uint64_t ns)
{
	const struct driver *driver = driver_set_find(&patient->manager->drivers, patient->driver);

	patient->trigger = trigger;
	patient->since_ns = now_ns();
	patient->swaps = driver ? driver->swaps : 0;
	json_decref(patient->dependants);
	patient->dependants = dependants_scan(SYSFS, patient->driver);
	if (trigger == POLICY_ON_FAULT && patient->since_ns < patient->grace_end_ns) {
		blame(patient);
	} else {
		patient->fault_ns = trigger == POLICY_ON_FAULT ? ns : 0;
		patient->suspect = (struct suspect){};
	}
	treat(patient);
}

void ladder_swapped(struct patient *patient, bool serves, const struct replug_error *error,
		    const json_t *devices)
{
	const struct policy *policy = policy_of(patient);
	char text[POLICY_STEP_TEXT_MAX];

	if (serves)
		patient->given_up = false;
	if (policy && serves)
		begin_grace(patient, policy);
	if (!patient->swapping)
		return;
	patient->swapping = false;
	if (serves) {
		recovered(patient, devices);
		return;
	}
	if (policy)
		report_step_failed(events_of(patient), patient->driver, policy->name,
				   policy_step_text(&patient->step, text), error->text);
	blame(patient);
	treat(patient);
}
