// SPDX-License-Identifier: GPL-2.0
/* Memory that is taken and never given back. */
#include <linux/dma-mapping.h>
#include <linux/dmapool.h>
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "leaky.h"
#include "leaky_friend.h"

enum {
	SLAB_SIZE = 123,
	LARGE_SIZE = 20000,
	AREA_SIZE = 3 * PAGE_SIZE,
	PAGES_ORDER = 1,
	DMA_SIZE = 256,
	POOL_SIZE = 64,
};

/* Of a constant size, the compiler calls another function than of a variable one. */
static noinline int leaky_leak_slab(struct leaky_truth *truth, const unsigned long *args)
{
	truth->size = SLAB_SIZE;
	return leaky_done(truth, __func__, (unsigned long)kmalloc(SLAB_SIZE, GFP_KERNEL));
}

static noinline int leaky_leak_slab_sized(struct leaky_truth *truth, const unsigned long *args)
{
	if (!args[0] || args[0] > KMALLOC_MAX_SIZE)
		return -EINVAL;
	truth->size = args[0];
	return leaky_done(truth, __func__, (unsigned long)kmalloc(args[0], GFP_KERNEL));
}

static noinline int leaky_leak_slab_large(struct leaky_truth *truth, const unsigned long *args)
{
	truth->size = LARGE_SIZE;
	return leaky_done(truth, __func__, (unsigned long)kmalloc(LARGE_SIZE, GFP_KERNEL));
}

static noinline int leaky_leak_cache_object(struct leaky_truth *truth, const unsigned long *args)
{
	truth->size = kmem_cache_size(leaky_friend_cache);
	return leaky_done(truth, __func__,
			  (unsigned long)kmem_cache_alloc(leaky_friend_cache, GFP_KERNEL));
}

/* A flag with which the cache is not merged into another. */
static noinline int leaky_leak_cache(struct leaky_truth *truth, const unsigned long *args)
{
	const char *name = leaky_friend_name("cache");

	if (!name)
		return -ENOSPC;
	truth->size = SLAB_SIZE;
	strscpy(truth->name, name, sizeof(truth->name));
	return leaky_done(
		truth, __func__,
		(unsigned long)kmem_cache_create(name, SLAB_SIZE, 0, SLAB_TYPESAFE_BY_RCU, NULL));
}

static noinline int leaky_leak_vmalloc(struct leaky_truth *truth, const unsigned long *args)
{
	truth->size = AREA_SIZE;
	return leaky_done(truth, __func__, (unsigned long)vmalloc(AREA_SIZE));
}

/* The object is the struct page. */
static noinline int leaky_leak_pages(struct leaky_truth *truth, const unsigned long *args)
{
	struct page *page = alloc_pages(GFP_KERNEL, PAGES_ORDER);

	truth->size = PAGE_SIZE << PAGES_ORDER;
	if (page)
		snprintf(truth->name, sizeof(truth->name), "%lu", page_to_pfn(page));
	return leaky_done(truth, __func__, (unsigned long)page);
}

/* The object is the address. */
static noinline int leaky_leak_free_pages(struct leaky_truth *truth, const unsigned long *args)
{
	truth->size = PAGE_SIZE << PAGES_ORDER;
	return leaky_done(truth, __func__, __get_free_pages(GFP_KERNEL, PAGES_ORDER));
}

/* The object is the address for the CPU. */
static noinline int leaky_leak_dma_coherent(struct leaky_truth *truth, const unsigned long *args)
{
	dma_addr_t bus;
	void *p;

	p = dma_alloc_coherent(&leaky_device->dev, DMA_SIZE, &bus, GFP_KERNEL);
	truth->size = DMA_SIZE;
	if (p)
		snprintf(truth->name, sizeof(truth->name), "0x%llx", (u64)bus);
	return leaky_done(truth, __func__, (unsigned long)p);
}

/* It keeps a pointer to the device, which nobody follows unless it is used. */
static noinline int leaky_leak_dma_pool(struct leaky_truth *truth, const unsigned long *args)
{
	truth->size = POOL_SIZE;
	strscpy(truth->name, "leaky-pool", sizeof(truth->name));
	return leaky_done(
		truth, __func__,
		(unsigned long)dma_pool_create("leaky-pool", &leaky_device->dev, POOL_SIZE, 8, 0));
}

/* The object is the address for the device. */
static noinline int leaky_leak_dma_map(struct leaky_truth *truth, const unsigned long *args)
{
	void *room = leaky_friend_room(DMA_SIZE);
	dma_addr_t bus;

	if (!room)
		return -ENOSPC;
	bus = dma_map_single(&leaky_device->dev, room, DMA_SIZE, DMA_TO_DEVICE);
	if (dma_mapping_error(&leaky_device->dev, bus))
		return -EIO;
	truth->size = DMA_SIZE;
	return leaky_done(truth, __func__, bus);
}

const struct leaky_request leaky_leak_memory[] = {
	{"leak", "slab", leaky_leak_slab},
	{"leak", "slab-sized", leaky_leak_slab_sized, .args = 1},
	{"leak", "slab-large", leaky_leak_slab_large},
	{"leak", "slab-cache-object", leaky_leak_cache_object},
	{"leak", "cache", leaky_leak_cache},
	{"leak", "vmalloc", leaky_leak_vmalloc},
	{"leak", "pages", leaky_leak_pages},
	{"leak", "free-pages", leaky_leak_free_pages},
	{"leak", "dma-coherent", leaky_leak_dma_coherent},
	{"leak", "dma-pool", leaky_leak_dma_pool},
	{"leak", "dma-map", leaky_leak_dma_map},
	{}};
