// SPDX-License-Identifier: GPL-2.0-or-later
/* Keeps what the BPF programs tell, and publishes what is wrong. */
#include "observation.h"

#include <inttypes.h>
#include <string.h>

#include "cleanup.h"
#include "log.h"
#include "report_health.h"
#include "text.h"

#define LEAKS_MAX      512 /* that are kept of one driver */
#define LOOK_USEC      (1000 * 1000)
#define HANG_NS	       (5ULL * 1000 * 1000 * 1000) /* an entry that sleeps may take so long */
#define HANG_ON_CPU_NS (1ULL * 1000 * 1000 * 1000) /* and one that does not */
#define STORM_RATE     50000			   /* interrupts a second */

struct watched {
	char name[RECOV_MODULE_LEN];
	unsigned slot;
	unsigned users;
	json_t *leaks; /* of all its lives since it is watched */
	uint64_t leaks_lost;
	uint64_t irqs;	  /* at the last look */
	uint64_t irqs_ns; /* when that was; 0: never */
	bool storms;
};

struct observation {
	struct manager *manager;
	struct observer *observer;
	sd_event_source *records, *look;
	struct watched watched[RECOV_WATCH_MAX];
	size_t n_watched;
	unsigned extras;      /* attached: enum observer_extra */
	unsigned users_of[3]; /* of each */
	uint64_t told[64];    /* since_ns of entries that were reported as hanging */
	unsigned n_told;
};

void observation_free(struct observation *observation)
{
	if (!observation)
		return;
	sd_event_source_disable_unref(observation->records);
	sd_event_source_disable_unref(observation->look);
	observer_free(observation->observer);
	for (size_t i = 0; i < observation->n_watched; i++)
		json_decref(observation->watched[i].leaks);
	free(observation);
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

static json_t *address_json(uint64_t address)
{
	return json_sprintf("0x%" PRIx64, address);
}

static json_t *symbol_json(struct observation *observation, uint64_t address)
{
	char symbol[RECOV_SYMBOL_LEN];

	if (!address)
		return json_null();
	observer_symbol(observation->observer, address, symbol);
	return text_json(symbol);
}

static json_t *label_json(const char *label)
{
	char text[RECOV_LABEL_LEN + 1] = {};

	memcpy(text, label, RECOV_LABEL_LEN);
	return *text ? text_json(text) : json_null();
}

static json_t *object_json(const struct recov_object_key *key, const struct recov_object *object,
			   json_t *site)
{
	return json_pack("{s:s, s:o, s:I, s:o, s:o, s:o, s:I, s:i}", "class",
			 observer_class_name(key->class), "object", address_json(key->object),
			 "size", (json_int_t)object->size, "site", site, "device",
			 label_json(object->device), "name", label_json(object->name), "mono_ns",
			 (json_int_t)object->time_ns, "count", (int)object->count);
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

static void on_leak(struct observation *observation, struct watched *watched,
		    const struct recov_record *record)
{
	json_t *leak;

	if (is_kept(observation, watched, record->key.class))
		return;
	leak = object_json(&record->key, &record->object,
			   *record->symbol ? text_json(record->symbol) : json_null());
	json_object_set_new(leak, "certain", json_boolean(record->flags & RECOV_WATCH_FROM_LOAD));
	report_leak(observation->manager->events, watched->name, leak);
	if (json_array_size(watched->leaks) < LEAKS_MAX)
		json_array_append(watched->leaks, leak);
	else
		watched->leaks_lost++;
	json_decref(leak);
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
		break;
	case RECOV_RECORD_UNLOADED:
		report_driver_unloaded(events, watched->name, record->detail);
		break;
	case RECOV_RECORD_LEAK:
		on_leak(observation, watched, record);
		break;
	case RECOV_RECORD_DOUBLE_FREE:
	case RECOV_RECORD_BAD_FREE:
		object = object_json(&record->key, &record->object, text_json(record->symbol));
		json_object_set_new(object, "before", symbol_json(observation, record->detail));
		report_wrong_free(events, watched->name, record->type == RECOV_RECORD_DOUBLE_FREE,
				  object);
		break;
	case RECOV_RECORD_ATOMIC:
		object = object_json(&record->key, &record->object, text_json(record->symbol));
		report_atomic(events, watched->name, object);
		break;
	case RECOV_RECORD_WARN:
	case RECOV_RECORD_OOPS:
		report_fault(events, watched->name, record);
		break;
	case RECOV_RECORD_TX_TIMEOUT:
		report_tx_timeout(events, watched->name, record);
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

/* Waits until something happens, as it may for ever; or is gone. */
static bool task_just_waits(unsigned pid)
{
	_cleanup_fclose_ FILE *stat = NULL;
	char path[64], state = 'S';

	snprintf(path, sizeof(path), "/proc/%u/stat", pid);
	stat = fopen(path, "re");
	if (stat && fscanf(stat, "%*d (%*[^)]) %c", &state) != 1)
		state = 'D';
	return state == 'S' || state == 'I' || state == 'Z' || state == 'X';
}

static bool told_before(struct observation *observation, uint64_t since_ns)
{
	for (size_t i = 0; i < ARRAY_SIZE(observation->told); i++) {
		if (observation->told[i] == since_ns)
			return true;
	}
	observation->told[observation->n_told++ % ARRAY_SIZE(observation->told)] = since_ns;
	return false;
}

/* An entry of which only its task's stack tells whose it is. */
static struct watched *watched_of_task(struct observation *observation, unsigned pid)
{
	_cleanup_fclose_ FILE *stack = NULL;
	char path[64], line[256], mark[RECOV_MODULE_LEN + 3];

	snprintf(path, sizeof(path), "/proc/%u/stack", pid);
	stack = fopen(path, "re");
	while (stack && fgets(line, sizeof(line), stack)) {
		for (size_t i = 0; i < observation->n_watched; i++) {
			snprintf(mark, sizeof(mark), "[%s]", observation->watched[i].name);
			if (strstr(line, mark))
				return &observation->watched[i];
		}
	}
	return NULL;
}

static void on_running(void *ctx, unsigned kind, const struct recov_running *running)
{
	struct observation *observation = ctx;
	bool on_cpu =
		kind == RECOV_ENTRY_IRQ || kind == RECOV_ENTRY_TIMER || kind == RECOV_ENTRY_XMIT;
	struct watched *watched;
	uint64_t ns = now_ns();

	if (ns < running->since_ns || ns - running->since_ns < (on_cpu ? HANG_ON_CPU_NS : HANG_NS))
		return;
	watched = running->slot < RECOV_WATCH_MAX ? find_slot(observation, running->slot)
						  : watched_of_task(observation, running->pid);
	if (!watched || (!on_cpu && task_just_waits(running->pid)) ||
	    told_before(observation, running->since_ns))
		return;
	report_hang(observation->manager->events, watched->name, observer_kind_name(kind),
		    symbol_json(observation, running->function), running, ns - running->since_ns);
}

static void on_irq_entry(void *ctx, const struct recov_entry_key *key,
			 const struct recov_entry *entry)
{
	uint64_t *irqs = ctx;

	if (key->kind == RECOV_ENTRY_IRQ)
		*irqs += entry->calls;
}

static void look_for_storm(struct observation *observation, struct watched *watched, uint64_t ns)
{
	uint64_t irqs = 0, rate = 0;

	(void)observer_entries(observation->observer, watched->slot, on_irq_entry, &irqs);
	if (watched->irqs_ns && ns > watched->irqs_ns && irqs >= watched->irqs)
		rate = (irqs - watched->irqs) * 1000000000 / (ns - watched->irqs_ns);
	if (rate > STORM_RATE && !watched->storms)
		report_storm(observation->manager->events, watched->name, rate);
	watched->storms = rate > STORM_RATE;
	watched->irqs = irqs;
	watched->irqs_ns = ns;
}

static int on_look(sd_event_source *source, uint64_t due_usec, void *ctx)
{
	struct observation *observation = ctx;
	uint64_t usec = now_ns() / 1000; /* the loop may have been busy since it was due */

	(void)due_usec;
	(void)observer_running(observation->observer, on_running, observation);
	for (size_t i = 0; i < observation->n_watched; i++)
		look_for_storm(observation, &observation->watched[i], usec * 1000);
	(void)sd_event_source_set_time(source, usec + LOOK_USEC);
	return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

/* ---- watching ---- */

static int observation_new(struct manager *manager, struct replug_error *err)
{
	struct observation *observation;
	uint64_t now;
	int r;

	observation = calloc(1, sizeof(*observation));
	if (!observation)
		return -ENOMEM;
	observation->manager = manager;
	r = observer_new(&observation->observer, err);
	if (r >= 0)
		r = sd_event_add_io(manager->loop, &observation->records,
				    observer_fd(observation->observer), EPOLLIN, on_readable,
				    observation);
	(void)sd_event_now(manager->loop, CLOCK_MONOTONIC, &now);
	if (r >= 0)
		r = sd_event_add_time(manager->loop, &observation->look, CLOCK_MONOTONIC,
				      now + LOOK_USEC, 0, on_look, observation);
	if (r < 0) {
		observation_free(observation);
		return r;
	}
	manager->observation = observation;
	return 0;
}

static void count_extras(struct observation *observation, unsigned extras, int by)
{
	unsigned wanted = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(observation->users_of); i++) {
		if (extras & 1U << i)
			observation->users_of[i] += (unsigned)by;
		if (observation->users_of[i])
			wanted |= 1U << i;
	}
	if (wanted != observation->extras)
		(void)observer_set_extras(observation->observer, wanted);
	observation->extras = wanted;
}

static int watch_new(struct observation *observation, const char *driver,
		     struct watched **ret_watched)
{
	struct watched *watched;
	char name[RECOV_MODULE_LEN];
	unsigned slot;
	int r;

	if (observation->n_watched == RECOV_WATCH_MAX)
		return -ENOSPC;
	snprintf(name, sizeof(name), "%s", driver);
	for (char *c = name; *c; c++)
		*c = *c == '-' ? '_' : *c;
	r = observer_watch(observation->observer, name, &slot);
	if (r < 0)
		return r;
	watched = &observation->watched[observation->n_watched++];
	*watched = (struct watched){.slot = slot, .leaks = json_array()};
	strcpy(watched->name, name);
	*ret_watched = watched;
	return 0;
}

int observation_watch(struct manager *manager, const char *driver, unsigned extras,
		      struct replug_error *err)
{
	struct watched *watched;
	int r;

	if (!manager->observation) {
		r = observation_new(manager, err);
		if (r < 0)
			return r;
	}
	watched = find(manager->observation, driver);
	if (!watched) {
		/* First, so that nothing of its load is missed. */
		count_extras(manager->observation, extras, 1);
		r = watch_new(manager->observation, driver, &watched);
		if (r < 0) {
			count_extras(manager->observation, extras, -1);
			err->fault = REPLUG_FAULT_FAILED;
			if (r == -ENOSPC)
				snprintf(err->text, sizeof(err->text),
					 "%s cannot be watched, too: %d drivers are", driver,
					 RECOV_WATCH_MAX);
			else
				snprintf(err->text, sizeof(err->text), "%s cannot be watched: %s",
					 driver, strerror(-r));
			return r;
		}
	} else {
		count_extras(manager->observation, extras, 1);
	}
	watched->users++;
	return 0;
}

void observation_unwatch(struct manager *manager, const char *driver, unsigned extras)
{
	struct observation *observation = manager->observation;
	struct watched *watched = find(observation, driver);

	if (!watched)
		return;
	count_extras(observation, extras, -1);
	if (--watched->users)
		return;
	observer_unwatch(observation->observer, watched->name);
	json_decref(watched->leaks);
	*watched = observation->watched[--observation->n_watched];
}

bool observation_watches(const struct manager *manager, const char *driver)
{
	return find(manager->observation, driver);
}

/* ---- answers ---- */

struct listing {
	struct observation *observation;
	uint32_t generation;
	json_t *list;
};

static struct listing listing_of(struct manager *manager, const struct watched *watched)
{
	const struct recov_state *state = observer_state(manager->observation->observer);

	return (struct listing){.observation = manager->observation,
				.generation = state->watch[watched->slot].generation,
				.list = json_array()};
}

static void list_object(void *ctx, const struct recov_object_key *key,
			const struct recov_object *object)
{
	struct listing *listing = ctx;

	if (object->generation == listing->generation)
		json_array_append_new(
			listing->list,
			object_json(key, object, symbol_json(listing->observation, object->site)));
}

json_t *observation_objects(struct manager *manager, const char *driver)
{
	struct watched *watched = find(manager->observation, driver);
	struct listing listing;

	if (!watched)
		return json_array();
	listing = listing_of(manager, watched);
	(void)observer_objects(listing.observation->observer, watched->slot, list_object, &listing);
	return listing.list;
}

static json_t *data_json(const struct recov_request *request)
{
	size_t n = request->size < RECOV_REQUEST_DATA ? request->size : RECOV_REQUEST_DATA;
	char hex[2 * RECOV_REQUEST_DATA + 1] = "";

	for (size_t i = 0; i < n; i++)
		sprintf(hex + 2 * i, "%02x", request->data[i]);
	return json_string(hex);
}

static void list_request(void *ctx, const struct recov_request_key *key,
			 const struct recov_request *request)
{
	struct listing *listing = ctx;
	char comm[RECOV_COMM_LEN + 1] = {};

	if (request->generation != listing->generation)
		return;
	memcpy(comm, request->comm, RECOV_COMM_LEN);
	json_array_append_new(
		listing->list,
		json_pack("{s:I, s:s, s:o, s:o, s:o, s:I, s:o, s:i, s:i, s:i, s:o, s:I}", "order",
			  (json_int_t)request->seq, "kind", observer_kind_name(key->kind), "object",
			  address_json(key->object), "what", address_json(key->what), "device",
			  label_json(request->device), "result", (json_int_t)request->result,
			  "data", data_json(request), "size", (int)request->size, "times",
			  (int)request->repeat, "pid", (int)request->pid, "comm", text_json(comm),
			  "mono_ns", (json_int_t)request->time_ns));
}

static int compare_order(const void *a, const void *b)
{
	json_int_t x = json_integer_value(json_object_get(*(json_t *const *)a, "order"));
	json_int_t y = json_integer_value(json_object_get(*(json_t *const *)b, "order"));

	return (x > y) - (x < y);
}

/* The list in the order of "order"; takes over the list. */
static json_t *sorted(json_t *list)
{
	size_t n = json_array_size(list);
	_cleanup_free_ json_t **items = calloc(n + 1, sizeof(json_t *));
	json_t *result;

	if (!items)
		return list;
	for (size_t i = 0; i < n; i++)
		items[i] = json_array_get(list, i);
	qsort(items, n, sizeof(*items), compare_order);
	result = json_array();
	for (size_t i = 0; i < n; i++)
		json_array_append(result, items[i]);
	json_decref(list);
	return result;
}

json_t *observation_requests(struct manager *manager, const char *driver)
{
	struct watched *watched = find(manager->observation, driver);
	struct listing listing;

	if (!watched)
		return json_array();
	listing = listing_of(manager, watched);
	(void)observer_requests(listing.observation->observer, watched->slot, list_request,
				&listing);
	return sorted(listing.list);
}

/* The least power of two of ns that so many thousandths of the calls stayed below. */
static uint64_t percentile(const struct recov_entry *entry, uint64_t permille)
{
	uint64_t seen = 0;

	if (!entry->total_ns)
		return 0; /* counted only */
	for (unsigned i = 0; i < RECOV_LATENCY_SLOTS; i++) {
		seen += entry->latency[i];
		if (seen * 1000 >= entry->calls * permille)
			return 2ULL << i;
	}
	return entry->max_ns;
}

static void list_entry(void *ctx, const struct recov_entry_key *key,
		       const struct recov_entry *entry)
{
	struct listing *listing = ctx;

	json_array_append_new(
		listing->list,
		json_pack("{s:s, s:o, s:I, s:I, s:I, s:I, s:I, s:I}", "kind",
			  observer_kind_name(key->kind), "function",
			  symbol_json(listing->observation, key->function), "calls",
			  (json_int_t)entry->calls, "errors", (json_int_t)entry->errors, "total_ns",
			  (json_int_t)entry->total_ns, "p50_ns", (json_int_t)percentile(entry, 500),
			  "p99_ns", (json_int_t)percentile(entry, 990), "max_ns",
			  (json_int_t)entry->max_ns));
}

json_t *observation_entries(struct manager *manager, const char *driver)
{
	struct watched *watched = find(manager->observation, driver);
	struct listing listing;

	if (!watched)
		return json_array();
	listing = listing_of(manager, watched);
	(void)observer_entries(listing.observation->observer, watched->slot, list_entry, &listing);
	return listing.list;
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
	static const char *const names[RECOV_COUNTERS] = {
		[RECOV_COUNTER_OBJECTS_FULL] = "objects",
		[RECOV_COUNTER_ENTRIES_FULL] = "entries",
		[RECOV_COUNTER_RUNNING_FULL] = "running",
		[RECOV_COUNTER_REQUESTS_FULL] = "requests",
		[RECOV_COUNTER_RING_FULL] = "records",
		[RECOV_COUNTER_UNKNOWN_FREE] = "unknown_frees",
	};
	json_t *missed = json_object();

	for (unsigned i = 0; manager->observation && i < RECOV_COUNTERS; i++) {
		if (names[i])
			json_object_set_new(
				missed, names[i],
				json_integer((json_int_t)observer_counter(
					manager->observation->observer, (enum recov_counter)i)));
	}
	return missed;
}
