// SPDX-License-Identifier: GPL-2.0
/* Calls into a driver, whatever their kind: their times, those that run, and the request log. */
#include "entry.h"

static __always_inline u32 latency_slot(u64 ns)
{
	u32 slot = 0;

	for (int step = 16; step; step /= 2)
		if (ns >> step) {
			slot += step;
			ns >>= step;
		}
	return slot < RECOV_LATENCY_SLOTS ? slot : RECOV_LATENCY_SLOTS - 1;
}

static __always_inline void entry_count(u32 slot, u32 kind, u64 function, u64 ns, s64 result)
{
	struct recov_entry_key key = {.function = function, .slot = slot, .kind = kind};
	struct recov_entry *entry = bpf_map_lookup_elem(&entries, &key);

	if (!entry) {
		static const struct recov_entry none;

		if (bpf_map_update_elem(&entries, &key, &none, BPF_NOEXIST) < -17)
			count(RECOV_COUNTER_ENTRIES_FULL);
		entry = bpf_map_lookup_elem(&entries, &key);
		if (!entry)
			return;
	}
	entry->calls++;
	entry->errors += result < 0;
	entry->total_ns += ns;
	if (ns > entry->max_ns)
		entry->max_ns = ns;
	entry->latency[latency_slot(ns) & (RECOV_LATENCY_SLOTS - 1)]++;
}

static __always_inline void entry_tell(const struct recov_running *run, u32 kind, u64 ns,
				       s64 result)
{
	struct recov_record *record;

	if (!is_traced(run->slot) || !has_room())
		return;
	record = record_begin(RECOV_RECORD_ENTRY, run->slot);
	if (!record)
		return;
	record->key.object = run->function;
	record->key.class = kind;
	record->detail = ns;
	record->result = result;
	__builtin_memcpy(record->object.device, run->device, sizeof(run->device));
	record_end_quietly(record);
}

/* It hung, perhaps where nobody could look meanwhile. */
static __always_inline void entry_tell_long(const struct recov_running *run, u32 kind, u64 since_ns,
					    u64 ns)
{
	struct recov_record *record = record_begin(RECOV_RECORD_LONG, run->slot);

	if (!record)
		return;
	record->key.object = run->function;
	record->key.class = kind;
	record->object.time_ns = since_ns;
	record->detail = ns;
	record_end(record);
}

__noinline int enter_on_cpu(struct entering *entering)
{
	struct recov_running *run;
	u32 slot, kind;

	if (!entering || entering->slot < 0)
		return 0;
	slot = entering->slot;
	kind = entering->kind;
	run = bpf_map_lookup_elem(&running_on_cpu, &kind);
	if (!run)
		return 0;
	run->slot = slot;
	run->generation = watch_of(slot)->generation;
	run->function = entering->function;
	run->cpu = bpf_get_smp_processor_id();
	run->since_ns = bpf_ktime_get_ns();
	return 0;
}

__noinline int cpu_entry_end(u32 kind)
{
	struct recov_running *run = bpf_map_lookup_elem(&running_on_cpu, &kind);
	u64 since_ns, ns;

	if (!run || !run->since_ns)
		return 0;
	since_ns = run->since_ns;
	ns = bpf_ktime_get_ns() - since_ns;
	run->since_ns = 0;
	if (ns > RECOV_LONG_NS)
		entry_tell_long(run, kind, since_ns, ns);
	entry_count(run->slot, kind, run->function, ns, 0);
	entry_tell(run, kind, ns, 0);
	return 0;
}

__noinline int enter(struct entering *entering)
{
	struct recov_running_key key = {};
	struct recov_running run = {};
	u64 id = bpf_get_current_pid_tgid();

	if (!entering || entering->slot < 0)
		return 0;
	key.task = id;
	key.kind = entering->kind;
	run.slot = entering->slot;
	run.function = entering->function;
	run.since_ns = bpf_ktime_get_ns();
	run.pid = id;
	run.cpu = bpf_get_smp_processor_id();
	if (run.slot < RECOV_WATCH_MAX)
		run.generation = watch_of(run.slot)->generation;
	bpf_get_current_comm(run.comm, sizeof(run.comm));
	label_of_device(run.device, entering->device);
	if (bpf_map_update_elem(&running, &key, &run, BPF_ANY))
		count(RECOV_COUNTER_RUNNING_FULL);
	return 0;
}

__noinline int count_entry(struct entering *entering)
{
	if (entering && entering->slot >= 0)
		entry_count(entering->slot, entering->kind, entering->function, 0, 0);
	return 0;
}

__noinline u64 entry_end(int slot, u32 kind, s64 result)
{
	struct recov_running_key key = {.kind = kind};
	struct recov_running *found, run;
	u64 ns;

	key.task = bpf_get_current_pid_tgid();
	found = bpf_map_lookup_elem(&running, &key);
	if (!found)
		return 0;
	run = *found;
	bpf_map_delete_elem(&running, &key);
	ns = bpf_ktime_get_ns() - run.since_ns;
	if (run.slot >= RECOV_WATCH_MAX)
		run.slot = slot;
	if (run.slot >= RECOV_WATCH_MAX)
		return 0;
	entry_count(run.slot, kind, run.function, ns, result);
	entry_tell(&run, kind, ns, result);
	return run.since_ns;
}

__noinline int request_ask(struct request *request)
{
	u64 id = bpf_get_current_pid_tgid();
	struct recov_running_key task = {};
	static const struct asking none;
	struct asking *ask;
	u32 size;

	if (!request || request->slot < 0)
		return 0;
	task.task = id;
	task.kind = request->kind;
	if (bpf_map_update_elem(&asking, &task, &none, BPF_ANY)) {
		count(RECOV_COUNTER_REQUESTS_FULL);
		return 0;
	}
	ask = bpf_map_lookup_elem(&asking, &task);
	if (!ask)
		return 0;
	ask->key.object = request->object;
	ask->key.what = request->what;
	ask->key.kind = request->kind;
	ask->key.slot = request->slot;
	size = request->size;
	ask->request.size = size;
	ask->request.pid = id >> 32;
	ask->request.asked_ns = request->asked_ns ? request->asked_ns : bpf_ktime_get_ns();
	bpf_get_current_comm(ask->request.comm, sizeof(ask->request.comm));
	label_of_device(ask->request.device, request->device);
	if (size > RECOV_REQUEST_DATA)
		size = RECOV_REQUEST_DATA;
	if (size && request->user)
		bpf_probe_read_user(ask->request.data, size, request->data);
	else if (size)
		bpf_probe_read_kernel(ask->request.data, size, request->data);
	return 0;
}

static __always_inline struct recov_request *opening_of(struct recov_request_key *key, u64 file,
							u32 slot)
{
	key->object = file;
	key->slot = slot;
	key->kind = RECOV_ENTRY_OPEN;
	return bpf_map_lookup_elem(&requests, key);
}

static __always_inline void mark_opening(u64 file, u32 slot)
{
	struct recov_request_key key = {};
	struct recov_request *opening = opening_of(&key, file, slot);

	if (opening)
		opening->has_more = 1;
}

__noinline int request_done(u32 kind, s64 result)
{
	struct recov_running_key task = {.kind = kind};
	struct recov_request *before;
	struct asking *ask;
	u32 slot;

	task.task = bpf_get_current_pid_tgid();
	ask = bpf_map_lookup_elem(&asking, &task);
	if (!ask)
		return 0;
	slot = ask->key.slot;
	before = bpf_map_lookup_elem(&requests, &ask->key);
	if (before && result < 0 && before->result >= 0) {
		before->repeat++;
		before->asked_ns = ask->request.asked_ns;
	} else {
		ask->request.seq = __sync_fetch_and_add(&state.sequence, 1) + 1;
		ask->request.time_ns = bpf_ktime_get_ns();
		ask->request.result = result;
		ask->request.generation = watch_of(slot)->generation;
		ask->request.repeat = before ? before->repeat + 1 : 1;
		if (bpf_map_update_elem(&requests, &ask->key, &ask->request, BPF_ANY))
			count(RECOV_COUNTER_REQUESTS_FULL);
		if (kind == RECOV_ENTRY_IOCTL)
			mark_opening(ask->key.object, slot);
	}
	bpf_map_delete_elem(&asking, &task);
	return 0;
}

__noinline int request_log(struct request *request)
{
	if (!request)
		return 0;
	request_ask(request);
	return request_done(request->kind, request->result);
}

struct forgotten {
	u64 object;
};

static long forget_request(void *map, struct recov_request_key *key, struct recov_request *request,
			   struct forgotten *forgotten)
{
	if (key->object == forgotten->object)
		bpf_map_delete_elem(&requests, key);
	return 0;
}

__noinline int requests_forget(u64 *object)
{
	struct forgotten forgotten = {.object = object ? *object : 0};

	bpf_for_each_map_elem(&requests, forget_request, &forgotten, 0);
	return 0;
}

__noinline int requests_forget_file(u64 *file, u32 slot)
{
	struct recov_request_key key = {};
	struct recov_request *opening;

	if (!file)
		return 0;
	opening = opening_of(&key, *file, slot);
	if (!opening || opening->has_more)
		return requests_forget(file);
	bpf_map_delete_elem(&requests, &key);
	return 0;
}
