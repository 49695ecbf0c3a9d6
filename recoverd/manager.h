/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The daemon itself: one object that holds everything together. */
#ifndef RECOVERD_MANAGER_H
#define RECOVERD_MANAGER_H

#include <jansson.h>
#include <systemd/sd-event.h>

#include "config.h"
#include "driver.h"
#include "event.h"
#include "intent.h"
#include "options.h"
#include "sink.h"
#include "varlink.h"

#define SYSFS "/sys"

struct attempt;
struct faults;
struct interruption;
struct observation;
struct query;
struct recovery;

struct manager {
	struct options options;
	char *socket_path, *intent_path;
	char *kept_dir; /* images that are loaded but not installed */
	sd_event *loop;
	struct config *config;
	char *boot_id;
	struct timespec started;
	struct event_log *events;
	struct sink *sink;
	struct varlink_server *server;
	struct driver_set drivers;

	json_t *look;	       /* what the shadow said last; NULL: nothing yet */
	struct query *queries; /* under way */
	unsigned n_queries;
	struct attempt *plans; /* under way */
	unsigned n_plans;

	struct attempt *swap;		   /* the one swap under way; NULL: none */
	struct intent *intent;		   /* of it, or of one that was interrupted or failed */
	struct interruption *interruption; /* being dealt with */

	struct faults *faults;
	struct recovery *recovery;
	struct observation *observation;
	unsigned n_configured; /* drivers of the configuration that are not watched yet */
	bool keep_watching;    /* when this daemon ends */

	int lock_fd;
	bool stopping, ready;
	const char *stop_reason;
	void (*on_ready)(struct manager *manager);
};

int manager_new(const struct options *options, struct manager **ret_manager);
void manager_free(struct manager *manager);
/* Prints its own sentence when it fails. on_ready is called from the loop. */
int manager_start(struct manager *manager);
/* Until asked to stop; the loop's exit code or a negative errno. */
int manager_run(struct manager *manager);

/* The shadow was asked; takes a reference. NULL: it did not answer. */
void manager_looked(struct manager *manager, json_t *look);
bool manager_has_shadow(const struct manager *manager);
/* Brings the set of drivers up to what the devices say; devices: inventory_scan(). */
void manager_saw(struct manager *manager, const json_t *devices);
/* Forgets the intent, on disk too: the driver serves. */
void manager_drop_intent(struct manager *manager);
/* Ends the loop if that is what was waited for. */
void manager_idle(struct manager *manager);

#endif
