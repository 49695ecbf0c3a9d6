// SPDX-License-Identifier: GPL-2.0-or-later
/* Hears of drivers that are not well, and has those watched that policies are about. */
#include "recovery.h"

#include <string.h>

#include "cleanup.h"
#include "heartbeat.h"
#include "inventory.h"
#include "ladder.h"
#include "log.h"
#include "manager.h"
#include "patient.h"
#include "report_fault.h"
#include "report_file.h"
#include "text.h"

/* Drivers come at any time, and nothing tells of them. */
#define CHECK_USEC  (15 * UINT64_C(1000000))
#define RETRY_EVERY 20 /* of these a watch that has failed begins anew, too */

struct recovery {
	struct manager *manager;
	struct policy *policies;
	struct patient *patients;
	struct event_listener listener; /* for the events that tell how drivers are */
	sd_event_source *noticed;	/* what it has heard is not looked at yet */
	sd_event_source *due;		/* the next check */
	unsigned checks;		/* that were due */
};

static uint64_t now_ns(void)
{
	struct timespec real;
	uint64_t mono_ns;

	event_system_clock.now(NULL, &real, &mono_ns);
	return mono_ns;
}

static struct patient *patient_find(const struct recovery *recovery, const char *driver)
{
	struct patient *patient;

	for (patient = recovery->patients; patient; patient = patient->next) {
		if (text_same_module(patient->driver, driver))
			break;
	}
	return patient;
}

static struct patient *patient_of(struct recovery *recovery, const char *driver)
{
	struct patient *patient = patient_find(recovery, driver);

	if (patient)
		return patient;
	patient = patient_new(recovery, recovery->manager, driver);
	if (patient) {
		patient->next = recovery->patients;
		recovery->patients = patient;
	}
	return patient;
}

const struct policy *recovery_policy(const struct recovery *recovery, const char *driver)
{
	return policies_find(recovery->policies, driver);
}

/* ---- what is heard of ---- */

json_t *recovery_outlook(struct recovery *recovery, const char *driver)
{
	const struct policy *policy = policies_find(recovery->policies, driver);
	const struct patient *patient = patient_find(recovery, driver);
	const struct suspect *leave_out = NULL;
	char text[POLICY_STEP_TEXT_MAX] = "give-up";
	unsigned n = 1;
	size_t rung;

	if (!policy)
		return json_pack("{s:n, s:n, s:n}", "policy", "step", "leave_out");
	if (patient)
		n += patient_faults(patient, now_ns(), policy->interval_ms);
	if (patient && n <= patient->count)
		n = patient->count + 1;
	rung = policy_rung(policy, n);
	if (rung < policy->n_steps) {
		policy_step_text(&policy->steps[rung], text);
		if (patient && now_ns() < patient->grace_end_ns &&
		    ladder_is_swap(&policy->steps[rung]))
			leave_out = &patient->suspect;
	}
	return json_pack("{s:o, s:o, s:i, s:o}", "policy", text_json(policy->name), "step",
			 text_json(text), "faults", (int)n, "leave_out", suspect_json(leave_out));
}

void recovery_fault(struct recovery *recovery, const char *driver, uint64_t ns, const char *report)
{
	struct patient *patient = patient_of(recovery, driver);

	if (!patient)
		return;
	if (patient->under_way) {
		/* What was planned serves for this, too, but nothing that calls the driver does. */
		patient->trigger = POLICY_ON_FAULT;
		return;
	}
	patient->report = report ? strdup(report) : NULL;
	ladder_begin(patient, POLICY_ON_FAULT, ns);
}

void recovery_swapped(struct recovery *recovery, const char *driver, bool serves,
		      const struct replug_error *error, const json_t *devices)
{
	struct patient *patient = patient_find(recovery, driver);

	if (!patient)
		return;
	heartbeat_renew(patient->heartbeat);
	ladder_swapped(patient, serves, error, devices);
}

/* What the event log tells of: -1: nothing that a policy knows. */
static int trigger_of(const char *event)
{
	static const struct {
		const char *event;
		enum policy_trigger trigger;
	} table[] = {
		{"driver.hang", POLICY_ON_HANG},
		{"driver.warning", POLICY_ON_WARN},
		{"driver.oops", POLICY_ON_OOPS},
		{"driver.tx-timeout", POLICY_ON_TX_TIMEOUT},
		{"driver.irq-storm", POLICY_ON_STORM},
		{"driver.timer-storm", POLICY_ON_STORM},
		{"driver.work-storm", POLICY_ON_STORM},
		{"driver.alloc-storm", POLICY_ON_STORM},
		{"driver.heartbeat", POLICY_ON_HEARTBEAT},
	};

	for (size_t i = 0; event && i < ARRAY_SIZE(table); i++) {
		if (strcmp(table[i].event, event) == 0)
			return table[i].trigger;
	}
	return -1;
}

/* No event can be told while one is being handed out: this is looked at later. */
static int on_event(struct event_listener *listener, const json_t *event)
{
	struct recovery *recovery =
		(struct recovery *)((char *)listener - offsetof(struct recovery, listener));
	const char *driver =
		json_string_value(json_object_get(json_object_get(event, "device"), "driver"));
	int trigger = trigger_of(json_string_value(json_object_get(event, "event")));
	const struct policy *policy;
	struct patient *patient;

	if (trigger < 0 || !driver)
		return 0;
	policy = policies_find(recovery->policies, driver);
	if (!policy || !policy_is_on(policy, (enum policy_trigger)trigger))
		return 0;
	patient = patient_of(recovery, driver);
	if (!patient)
		return -ENOMEM;
	patient->noticed |= 1U << trigger;
	patient->hangs |= trigger == POLICY_ON_HANG && json_object_get(event, "pid");
	if (!patient->evidence)
		patient->evidence = json_incref((json_t *)event);
	(void)sd_event_source_set_enabled(recovery->noticed, SD_EVENT_ONESHOT);
	return 0;
}

/* Of several at once the first counts. */
static void look_at_noticed(struct patient *patient)
{
	json_auto_t *event = patient->evidence, *outlook = NULL;
	struct manager *manager = patient->manager;
	const char *device =
		json_string_value(json_object_get(json_object_get(event, "device"), "name"));
	int trigger = __builtin_ctz(patient->noticed);
	struct driver *driver;

	patient->noticed = 0;
	patient->evidence = NULL;
	/* One without a device that could be carried over may be new here. */
	if (patient->under_way)
		return;
	if (patient->given_up || now_ns() < patient->grace_end_ns ||
	    driver_set_get(&manager->drivers, patient->driver, &driver) < 0 ||
	    driver->state != DRIVER_LIVE) {
		patient->hangs = false;
		return;
	}
	outlook = recovery_outlook(patient->recovery, patient->driver);
	patient->report = report_file_write(manager, patient->driver, event, outlook);
	snprintf(patient->device, sizeof(patient->device), "%s", device ? device : "");
	ladder_begin(patient, (enum policy_trigger)trigger, now_ns());
}

static int on_noticed(sd_event_source *source, void *ctx)
{
	struct recovery *recovery = ctx;

	(void)source;
	for (struct patient *patient = recovery->patients; patient; patient = patient->next) {
		if (patient->noticed)
			look_at_noticed(patient);
	}
	return 0;
}

static void on_miss(void *ctx, const char *reason)
{
	struct patient *patient = ctx;
	const struct driver *driver = driver_set_find(&patient->manager->drivers, patient->driver);

	/* Of one that has failed, is being swapped, or that somebody has taken out, nothing else is to
	 * be expected. */
	if ((!driver || driver->state == DRIVER_LIVE) && !patient->under_way &&
	    inventory_is_loaded(SYSFS, patient->driver))
		report_heartbeat(patient->manager->events, patient->driver, reason);
}

static void on_watched(void *ctx, const struct replug_error *error)
{
	struct patient *patient = ctx;

	patient->watch_failed = error != NULL;
	if (error)
		log_line(LOG_WARNING, "%s, as its policy would have it: %s", patient->driver,
			 error->text);
}

static void stop_watching(struct patient *patient)
{
	observation_unwatch(patient->watch);
	patient->watch = NULL;
	patient->watch_failed = false;
}

static void attend(struct recovery *recovery, const char *driver, bool anew)
{
	const unsigned by_watching = 1U << POLICY_ON_HANG | 1U << POLICY_ON_WARN |
				     1U << POLICY_ON_OOPS | 1U << POLICY_ON_TX_TIMEOUT |
				     1U << POLICY_ON_STORM;
	const struct policy *policy = policies_find(recovery->policies, driver);
	struct patient *patient;
	int r = 0;

	if (!policy || !(policy->heartbeat || policy->on & by_watching))
		return;
	patient = patient_of(recovery, driver);
	if (!patient)
		return;
	if (patient->watch_failed && anew)
		stop_watching(patient);
	if (policy->on & by_watching && !patient->watch)
		r = observation_watch(recovery->manager, driver, 0, on_watched, patient,
				      &patient->watch);
	if (r >= 0 && policy->heartbeat && !patient->heartbeat)
		r = heartbeat_new(recovery->manager->loop, driver, policy, on_miss, patient,
				  &patient->heartbeat);
	if (r < 0)
		log_errno(LOG_WARNING, r, "%s can't be watched: %m", driver);
}

/* Those whose watch has failed, too, if it is to begin anew. */
static void check(struct recovery *recovery, bool anew)
{
	json_auto_t *devices = NULL;
	json_t *device;
	size_t i;

	if (!recovery->policies || inventory_scan(SYSFS, &devices) < 0)
		return;
	json_array_foreach(devices, i, device) {
		if (!json_is_true(json_object_get(device, "built_in")))
			attend(recovery, json_string_value(json_object_get(device, "driver")),
			       anew);
	}
}

void recovery_check(struct recovery *recovery)
{
	check(recovery, true);
}

static int on_due(sd_event_source *source, uint64_t usec, void *ctx)
{
	struct recovery *recovery = ctx;
	int r;

	(void)usec;
	if (!recovery->manager->stopping)
		check(recovery, ++recovery->checks % RETRY_EVERY == 0);
	r = sd_event_source_set_time_relative(source, CHECK_USEC);
	return r < 0 ? r : sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

/* ---- policies ---- */

static void on_wrong(void *ctx, const char *file, unsigned line, const char *text)
{
	struct recovery *recovery = ctx;

	report_policy_refused(recovery->manager->events, file, line, text);
	if (line)
		log_line(LOG_ERR, "%s:%u: %s; the policy does not count", file, line, text);
	else
		log_line(LOG_ERR, "%s: %s; the policy does not count", file, text);
}

/* The new policies may want something else. */
static void stop_attending(struct recovery *recovery)
{
	for (struct patient *patient = recovery->patients; patient; patient = patient->next) {
		heartbeat_free(patient->heartbeat);
		patient->heartbeat = NULL;
		stop_watching(patient);
		patient->given_up = false;
	}
}

static int read_policies(struct recovery *recovery)
{
	struct policy *policies = NULL;
	int r = policies_load("", on_wrong, recovery, &policies);

	if (r < 0)
		return log_errno(LOG_ERR, r, "The policies can't be read, the old ones stay: %m");
	policies_free(recovery->policies);
	recovery->policies = policies;
	return 0;
}

void recovery_reload(struct recovery *recovery)
{
	if (read_policies(recovery) < 0)
		return;
	stop_attending(recovery);
	recovery_check(recovery);
}

int recovery_new(struct manager *manager, struct recovery **ret_recovery)
{
	struct recovery *recovery = calloc(1, sizeof(*recovery));
	int r;

	if (!recovery)
		return -ENOMEM;
	recovery->manager = manager;
	recovery->listener.deliver = on_event;
	r = sd_event_add_defer(manager->loop, &recovery->noticed, on_noticed, recovery);
	if (r >= 0)
		r = sd_event_source_set_enabled(recovery->noticed, SD_EVENT_OFF);
	if (r >= 0)
		r = sd_event_add_time_relative(manager->loop, &recovery->due, CLOCK_MONOTONIC,
					       CHECK_USEC, CHECK_USEC / 10, on_due, recovery);
	if (r < 0) {
		sd_event_source_disable_unref(recovery->noticed);
		free(recovery);
		return r;
	}
	event_log_add(manager->events, &recovery->listener);
	(void)read_policies(recovery);
	*ret_recovery = recovery;
	return 0;
}

void recovery_free(struct recovery *recovery)
{
	if (!recovery)
		return;
	event_log_remove(recovery->manager->events, &recovery->listener);
	sd_event_source_disable_unref(recovery->noticed);
	sd_event_source_disable_unref(recovery->due);
	for (struct patient *patient; (patient = recovery->patients);) {
		recovery->patients = patient->next;
		patient_free(patient);
	}
	policies_free(recovery->policies);
	free(recovery);
}
