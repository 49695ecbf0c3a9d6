// SPDX-License-Identifier: GPL-2.0-or-later
/* What the programs' maps say of a driver, as JSON. */
#include "observed.h"

#include <inttypes.h>
#include <string.h>

#include "cleanup.h"
#include "programs.h"
#include "text.h"

static json_t *address_json(uint64_t address)
{
	return json_sprintf("0x%" PRIx64, address);
}

static json_t *label_json(const char *label)
{
	char text[RECOV_LABEL_LEN + 1] = {};

	memcpy(text, label, RECOV_LABEL_LEN);
	return *text ? text_json(text) : json_null();
}

json_t *observed_symbol(struct observer *observer, uint64_t address)
{
	char symbol[RECOV_SYMBOL_LEN];

	if (!address)
		return json_null();
	observer_symbol(observer, address, symbol);
	return text_json(symbol);
}

json_t *observed_object(const struct recov_object_key *key, const struct recov_object *object,
			json_t *site)
{
	return json_pack("{s:s, s:o, s:I, s:o, s:o, s:o, s:I, s:i}", "class",
			 observer_class_name(key->class), "object", address_json(key->object),
			 "size", (json_int_t)object->size, "site", site, "device",
			 label_json(object->device), "name", label_json(object->name), "mono_ns",
			 (json_int_t)object->time_ns, "count", (int)object->count);
}

json_t *observed_event(struct observer *observer, const struct recov_record *record)
{
	char comm[RECOV_COMM_LEN + 1] = {};
	json_t *event;

	memcpy(comm, record->comm, RECOV_COMM_LEN);
	if (record->type == RECOV_RECORD_ENTRY)
		event = json_pack("{s:s, s:s, s:o, s:o, s:I, s:I}", "event", "entry", "kind",
				  observer_kind_name(record->key.class), "function",
				  observed_symbol(observer, record->key.object), "device",
				  label_json(record->object.device), "duration_ns",
				  (json_int_t)record->detail, "result", (json_int_t)record->result);
	else
		event = json_pack(
			"{s:s, s:s, s:o, s:I, s:o, s:o, s:o}", "event",
			record->type == RECOV_RECORD_TAKEN ? "taken" : "given-back", "class",
			observer_class_name(record->key.class), "object",
			address_json(record->key.object), "size", (json_int_t)record->object.size,
			"site", observed_symbol(observer, record->site), "device",
			label_json(record->object.device), "name", label_json(record->object.name));
	json_object_set_new(event, "mono_ns", json_integer((json_int_t)record->time_ns));
	json_object_set_new(event, "cpu", json_integer(record->cpu));
	json_object_set_new(event, "pid", json_integer(record->pid));
	json_object_set_new(event, "comm", text_json(comm));
	return event;
}

struct listing {
	struct observer *observer;
	uint32_t generation;
	json_t *list;
};

/* Of the driver's life now. */
static struct listing listing_of(struct observer *observer, unsigned slot)
{
	return (struct listing){.observer = observer,
				.generation = observer_state(observer)->watch[slot].generation,
				.list = json_array()};
}

static void list_object(void *ctx, const struct recov_object_key *key,
			const struct recov_object *object)
{
	struct listing *listing = ctx;

	if (object->generation == listing->generation)
		json_array_append_new(
			listing->list,
			observed_object(key, object,
					observed_symbol(listing->observer, object->site)));
}

json_t *observed_objects(struct observer *observer, unsigned slot)
{
	struct listing listing = listing_of(observer, slot);

	(void)observer_objects(observer, slot, list_object, &listing);
	return listing.list;
}

static void count_object(void *ctx, const struct recov_object_key *key,
			 const struct recov_object *object)
{
	const struct listing *listing = ctx;
	const char *class = observer_class_name(key->class);
	json_int_t n;

	if (object->generation != listing->generation)
		return;
	n = json_integer_value(json_object_get(listing->list, class));
	json_object_set_new(listing->list, class, json_integer(n + 1));
}

json_t *observed_classes(struct observer *observer, unsigned slot)
{
	struct listing listing = {.generation = observer_state(observer)->watch[slot].generation,
				  .list = json_object()};

	(void)observer_objects(observer, slot, count_object, &listing);
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

	memcpy(comm, request->comm, RECOV_COMM_LEN);
	json_array_append_new(
		listing->list,
		json_pack("{s:I, s:i, s:s, s:o, s:o, s:o, s:I, s:o, s:i, s:i, s:i, s:o, s:I, s:I}",
			  "order", (json_int_t)request->seq, "load", (int)request->generation,
			  "kind", observer_kind_name(key->kind), "object",
			  address_json(key->object), "what", address_json(key->what), "device",
			  label_json(request->device), "result", (json_int_t)request->result,
			  "data", data_json(request), "size", (int)request->size, "times",
			  (int)request->repeat, "pid", (int)request->pid, "comm", text_json(comm),
			  "mono_ns", (json_int_t)request->time_ns, "asked_ns",
			  (json_int_t)request->asked_ns));
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

json_t *observed_requests(struct observer *observer, unsigned slot)
{
	struct listing listing = listing_of(observer, slot);

	(void)observer_requests(observer, slot, list_request, &listing);
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
			  observed_symbol(listing->observer, key->function), "calls",
			  (json_int_t)entry->calls, "errors", (json_int_t)entry->errors, "total_ns",
			  (json_int_t)entry->total_ns, "p50_ns", (json_int_t)percentile(entry, 500),
			  "p99_ns", (json_int_t)percentile(entry, 990), "max_ns",
			  (json_int_t)entry->max_ns));
}

json_t *observed_entries(struct observer *observer, unsigned slot)
{
	struct listing listing = listing_of(observer, slot);

	(void)observer_entries(observer, slot, list_entry, &listing);
	return listing.list;
}

json_t *observed_missed(struct observer *observer)
{
	static const char *const names[RECOV_COUNTERS] = {
		[RECOV_COUNTER_OBJECTS_FULL] = "objects",
		[RECOV_COUNTER_ENTRIES_FULL] = "entries",
		[RECOV_COUNTER_RUNNING_FULL] = "running",
		[RECOV_COUNTER_REQUESTS_FULL] = "requests",
		[RECOV_COUNTER_RING_FULL] = "records",
		[RECOV_COUNTER_UNKNOWN_FREE] = "unknown_frees",
	};
	json_t *missed = programs_skipped();

	for (unsigned i = 0; i < RECOV_COUNTERS; i++) {
		if (names[i])
			json_object_set_new(missed, names[i],
					    json_integer((json_int_t)observer_counter(
						    observer, (enum recov_counter)i)));
	}
	return missed;
}
