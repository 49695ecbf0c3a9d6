// SPDX-License-Identifier: GPL-2.0
/* How much memory each driver owns. */
#include "watch.h"

static long add_object(void *map, struct recov_object_key *key, struct recov_object *object,
		       void *ctx)
{
	u32 slot = object->slot & (RECOV_WATCH_MAX - 1);

	(void)map;
	(void)ctx;
	if (key->class != RECOV_OBJECT_SLAB && key->class != RECOV_OBJECT_VMALLOC &&
	    key->class != RECOV_OBJECT_DMA_COHERENT)
		return 0;
	if (object->generation != watch_of(slot)->generation)
		return 0;
	state.memory[slot].objects++;
	state.memory[slot].bytes += object->size;
	return 0;
}

SEC("syscall")
int count_memory(void *ctx)
{
	__builtin_memset(state.memory, 0, sizeof(state.memory));
	bpf_for_each_map_elem(&objects, add_object, NULL, 0);
	return 0;
}
