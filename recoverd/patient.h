/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A driver that is not well, or was: what happened to it, and what is being done. */
#ifndef RECOVERD_PATIENT_H
#define RECOVERD_PATIENT_H

#include <jansson.h>

#include "../replug/replug.h"
#include "child.h"
#include "observation.h"
#include "policy.h"
#include "suspect.h"

#define PATIENT_FAULTS_MAX (POLICY_COUNT_MAX + 1) /* that are remembered of one driver */

struct recovery;

struct patient {
	struct recovery *recovery;
	struct manager *manager;
	struct patient *next;
	char driver[REPLUG_NAME_MAX];
	uint64_t faults_ns[PATIENT_FAULTS_MAX]; /* when, the last ones, in turns */
	unsigned n_faults;			/* all, triggers of other kinds among them */

	/* Of the recovery under way, from its trigger to its end. */
	bool under_way, swapping;
	enum policy_trigger trigger;
	uint64_t since_ns;	      /* when it began */
	uint64_t swaps;		      /* of the driver, at that time */
	unsigned count;		      /* of faults in the interval, or of its tries */
	size_t rung;		      /* the number of the step in the policy */
	struct policy_step step;      /* its own: policies come and go */
	char *report;		      /* a file, or NULL */
	json_t *dependants;	      /* as it began: while it is out nobody knows of them */
	struct suspect leave_out;     /* in its next swap */
	char device[REPLUG_NAME_MAX]; /* "" or what the trigger was about */
	sd_event_source *timer;	      /* until the step */
	struct child *child;	      /* that carries it out */

	uint64_t grace_end_ns; /* only faults count until then, and as the same one once more */
	uint64_t fault_ns; /* the last one that was none of these; 0: who did it was looked for */
	struct suspect suspect;
	unsigned noticed; /* triggers that were not looked at yet, a bit each */
	json_t *evidence; /* the event of one of them, or NULL */
	bool hangs;	  /* one of them, or what came in the recovery, was a call that goes on */

	struct watch *watch;	     /* for its policy's triggers, or NULL */
	struct heartbeat *heartbeat; /* likewise */
	bool watch_failed;	     /* so that it is to begin anew */

	bool given_up; /* nothing is done any more until it serves again, or policies are read */
};

/* NULL: no memory. */
struct patient *patient_new(struct recovery *recovery, struct manager *manager, const char *driver);
void patient_free(struct patient *patient);
/* One more fault, now. */
void patient_count(struct patient *patient, uint64_t now_ns);
/* How many there were in the interval. */
unsigned patient_faults(const struct patient *patient, uint64_t now_ns, uint32_t interval_ms);
/* Takes over the step. */
void patient_set_step(struct patient *patient, struct policy_step *step);
/* The recovery under way has ended, however. */
void patient_rest(struct patient *patient);

#endif
