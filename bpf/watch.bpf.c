// SPDX-License-Identifier: GPL-2.0
/* The watched modules: when they come and go, where they are, and what they leave behind. */
#define GLOBAL
#include "object.h"

char LICENSE[] SEC("license") = "GPL";

#define MODULES_MAX 1024 /* on the kernel's list; longer ones are not looked through */
#define NAME_WORDS  (RECOV_MODULE_LEN / sizeof(u64))

extern const void modules __ksym; /* struct list_head, the head of the list of all modules */

/* The argument is never NULL, but the verifier does not know. */
static __always_inline u64 value_of(u64 *number)
{
	return number ? *number : 0;
}

static __always_inline bool is_in(const struct recov_range *range, u64 address)
{
	return address - range->base < range->size;
}

__noinline int find_code(u64 *number)
{
	u64 address = value_of(number);

	for (u32 i = 0; i < RECOV_WATCH_MAX && i < state.slots; i++)
		if (is_in(&state.watch[i].text, address) || is_in(&state.watch[i].init, address))
			return i;
	return -1;
}

__noinline int find_address(u64 *number)
{
	u64 address = value_of(number);

	for (u32 i = 0; i < RECOV_WATCH_MAX && i < state.slots; i++)
		if (is_in(&state.watch[i].text, address) || is_in(&state.watch[i].init, address) ||
		    is_in(&state.watch[i].data[0], address) ||
		    is_in(&state.watch[i].data[1], address) ||
		    is_in(&state.watch[i].data[2], address))
			return i;
	return -1;
}

__noinline int find_module(u64 *number)
{
	u64 module = value_of(number);

	if (!module)
		return -1;
	for (int i = 0; i < RECOV_WATCH_MAX; i++)
		if (state.watch[i].module == module)
			return i;
	return -1;
}

__noinline u64 stack_site(struct stack *stack, int slot)
{
	int found;

	if (!stack)
		return 0;
	for (int i = 0; i < RECOV_STACK_DEPTH; i++) {
		if (i * sizeof(u64) >= stack->size)
			break;
		found = slot_of_code(stack->address[i]);
		if (found >= 0 && (slot < 0 || found == slot))
			return stack->address[i];
	}
	return 0;
}

union name {
	char text[RECOV_MODULE_LEN];
	u64 words[NAME_WORDS];
};

/* Names are padded with zeros: modpost initialises them. */
static __always_inline bool is_named(const char *a, const union name *b)
{
	const u64 *words = (const u64 *)a;

	for (int i = 0; i < (int)NAME_WORDS; i++)
		if (words[i] != b->words[i])
			return false;
	return true;
}

#define RACES_MAX 8 /* lost in a row; then the span is too small until the next update */

/* Other CPUs may do the same now, and look at it always. */
static __always_inline void grow(const struct recov_range *range)
{
	u64 end = range->base + range->size, seen;

	if (!range->size)
		return;
	for (int i = 0; i < RACES_MAX; i++) {
		seen = state.span.base;
		if ((seen && seen <= range->base) ||
		    __sync_val_compare_and_swap(&state.span.base, seen, range->base) == seen)
			break;
	}
	for (int i = 0; i < RACES_MAX; i++) {
		seen = state.span.end;
		if (seen >= end || __sync_val_compare_and_swap(&state.span.end, seen, end) == seen)
			break;
	}
}

__noinline int update_span(void)
{
	bool any = false;

	for (int i = 0; i < RECOV_WATCH_MAX; i++)
		any |= state.watch[i].state == RECOV_WATCH_LOADED;
	if (!any) {
		state.span.end = 0;
		state.span.base = 0;
	}
	/* It never shrinks while one is loaded; what is loaded just now is here already. */
	for (int i = 0; i < RECOV_WATCH_MAX; i++) {
		struct recov_watch *watch = &state.watch[i];

		if (!watch->text.size)
			continue;
		grow(&watch->text);
		grow(&watch->init);
		for (int k = 0; k < RECOV_DATA_RANGES; k++)
			grow(&watch->data[k]);
	}
	return 0;
}

static __always_inline void forget_ranges(struct recov_watch *watch)
{
	__builtin_memset(&watch->text, 0, sizeof(watch->text));
	__builtin_memset(&watch->init, 0, sizeof(watch->init));
	__builtin_memset(watch->data, 0, sizeof(watch->data));
	watch->module = 0;
}

static __always_inline void found_loaded(struct recov_watch *watch, struct module *module,
					 u32 flags)
{
	watch->generation++;
	watch->loaded_ns = bpf_ktime_get_ns();
	watch->flags = flags;
	watch->state = RECOV_WATCH_LOADED;
	module_ranges(module, watch);
	watch->module = (u64)module;
	update_span();
}

static __always_inline int slot_of_name(const union name *name)
{
	for (int i = 0; i < RECOV_WATCH_MAX; i++)
		if (state.watch[i].state != RECOV_WATCH_FREE && is_named(state.watch[i].name, name))
			return i;
	return -1;
}

SEC("raw_tp/module_load")
int BPF_PROG(on_module_load, struct module *module)
{
	struct recov_record *record;
	union name name = {};
	u32 slot;

	bpf_probe_read_kernel(name.text, sizeof(name.text), module->name);
	slot = slot_of_name(&name);
	if (slot >= RECOV_WATCH_MAX)
		return 0;
	found_loaded(watch_of(slot), module, RECOV_WATCH_FROM_LOAD);
	record = record_begin(RECOV_RECORD_LOADED, slot);
	if (record)
		record_end(record);
	return 0;
}

struct leftovers {
	u32 slot, generation;
	u64 n;
};

static long tell_leftover(void *map, struct recov_object_key *key, struct recov_object *object,
			  struct leftovers *leftovers)
{
	struct recov_record *record;

	(void)map;
	if (object->slot != leftovers->slot || object->generation != leftovers->generation)
		return 0;
	leftovers->n++;
	record = record_begin(RECOV_RECORD_LEAK, leftovers->slot);
	if (record) {
		record->site = object->site;
		record->key = *key;
		record->object = *object;
		record->flags = watch_of(leftovers->slot)->flags;
		if (object->site)
			BPF_SNPRINTF(record->symbol, sizeof(record->symbol), "%pS", object->site);
		record_end(record);
	}
	/* The driver's next life may take one of the same name. */
	if (!bpf_map_delete_elem(&objects, key))
		count_owned(key->class, key->object, -1);
	return 0;
}

SEC("raw_tp/module_free")
int BPF_PROG(on_module_free, struct module *module)
{
	struct recov_record *record;
	struct leftovers leftovers = {};
	u32 slot = slot_of_module(module);

	if (slot >= RECOV_WATCH_MAX)
		return 0;
	leftovers.slot = slot;
	leftovers.generation = watch_of(slot)->generation;
	bpf_for_each_map_elem(&objects, tell_leftover, &leftovers, 0);
	record = record_begin(RECOV_RECORD_UNLOADED, slot);
	if (record) {
		record->detail = leftovers.n;
		record_end(record);
	}
	watch_of(slot)->state = RECOV_WATCH_WANTED;
	forget_ranges(watch_of(slot));
	update_span();
	return 0;
}

struct search {
	union name name;
	struct list_head *at;
	struct module *found;
};

static long look_at_module(u32 i, struct search *search)
{
	struct list_head *at = search->at;
	struct module *module = (void *)at - bpf_core_field_offset(struct module, list);
	union name name;

	if (!at || at == (struct list_head *)&modules ||
	    bpf_probe_read_kernel(&name, sizeof(name), module->name))
		return 1;
	if (is_named(name.text, &search->name)) {
		search->found = module;
		return 1;
	}
	search->at = BPF_CORE_READ(at, next);
	return 0;
}

static __always_inline struct module *search_module(const union name *name)
{
	struct search search = {.name = *name};

	bpf_probe_read_kernel(&search.at, sizeof(search.at), &modules);
	bpf_loop(MODULES_MAX, look_at_module, &search, 0);
	return search.found;
}

static __always_inline int free_slot(void)
{
	for (int i = 0; i < RECOV_WATCH_MAX; i++)
		if (state.watch[i].state == RECOV_WATCH_FREE)
			return i;
	return -1;
}

SEC("syscall")
int watch(struct recov_watch_call *call)
{
	struct module *module;
	union name name;
	u32 slot;

	__builtin_memcpy(name.text, call->name, sizeof(name.text));
	slot = slot_of_name(&name);
	if (slot < RECOV_WATCH_MAX && call->stop) {
		watch_of(slot)->state = RECOV_WATCH_FREE;
		forget_ranges(watch_of(slot));
		update_span();
	}
	call->slot = slot;
	if (slot < RECOV_WATCH_MAX || call->stop)
		return 0;
	slot = free_slot();
	if (slot >= RECOV_WATCH_MAX) {
		call->slot = -28; /* ENOSPC */
		return 0;
	}
	call->slot = slot;
	if (state.slots <= slot)
		state.slots = slot + 1;
	__builtin_memcpy(watch_of(slot)->name, name.text, sizeof(name.text));
	watch_of(slot)->flags = 0;
	watch_of(slot)->generation++; /* none of what its last driver has left */
	watch_of(slot)->state = RECOV_WATCH_WANTED;
	module = search_module(&name);
	if (module)
		found_loaded(watch_of(slot), module, 0);
	return 0;
}

SEC("syscall")
int symbolize(struct recov_symbol_call *call)
{
	char symbol[RECOV_SYMBOL_LEN];

	BPF_SNPRINTF(symbol, sizeof(symbol), "%pS", call->address);
	__builtin_memcpy(call->symbol, symbol, sizeof(symbol));
	return 0;
}
