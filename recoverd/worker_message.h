/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a worker process tells the daemon. A worker reads images that nobody vouched for, so the
 * daemon takes nothing from it unseen: every message is checked for fields, types and sizes.
 *
 *	plan	{driver, modules: [{name, old_path, new_path, options, old_version, new_version}],
 *		 devices: [DEVICE]}
 *	phase	{phase, rollback, done, ns}
 *	result	{outcome, fault, reason, phases_ns: [9 numbers], pause_ns, left_out,
 *		 untrusted, released: [17 numbers]}
 *	look	{present, reason, abi, swaps, swap_state, owner_pid, deadline_left_ns, driver,
 *		 swap_devices: [{bus, name, object, class, state, error, reason}]}
 *	match	{driver, fault, reason, devices: [DEVICE]}
 *	holders	{holders: [HOLDER], summary: {references, incomplete} or null}
 *
 * DEVICE is {bus, name, object, class, room, need, supported, reason}, HOLDER as in
 * holders.h. Each carries its name as
 * "type" besides. The daemon says one thing back, "go", which a swap waits for after its plan.
 */
#ifndef RECOVERD_WORKER_MESSAGE_H
#define RECOVERD_WORKER_MESSAGE_H

#include <jansson.h>

#include "../replug/replug.h"
#include "holders.h"

#define WORKER_MESSAGE_MAX (512 * 1024)

enum worker_message_type {
	WORKER_PLAN,
	WORKER_PHASE,
	WORKER_RESULT,
	WORKER_LOOK,
	WORKER_MATCH,
	WORKER_HOLDERS,
};

struct worker_message {
	enum worker_message_type type;
	json_t *body; /* borrowed; checked */
	union {
		struct {
			enum replug_phase phase;
			bool rollback, done;
			uint64_t ns;
		} phase;
		struct replug_result result;
	};
};

/* -EBADMSG: not to be believed. */
int worker_message_parse(json_t *body, struct worker_message *ret_message);

/* The worker's side; NULL without memory. */
json_t *worker_message_plan(const struct replug_plan *plan);
json_t *worker_message_phase(enum replug_phase phase, bool rollback, bool done, uint64_t ns);
json_t *worker_message_result(const struct replug_result *result);
json_t *worker_message_match(const char *driver, const struct replug_error *error,
			     const struct replug_device *devices, size_t n);
/* Takes over holders. summary: NULL if more will come. */
json_t *worker_message_holders(json_t *holders, const struct holders_summary *summary);

#endif
