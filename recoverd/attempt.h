/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One attempt to plan, do or finish a swap, from the request to its result. */
#ifndef RECOVERD_ATTEMPT_H
#define RECOVERD_ATTEMPT_H

#include "job.h"
#include "manager.h"
#include "suspect.h"

#define PLANS_MAX 4

struct attempt_request {
	enum job_kind kind; /* JOB_PLAN, JOB_SWAP or JOB_FINISH */
	const char *driver;
	enum job_target target;
	const char *image;	/* NULL: as the target says */
	const char *parameters; /* as in struct job */
	bool without_devices;
	uint32_t drain_ms;
	bool undo;			 /* JOB_FINISH */
	bool untrusted;			 /* JOB_SWAP: the driver is not called any more */
	const struct suspect *leave_out; /* JOB_SWAP: NULL: everything is put back */
	const char *cause;	   /* "request", "interrupted" or a policy's trigger; not copied */
	struct varlink_call *call; /* to be answered; NULL: nobody asked */
};

/* < 0: it could not be begun, nothing was answered. */
int attempt_start(struct manager *manager, const struct attempt_request *request);
/* What is not allowed now, as a sentence. Only asks, begins nothing. */
bool attempt_allowed(const struct manager *manager, const char *driver,
		     struct replug_error *ret_error);
/* Kills plans; a swap too, which leaves it interrupted. */
void attempt_drop_all(struct manager *manager);
/* {driver, phase, rollback, pid, cause} */
json_t *attempt_json(const struct attempt *attempt);

/* Answers a Replug call with a result that came without a worker. */
void attempt_answer(struct varlink_call *call, bool plan_only, const char *driver,
		    const struct replug_error *error);

#endif
