// SPDX-License-Identifier: GPL-2.0-or-later
/* Loads the BPF programs and reads what they gather. */
#include "observer.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <unistd.h>

#include "cleanup.h"
#include "log.h"
#include "recov.skel.h"

#define PROGRAMS_MAX 160

struct observer {
	struct recov *bpf;
	struct ring_buffer *ring;
	struct bpf_link *links[PROGRAMS_MAX]; /* by the program's place in the object */
	int n_cpus;
	void (*on_record)(void *ctx, const struct recov_record *record);
	void *ctx;
};

static const struct extra_program {
	const char *program;
	unsigned extra; /* enum observer_extra */
	bool takes;	/* objects; the others give them back, or have none */
} extra_programs[] = {
	{"on_kmalloc", OBSERVER_MEMORY, true},	    {"on_cache_alloc", OBSERVER_MEMORY, true},
	{"on_kfree", OBSERVER_MEMORY, false},	    {"on_cache_free", OBSERVER_MEMORY, false},
	{"on_kfree_rcu", OBSERVER_MEMORY, false},   {"on_dma_map", OBSERVER_DMA_MAPS, true},
	{"on_dma_unmap", OBSERVER_DMA_MAPS, false}, {"on_poll", OBSERVER_PACKETS, false},
	{"on_xmit", OBSERVER_PACKETS, false},	    {"on_xmit_done", OBSERVER_PACKETS, false},
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

static struct walk walk_begin(const struct bpf_map *map)
{
	return (struct walk){.fd = bpf_map__fd(map), .left = 2 * bpf_map__max_entries(map)};
}

static bool walk_next(struct walk *walk, void *key)
{
	if (walk->left-- == 0 || bpf_map_get_next_key(walk->fd, walk->begun ? key : NULL, key) < 0)
		return false;
	walk->begun = true;
	return true;
}

/* Deletes what a map has of a slot or a class: number_of tells it from the key and the value. */
static void purge(const struct bpf_map *map, unsigned number,
		  unsigned (*number_of)(const void *key, const void *value))
{
	union {
		struct recov_object_key object;
		struct recov_entry_key entry;
		struct recov_request_key request;
	} key, next;
	union {
		struct recov_object object;
		struct recov_request request;
	} value = {};
	struct walk walk = walk_begin(map);
	bool more = walk_next(&walk, &key);
	bool by_value = bpf_map__value_size(map) <= sizeof(value) &&
			bpf_map__type(map) != BPF_MAP_TYPE_PERCPU_HASH;

	while (more) {
		next = key;
		more = walk_next(&walk, &next);
		if ((!by_value || bpf_map_lookup_elem(walk.fd, &key, &value) == 0) &&
		    number_of(&key, &value) == number)
			(void)bpf_map_delete_elem(walk.fd, &key);
		key = next;
	}
}

static unsigned slot_of_object(const void *key, const void *value)
{
	(void)key;
	return ((const struct recov_object *)value)->slot;
}

static unsigned slot_of_entry(const void *key, const void *value)
{
	(void)value;
	return ((const struct recov_entry_key *)key)->slot;
}

static unsigned slot_of_request(const void *key, const void *value)
{
	(void)value;
	return ((const struct recov_request_key *)key)->slot;
}

static unsigned class_of_object(const void *key, const void *value)
{
	(void)value;
	return ((const struct recov_object_key *)key)->class;
}

static const struct extra_program *extra_of(const struct bpf_program *program)
{
	for (size_t i = 0; i < ARRAY_SIZE(extra_programs); i++) {
		if (strcmp(extra_programs[i].program, bpf_program__name(program)) == 0)
			return &extra_programs[i];
	}
	return NULL;
}

static int on_libbpf(enum libbpf_print_level level, const char *format, va_list ap)
{
	char line[512];

	if (level != LIBBPF_WARN)
		return 0;
	vsnprintf(line, sizeof(line), format, ap);
	line[strcspn(line, "\n")] = '\0';
	return log_line(LOG_DEBUG, "%s", line), 0;
}

/* Kernels differ in which functions they have: programs for others stay out. */
static int choose_programs(struct recov *bpf)
{
	struct bpf_program *program;
	struct btf *kernel;

	kernel = btf__load_vmlinux_btf();
	if (!kernel)
		return -errno;
	bpf_object__for_each_program(program, bpf->obj)
	{
		const char *section = bpf_program__section_name(program);
		const char *function = strchr(section, '/');

		if (function &&
		    (strncmp(section, "fentry/", 7) == 0 || strncmp(section, "fexit/", 6) == 0) &&
		    btf__find_by_name_kind(kernel, function + 1, BTF_KIND_FUNC) < 0)
			(void)bpf_program__set_autoload(program, false);
	}
	btf__free(kernel);
	return 0;
}

static int attach_one(struct observer *observer, struct bpf_program *program, size_t i)
{
	struct bpf_link **link = &observer->links[i];

	if (*link || !bpf_program__autoload(program) ||
	    strcmp(bpf_program__section_name(program), "syscall") == 0)
		return 0;
	*link = bpf_program__attach(program);
	if (*link)
		return 0;
	return log_errno(LOG_WARNING, -errno, "No program at %s: %m",
			 bpf_program__section_name(program));
}

/* What is no extra, and of the extras those that take objects, or those that give them back. */
static int attach(struct observer *observer, unsigned extras, bool takers)
{
	struct bpf_program *program;
	size_t i = 0;
	int r = 0, k;

	bpf_object__for_each_program(program, observer->bpf->obj)
	{
		const struct extra_program *extra = extra_of(program);

		if (i == PROGRAMS_MAX)
			return -E2BIG;
		if (!extra || ((extra->extra & extras) && extra->takes == takers)) {
			k = attach_one(observer, program, i);
			r = k < 0 ? k : r;
		}
		i++;
	}
	return r;
}

static void detach(struct observer *observer, unsigned extras, bool takers)
{
	struct bpf_program *program;
	size_t i = 0;

	bpf_object__for_each_program(program, observer->bpf->obj)
	{
		const struct extra_program *extra = extra_of(program);

		if (extra && !(extra->extra & extras) && extra->takes == takers) {
			bpf_link__destroy(observer->links[i]);
			observer->links[i] = NULL;
		}
		i++;
	}
}

static int refuse(struct replug_error *err, int r, const char *what)
{
	err->fault = REPLUG_FAULT_UNSUPPORTED;
	if (r == -EPERM || r == -EACCES) {
		err->fault = REPLUG_FAULT_REFUSED;
		snprintf(
			err->text, sizeof(err->text),
			"%s: not permitted; it needs CAP_BPF and CAP_PERFMON, and a kernel that is "
			"not locked down",
			what);
	} else if (r == -ENOENT || r == -ESRCH) {
		snprintf(err->text, sizeof(err->text),
			 "%s: this kernel has no BTF (/sys/kernel/btf/vmlinux)", what);
	} else {
		snprintf(err->text, sizeof(err->text), "%s: %s", what, strerror(-r));
	}
	return r;
}

static int on_ring(void *ctx, void *data, size_t size)
{
	struct observer *observer = ctx;
	const struct recov_record *record = data;

	if (size >= sizeof(*record) && record->version == RECOV_OBSERVE_VERSION)
		observer->on_record(observer->ctx, record);
	return 0;
}

static void observer_freep(struct observer **observer)
{
	observer_free(*observer);
}

int observer_new(struct observer **ret_observer, struct replug_error *err)
{
	_cleanup_(observer_freep) struct observer *observer = NULL;
	const struct rlimit unlimited = {RLIM_INFINITY, RLIM_INFINITY};
	int r;

	observer = calloc(1, sizeof(*observer));
	if (!observer)
		return refuse(err, -ENOMEM, "drivers cannot be watched");
	/* Kernels before 5.11 count maps; what is refused here is refused again by the load. */
	(void)setrlimit(RLIMIT_MEMLOCK, &unlimited);
	libbpf_set_print(on_libbpf);
	observer->n_cpus = libbpf_num_possible_cpus();
	observer->bpf = recov__open();
	if (!observer->bpf)
		return refuse(err, -errno, "the BPF programs cannot be opened");
	r = choose_programs(observer->bpf);
	if (r < 0)
		return refuse(err, r, "drivers cannot be watched");
	r = recov__load(observer->bpf);
	if (r < 0)
		return refuse(err, r, "the BPF programs cannot be loaded");
	observer->ring =
		ring_buffer__new(bpf_map__fd(observer->bpf->maps.ring), on_ring, observer, NULL);
	if (!observer->ring)
		return refuse(err, -errno, "the BPF programs cannot be read");
	/* What could not be attached has been told; the rest is worth having. */
	(void)attach(observer, 0, false);
	*ret_observer = TAKE_PTR(observer);
	return 0;
}

static bool is_link(const struct observer *observer, int fd)
{
	for (size_t i = 0; i < PROGRAMS_MAX; i++) {
		if (observer->links[i] && bpf_link__fd(observer->links[i]) == fd)
			return true;
	}
	return false;
}

/* The kernel waits for a grace period with each program that it detaches, which adds up to seconds.
 * A child shares the links, and ends once this process has let go of them: it is the last one and
 * waits. */
static int hand_links_over(const struct observer *observer)
{
	int fds[2];
	char byte;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	pid = fork();
	if (pid != 0) {
		close(fds[0]);
		return fds[1];
	}
	/* All else, the daemon's lock and its clients for example, is to be let go of at once. */
	for (int fd = STDERR_FILENO + 1; fd < FD_SETSIZE; fd++) {
		if (fd != fds[0] && !is_link(observer, fd))
			(void)close(fd);
	}
	(void)setsid();
	while (read(fds[0], &byte, 1) < 0 && errno == EINTR)
		;
	_exit(EXIT_SUCCESS);
}

void observer_free(struct observer *observer)
{
	_cleanup_close_ int child = -1;

	if (!observer)
		return;
	child = hand_links_over(observer);
	for (size_t i = 0; i < PROGRAMS_MAX; i++)
		bpf_link__destroy(observer->links[i]);
	ring_buffer__free(observer->ring);
	recov__destroy(observer->bpf);
	free(observer);
}

static int run(struct bpf_program *program, void *argument, size_t size)
{
	/* The kernel writes the argument back to where it came from. */
	LIBBPF_OPTS(bpf_test_run_opts, options, .ctx_in = argument, .ctx_size_in = (__u32)size);

	return bpf_prog_test_run_opts(bpf_program__fd(program), &options);
}

int observer_watch(struct observer *observer, const char *driver, unsigned *ret_slot)
{
	struct recov_watch_call call = {};
	int r;

	if (strlen(driver) >= sizeof(call.name))
		return -ENAMETOOLONG;
	strcpy(call.name, driver);
	r = run(observer->bpf->progs.watch, &call, sizeof(call));
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
	(void)run(observer->bpf->progs.watch, &call, sizeof(call));
	/* The next driver that gets the slot begins with nothing. */
	purge(observer->bpf->maps.objects, (unsigned)slot, slot_of_object);
	purge(observer->bpf->maps.entries, (unsigned)slot, slot_of_entry);
	purge(observer->bpf->maps.requests, (unsigned)slot, slot_of_request);
}

int observer_set_extras(struct observer *observer, unsigned extras)
{
	int r, k;

	/* Nothing may be taken while nobody sees it given back. */
	detach(observer, extras, true);
	detach(observer, extras, false);
	if (!(extras & OBSERVER_MEMORY)) {
		purge(observer->bpf->maps.objects, RECOV_OBJECT_SLAB, class_of_object);
		purge(observer->bpf->maps.freed, RECOV_OBJECT_SLAB, class_of_object);
	}
	if (!(extras & OBSERVER_DMA_MAPS)) {
		purge(observer->bpf->maps.objects, RECOV_OBJECT_DMA_MAP, class_of_object);
		purge(observer->bpf->maps.freed, RECOV_OBJECT_DMA_MAP, class_of_object);
	}
	r = attach(observer, extras, false);
	k = attach(observer, extras, true);
	return r < 0 ? r : k;
}

void observer_trace(struct observer *observer, unsigned slot, unsigned flags)
{
	struct recov_state *state = &observer->bpf->data_state->state;

	if (flags)
		state->traced |= 1U << slot;
	else
		state->traced &= ~(1U << slot);
	state->trace = state->traced ? flags | state->trace : 0;
}

const struct recov_state *observer_state(const struct observer *observer)
{
	return &observer->bpf->data_state->state;
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
	struct walk walk = walk_begin(observer->bpf->maps.objects);
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
	struct walk walk = walk_begin(observer->bpf->maps.entries);
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
	struct walk walk = walk_begin(observer->bpf->maps.requests);
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
	struct walk walk = walk_begin(observer->bpf->maps.running);
	int fd = bpf_map__fd(observer->bpf->maps.running_on_cpu);
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

uint64_t observer_counter(struct observer *observer, enum recov_counter counter)
{
	_cleanup_free_ __u64 *values = calloc((size_t)observer->n_cpus, sizeof(*values));
	__u32 key = counter;
	uint64_t sum = 0;

	if (!values ||
	    bpf_map_lookup_elem(bpf_map__fd(observer->bpf->maps.counters), &key, values) < 0)
		return 0;
	for (int i = 0; i < observer->n_cpus; i++)
		sum += values[i];
	return sum;
}

void observer_symbol(struct observer *observer, uint64_t address, char symbol[RECOV_SYMBOL_LEN])
{
	struct recov_symbol_call call = {.address = address};

	if (run(observer->bpf->progs.symbolize, &call, sizeof(call)) < 0)
		call.symbol[0] = '\0';
	call.symbol[sizeof(call.symbol) - 1] = '\0';
	strcpy(symbol, call.symbol);
}
