/* SPDX-License-Identifier: GPL-2.0 */
/* What all programs share: the maps, whose an address or a device is, and how a record is sent. */
#ifndef WATCH_H
#define WATCH_H

#include "../include/recov_observe.h"
#include "kernel.h"

#define OBJECTS_MAX  32768
#define FREED_MAX    4096
#define ENTRIES_MAX  2048
#define RUNNING_MAX  1024
#define REQUESTS_MAX 1024
#define ASKING_MAX   256
#define IRQS_MAX     4096
#define RING_SIZE    (1024 * 1024)

/* Defined by watch.bpf.c alone; the others have the same declarations as extern. */
#ifndef GLOBAL
#define GLOBAL extern
#endif

#define DECLARE_MAP(name_, type_, key_, value_, max_)                                              \
	GLOBAL struct {                                                                            \
		__uint(type, type_);                                                               \
		__uint(max_entries, max_);                                                         \
		__type(key, key_);                                                                 \
		__type(value, value_);                                                             \
	} name_ SEC(".maps")

DECLARE_MAP(objects, BPF_MAP_TYPE_HASH, struct recov_object_key, struct recov_object, OBJECTS_MAX);
DECLARE_MAP(freed, BPF_MAP_TYPE_LRU_HASH, struct recov_object_key, struct recov_object, FREED_MAX);
DECLARE_MAP(entries, BPF_MAP_TYPE_PERCPU_HASH, struct recov_entry_key, struct recov_entry,
	    ENTRIES_MAX);
DECLARE_MAP(running, BPF_MAP_TYPE_HASH, struct recov_running_key, struct recov_running,
	    RUNNING_MAX);
DECLARE_MAP(requests, BPF_MAP_TYPE_HASH, struct recov_request_key, struct recov_request,
	    REQUESTS_MAX);
DECLARE_MAP(counters, BPF_MAP_TYPE_PERCPU_ARRAY, u32, u64, RECOV_COUNTERS);

DECLARE_MAP(stay_on_cpu, BPF_MAP_TYPE_PERCPU_ARRAY, u32, struct recov_stay, 1);
DECLARE_MAP(running_on_cpu, BPF_MAP_TYPE_PERCPU_ARRAY, u32, struct recov_running,
	    RECOV_ENTRY_KIND_COUNT);
DECLARE_MAP(irqs, BPF_MAP_TYPE_HASH, u32, struct recov_irq, IRQS_MAX);

/* Requests that have not been answered. */
struct asking {
	struct recov_request_key key;
	struct recov_request request;
};

DECLARE_MAP(asking, BPF_MAP_TYPE_HASH, struct recov_running_key, struct asking, ASKING_MAX);

GLOBAL struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, RING_SIZE);
} ring SEC(".maps");

GLOBAL struct recov_state state SEC(".data.state");

static __always_inline void count(u32 counter)
{
	u64 *value = bpf_map_lookup_elem(&counters, &counter);

	if (value)
		(*value)++;
}

/* The verifier has to see the bound where it is used. */
static __always_inline struct recov_watch *watch_of(u32 slot)
{
	barrier_var(slot);
	return &state.watch[slot & (RECOV_WATCH_MAX - 1)];
}

/*
 * Functions that are no part of the program that calls them: the verifier looks at them once a
 * program instead of at each call, which is what makes loading take seconds and not minutes. It
 * takes no kernel pointer for a number; so what they work on is handed over in memory.
 */
int find_code(u64 *address);
int find_address(u64 *address);
int find_module(u64 *module);

/* Now and then, by whichever CPU comes first: one of them may be stuck. */
int look_at_irqs(void);

/* After a watch's ranges have changed. */
int update_span(void);

/* Whether the address can be a watched driver's at all. Nearly all of what the programs at the
 * kernel's hottest places see ends here, so it comes before everything else. */
static __always_inline bool in_span(u64 address)
{
	return address >= state.span.base && address < state.span.end;
}

/* Slot of the driver that has the address in its code, or -1. */
static __always_inline int slot_of_code(u64 address)
{
	return in_span(address) ? find_code(&address) : -1;
}

/* Slot of the driver that has the address anywhere in its memory, or -1. */
static __always_inline int slot_of_address(u64 address)
{
	return in_span(address) ? find_address(&address) : -1;
}

/* Slot of the driver that is this struct module, or -1. */
static __always_inline int slot_of_module(const void *module)
{
	u64 address = (u64)module;

	return find_module(&address);
}

struct stack {
	u64 size; /* bytes */
	u64 address[RECOV_STACK_DEPTH];
};

/* The first address on the stack that is in the slot's driver, in any if slot is -1; or 0. */
u64 stack_site(struct stack *stack, int slot);

static __always_inline int slot_of_device(struct device *device)
{
	return device ? slot_of_module(BPF_CORE_READ(device, driver, owner)) : -1;
}

static __always_inline struct device *device_of_pci(struct pci_dev *pdev)
{
	return __builtin_preserve_access_index(&pdev->dev);
}

/* The device a network device sits on. */
static __always_inline struct device *parent_of_netdev(struct net_device *dev)
{
	return BPF_CORE_READ(dev, dev.parent);
}

/* By its parent's driver, or by its operations where it has no parent. */
static __always_inline int slot_of_netdev(struct net_device *dev)
{
	int slot = slot_of_device(parent_of_netdev(dev));

	return slot >= 0 ? slot : slot_of_address((u64)BPF_CORE_READ(dev, netdev_ops));
}

static __always_inline void label_of_device(char label[RECOV_LABEL_LEN], struct device *device)
{
	const char *name;

	if (!device)
		return;
	name = BPF_CORE_READ(device, kobj.name);
	if (!name)
		name = BPF_CORE_READ(device, init_name);
	bpf_probe_read_kernel_str(label, RECOV_LABEL_LEN, name);
}

/* An argument of a type that the verifier does not let programs load: functions, volatile memory. */
static __always_inline u64 raw_argument(void *ctx, int n)
{
	u64 value = 0;

	bpf_probe_read_kernel(&value, sizeof(value), (u64 *)ctx + n);
	return value;
}

/*
 * The return address of the function that a fentry or fexit program with n arguments sits on.
 * The trampoline's frame has behind the arguments: the return value, if there is room for one,
 * the saved frame pointer, the way back into the function (behind the call at its start), and
 * the way back to its caller.
 */
static __always_inline u64 caller_of(void *ctx, int n)
{
	u64 own = bpf_get_func_ip(ctx), words[4];

	if (bpf_probe_read_kernel(words, sizeof(words), (u64 *)ctx + n))
		return 0;
	if (words[1] - own <= 16)
		return words[2];
	return words[2] - own <= 16 ? words[3] : 0;
}

/* Of what runs here. False: none is known, as in user mode. Costs thousands of instructions. */
static __always_inline bool stack_here(void *ctx, struct stack *stack)
{
	long size = bpf_get_stack(ctx, stack->address, sizeof(stack->address), 0);

	stack->size = size > 0 ? size : 0;
	return size > 0;
}

/* What called the kernel: see stack_site(). */
static __always_inline u64 site_on_stack(void *ctx, int slot)
{
	struct stack stack = {};

	return stack_here(ctx, &stack) ? stack_site(&stack, slot) : 0;
}

static __always_inline struct recov_record *record_begin(u16 type, int slot)
{
	struct recov_record *record;
	u32 i = slot;

	record = bpf_ringbuf_reserve(&ring, sizeof(*record), 0);
	if (!record) {
		count(RECOV_COUNTER_RING_FULL);
		return NULL;
	}
	count(RECOV_COUNTER_RECORDS);
	__builtin_memset(record, 0, sizeof(*record));
	record->version = RECOV_OBSERVE_VERSION;
	record->type = type;
	record->slot = slot;
	record->cpu = bpf_get_smp_processor_id();
	record->pid = bpf_get_current_pid_tgid();
	record->time_ns = bpf_ktime_get_ns();
	bpf_get_current_comm(record->comm, sizeof(record->comm));
	if (i < RECOV_WATCH_MAX)
		record->generation = watch_of(i)->generation;
	return record;
}

static __always_inline void record_end(struct recov_record *record)
{
	bpf_ringbuf_submit(record, BPF_RB_FORCE_WAKEUP);
}

/* What comes very often leaves room for what does not. */
static __always_inline bool has_room(void)
{
	if (bpf_ringbuf_query(&ring, BPF_RB_AVAIL_DATA) <= RING_SIZE / 2)
		return true;
	count(RECOV_COUNTER_RING_FULL);
	return false;
}

/* One of very many: whoever wants them looks now and then, and is woken when it has to be soon. */
static __always_inline void record_end_quietly(struct recov_record *record)
{
	bool full = bpf_ringbuf_query(&ring, BPF_RB_AVAIL_DATA) > RING_SIZE / 4;

	bpf_ringbuf_submit(record, full ? BPF_RB_FORCE_WAKEUP : BPF_RB_NO_WAKEUP);
}

#endif /* WATCH_H */
