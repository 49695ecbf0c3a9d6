// SPDX-License-Identifier: GPL-2.0-or-later
/* Remembers the faults of a driver and the state of its recovery. */
#include "patient.h"

#include <string.h>

#include "cleanup.h"
#include "heartbeat.h"

struct patient *patient_new(struct recovery *recovery, struct manager *manager, const char *driver)
{
	struct patient *patient = calloc(1, sizeof(*patient));

	if (!patient)
		return NULL;
	patient->recovery = recovery;
	patient->manager = manager;
	snprintf(patient->driver, sizeof(patient->driver), "%s", driver);
	return patient;
}

void patient_free(struct patient *patient)
{
	if (!patient)
		return;
	patient_rest(patient);
	heartbeat_free(patient->heartbeat);
	observation_unwatch(patient->watch);
	json_decref(patient->evidence);
	free(patient);
}

void patient_count(struct patient *patient, uint64_t now_ns)
{
	patient->faults_ns[patient->n_faults++ % PATIENT_FAULTS_MAX] = now_ns;
}

unsigned patient_faults(const struct patient *patient, uint64_t now_ns, uint32_t interval_ms)
{
	unsigned n =
		patient->n_faults < PATIENT_FAULTS_MAX ? patient->n_faults : PATIENT_FAULTS_MAX;
	unsigned in = 0;

	for (unsigned i = 0; i < n; i++)
		in += patient->faults_ns[i] + interval_ms * UINT64_C(1000000) >= now_ns;
	return in;
}

void patient_set_step(struct patient *patient, struct policy_step *step)
{
	free(patient->step.path);
	patient->step = *step;
	step->path = NULL;
}

void patient_rest(struct patient *patient)
{
	patient->under_way = patient->swapping = patient->hangs = false;
	patient->count = 0;
	patient->timer = sd_event_source_disable_unref(patient->timer);
	child_free(patient->child);
	patient->child = NULL;
	free(patient->step.path);
	patient->step.path = NULL;
	free(patient->report);
	patient->report = NULL;
	json_decref(patient->dependants);
	patient->dependants = NULL;
	patient->device[0] = '\0';
	patient->leave_out = (struct suspect){};
}
