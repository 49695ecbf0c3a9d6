// SPDX-License-Identifier: GPL-2.0
/* The objects that drivers own, whatever their class. */
#include "object.h"

/* No part of the programs that call them also for the sake of their stacks, which are small. */
__noinline int count_owned(u32 class, u64 object, int by)
{
	if (class == RECOV_OBJECT_SLAB)
		__sync_fetch_and_add(&slab_slot(object)->owned, by);
	return 0;
}

/* Whoever takes an object's slot takes it out of `freed`, too. */
__noinline int remember_freed(u64 address)
{
	struct recov_object_key key = {.class = RECOV_OBJECT_SLAB};

	key.object = __sync_lock_test_and_set(&slab_slot(address)->freed, address);
	if (key.object && key.object != address)
		bpf_map_delete_elem(&freed, &key);
	return 0;
}

__noinline int take(struct taking *taking)
{
	struct recov_object object = {}, *known;
	struct recov_object_key key = {};
	u32 slot;

	if (!taking)
		return 0;
	slot = taking->slot;
	if (slot >= RECOV_WATCH_MAX)
		return 0;
	key.object = taking->object;
	key.more = taking->more;
	key.class = taking->class;
	known = bpf_map_lookup_elem(&objects, &key);
	if (known && known->slot == slot && known->generation == watch_of(slot)->generation) {
		/* A call below another one that is watched as well: the outer one knows more. */
		if (taking->nests)
			known->count++;
		if (!known->site || taking->nests)
			known->site = taking->site;
		return 0;
	}
	object.size = taking->size;
	object.site = taking->site;
	object.time_ns = bpf_ktime_get_ns();
	object.parent = taking->parent;
	object.slot = slot;
	object.generation = watch_of(slot)->generation;
	object.count = 1;
	label_of_device(object.device, taking->device);
	if (taking->name)
		bpf_probe_read_kernel_str(object.name, sizeof(object.name), taking->name);
	if (bpf_map_update_elem(&objects, &key, &object, BPF_ANY)) {
		count(RECOV_COUNTER_OBJECTS_FULL);
		watch_of(slot)->flags &= ~RECOV_WATCH_FROM_LOAD; /* not all is known any more */
	} else if (!known) {
		count_owned(key.class, key.object, 1);
	}
	bpf_map_delete_elem(&freed, &key);
	if (is_traced(slot) && has_room())
		tell_object(RECOV_RECORD_TAKEN, slot, &key, &object, object.site, 0);
	return 0;
}

/* Something is given back that is not known to be anybody's. */
static __always_inline void give_back_unknown(const struct recov_object_key *key, u64 caller,
					      bool strict)
{
	struct recov_object *before, none = {};
	u32 slot = slot_of_code(caller);

	if (slot >= RECOV_WATCH_MAX)
		return;
	before = bpf_map_lookup_elem(&freed, key);
	if (before && before->slot == slot && before->generation == watch_of(slot)->generation)
		tell_object(RECOV_RECORD_DOUBLE_FREE, slot, key, before, caller, before->parent);
	else if (strict && (watch_of(slot)->flags & RECOV_WATCH_FROM_LOAD))
		tell_object(RECOV_RECORD_BAD_FREE, slot, key, &none, caller, 0);
	else
		count(RECOV_COUNTER_UNKNOWN_FREE);
}

__noinline int give(struct giving *giving)
{
	struct recov_object *known, gone;
	struct recov_object_key key = {};
	u64 caller;
	int by;

	if (!giving)
		return 0;
	caller = giving->caller;
	key.object = giving->object;
	key.more = giving->more;
	key.class = giving->class;
	known = bpf_map_lookup_elem(&objects, &key);
	if (!known) {
		give_back_unknown(&key, caller, giving->strict);
		return 0;
	}
	if (known->count > 1) {
		known->count--;
		return 0;
	}
	gone = *known;
	if (!bpf_map_delete_elem(&objects, &key))
		count_owned(key.class, key.object, -1);
	by = slot_of_code(caller);
	if (by >= 0 && by != (int)gone.slot)
		tell_object(RECOV_RECORD_BAD_FREE, by, &key, &gone, caller, gone.site);
	if (is_traced(gone.slot) && has_room())
		tell_object(RECOV_RECORD_GIVEN_BACK, gone.slot, &key, &gone, caller, 0);
	gone.time_ns = bpf_ktime_get_ns();
	gone.parent = caller;
	bpf_map_update_elem(&freed, &key, &gone, BPF_ANY);
	if (key.class == RECOV_OBJECT_SLAB)
		remember_freed(key.object);
	return 0;
}

struct orphans {
	u64 parent;
};

static long drop_orphan(void *map, struct recov_object_key *key, struct recov_object *object,
			struct orphans *orphans)
{
	(void)map;
	if (object->parent == orphans->parent && !bpf_map_delete_elem(&objects, key))
		count_owned(key->class, key->object, -1);
	return 0;
}

__noinline int give_back_children(u64 *parent)
{
	struct orphans orphans = {.parent = parent ? *parent : 0};

	bpf_for_each_map_elem(&objects, drop_orphan, &orphans, 0);
	return 0;
}
