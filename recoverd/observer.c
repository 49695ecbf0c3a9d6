// SPDX-License-Identifier: GPL-2.0-or-later
/* Reads and steers the BPF programs through what programs.c has pinned. */
#include "observer.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "cleanup.h"
#include "programs.h"

#define SYMBOLS 256

struct map {
	int fd;
	__u32 value_size, max_entries;
};

struct observer {
	struct map objects, freed, entries, running, requests, counters, running_on_cpu, irqs;
	struct map state_map, ring_map;
	int watch, symbolize, count_memory; /* programs */
	struct recov_state *state;
	struct ring_buffer *ring;
	struct symbol {
		uint64_t address;
		char text[RECOV_SYMBOL_LEN];
	} symbols[SYMBOLS]; /* looked up last, by a hash of the address */
	int n_cpus;
	void (*on_record)(void *ctx, const struct recov_record *record);
	void *ctx;
};

static const char *const class_names[] = {
#define X(name, text) text,
	RECOV_OBJECT_CLASSES(X)
#undef X
};

static const char *const kind_names[] = {
#define X(name, text) text,
	RECOV_ENTRY_KINDS(X)
#undef X
};

const char *observer_class_name(unsigned class)
{
	return class < ARRAY_SIZE(class_names) ? class_names[class] : "unknown";
}

const char *observer_kind_name(unsigned kind)
{
	return kind < ARRAY_SIZE(kind_names) ? kind_names[kind] : "unknown";
}

/* Steps to the next key of a map that changes meanwhile: a key that is gone starts it over, so the
 * number of steps is limited. */
struct walk {
	int fd;
	size_t left;
	bool begun;
};

static struct walk walk_begin(const struct map *map)
{
	return (struct walk){.fd = map->fd, .left = 2 * (size_t)map->max_entries};
}

static bool walk_next(struct walk *walk, void *key)
{
	if (walk->left-- == 0 || bpf_map_get_next_key(walk->fd, walk->begun ? key : NULL, key) < 0)
		return false;
	walk->begun = true;
	return true;
}

/* Deletes what a map has of a slot or a class: number_of tells it from the key or the object. */
static void purge(const struct map *map, unsigned number,
		  unsigned (*number_of)(const void *key, const struct recov_object *object))
{
	union {
		struct recov_object_key object;
		struct recov_entry_key entry;
		struct recov_request_key request;
	} key, next;
	struct recov_object object = {};
	struct walk walk = walk_begin(map);
	bool has_objects = map->value_size == sizeof(object);
	bool more = walk_next(&walk, &key);

	while (more) {
		next = key;
		more = walk_next(&walk, &next);
		if ((!has_objects || bpf_map_lookup_elem(walk.fd, &key, &object) == 0) &&
		    number_of(&key, &object) == number)
			(void)bpf_map_delete_elem(walk.fd, &key);
		key = next;
	}
}

static unsigned slot_of_object(const void *key, const struct recov_object *object)
{
	(void)key;
	return object->slot;
}

static unsigned slot_of_entry(const void *key, const struct recov_object *object)
{
	(void)object;
	return ((const struct recov_entry_key *)key)->slot;
}

static unsigned slot_of_request(const void *key, const struct recov_object *object)
{
	(void)object;
	return ((const struct recov_request_key *)key)->slot;
}

static unsigned class_of_object(const void *key, const struct recov_object *object)
{
	(void)object;
	return ((const struct recov_object_key *)key)->class;
}

static int on_ring(void *ctx, void *data, size_t size)
{
	struct observer *observer = ctx;
	const struct recov_record *record = data;

	/* Other code is where code was. */
	if (record->type == RECOV_RECORD_LOADED)
		memset(observer->symbols, 0, sizeof(observer->symbols));
	if (size >= sizeof(*record) && record->version == RECOV_OBSERVE_VERSION)
		observer->on_record(observer->ctx, record);
	return 0;
}

static void map_close(struct map *map)
{
	closep(&map->fd);
}

static int map_open(const char *name, struct map *ret_map)
{
	struct bpf_map_info info = {};
	__u32 size = sizeof(info);

	ret_map->fd = programs_open(name);
	if (ret_map->fd < 0)
		return ret_map->fd;
	if (bpf_obj_get_info_by_fd(ret_map->fd, &info, &size) < 0)
		return -errno;
	ret_map->value_size = info.value_size;
	ret_map->max_entries = info.max_entries;
	return 0;
}

static int observer_open(struct observer *observer)
{
	const struct {
		const char *name;
		struct map *map;
	} maps[] = {
		{"map_objects", &observer->objects},
		{"map_freed", &observer->freed},
		{"map_entries", &observer->entries},
		{"map_running", &observer->running},
		{"map_requests", &observer->requests},
		{"map_counters", &observer->counters},
		{"map_state", &observer->state_map},
		{"map_ring", &observer->ring_map},
		{"map_running_on_cpu", &observer->running_on_cpu},
		{"map_irqs", &observer->irqs},
	};
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(maps); i++) {
		r = map_open(maps[i].name, maps[i].map);
		if (r < 0)
			return r;
	}
	observer->watch = programs_open("program_watch");
	observer->symbolize = programs_open("program_symbolize");
	observer->count_memory = programs_open("program_count_memory");
	if (observer->watch < 0 || observer->symbolize < 0 || observer->count_memory < 0)
		return -ENOENT;
	observer->state = mmap(NULL, sizeof(*observer->state), PROT_READ | PROT_WRITE, MAP_SHARED,
			       observer->state_map.fd, 0);
	if (observer->state == MAP_FAILED) {
		observer->state = NULL;
		return -errno;
	}
	observer->state->traced = 0; /* by an earlier daemon */
	observer->ring = ring_buffer__new(observer->ring_map.fd, on_ring, observer, NULL);
	return observer->ring ? 0 : -errno;
}

int observer_new(struct observer **ret_observer)
{
	struct observer *observer = calloc(1, sizeof(*observer));
	int r;

	if (!observer)
		return -ENOMEM;
	*observer = (struct observer){.objects.fd = -1,
				      .freed.fd = -1,
				      .entries.fd = -1,
				      .running.fd = -1,
				      .requests.fd = -1,
				      .counters.fd = -1,
				      .running_on_cpu.fd = -1,
				      .irqs.fd = -1,
				      .state_map.fd = -1,
				      .ring_map.fd = -1,
				      .watch = -1,
				      .symbolize = -1,
				      .count_memory = -1,
				      .n_cpus = libbpf_num_possible_cpus()};
	r = observer_open(observer);
	if (r < 0) {
		observer_free(observer);
		return r;
	}
	*ret_observer = observer;
	return 0;
}

void observer_free(struct observer *observer)
{
	if (!observer)
		return;
	ring_buffer__free(observer->ring);
	if (observer->state)
		(void)munmap(observer->state, sizeof(*observer->state));
	map_close(&observer->objects);
	map_close(&observer->freed);
	map_close(&observer->entries);
	map_close(&observer->running);
	map_close(&observer->requests);
	map_close(&observer->counters);
	map_close(&observer->running_on_cpu);
	map_close(&observer->irqs);
	map_close(&observer->state_map);
	map_close(&observer->ring_map);
	closep(&observer->watch);
	closep(&observer->symbolize);
	closep(&observer->count_memory);
	free(observer);
}

static int run(int program, void *argument, size_t size)
{
	/* The kernel writes the argument back to where it came from. */
	LIBBPF_OPTS(bpf_test_run_opts, options, .ctx_in = argument, .ctx_size_in = (__u32)size);

	return bpf_prog_test_run_opts(program, &options);
}

int observer_watch(struct observer *observer, const char *driver, unsigned *ret_slot)
{
	struct recov_watch_call call = {};
	int r;

	if (strlen(driver) >= sizeof(call.name))
		return -ENAMETOOLONG;
	strcpy(call.name, driver);
	r = run(observer->watch, &call, sizeof(call));
	if (r < 0)
		return r;
	r = observer_slot(observer, driver);
	if (r < 0)
		return -ENOSPC;
	*ret_slot = (unsigned)r;
	return 0;
}

void observer_unwatch(struct observer *observer, const char *driver)
{
	struct recov_watch_call call = {.stop = 1};
	int slot = observer_slot(observer, driver);

	if (slot < 0)
		return;
	strcpy(call.name, driver);
	(void)run(observer->watch, &call, sizeof(call));
	/* The next driver that gets the slot begins with nothing. */
	purge(&observer->objects, (unsigned)slot, slot_of_object);
	purge(&observer->entries, (unsigned)slot, slot_of_entry);
	purge(&observer->requests, (unsigned)slot, slot_of_request);
}

/* Nobody sees calls of that kind end any more. */
static void drop_running(struct observer *observer, __u32 kind)
{
	_cleanup_free_ struct recov_running *none = calloc((size_t)observer->n_cpus, sizeof(*none));

	if (none)
		(void)bpf_map_update_elem(observer->running_on_cpu.fd, &kind, none, BPF_ANY);
}

void observer_forget(struct observer *observer, enum program_group group)
{
	static const unsigned classes[PROGRAMS_GROUPS] = {
		[PROGRAMS_TIMERS] = 1U << RECOV_OBJECT_TIMER,
		[PROGRAMS_MEMORY] = 1U << RECOV_OBJECT_SLAB,
		[PROGRAMS_CACHES] = 1U << RECOV_OBJECT_SLAB,
		[PROGRAMS_DMA_MAPS] = 1U << RECOV_OBJECT_DMA_MAP,
		[PROGRAMS_SOUND] = 1U << RECOV_OBJECT_CARD | 1U << RECOV_OBJECT_PCM |
				   1U << RECOV_OBJECT_CONTROL,
	};

	static const unsigned kinds[PROGRAMS_GROUPS] = {
		[PROGRAMS_TIMERS] = 1U << RECOV_ENTRY_TIMER,
		[PROGRAMS_INTERRUPTS] = 1U << RECOV_ENTRY_IRQ,
		[PROGRAMS_PACKETS] = 1U << RECOV_ENTRY_XMIT,
	};

	_Static_assert(RECOV_OBJECT_CLASS_COUNT <= 32, "a bit for each class");
	_Static_assert(RECOV_ENTRY_KIND_COUNT <= 32, "a bit for each kind");
	for (unsigned i = 0; i < RECOV_ENTRY_KIND_COUNT; i++) {
		if (kinds[group] >> i & 1)
			drop_running(observer, i);
	}
	for (unsigned i = 0; i < RECOV_OBJECT_CLASS_COUNT; i++) {
		if (!(classes[group] >> i & 1))
			continue;
		purge(&observer->objects, i, class_of_object);
		purge(&observer->freed, i, class_of_object);
	}
}

void observer_trace(struct observer *observer, unsigned slot, bool on)
{
	struct recov_state *state = observer->state;

	if (on)
		state->traced |= 1U << slot;
	else
		state->traced &= ~(1U << slot);
}

const struct recov_state *observer_state(const struct observer *observer)
{
	return observer->state;
}

int observer_slot(const struct observer *observer, const char *driver)
{
	const struct recov_state *state = observer_state(observer);

	for (int i = 0; i < RECOV_WATCH_MAX; i++) {
		if (state->watch[i].state != RECOV_WATCH_FREE &&
		    strncmp(state->watch[i].name, driver, sizeof(state->watch[i].name)) == 0)
			return i;
	}
	return -ENOENT;
}

int observer_fd(const struct observer *observer)
{
	return ring_buffer__epoll_fd(observer->ring);
}

int observer_read(struct observer *observer,
		  void (*on_record)(void *ctx, const struct recov_record *record), void *ctx)
{
	observer->on_record = on_record;
	observer->ctx = ctx;
	return ring_buffer__consume(observer->ring);
}

/* ---- maps ---- */

int observer_objects(struct observer *observer, unsigned slot,
		     void (*on_object)(void *ctx, const struct recov_object_key *key,
				       const struct recov_object *object),
		     void *ctx)
{
	struct walk walk = walk_begin(&observer->objects);
	struct recov_object_key key;
	struct recov_object object;

	while (walk_next(&walk, &key)) {
		if (bpf_map_lookup_elem(walk.fd, &key, &object) == 0 && object.slot == slot)
			on_object(ctx, &key, &object);
	}
	return 0;
}

static void entry_merge(struct recov_entry *sum, const struct recov_entry *one)
{
	sum->calls += one->calls;
	sum->errors += one->errors;
	sum->total_ns += one->total_ns;
	if (one->max_ns > sum->max_ns)
		sum->max_ns = one->max_ns;
	for (size_t i = 0; i < RECOV_LATENCY_SLOTS; i++)
		sum->latency[i] += one->latency[i];
}

int observer_entries(struct observer *observer, unsigned slot,
		     void (*on_entry)(void *ctx, const struct recov_entry_key *key,
				      const struct recov_entry *entry),
		     void *ctx)
{
	struct walk walk = walk_begin(&observer->entries);
	_cleanup_free_ struct recov_entry *entries = NULL;
	struct recov_entry_key key;

	entries = calloc((size_t)observer->n_cpus, sizeof(*entries));
	if (!entries)
		return -ENOMEM;
	while (walk_next(&walk, &key)) {
		struct recov_entry sum = {};

		if (key.slot != slot || bpf_map_lookup_elem(walk.fd, &key, entries) < 0)
			continue;
		for (int i = 0; i < observer->n_cpus; i++)
			entry_merge(&sum, &entries[i]);
		on_entry(ctx, &key, &sum);
	}
	return 0;
}

int observer_requests(struct observer *observer, unsigned slot,
		      void (*on_request)(void *ctx, const struct recov_request_key *key,
					 const struct recov_request *request),
		      void *ctx)
{
	struct walk walk = walk_begin(&observer->requests);
	struct recov_request_key key;
	struct recov_request request;

	while (walk_next(&walk, &key)) {
		if (key.slot == slot && bpf_map_lookup_elem(walk.fd, &key, &request) == 0)
			on_request(ctx, &key, &request);
	}
	return 0;
}

int observer_running(struct observer *observer,
		     void (*on_running)(void *ctx, unsigned kind,
					const struct recov_running *running),
		     void *ctx)
{
	struct walk walk = walk_begin(&observer->running);
	int fd = observer->running_on_cpu.fd;
	_cleanup_free_ struct recov_running *on_cpu = NULL;
	struct recov_running_key key;
	struct recov_running running;

	while (walk_next(&walk, &key)) {
		if (bpf_map_lookup_elem(walk.fd, &key, &running) == 0)
			on_running(ctx, key.kind, &running);
	}
	on_cpu = calloc((size_t)observer->n_cpus, sizeof(*on_cpu));
	if (!on_cpu)
		return -ENOMEM;
	for (__u32 kind = 0; kind < RECOV_ENTRY_KIND_COUNT; kind++) {
		if (bpf_map_lookup_elem(fd, &kind, on_cpu) < 0)
			continue;
		for (int i = 0; i < observer->n_cpus; i++) {
			if (on_cpu[i].since_ns)
				on_running(ctx, kind, &on_cpu[i]);
		}
	}
	return 0;
}

int observer_irq(struct observer *observer, unsigned number, struct recov_irq *ret_irq)
{
	return bpf_map_lookup_elem(observer->irqs.fd, &number, ret_irq);
}

int observer_count_memory(struct observer *observer)
{
	return run(observer->count_memory, NULL, 0);
}

uint64_t observer_counter(struct observer *observer, enum recov_counter counter)
{
	_cleanup_free_ __u64 *values = calloc((size_t)observer->n_cpus, sizeof(*values));
	__u32 key = counter;
	uint64_t sum = 0;

	if (!values || bpf_map_lookup_elem(observer->counters.fd, &key, values) < 0)
		return 0;
	for (int i = 0; i < observer->n_cpus; i++)
		sum += values[i];
	return sum;
}

void observer_symbol(struct observer *observer, uint64_t address, char symbol[RECOV_SYMBOL_LEN])
{
	struct symbol *known = &observer->symbols[(address ^ address >> 8) % SYMBOLS];
	struct recov_symbol_call call = {.address = address};

	if (known->address != address) {
		if (run(observer->symbolize, &call, sizeof(call)) < 0)
			call.symbol[0] = '\0';
		call.symbol[sizeof(call.symbol) - 1] = '\0';
		known->address = address;
		strcpy(known->text, call.symbol);
	}
	strcpy(symbol, known->text);
}
