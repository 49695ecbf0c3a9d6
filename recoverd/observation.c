// SPDX-License-Identifier: GPL-2.0-or-later
/* Keeps what the BPF programs tell, and publishes what is wrong. */
#include "observation.h"

#include <inttypes.h>
#include <string.h>

#include "budget.h"
#include "cleanup.h"
#include "groups.h"
#include "hang.h"
#include "irqs.h"
#include "log.h"
#include "observed.h"
#include "programs.h"
#include "report_health.h"
#include "storm.h"
#include "text.h"

#define LEAKS_MAX  512 /* that are kept of one driver */
#define EVENTS_MAX 500 /* that wait for one listener: a reply has to hold them */
#define LOOK_USEC  (1000 * 1000)

struct watched {
	char name[RECOV_MODULE_LEN];
	unsigned slot;
	unsigned users;
	json_t *leaks; /* of all its lives since it is watched */
	uint64_t leaks_lost;
	struct storms storms;
};

struct watch {
	struct observation *observation;
	struct watch *next;
	char driver[RECOV_MODULE_LEN]; /* as the kernel spells it */
	unsigned asked, groups;	       /* of programs, a bit each: by whoever watches, and in all */
	bool told, watched;
	json_t *events;	      /* that were not collected yet; NULL: it does not listen */
	uint64_t events_lost; /* too many at once */
	struct budget budget;
	observation_ready ready;
	void *ctx;
};

struct observation {
	struct manager *manager;
	struct observer *observer; /* NULL: PROGRAMS_BASE is not loaded */
	struct hangs *hangs;	   /* likewise */
	struct irqs *irqs;	   /* likewise */
	sd_event_source *records, *look, *step;
	struct watched watched[RECOV_WATCH_MAX];
	size_t n_watched;
	struct watch *watches;
	struct groups groups;
	bool started;
	bool adopted; /* programs of an earlier daemon, with what it watched */
};

static void kick(void *ctx)
{
	struct observation *observation = ctx;

	if (observation->started)
		(void)sd_event_source_set_enabled(observation->step, SD_EVENT_ONESHOT);
}

static struct watched *find_slot(struct observation *observation, unsigned slot)
{
	for (size_t i = 0; i < observation->n_watched; i++) {
		if (observation->watched[i].slot == slot)
			return &observation->watched[i];
	}
	return NULL;
}

static struct watched *find(const struct observation *observation, const char *driver)
{
	for (size_t i = 0; observation && i < observation->n_watched; i++) {
		if (text_same_module(observation->watched[i].name, driver))
			return (struct watched *)&observation->watched[i];
	}
	return NULL;
}

/* ---- records ---- */

/* What a swap keeps for the driver's return is no leak: the network device and what is made of it. */
static bool is_kept(const struct observation *observation, const struct watched *watched,
		    unsigned class)
{
	const struct driver *driver =
		driver_set_find(&observation->manager->drivers, watched->name);

	return driver && driver->state == DRIVER_SWAPPING &&
	       (class == RECOV_OBJECT_NETDEV || class == RECOV_OBJECT_DEVICE ||
		class == RECOV_OBJECT_PROC || class == RECOV_OBJECT_SYSFS);
}

/* While their programs are not attached, or just come or go. */
static bool is_seen_given_back(const struct observation *observation, unsigned class)
{
	unsigned group = class == RECOV_OBJECT_TIMER	 ? PROGRAMS_TIMERS
			 : class == RECOV_OBJECT_SLAB	 ? PROGRAMS_MEMORY
			 : class == RECOV_OBJECT_DMA_MAP ? PROGRAMS_DMA_MAPS
							 : PROGRAMS_BASE;

	return groups_have(&observation->groups, group);
}

static void on_leak(struct observation *observation, struct watched *watched,
		    const struct recov_record *record)
{
	json_t *leak;

	if (is_kept(observation, watched, record->key.class) ||
	    !is_seen_given_back(observation, record->key.class))
		return;
	leak = observed_object(&record->key, &record->object,
			       *record->symbol ? text_json(record->symbol) : json_null());
	json_object_set_new(leak, "certain", json_boolean(record->flags & RECOV_WATCH_FROM_LOAD));
	report_leak(observation->manager->events, watched->name, leak);
	if (json_array_size(watched->leaks) < LEAKS_MAX)
		json_array_append(watched->leaks, leak);
	else
		watched->leaks_lost++;
	json_decref(leak);
}

static void on_hang(void *ctx, const struct hang *hang)
{
	struct observation *observation = ctx;
	struct watched *watched = find_slot(observation, hang->slot);
	struct observer *observer = observation->observer;

	if (watched)
		report_hang(observation->manager->events, watched->name, hang,
			    observed_symbol(observer, hang->function),
			    observed_symbol(observer, hang->site ? hang->site : hang->function));
}

/* Anew for one that has been loaded: it may be another image than the installed one. */
static void choose_groups(struct observation *observation, const char *driver)
{
	for (struct watch *watch = observation->watches; watch; watch = watch->next) {
		if (strcmp(watch->driver, driver) == 0)
			watch->groups = groups_for(driver, watch->asked);
	}
	kick(observation);
}

/* For those who listen. */
static void on_event(struct observation *observation, const struct watched *watched,
		     const struct recov_record *record)
{
	for (struct watch *watch = observation->watches; watch; watch = watch->next) {
		if (!watch->events || strcmp(watch->driver, watched->name) != 0)
			continue;
		if (json_array_size(watch->events) < EVENTS_MAX)
			json_array_append_new(watch->events,
					      observed_event(observation->observer, record));
		else
			watch->events_lost++;
	}
}

static void on_record(void *ctx, const struct recov_record *record)
{
	struct observation *observation = ctx;
	struct watched *watched = find_slot(observation, record->slot);
	struct event_log *events = observation->manager->events;
	json_t *object;

	if (!watched)
		return;
	switch (record->type) {
	case RECOV_RECORD_LOADED:
		report_driver_loaded(events, watched->name);
		choose_groups(observation, watched->name);
		break;
	case RECOV_RECORD_UNLOADED:
		report_driver_unloaded(events, watched->name, record->detail);
		break;
	case RECOV_RECORD_LEAK:
		on_leak(observation, watched, record);
		break;
	case RECOV_RECORD_DOUBLE_FREE:
	case RECOV_RECORD_BAD_FREE:
		object = observed_object(&record->key, &record->object, text_json(record->symbol));
		json_object_set_new(object, "before",
				    observed_symbol(observation->observer, record->detail));
		report_wrong_free(events, watched->name, record->type == RECOV_RECORD_DOUBLE_FREE,
				  object);
		break;
	case RECOV_RECORD_ATOMIC:
		object = observed_object(&record->key, &record->object, text_json(record->symbol));
		report_atomic(events, watched->name, object);
		break;
	case RECOV_RECORD_WARN:
	case RECOV_RECORD_OOPS:
		report_fault(events, watched->name, record);
		break;
	case RECOV_RECORD_LONG:
		hangs_over(observation->hangs, record, on_hang, observation);
		break;
	case RECOV_RECORD_TX_TIMEOUT:
		report_tx_timeout(events, watched->name, record);
		break;
	case RECOV_RECORD_TAKEN:
	case RECOV_RECORD_GIVEN_BACK:
	case RECOV_RECORD_ENTRY:
		on_event(observation, watched, record);
		break;
	}
}

static int on_readable(sd_event_source *source, int fd, uint32_t revents, void *ctx)
{
	struct observation *observation = ctx;

	(void)source;
	(void)fd;
	(void)revents;
	(void)observer_read(observation->observer, on_record, observation);
	return 0;
}

/* ---- a look every second ---- */

static uint64_t now_ns(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

struct look {
	struct observation *observation;
	struct watched *watched;
};

static void on_storm(void *ctx, const struct storm *storm)
{
	const struct look *look = ctx;
	struct observer *observer = look->observation->observer;

	report_storm(look->observation->manager->events, look->watched->name, storm,
		     observed_symbol(observer, storm->function),
		     storm->function ? NULL : budget_sites(observer, look->watched->slot));
}

static void look_for_storms(struct observation *observation, uint64_t ns)
{
	const struct recov_state *state = observer_state(observation->observer);
	bool memory = groups_have(&observation->groups, PROGRAMS_MEMORY);

	if (memory)
		(void)observer_count_memory(observation->observer);
	for (size_t i = 0; i < observation->n_watched; i++) {
		struct watched *watched = &observation->watched[i];
		struct look look = {.observation = observation, .watched = watched};

		storms_look(&watched->storms, observation->observer, observation->irqs,
			    watched->slot, ns, memory ? state->memory[watched->slot].objects : 0,
			    on_storm, &look);
	}
}

static void look_at_budgets(struct observation *observation)
{
	const struct recov_state *state = observer_state(observation->observer);

	for (struct watch *watch = observation->watches; watch; watch = watch->next) {
		const struct watched *watched =
			watch->watched ? find(observation, watch->driver) : NULL;
		uint64_t bytes;

		if (!watched)
			continue;
		bytes = state->memory[watched->slot].bytes;
		if (budget_passes(&watch->budget, bytes))
			report_budget(observation->manager->events, watch->driver, bytes,
				      watch->budget.bytes,
				      budget_sites(observation->observer, watched->slot));
	}
}

static int on_look(sd_event_source *source, uint64_t due_usec, void *ctx)
{
	struct observation *observation = ctx;
	uint64_t usec = now_ns() / 1000; /* the loop may have been busy since it was due */

	(void)due_usec;
	irqs_look(observation->irqs);
	/* What each call tells is better than what looks find. */
	hangs_look(observation->hangs,
		   groups_have(&observation->groups, PROGRAMS_INTERRUPTS) ? NULL
									  : observation->irqs,
		   usec * 1000, on_hang, observation);
	look_for_storms(observation, usec * 1000);
	look_at_budgets(observation);
	(void)sd_event_source_set_time(source, usec + LOOK_USEC);
	return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

/* ---- watching ---- */

static void observation_close(struct observation *observation)
{
	observation->records = sd_event_source_disable_unref(observation->records);
	observation->look = sd_event_source_disable_unref(observation->look);
	hangs_free(observation->hangs);
	observation->hangs = NULL;
	irqs_free(observation->irqs);
	observation->irqs = NULL;
	observer_free(observation->observer);
	observation->observer = NULL;
}

static int observation_open(struct observation *observation)
{
	sd_event *loop = observation->manager->loop;
	int r;

	r = observer_new(&observation->observer);
	if (r >= 0)
		r = hangs_new(observation->observer, &observation->hangs);
	if (r >= 0)
		r = irqs_new(observation->observer, "", &observation->irqs);
	if (r >= 0)
		r = sd_event_add_io(loop, &observation->records, observer_fd(observation->observer),
				    EPOLLIN, on_readable, observation);
	if (r >= 0)
		r = sd_event_add_time_relative(loop, &observation->look, CLOCK_MONOTONIC, LOOK_USEC,
					       0, on_look, observation);
	if (r < 0)
		observation_close(observation);
	return r;
}

static void tell_watch(struct watch *watch, const struct replug_error *error)
{
	watch->told = true;
	watch->ready(watch->ctx, error);
}

static void on_forget(void *ctx, unsigned group)
{
	struct observation *observation = ctx;

	if (observation->observer)
		observer_forget(observation->observer, group);
}

/* A callback may end any watch: after each the list is looked through anew. */
static void on_failed(void *ctx, unsigned group, const struct replug_error *error)
{
	struct observation *observation = ctx;
	struct watch *watch;

	do {
		for (watch = observation->watches; watch; watch = watch->next) {
			if (!watch->told && (watch->groups & 1U << group)) {
				tell_watch(watch, error);
				break;
			}
		}
	} while (watch);
}

static unsigned wanted_groups(const struct observation *observation)
{
	unsigned wanted = 0;

	for (const struct watch *watch = observation->watches; watch; watch = watch->next)
		wanted |= watch->told && !watch->watched ? 0 : watch->groups;
	return wanted;
}

static int watch_begin(struct observation *observation, struct watch *watch)
{
	struct watched *watched = find(observation, watch->driver);
	unsigned slot;
	int r;

	if (!watched) {
		if (observation->n_watched == RECOV_WATCH_MAX)
			return -ENOSPC;
		r = observer_watch(observation->observer, watch->driver, &slot);
		if (r < 0)
			return r;
		watched = &observation->watched[observation->n_watched++];
		*watched = (struct watched){.slot = slot, .leaks = json_array()};
		strcpy(watched->name, watch->driver);
		irqs_search(observation->irqs);
	}
	watched->users++;
	watch->watched = true;
	return 0;
}

static void begin_and_tell(struct observation *observation, struct watch *watch)
{
	struct replug_error error = {.fault = REPLUG_FAULT_FAILED};
	int r = watch_begin(observation, watch);

	if (r == -ENOSPC)
		snprintf(error.text, sizeof(error.text),
			 "%s cannot be watched, too: %d drivers are", watch->driver,
			 RECOV_WATCH_MAX);
	else if (r < 0)
		snprintf(error.text, sizeof(error.text), "%s cannot be watched: %s", watch->driver,
			 strerror(-r));
	tell_watch(watch, r < 0 ? &error : NULL);
}

/* What only the earlier daemon's clients wanted. */
static void drop_adopted(struct observation *observation)
{
	const struct recov_state *state = observer_state(observation->observer);

	for (unsigned slot = 0; slot < RECOV_WATCH_MAX; slot++) {
		if (state->watch[slot].state != RECOV_WATCH_FREE && !find_slot(observation, slot))
			observer_unwatch(observation->observer, state->watch[slot].name);
	}
	observation->adopted = false;
}

/* Opens what is loaded; false: not now. */
static bool open_loaded(struct observation *observation)
{
	struct replug_error error = {.fault = REPLUG_FAULT_FAILED};
	int r;

	if (!groups_have(&observation->groups, PROGRAMS_BASE))
		return false;
	if (observation->observer)
		return true;
	r = observation_open(observation);
	if (r >= 0)
		return true;
	groups_remove(&observation->groups);
	if (observation->adopted) {
		/* Damaged: they are loaded anew. */
		observation->adopted = false;
		kick(observation);
		return false;
	}
	snprintf(error.text, sizeof(error.text), "the BPF programs cannot be read: %s",
		 strerror(-r));
	on_failed(observation, PROGRAMS_BASE, &error);
	return false;
}

static int on_step(sd_event_source *source, void *ctx)
{
	struct observation *observation = ctx;
	unsigned wanted = wanted_groups(observation);
	struct watch *watch;

	(void)source;
	if (!wanted) {
		observation_close(observation);
		groups_remove(&observation->groups);
		return 0;
	}
	groups_want(&observation->groups, wanted);
	if (!open_loaded(observation))
		return 0;
	do {
		for (watch = observation->watches; watch; watch = watch->next) {
			if (!watch->told && !(watch->groups & ~observation->groups.loaded)) {
				begin_and_tell(observation, watch);
				break;
			}
		}
	} while (watch);
	for (watch = observation->watches; watch && watch->told; watch = watch->next)
		;
	if (observation->adopted && !watch)
		drop_adopted(observation);
	return 0;
}

int observation_new(struct manager *manager)
{
	static const struct groups_ops ops = {
		.forget = on_forget, .on_change = kick, .on_failed = on_failed};
	struct observation *observation = calloc(1, sizeof(*observation));
	int r;

	if (!observation)
		return -ENOMEM;
	observation->manager = manager;
	groups_init(&observation->groups, manager, &ops, observation);
	observation->adopted = observation->groups.loaded;
	r = sd_event_add_defer(manager->loop, &observation->step, on_step, observation);
	if (r < 0) {
		free(observation);
		return r;
	}
	manager->observation = observation;
	return sd_event_source_set_enabled(observation->step, SD_EVENT_OFF);
}

void observation_start(struct manager *manager)
{
	manager->observation->started = true;
	kick(manager->observation);
}

void observation_free(struct observation *observation, bool keep)
{
	if (!observation)
		return;
	sd_event_source_disable_unref(observation->step);
	observation_close(observation);
	if (!keep)
		programs_remove();
	for (size_t i = 0; i < observation->n_watched; i++)
		json_decref(observation->watched[i].leaks);
	for (struct watch *watch; (watch = observation->watches);) {
		observation->watches = watch->next;
		json_decref(watch->events);
		free(watch);
	}
	free(observation);
}

int observation_watch(struct manager *manager, const char *driver, unsigned groups,
		      observation_ready ready, void *ctx, struct watch **ret_watch)
{
	struct observation *observation = manager->observation;
	struct watch *watch, **end = &observation->watches;

	if (strlen(driver) >= sizeof(watch->driver))
		return -ENAMETOOLONG;
	watch = calloc(1, sizeof(*watch));
	if (!watch)
		return -ENOMEM;
	watch->observation = observation;
	for (size_t i = 0; driver[i]; i++)
		watch->driver[i] = driver[i] == '-' ? '_' : driver[i];
	watch->asked = groups;
	watch->groups = groups_for(watch->driver, groups);
	watch->ready = ready;
	watch->ctx = ctx;
	while (*end)
		end = &(*end)->next;
	*end = watch;
	kick(observation);
	*ret_watch = watch;
	return 0;
}

void observation_listen(struct watch *watch)
{
	const struct watched *watched = find(watch->observation, watch->driver);

	if (!watched || watch->events)
		return;
	/* What an earlier listener has left is nobody's. */
	(void)observer_read(watch->observation->observer, on_record, watch->observation);
	watch->events = json_array();
	observer_trace(watch->observation->observer, watched->slot, true);
}

void observation_events_lost(struct watch *watch, size_t n)
{
	watch->events_lost += n;
}

json_t *observation_events(struct watch *watch, uint64_t *ret_lost)
{
	json_t *events;

	(void)observer_read(watch->observation->observer, on_record, watch->observation);
	events = watch->events;
	*ret_lost = watch->events_lost;
	watch->events = json_array();
	return events;
}

static void stop_listening(struct watch *watch, const struct watched *watched)
{
	bool others = false;

	json_decref(watch->events);
	watch->events = NULL;
	for (const struct watch *one = watch->observation->watches; one; one = one->next)
		others |= one->events && strcmp(one->driver, watched->name) == 0;
	if (!others)
		observer_trace(watch->observation->observer, watched->slot, false);
}

void observation_unwatch(struct watch *watch)
{
	struct observation *observation;
	struct watched *watched;

	if (!watch)
		return;
	observation = watch->observation;
	for (struct watch **p = &observation->watches; *p; p = &(*p)->next) {
		if (*p == watch) {
			*p = watch->next;
			break;
		}
	}
	watched = watch->watched ? find(observation, watch->driver) : NULL;
	if (watched && watch->events)
		stop_listening(watch, watched);
	if (watched && --watched->users == 0) {
		observer_unwatch(observation->observer, watched->name);
		/* The next driver in its slot is told nothing of this one. */
		(void)observer_read(observation->observer, on_record, observation);
		json_decref(watched->leaks);
		*watched = observation->watched[--observation->n_watched];
	}
	free(watch);
	kick(observation);
}

void observation_set_budget(struct watch *watch, uint64_t bytes)
{
	watch->budget.bytes = bytes;
}

bool observation_watches(const struct manager *manager, const char *driver)
{
	return find(manager->observation, driver);
}

/* ---- answers ---- */

static json_t *tell(struct manager *manager, const char *driver,
		    json_t *(*of)(struct observer *observer, unsigned slot))
{
	const struct watched *watched = find(manager->observation, driver);

	return watched ? of(manager->observation->observer, watched->slot) : json_array();
}

json_t *observation_objects(struct manager *manager, const char *driver)
{
	return tell(manager, driver, observed_objects);
}

json_t *observation_classes(struct manager *manager, const char *driver)
{
	return tell(manager, driver, observed_classes);
}

json_t *observation_requests(struct manager *manager, const char *driver)
{
	return tell(manager, driver, observed_requests);
}

json_t *observation_entries(struct manager *manager, const char *driver)
{
	return tell(manager, driver, observed_entries);
}

json_t *observation_leaks(struct manager *manager, const char *driver)
{
	struct watched *watched = find(manager->observation, driver);

	return watched ? json_incref(watched->leaks) : json_array();
}

json_t *observation_watch_json(struct manager *manager, const char *driver)
{
	struct watched *watched = find(manager->observation, driver);
	const struct recov_watch *watch;

	if (!watched)
		return json_null();
	watch = &observer_state(manager->observation->observer)->watch[watched->slot];
	return json_pack("{s:b, s:b, s:i, s:I, s:I}", "loaded", watch->state == RECOV_WATCH_LOADED,
			 "from_load", !!(watch->flags & RECOV_WATCH_FROM_LOAD), "generation",
			 (int)watch->generation, "loaded_ns", (json_int_t)watch->loaded_ns,
			 "leaks_not_kept", (json_int_t)watched->leaks_lost);
}

json_t *observation_missed(struct manager *manager)
{
	return manager->observation->observer ? observed_missed(manager->observation->observer)
					      : json_object();
}
