// SPDX-License-Identifier: GPL-2.0
/*
 * The twins of functions to which a bad argument does its harm later and elsewhere: where memory is
 * handed out again, where the kernel calls what a timer, work or NAPI names, or where a driver waits
 * for a time that never ends. A call that has one ends before the function is reached. What is refused
 * here is always wrong; what is not may be.
 *
 * They end in tail calls: whoever is told by the functions' callers hears of the driver.
 */
#include <linux/delay.h>
#include <linux/dma-mapping.h>
#include <linux/etherdevice.h>
#include <linux/hrtimer.h>
#include <linux/interrupt.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/timer.h>
#include <linux/vmalloc.h>
#include <linux/workqueue.h>
#include <net/xdp.h>

#include "argument.h"
#include "argument_compat.h"
#include "coherent.h"
#include "lent.h"
#include "net.h"
#include "tap.h"
#include "trap.h"
#include "twin.h"

/* ---- what is right ---- */

/* Large pieces of memory are pages of their own. */
static bool is_large_object(const void *p)
{
	struct page *page;

	if (!is_in_memory(p) || !PAGE_ALIGNED(p))
		return false;
	page = virt_to_page(p);
	return PageHead(page) && page_ref_count(page) > 0;
}

static __always_inline bool may_be_freed(const void *p)
{
	return ZERO_OR_NULL_PTR(p) || cache_of(p) || is_large_object(p);
}

static __always_inline bool may_be_page(const struct page *page)
{
	unsigned long offset = (unsigned long)page - VMEMMAP_START;

	return offset < PFN_DOWN((unsigned long)high_memory - PAGE_OFFSET) * sizeof(*page) &&
	       offset % sizeof(*page) == 0;
}

/* Of a page that somebody has. */
static bool is_page(struct page *page)
{
	return may_be_page(page) && page_ref_count(compound_head(page)) > 0;
}

/* The slab allocator's are given back by itself. */
static bool may_be_freed_page(struct page *page)
{
	return is_page(page) && !PageSlab(compound_head(page));
}

static bool is_in_page(unsigned long address)
{
	return is_in_memory((void *)address) && is_page(virt_to_page((void *)address));
}

/* What a packet can be built around: a part of a page, or for size 0 an object. */
static bool may_be_packet(const void *data, unsigned int size)
{
	if (!size)
		return cache_of(data) || is_large_object(data);
	return is_in_page((unsigned long)data) && !PageSlab(virt_to_head_page(data));
}

/* Without a mapping it is the page that one gets. */
static bool is_coherent(const void *p, unsigned long attrs)
{
	if (attrs & DMA_ATTR_NO_KERNEL_MAPPING)
		return true;
	return PAGE_ALIGNED(p) && (is_vmalloc_addr(p) || (is_in_page((unsigned long)p) &&
							  !PageSlab(virt_to_head_page(p))));
}

/* The driver's last reference goes; if it is the last one at all, users stays 1: skb_unref(). */
static __always_inline void mark_packet(struct sk_buff *skb)
{
	unsigned int users = refcount_read(&skb->users);

	if (users == 1 || (users == 2 && tap_keeps(skb)))
		skb->tstamp = NET_PACKET_FREED;
}

static bool has_pages(const struct skb_shared_info *info)
{
	unsigned int i;

	if (info->nr_frags > MAX_SKB_FRAGS)
		return false;
	for (i = 0; i < info->nr_frags; i++)
		if (!argument_is_net_iov(&info->frags[i]) &&
		    !is_page(skb_frag_page(&info->frags[i])))
			return false;
	return true;
}

/* As the stack relies on it: what does not add up is written past the end of a packet's memory. */
static bool is_sound(const struct sk_buff *skb)
{
	return is_in_memory(skb->head) && skb->data >= skb->head && skb->data_len <= skb->len &&
	       skb->data + skb_headlen(skb) == skb_tail_pointer(skb) &&
	       skb_tail_pointer(skb) <= skb_end_pointer(skb) && has_pages(skb_shinfo(skb));
}

/* The kernel's and the modules' code are at the end of the address space. */
#define is_code(function) ((unsigned long)(function) >= __START_KERNEL_map)

static bool is_napi(const struct napi_struct *napi)
{
	return napi->dev && is_code(napi->poll);
}

/* One that was shut down has no function. */
static bool is_timer(const struct timer_list *timer)
{
	return (!timer->function || is_code(timer->function)) &&
	       (timer->flags & TIMER_CPUMASK) < nr_cpu_ids;
}

static bool is_delayed_work(const struct delayed_work *work)
{
	return is_code(work->work.func) && is_code(work->timer.function);
}

static bool is_cpu(int cpu)
{
	return (unsigned int)cpu < nr_cpu_ids;
}

/* A delayed work is put there when its time has come. */
static bool is_queue(const struct workqueue_struct *queue, int cpu)
{
	return (cpu == WORK_CPU_UNBOUND || is_cpu(cpu)) &&
	       (cache_of(queue) || is_large_object(queue));
}

/* ---- the twins ---- */

#define TWIN_CHECKED(type, name, parameters, arguments, right, argument)                           \
	type TWIN(name) parameters;                                                                \
	EXPORT_SYMBOL_GPL(recov_twin_##name);                                                      \
	type TWIN(name) parameters                                                                 \
	{                                                                                          \
		TWIN_CHECK(name, right, argument);                                                 \
		return name arguments;                                                             \
	}

#define TWIN_CHECKED_VOID(name, parameters, arguments, right, argument)                            \
	void TWIN(name) parameters;                                                                \
	EXPORT_SYMBOL_GPL(recov_twin_##name);                                                      \
	void TWIN(name) parameters                                                                 \
	{                                                                                          \
		TWIN_CHECK(name, right, argument);                                                 \
		name arguments;                                                                    \
	}

TWIN_CHECKED_VOID(kfree, (const void *p), (p), may_be_freed(p), p)
TWIN_CHECKED_VOID(kvfree, (const void *p), (p), is_vmalloc_addr(p) || may_be_freed(p), p)
TWIN_CHECKED_VOID(kmem_cache_free, (struct kmem_cache * cache, void *p), (cache, p),
		  cache &&cache_of(p) == cache, p)
TWIN_CHECKED_VOID(free_pages, (unsigned long address, unsigned int order), (address, order),
		  !address || (PAGE_ALIGNED(address) && is_in_memory((void *)address) &&
			       may_be_freed_page(virt_to_page((void *)address))),
		  address)
TWIN_CHECKED_VOID(__free_pages, (struct page * page, unsigned int order), (page, order),
		  may_be_freed_page(page), page)
/* Those who have let go of the last reference free it. */
TWIN_CHECKED_VOID(__folio_put, (struct folio * folio), (folio),
		  may_be_page(&folio->page) && !folio_test_slab(folio), folio)
TWIN_CHECKED_VOID(page_frag_free, (void *p), (p),
		  is_in_memory(p) && may_be_freed_page(virt_to_page(p)), p)
TWIN_CHECKED_VOID(dma_free_attrs,
		  (struct device * dev, size_t size, void *p, dma_addr_t handle,
		   unsigned long attrs),
		  (dev, size, p, handle, attrs),
		  !p || (is_coherent(p, attrs) && coherent_drop(p, size)), p)

dma_addr_t TWIN(dma_map_page_attrs)(struct device *dev, struct page *page, size_t offset,
				    size_t size, enum dma_data_direction direction,
				    unsigned long attrs);
EXPORT_SYMBOL_GPL(recov_twin_dma_map_page_attrs);
/* The device writes there, whatever it is. In each packet's way: who has the page is not looked at, and
 * nothing is to be kept for after a trap that returns. */
dma_addr_t TWIN(dma_map_page_attrs)(struct device *dev, struct page *page, size_t offset,
				    size_t size, enum dma_data_direction direction,
				    unsigned long attrs)
{
	if (unlikely(!may_be_page(page))) {
		trap_argument("dma_map_page_attrs", (unsigned long)page, _RET_IP_);
		return DMA_MAPPING_ERROR;
	}
	return dma_map_page_attrs(dev, page, offset, size, direction, attrs);
}

#define TWIN_PACKET(name, parameters, arguments)                                                   \
	void TWIN(name) parameters;                                                                \
	EXPORT_SYMBOL_GPL(recov_twin_##name);                                                      \
	void TWIN(name) parameters                                                                 \
	{                                                                                          \
		if (skb) {                                                                         \
			TWIN_CHECK(name, is_packet(skb) && lent_give_back(skb, _RET_IP_), skb);    \
			mark_packet(skb);                                                          \
		}                                                                                  \
		name arguments;                                                                    \
	}

ARGUMENT_FREE_ANY(TWIN_PACKET)
ARGUMENT_DROP(TWIN_PACKET)
TWIN_PACKET(consume_skb, (struct sk_buff * skb), (skb))
TWIN_PACKET(napi_consume_skb, (struct sk_buff * skb, int budget), (skb, budget))

#define TWIN_BUILD(name)                                                                           \
	TWIN_CHECKED(struct sk_buff *, name, (void *data, unsigned int size), (data, size),        \
		     may_be_packet(data, size), data)

TWIN_BUILD(build_skb)
TWIN_BUILD(napi_build_skb)

#define TWIN_FRAME(name)                                                                           \
	TWIN_CHECKED_VOID(name, (struct xdp_frame * frame), (frame),                               \
			  is_in_memory(frame) && frame->mem.type < MEM_TYPE_MAX, frame)

TWIN_FRAME(xdp_return_frame)
TWIN_FRAME(xdp_return_frame_rx_napi)

#define TWIN_RECEIVED(type, name, parameters, arguments)                                           \
	TWIN_CHECKED(type, name, parameters, arguments,                                            \
		     is_packet(skb) && lent_to(skb, _RET_IP_) && is_sound(skb), skb)

TWIN_RECEIVED(__be16, eth_type_trans, (struct sk_buff * skb, struct net_device *dev), (skb, dev))
TWIN_RECEIVED(gro_result_t, napi_gro_receive, (struct napi_struct * napi, struct sk_buff *skb),
	      (napi, skb))
TWIN_RECEIVED(int, netif_receive_skb, (struct sk_buff * skb), (skb))
TWIN_RECEIVED(int, netif_rx, (struct sk_buff * skb), (skb))

#define TWIN_NAPI(name)                                                                            \
	TWIN_CHECKED_VOID(name, (struct napi_struct * napi), (napi), is_napi(napi), napi)

TWIN_NAPI(__napi_schedule)
TWIN_NAPI(__napi_schedule_irqoff)
TWIN_CHECKED(bool, napi_schedule_prep, (struct napi_struct * napi), (napi), is_napi(napi), napi)
TWIN_CHECKED(bool, napi_complete_done, (struct napi_struct * napi, int work), (napi, work),
	     is_napi(napi), napi)

#define TWIN_TIMER(name)                                                                           \
	TWIN_CHECKED(int, name, (struct timer_list * timer, unsigned long expires),                \
		     (timer, expires), is_timer(timer), timer)

TWIN_TIMER(mod_timer)
TWIN_TIMER(mod_timer_pending)
TWIN_TIMER(timer_reduce)
TWIN_CHECKED_VOID(add_timer, (struct timer_list * timer), (timer), is_timer(timer), timer)
TWIN_CHECKED_VOID(add_timer_on, (struct timer_list * timer, int cpu), (timer, cpu),
		  is_timer(timer) && is_cpu(cpu), timer)
TWIN_CHECKED_VOID(hrtimer_start_range_ns,
		  (struct hrtimer * timer, ktime_t time, u64 range, const enum hrtimer_mode mode),
		  (timer, time, range, mode), is_code(timer->function), timer)

TWIN_CHECKED(bool, queue_work_on,
	     (int cpu, struct workqueue_struct *queue, struct work_struct *work),
	     (cpu, queue, work), is_code(work->func) && is_queue(queue, cpu), work)

#define TWIN_DELAYED_WORK(name)                                                                    \
	TWIN_CHECKED(bool, name,                                                                   \
		     (int cpu, struct workqueue_struct *queue, struct delayed_work *work,          \
		      unsigned long delay),                                                        \
		     (cpu, queue, work, delay), is_delayed_work(work) && is_queue(queue, cpu),     \
		     work)

TWIN_DELAYED_WORK(queue_delayed_work_on)
TWIN_DELAYED_WORK(mod_delayed_work_on)

#define TWIN_TASKLET(name)                                                                         \
	TWIN_CHECKED_VOID(name, (struct tasklet_struct * tasklet), (tasklet),                      \
			  is_code(tasklet->func), tasklet)

TWIN_TASKLET(__tasklet_schedule)
TWIN_TASKLET(__tasklet_hi_schedule)

/* For so long no driver spins, nor sleeps at one go. */
#define SPIN_MAX_US  1000000ul
#define SLEEP_MAX_MS 600000ul

#define TWIN_DELAY(name, unit, max)                                                                \
	TWIN_CHECKED_VOID(name, (unsigned long unit), (unit), unit <= (max), unit)

TWIN_DELAY(__udelay, us, SPIN_MAX_US)
TWIN_DELAY(__ndelay, ns, SPIN_MAX_US * 1000)
TWIN_DELAY(__const_udelay, loops, SPIN_MAX_US * 0x10c7) /* 2^32 / 10^6 */
TWIN_CHECKED_VOID(msleep, (unsigned int ms), (ms), ms <= SLEEP_MAX_MS, ms)
TWIN_CHECKED_VOID(usleep_range_state,
		  (unsigned long min, unsigned long max, unsigned int task_state),
		  (min, max, task_state), min <= SLEEP_MAX_MS * 1000, min)
