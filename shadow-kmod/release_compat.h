/* SPDX-License-Identifier: GPL-2.0 */
/* Where 6.1 and 6.12 differ for what is taken from a driver, and what they keep to themselves. */
#ifndef RELEASE_COMPAT_H
#define RELEASE_COMPAT_H

#include <linux/kfence.h>
#include <linux/math.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/timer.h>
#include <linux/types.h>
#include <linux/uaccess.h>
#include <linux/version.h>

#if !defined(CONFIG_NO_HZ_COMMON) || defined(CONFIG_PREEMPT_RT)
#error "struct timer_base is known with CONFIG_NO_HZ_COMMON and without CONFIG_PREEMPT_RT only"
#endif

/* kernel/time/timer.c */
#define RELEASE_WHEEL_SIZE (64 * (HZ > 100 ? 9 : 8))

/* Since 6.9 (83a665dc99a7, "timers: Keep the pinned timers separate from the others") a third. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 9, 0)
#define RELEASE_TIMER_BASES 2
#else
#define RELEASE_TIMER_BASES 3
#endif

struct release_timer_base {
	raw_spinlock_t lock;
	struct timer_list *running_timer;
	unsigned long clk;
	unsigned long next_expiry;
	unsigned int cpu;
	bool next_expiry_recalc;
	bool is_idle;
	bool timers_pending;
	DECLARE_BITMAP(pending_map, RELEASE_WHEEL_SIZE);
	struct hlist_head vectors[RELEASE_WHEEL_SIZE];
} ____cacheline_aligned;

/* kernel/cpu.c, the same in 6.1 and 6.12; the functions' types are those of the state. */
struct release_cpuhp_step {
	const char *name;
	void *startup, *teardown;
	struct hlist_head list;
	bool cant_stop;
	bool multi_instance;
};

/* The cache of the objects in a page: of mm/slab.h's struct slab, which is the struct page. Since 6.2
 * (130d4df57390, "mm/sl[au]b: rearrange struct slab fields to allow larger rcu_head") the second word. */
static inline struct kmem_cache *release_page_cache(const struct page *head)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 2, 0)
	const unsigned int word = 3;
#else
	const unsigned int word = 1;
#endif

	return ((struct kmem_cache **)head)[word];
}

static inline struct kmem_cache *release_slab_cache(const void *object)
{
	return release_page_cache(virt_to_head_page(object));
}

#ifndef CONFIG_SLUB_CPU_PARTIAL
#error "struct kmem_cache is known with CONFIG_SLUB_CPU_PARTIAL only"
#endif

/* How it begins: include/linux/slub_def.h in 6.1, mm/slab.h in 6.12. */
struct release_cache {
	void __percpu *cpu_slab;
	slab_flags_t flags;
	unsigned long min_partial;
	unsigned int size, object_size; /* with and without what lies between two of them */
	unsigned int reciprocal_size[2], offset;
	unsigned int cpu_partial, cpu_partial_slabs;
	unsigned int order, order_min;
	gfp_t allocflags;
	int refcount;
	void (*ctor)(void *object);
	unsigned int inuse, align;
	unsigned int red_left_pad; /* before each object, with slub_debug=Z */
};

/*
 * Where the object of a slab begins that the address lies in. 0: in none, or in one of KFENCE's, or it is
 * no slab any more.
 * ksize() is for beginnings only: where the allocator keeps notes it writes one, in a place that it counts
 * from there (since 6.2, skip_orig_size_check()).
 */
static inline unsigned long release_object(unsigned long address, size_t *ret_size)
{
	struct page *head = virt_to_head_page((void *)address);
	unsigned long slab = (unsigned long)page_address(head), place, object;
	struct release_cache cache;

	if (is_kfence_address((void *)address) ||
	    copy_from_kernel_nofault(&cache, release_page_cache(head), sizeof(cache)) ||
	    !cache.object_size || cache.size < cache.object_size)
		return 0;
	place = rounddown(address - slab, cache.size);
	object = slab + place + cache.red_left_pad;
	if (place + cache.size > page_size(head) || address - object >= cache.object_size)
		return 0;
	*ret_size = cache.object_size;
	return object;
}

#endif /* RELEASE_COMPAT_H */
