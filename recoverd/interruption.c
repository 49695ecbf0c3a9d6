// SPDX-License-Identifier: GPL-2.0-or-later
/* Finds out what an interrupted swap has left, tells it, and undoes it. */
#include "interruption.h"

#include <string.h>

#include "attempt.h"
#include "cleanup.h"
#include "inventory.h"
#include "log.h"
#include "query.h"
#include "report.h"
#include "text.h"

#define TRIES_MAX  3
#define PAUSE_USEC (2 * 1000 * 1000)

struct interruption {
	struct manager *manager;
	char driver[REPLUG_NAME_MAX];
	char reason[256];
	unsigned tries;
	sd_event_source *again;
};

void interruption_free(struct interruption *interruption)
{
	if (!interruption)
		return;
	if (interruption->manager->interruption == interruption)
		interruption->manager->interruption = NULL;
	sd_event_source_disable_unref(interruption->again);
	free(interruption);
}

/* Which modules of the intent are there now. */
static json_t *modules_now(const struct intent *intent)
{
	json_t *modules = json_array();

	for (size_t i = 0; i < intent->n_modules; i++) {
		const struct replug_module_path *m = &intent->modules[i];

		json_array_append_new(modules,
				      json_pack("{s:s, s:b, s:o, s:o}", "name", m->name, "loaded",
						inventory_is_loaded(SYSFS, m->name), "old_path",
						text_json(m->old_path), "new_path",
						text_json(m->new_path)));
	}
	return modules;
}

static json_t *kernel_now(const json_t *look)
{
	static const char *const keys[] = {"swap_state", "driver", "owner_pid", "deadline_left_ns",
					   "swap_devices"};
	json_t *kernel = json_object(), *value;

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		value = json_object_get(look, keys[i]);
		if (value)
			json_object_set(kernel, keys[i], value);
	}
	return kernel;
}

static void undo(struct interruption *interruption)
{
	struct manager *manager = interruption->manager;
	struct attempt_request request = {
		.kind = JOB_FINISH,
		.driver = interruption->driver,
		.undo = true,
		.cause = "interrupted",
	};
	int r;

	if (manager->swap || manager->stopping)
		return; /* somebody else finishes it, or the next daemon does */
	interruption->tries++;
	r = attempt_start(manager, &request);
	if (r < 0) {
		log_errno(LOG_ERR, r, "The interrupted swap of %s can't be finished: %m",
			  interruption->driver);
		interruption_retry(manager, "the process to do it can't be started");
	}
}

static void on_look(struct manager *manager, void *ctx, json_t *answers,
		    const struct replug_result *result)
{
	struct interruption *interruption = manager->interruption;
	json_auto_t *modules = NULL, *kernel = NULL;

	(void)ctx;
	(void)result;
	if (!interruption)
		return;
	if (manager->intent)
		modules = modules_now(manager->intent);
	if (json_array_size(answers))
		kernel = kernel_now(json_array_get(answers, 0));
	log_line(LOG_WARNING, "The swap of %s was interrupted: %s", interruption->driver,
		 interruption->reason);
	report_swap_interrupted(manager->events, interruption->driver, interruption->reason,
				modules, kernel);
	/* What others began is not ours to undo: the kernel will, by itself, or recovctl when asked. */
	if (manager->intent)
		undo(interruption);
	else
		interruption_free(interruption);
}

void interruption_begin(struct manager *manager, const char *driver_name, const char *reason)
{
	struct interruption *interruption;
	struct driver *driver;
	int r;

	if (manager->interruption) {
		log_line(LOG_WARNING, "The swap of %s was interrupted too: %s", driver_name,
			 reason);
		return;
	}
	interruption = calloc(1, sizeof(*interruption));
	if (!interruption)
		return;
	interruption->manager = manager;
	snprintf(interruption->driver, sizeof(interruption->driver), "%s", driver_name);
	snprintf(interruption->reason, sizeof(interruption->reason), "%s", reason);
	manager->interruption = interruption;

	if (driver_set_get(&manager->drivers, driver_name, &driver) >= 0)
		(void)driver_feed(driver, DRIVER_LOSES);
	r = query_look(manager, on_look, NULL);
	if (r < 0) {
		log_errno(LOG_ERR, r, "The shadow can't be asked: %m");
		on_look(manager, NULL, NULL, NULL);
	}
}

static int on_again(sd_event_source *source, uint64_t usec, void *ctx)
{
	(void)source;
	(void)usec;
	undo(ctx);
	return 0;
}

void interruption_retry(struct manager *manager, const char *reason)
{
	struct interruption *interruption = manager->interruption;

	if (!interruption)
		return;
	if (interruption->tries >= TRIES_MAX || manager->stopping) {
		log_line(LOG_ERR, "The interrupted swap of %s could not be undone: %s",
			 interruption->driver, reason);
		interruption_free(interruption);
		return;
	}
	interruption->again = sd_event_source_disable_unref(interruption->again);
	(void)sd_event_add_time_relative(manager->loop, &interruption->again, CLOCK_MONOTONIC,
					 PAUSE_USEC, 0, on_again, interruption);
}
