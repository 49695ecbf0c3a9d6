// SPDX-License-Identifier: GPL-2.0-or-later
/* Counts the faults of drivers and carries out the steps of their policies. */
#include "recovery.h"

#include <string.h>

#include "attempt.h"
#include "cleanup.h"
#include "log.h"
#include "manager.h"
#include "policy.h"
#include "report.h"
#include "report_fault.h"

#define FAULTS_MAX 64		/* that are remembered of one driver */
#define RETRY_USEC (100 * 1000) /* while another swap is under way */

struct recovery {
	struct manager *manager;
	struct policy *policies;
	struct patient *patients;
};

/* A driver that has faulted. */
struct patient {
	struct recovery *recovery;
	struct patient *next;
	char driver[REPLUG_NAME_MAX];
	uint64_t faults_ns[FAULTS_MAX]; /* when, the last ones, in turns */
	unsigned n_faults;		/* all */
	uint64_t since_ns;		/* it does not serve */
	enum job_target target;		/* of the next swap */
	sd_event_source *timer;
};

static uint64_t now_ns(void)
{
	struct timespec real;
	uint64_t mono_ns;

	event_system_clock.now(NULL, &real, &mono_ns);
	return mono_ns;
}

static void on_wrong(void *ctx, const char *file, unsigned line, const char *text)
{
	struct recovery *recovery = ctx;

	report_policy_refused(recovery->manager->events, file, line, text);
	if (line)
		log_line(LOG_ERR, "%s:%u: %s; the policy does not count", file, line, text);
	else
		log_line(LOG_ERR, "%s: %s; the policy does not count", file, text);
}

void recovery_reload(struct recovery *recovery)
{
	struct policy *policies = NULL;
	int r = policies_load("", on_wrong, recovery, &policies);

	if (r < 0) {
		log_errno(LOG_ERR, r, "The policies can't be read, the old ones stay: %m");
		return;
	}
	policies_free(recovery->policies);
	recovery->policies = policies;
}

int recovery_new(struct manager *manager, struct recovery **ret_recovery)
{
	struct recovery *recovery = calloc(1, sizeof(*recovery));

	if (!recovery)
		return -ENOMEM;
	recovery->manager = manager;
	recovery_reload(recovery);
	*ret_recovery = recovery;
	return 0;
}

void recovery_free(struct recovery *recovery)
{
	if (!recovery)
		return;
	for (struct patient *patient; (patient = recovery->patients);) {
		recovery->patients = patient->next;
		sd_event_source_disable_unref(patient->timer);
		free(patient);
	}
	policies_free(recovery->policies);
	free(recovery);
}

static struct patient *patient_of(struct recovery *recovery, const char *driver)
{
	struct patient *patient;

	for (patient = recovery->patients; patient; patient = patient->next) {
		if (strcmp(patient->driver, driver) == 0)
			return patient;
	}
	patient = calloc(1, sizeof(*patient));
	if (!patient)
		return NULL;
	patient->recovery = recovery;
	snprintf(patient->driver, sizeof(patient->driver), "%s", driver);
	patient->next = recovery->patients;
	recovery->patients = patient;
	return patient;
}

/* How many faults there were in the interval, this one among them. */
static unsigned count(const struct patient *patient, uint64_t now, uint32_t interval_ms)
{
	unsigned n = patient->n_faults < FAULTS_MAX ? patient->n_faults : FAULTS_MAX, in = 0;

	for (unsigned i = 0; i < n; i++)
		in += patient->faults_ns[i] + interval_ms * UINT64_C(1000000) >= now;
	return in;
}

static int on_due(sd_event_source *source, uint64_t usec, void *ctx)
{
	struct patient *patient = ctx;
	struct manager *manager = patient->recovery->manager;
	struct attempt_request request = {
		.kind = JOB_SWAP,
		.driver = patient->driver,
		.target = patient->target,
		.drain_ms = manager->config->drain_ms,
		.cause = RECOVERY_CAUSE,
	};
	const struct driver *driver = driver_set_find(&manager->drivers, patient->driver);
	struct replug_error why = {};
	int r;

	(void)usec;
	if (driver && driver->state == DRIVER_FAILED)
		report_given_up(manager->events, patient->driver, NULL, patient->n_faults,
				"no image of it serves");
	if (manager->stopping || !driver || driver->state != DRIVER_FAULTED)
		return 0; /* or somebody else was faster */
	if (!attempt_allowed(manager, patient->driver, &why)) {
		(void)sd_event_source_set_time_relative(source, RETRY_USEC);
		return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
	}
	r = attempt_start(manager, &request);
	if (r < 0)
		report_given_up(manager->events, patient->driver, NULL, patient->n_faults,
				strerror(-r));
	return 0;
}

static void schedule(struct patient *patient, enum job_target target, uint32_t delay_ms)
{
	sd_event *loop = patient->recovery->manager->loop;
	int r;

	patient->target = target;
	sd_event_source_disable_unref(patient->timer);
	patient->timer = NULL;
	r = sd_event_add_time_relative(loop, &patient->timer, CLOCK_MONOTONIC,
				       delay_ms * UINT64_C(1000), 0, on_due, patient);
	if (r < 0)
		log_errno(LOG_ERR, r, "%s can't be recovered: %m", patient->driver);
}

/* It does not serve, once more. */
static void treat(struct patient *patient)
{
	struct recovery *recovery = patient->recovery;
	struct event_log *events = recovery->manager->events;
	const struct policy *policy = policies_find(recovery->policies, patient->driver);
	uint64_t now = now_ns();
	enum policy_step step;
	uint32_t delay_ms;
	unsigned n;

	patient->faults_ns[patient->n_faults++ % FAULTS_MAX] = now;
	if (!policy) {
		report_not_recovered(events, patient->driver, NULL, "no policy is about it");
		return;
	}
	n = count(patient, now, policy->interval_ms);
	step = policy_step_at(policy, n);
	delay_ms = policy_backoff_ms(policy, n);
	if (step == POLICY_NONE) {
		report_not_recovered(events, patient->driver, policy->name,
				     "its policy is to do nothing");
	} else if (step == POLICY_GIVE_UP) {
		report_given_up(events, patient->driver, policy->name, n,
				n > policy->limit ? "there were too many faults"
						  : "its policy is to give up now");
	} else {
		report_recovering(events, patient->driver, policy->name, policy_step_name(step), n,
				  delay_ms);
		schedule(patient, step == POLICY_INSTALLED ? TARGET_INSTALLED : TARGET_LOADED,
			 delay_ms);
	}
}

void recovery_fault(struct recovery *recovery, const char *driver)
{
	struct patient *patient = patient_of(recovery, driver);

	if (!patient)
		return;
	patient->since_ns = now_ns();
	treat(patient);
}

void recovery_ended(struct recovery *recovery, const char *driver, bool serves,
		    const json_t *devices)
{
	struct patient *patient = patient_of(recovery, driver);

	if (!patient)
		return;
	if (serves)
		report_driver_recovered(recovery->manager->events, driver, RECOVERY_CAUSE, devices,
					now_ns() - patient->since_ns);
	else
		treat(patient);
}
