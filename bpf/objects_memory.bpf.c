// SPDX-License-Identifier: GPL-2.0
/* Memory that drivers take: slab objects on demand, vmalloc and caches always. */
#include "object.h"

#define GFP_DIRECT_RECLAIM 0x400 /* may sleep; the same bit in 6.1 and 6.12 */

extern const int __preempt_count __ksym __weak; /* until 6.2 */
extern const struct pcpu_hot pcpu_hot __ksym
	__weak; /* 64701838bf05, "x86/percpu: Move preempt_count" */

#define PREEMPT_NEED_RESCHED 0x80000000

/* How deep the code below the tracepoint is in sections that may not sleep; the tracepoint itself
 * is one. */
static __always_inline bool may_not_sleep(void)
{
	u32 depth;

	if (&pcpu_hot)
		depth = ((const struct pcpu_hot *)bpf_this_cpu_ptr(&pcpu_hot))->preempt_count;
	else if (&__preempt_count)
		depth = *(const int *)bpf_this_cpu_ptr(&__preempt_count);
	else
		return false;
	return (depth & ~PREEMPT_NEED_RESCHED) > 1;
}

/* What the driver has given back is somebody else's now. */
static __always_inline void forget_freed(const void *object)
{
	struct recov_object_key key = {.object = (u64)object, .class = RECOV_OBJECT_SLAB};
	struct recov_slab_slot *slab = slab_slot(key.object);

	if (object && slab->freed == key.object &&
	    __sync_val_compare_and_swap(&slab->freed, key.object, 0) == key.object)
		bpf_map_delete_elem(&freed, &key);
}

/* cache: whose object_size it is, or NULL. */
static __always_inline void on_alloc(u64 site, const void *object, u64 size,
				     struct kmem_cache *cache, u32 gfp)
{
	struct recov_object_key key = {.object = (u64)object, .class = RECOV_OBJECT_SLAB};
	struct recov_object none = {};
	int slot = slot_of_code(site);

	if (slot < 0)
		return forget_freed(object);
	if (!object)
		return;
	if (cache)
		size = BPF_CORE_READ(cache, object_size);
	take(&(struct taking){.slot = slot,
			      .class = RECOV_OBJECT_SLAB,
			      .object = (u64)object,
			      .size = size,
			      .site = site});
	if (gfp & GFP_DIRECT_RECLAIM && may_not_sleep()) {
		none.size = size;
		tell_object(RECOV_RECORD_ATOMIC, slot, &key, &none, site, 0);
	}
}

static __always_inline void on_free(u64 site, const void *object)
{
	if (object && (in_span(site) || slab_slot((u64)object)->owned))
		give_back(RECOV_OBJECT_SLAB, (u64)object, 0, site, false);
}

SEC("raw_tp/kmalloc")
int BPF_PROG(on_kmalloc, unsigned long site, const void *object, size_t size, size_t room, u32 gfp)
{
	on_alloc(site, object, size, NULL, gfp);
	return 0;
}

SEC("raw_tp/kmem_cache_alloc")
int BPF_PROG(on_cache_alloc, unsigned long site, const void *object, struct kmem_cache *cache,
	     u32 gfp)
{
	on_alloc(site, object, 0, cache, gfp);
	return 0;
}

SEC("raw_tp/kfree")
int BPF_PROG(on_kfree, unsigned long site, const void *object)
{
	on_free(site, object);
	return 0;
}

SEC("raw_tp/kmem_cache_free")
int BPF_PROG(on_cache_free, unsigned long site, const void *object)
{
	on_free(site, object);
	return 0;
}

/* It is as good as free: nobody may use it after the grace period. The second argument is the object
 * or, until 6.4 (04a522b7da3d), the head's place in it. */
SEC("fentry/kvfree_call_rcu")
int BPF_PROG(on_kfree_rcu)
{
	u64 head = raw_argument(ctx, 0), object = raw_argument(ctx, 1);

	if (object < 4096)
		object = head - object;
	on_free(caller_of(ctx, 2), (void *)object);
	return 0;
}

/* ---- vmalloc ---- */

static __always_inline void take_vmalloc(u64 site, const void *memory, u64 size)
{
	int slot = slot_of_code(site);

	if (slot < 0 || is_error(memory))
		return;
	take(&(struct taking){.slot = slot,
			      .class = RECOV_OBJECT_VMALLOC,
			      .object = (u64)memory,
			      .size = size,
			      .site = site});
}

/* Those with one argument, and those with a node as well; _noprof: since 6.10 (88ae5fb755b0). */
#define VMALLOC(function)                                                                          \
	SEC("fexit/" #function)                                                                    \
	int BPF_PROG(on_##function, unsigned long size, void *ret)                                 \
	{                                                                                          \
		take_vmalloc(caller_of(ctx, 1), ret, size);                                        \
		return 0;                                                                          \
	}
#define VMALLOC_2(function)                                                                        \
	SEC("fexit/" #function)                                                                    \
	int BPF_PROG(on_##function, unsigned long size, int second, void *ret)                     \
	{                                                                                          \
		take_vmalloc(caller_of(ctx, 2), ret, size);                                        \
		return 0;                                                                          \
	}

VMALLOC(vmalloc)
VMALLOC(vzalloc)
VMALLOC(vmalloc_user)
VMALLOC(vmalloc_32)
VMALLOC(vmalloc_32_user)
VMALLOC_2(vmalloc_huge)
VMALLOC_2(vmalloc_node)
VMALLOC_2(vzalloc_node)
VMALLOC_2(__vmalloc)
VMALLOC(vmalloc_noprof)
VMALLOC(vzalloc_noprof)
VMALLOC(vmalloc_user_noprof)
VMALLOC(vmalloc_32_noprof)
VMALLOC(vmalloc_32_user_noprof)
VMALLOC_2(vmalloc_huge_noprof)
VMALLOC_2(vmalloc_node_noprof)
VMALLOC_2(vzalloc_node_noprof)
VMALLOC_2(__vmalloc_noprof)

SEC("fentry/vfree")
int BPF_PROG(on_vfree)
{
	u64 memory = raw_argument(ctx, 0);

	if (memory)
		give_back(RECOV_OBJECT_VMALLOC, memory, 0, caller_of(ctx, 1), true);
	return 0;
}

/* ---- caches ---- */

static __always_inline void take_cache(void *ctx, u64 site, const char *name, u64 size,
				       const void *ret)
{
	int slot = slot_of_code(site);

	if (is_error(ret))
		return;
	if (slot < 0) {
		site = site_on_stack(ctx, -1);
		slot = slot_of_code(site);
	}
	take(&(struct taking){.slot = slot,
			      .class = RECOV_OBJECT_CACHE,
			      .object = (u64)ret,
			      .size = size,
			      .site = site,
			      .name = name,
			      .nests = true}); /* caches that are alike are merged */
}

SEC("fexit/kmem_cache_create")
int BPF_PROG(on_cache_create, const char *name, unsigned int size, unsigned int align, u32 flags,
	     void *constructor, void *ret)
{
	take_cache(ctx, caller_of(ctx, 5), name, size, ret);
	return 0;
}

/* Since 6.12 (b2e7456b5c25, "slab: create kmem_cache_create() compatibility layer"). */
SEC("fexit/__kmem_cache_create_args")
int BPF_PROG(on_cache_create_args, const char *name, unsigned int size, void *args, u32 flags,
	     void *ret)
{
	take_cache(ctx, caller_of(ctx, 4), name, size, ret);
	return 0;
}

SEC("fentry/kmem_cache_destroy")
int BPF_PROG(on_cache_destroy, struct kmem_cache *cache)
{
	if (cache)
		give_back(RECOV_OBJECT_CACHE, (u64)cache, 0, caller_of(ctx, 1), false);
	return 0;
}
