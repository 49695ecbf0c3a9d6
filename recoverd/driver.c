// SPDX-License-Identifier: GPL-2.0-or-later
/* The state machine of a driver, and the set of all of them. */
#include "driver.h"

#include <errno.h>
#include <string.h>

#include "cleanup.h"
#include "event.h"
#include "report.h"
#include "text.h"

#define NO -1

static const int transitions[DRIVER_STATES][DRIVER_INPUTS] = {
	[DRIVER_LIVE] =
		{
			[DRIVER_BEGIN] = DRIVER_SWAPPING,
			[DRIVER_SERVES] = NO,
			[DRIVER_BREAKS] = NO,
			[DRIVER_LOSES] = DRIVER_INTERRUPTED,
			[DRIVER_FAULTS] = DRIVER_FAULTED,
			[DRIVER_SEEN] = DRIVER_LIVE,
		},
	[DRIVER_SWAPPING] =
		{
			[DRIVER_BEGIN] = NO,
			[DRIVER_SERVES] = DRIVER_LIVE,
			[DRIVER_BREAKS] = DRIVER_FAILED,
			[DRIVER_LOSES] = DRIVER_INTERRUPTED,
			[DRIVER_FAULTS] = DRIVER_SWAPPING,
			[DRIVER_SEEN] = DRIVER_SWAPPING,
		},
	/* A device bound by the kernel itself does not end it: the rest of the intent may be undone. */
	[DRIVER_INTERRUPTED] =
		{
			[DRIVER_BEGIN] = DRIVER_SWAPPING,
			[DRIVER_SERVES] = DRIVER_LIVE,
			[DRIVER_BREAKS] = DRIVER_FAILED,
			[DRIVER_LOSES] = DRIVER_INTERRUPTED,
			[DRIVER_FAULTS] = DRIVER_INTERRUPTED,
			[DRIVER_SEEN] = DRIVER_INTERRUPTED,
		},
	[DRIVER_FAILED] =
		{
			[DRIVER_BEGIN] = DRIVER_SWAPPING,
			[DRIVER_SERVES] = NO,
			[DRIVER_BREAKS] = DRIVER_FAILED,
			[DRIVER_LOSES] = DRIVER_INTERRUPTED,
			[DRIVER_FAULTS] = DRIVER_FAILED,
			[DRIVER_SEEN] = DRIVER_LIVE,
		},
	[DRIVER_FAULTED] =
		{
			[DRIVER_BEGIN] = DRIVER_SWAPPING,
			[DRIVER_SERVES] = NO,
			[DRIVER_BREAKS] = DRIVER_FAILED,
			[DRIVER_LOSES] = DRIVER_INTERRUPTED,
			[DRIVER_FAULTS] = DRIVER_FAULTED,
			[DRIVER_SEEN] = DRIVER_FAULTED,
		},
};

const char *driver_state_name(enum driver_state state)
{
	static const char *const names[DRIVER_STATES] = {
		[DRIVER_LIVE] = "live",
		[DRIVER_SWAPPING] = "swapping",
		[DRIVER_INTERRUPTED] = "interrupted",
		[DRIVER_FAILED] = "failed",
		[DRIVER_FAULTED] = "faulted",
	};

	return names[state];
}

int driver_feed(struct driver *driver, enum driver_input input)
{
	int next = transitions[driver->state][input];

	if (next == NO)
		return -EINVAL;
	driver->state = (enum driver_state)next;
	if (input == DRIVER_BEGIN) {
		driver->phase = REPLUG_PLAN;
		driver->rollback = false;
	}
	return 0;
}

void driver_record(struct driver *driver, const struct replug_result *result,
		   const struct timespec *real)
{
	driver->swaps++;
	driver->has_last = true;
	driver->last = *result;
	driver->last_real = *real;
}

void driver_note_fault(struct driver *driver, const json_t *fields, const char *report)
{
	_cleanup_free_ char *stamp = NULL;
	struct timespec real;
	uint64_t mono_ns;

	event_system_clock.now(NULL, &real, &mono_ns);
	stamp = event_timestamp(&real);
	driver->faults++;
	json_decref(driver->last_fault);
	driver->last_fault =
		json_pack("{s:s, s:O, s:O, s:o}", "ts", stamp ? stamp : "", "cause",
			  json_object_get(fields, "cause"), "site", json_object_get(fields, "site"),
			  "report", report ? text_json(report) : json_null());
}

static json_t *last_json(const struct driver *driver)
{
	_cleanup_free_ char *stamp = event_timestamp(&driver->last_real);
	const struct replug_result *last = &driver->last;
	json_t *reason;

	reason = last->outcome == REPLUG_SUCCESS ? json_null() : text_json(last->error.text);
	return json_pack("{s:s, s:s, s:o, s:I}", "ts", stamp ? stamp : "", "outcome",
			 replug_outcome_name(last->outcome), "reason", reason, "pause_ns",
			 (json_int_t)last->pause_ns);
}

json_t *driver_json(const struct driver *driver)
{
	bool swapping = driver->state == DRIVER_SWAPPING;

	return json_pack("{s:o, s:s, s:s?, s:b, s:i, s:I, s:o, s:I, s:O?}", "name",
			 text_json(driver->name), "state", driver_state_name(driver->state),
			 "phase", swapping ? replug_phase_name(driver->phase) : NULL, "rollback",
			 swapping && driver->rollback, "devices", (int)driver->devices, "swaps",
			 (json_int_t)driver->swaps, "last",
			 driver->has_last ? last_json(driver) : json_null(), "faults",
			 (json_int_t)driver->faults, "last_fault", driver->last_fault);
}

static size_t driver_set_place(const struct driver_set *set, const char *name)
{
	size_t i;

	for (i = 0; i < set->n && strcmp(set->list[i]->name, name) < 0; i++)
		;
	return i;
}

struct driver *driver_set_find(const struct driver_set *set, const char *name)
{
	for (size_t i = 0; i < set->n; i++) {
		if (text_same_module(set->list[i]->name, name))
			return set->list[i];
	}
	return NULL;
}

int driver_set_get(struct driver_set *set, const char *name, struct driver **ret_driver)
{
	struct driver *driver, **list;
	size_t place;

	driver = driver_set_find(set, name);
	if (driver) {
		*ret_driver = driver;
		return 0;
	}
	if (strlen(name) >= sizeof(driver->name))
		return -ENAMETOOLONG;
	list = reallocarray(set->list, set->n + 1, sizeof(*list));
	if (!list)
		return -ENOMEM;
	set->list = list;
	driver = calloc(1, sizeof(*driver));
	if (!driver)
		return -ENOMEM;
	for (size_t i = 0; name[i]; i++)
		driver->name[i] = name[i] == '-' ? '_' : name[i];
	place = driver_set_place(set, driver->name);
	memmove(list + place + 1, list + place, (set->n - place) * sizeof(*list));
	list[place] = driver;
	set->n++;
	*ret_driver = driver;
	return 0;
}

void driver_set_uninit(struct driver_set *set)
{
	for (size_t i = 0; i < set->n; i++) {
		json_decref(set->list[i]->last_fault);
		free(set->list[i]);
	}
	free(set->list);
	*set = (struct driver_set){};
}
