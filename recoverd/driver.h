/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the daemon knows of each driver: one state machine a driver. */
#ifndef RECOVERD_DRIVER_H
#define RECOVERD_DRIVER_H

#include <jansson.h>
#include <time.h>

#include "../replug/replug.h"

enum driver_state {
	DRIVER_LIVE,	    /* serves its devices, as far as is known */
	DRIVER_SWAPPING,    /* a worker process swaps it, or finishes an interrupted swap */
	DRIVER_INTERRUPTED, /* its swap has lost the process that did it */
	DRIVER_FAILED,	    /* no image serves */
	DRIVER_FAULTED,	    /* loaded, but fails all calls since it has faulted */
	DRIVER_STATES
};

enum driver_input {
	DRIVER_BEGIN,  /* a swap begins */
	DRIVER_SERVES, /* it ended, the driver serves (again) */
	DRIVER_BREAKS, /* it ended, no image serves */
	DRIVER_LOSES,  /* its process ended without a result */
	DRIVER_FAULTS, /* a call into it was cut short */
	DRIVER_SEEN,   /* the driver is bound to a device, whoever did that */
	DRIVER_INPUTS
};

struct driver {
	char name[REPLUG_NAME_MAX];
	enum driver_state state;
	enum replug_phase phase; /* while swapping */
	bool rollback;
	unsigned devices;   /* at the last look */
	uint64_t swaps;	    /* finished since the daemon started, whatever their outcome */
	uint64_t faults;    /* that were caught since then */
	json_t *last_fault; /* {ts, cause, site, report}, or NULL */
	bool has_last;
	struct replug_result last;
	struct timespec last_real;
};

const char *driver_state_name(enum driver_state state);
/* -EINVAL: this can't happen in that state; nothing changes. */
int driver_feed(struct driver *driver, enum driver_input input);
void driver_record(struct driver *driver, const struct replug_result *result,
		   const struct timespec *real);
/* fields: of the event driver.fault, borrowed; report: a file, or NULL. */
void driver_note_fault(struct driver *driver, const json_t *fields, const char *report);
json_t *driver_json(const struct driver *driver);

struct driver_set {
	struct driver **list; /* in the order of names */
	size_t n;
};

struct driver *driver_set_find(const struct driver_set *set, const char *name);
/* Finds or adds. */
int driver_set_get(struct driver_set *set, const char *name, struct driver **ret_driver);
void driver_set_uninit(struct driver_set *set);

#endif
