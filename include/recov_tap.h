/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note OR LGPL-2.1-or-later */
/*
 * Armed images: what the rewriter of replug/ puts into a module's image, and the shadow module finds
 * there once it is loaded.
 *
 * Section RECOV_TAPS_SECTION (allocated, writable, its start has the local symbol RECOV_TAPS_SYMBOL)
 * is an array of struct recov_tap, one for each function whose address the image takes. In the image
 * each of these references leads to the function's thunk in RECOV_THUNKS_SECTION (allocated,
 * executable), which has the local symbol FUNCTION.tap and 16 bytes:
 *
 *	endbr64
 *	lea	the function's struct recov_tap(%rip), %r11
 *	jmp	recov_tap_enter_stack	where stack_words is not 0,
 *		recov_tap_enter_balanced where recov_tap_is_balanced(kind), or
 *		recov_tap_enter
 *
 * Where it is not certain how many words of arguments the function has on the stack, stack_words is
 * larger: words too many do no harm. Direct calls within the driver are left as they are.
 * They are exports of the shadow module: an armed image depends on it.
 *
 * Behind the thunks, at the local symbol RECOV_STUBS_SYMBOL if there are any, are 32 bytes for each
 * import that the image calls or jumps to; these calls lead there:
 *
 *	cmp	recov_tap_stacks(%rip), %rsp
 *	jb	recov_tap_lost
 *	jmp	the import
 *	nop				14 of them
 *
 * A driver that has put something else into the stack pointer would have the kernel's functions write
 * to it: below recov_tap_stacks, a variable of the shadow module's, there is no stack. Not so are calls
 * that the kernel patches by where they lead.
 *
 * The functions of RECOV_TWINS, where the image imports them, have another name in it, and in its
 * table of versions, with RECOV_TWIN_PREFIX before their own: exports of the shadow module, too, which
 * do the same and keep in mind which locks the driver holds, but for semaphores that it reads under. So a
 * call that would wait for a lock that its CPU or task holds already ends before it does, and one that
 * is cut short lets go of those that it has taken. Who waits for a work that waits for one of its locks
 * ends likewise. From wait_for_completion() on they do not wait for a driver that nobody calls any more.
 * From kfree() on they look at their argument, and end the call if it can't be right: a packet of a
 * socket's, too, that ndo_start_xmit() was not given. dma_alloc_attrs() notes what is to be given back
 * for a driver that nobody calls any more. Those whose names differ from kernel to kernel are exported
 * where there is such a function.
 */
#ifndef RECOV_TAP_H
#define RECOV_TAP_H

#include <linux/types.h>

#define RECOV_TAPS_SECTION   ".recov.taps"
#define RECOV_THUNKS_SECTION ".text.recov"
#define RECOV_TAPS_SYMBOL    "recov_taps"
#define RECOV_STUBS_SYMBOL   "recov_stubs"
#define RECOV_THUNK_LEA	     7	/* where the displacement of lea is in a thunk */
#define RECOV_TAP_STACK_MAX  32 /* words of arguments on the stack */

#define RECOV_TWIN_PREFIX "recov_twin_"
/* Whole families: what is taken by one of them is given back by another. */
#define RECOV_TWINS(X)                                                                             \
	X(_raw_spin_lock)                                                                          \
	X(_raw_spin_lock_bh)                                                                       \
	X(_raw_spin_lock_irq)                                                                      \
	X(_raw_spin_lock_irqsave)                                                                  \
	X(_raw_spin_trylock)                                                                       \
	X(_raw_spin_trylock_bh)                                                                    \
	X(_raw_spin_unlock)                                                                        \
	X(_raw_spin_unlock_bh)                                                                     \
	X(_raw_spin_unlock_irq)                                                                    \
	X(_raw_spin_unlock_irqrestore)                                                             \
	X(_raw_read_lock)                                                                          \
	X(_raw_read_lock_bh)                                                                       \
	X(_raw_read_lock_irq)                                                                      \
	X(_raw_read_lock_irqsave)                                                                  \
	X(_raw_read_trylock)                                                                       \
	X(_raw_read_unlock)                                                                        \
	X(_raw_read_unlock_bh)                                                                     \
	X(_raw_read_unlock_irq)                                                                    \
	X(_raw_read_unlock_irqrestore)                                                             \
	X(_raw_write_lock)                                                                         \
	X(_raw_write_lock_bh)                                                                      \
	X(_raw_write_lock_irq)                                                                     \
	X(_raw_write_lock_irqsave)                                                                 \
	X(_raw_write_trylock)                                                                      \
	X(_raw_write_unlock)                                                                       \
	X(_raw_write_unlock_bh)                                                                    \
	X(_raw_write_unlock_irq)                                                                   \
	X(_raw_write_unlock_irqrestore)                                                            \
	X(mutex_lock)                                                                              \
	X(mutex_lock_interruptible)                                                                \
	X(mutex_lock_killable)                                                                     \
	X(mutex_lock_io)                                                                           \
	X(mutex_trylock)                                                                           \
	X(mutex_unlock)                                                                            \
	X(down_read)                                                                               \
	X(down_read_interruptible)                                                                 \
	X(down_read_killable)                                                                      \
	X(up_read)                                                                                 \
	X(down_write)                                                                              \
	X(down_write_killable)                                                                     \
	X(down_write_trylock)                                                                      \
	X(up_write)                                                                                \
	X(downgrade_write)                                                                         \
	X(rtnl_lock)                                                                               \
	X(rtnl_lock_killable)                                                                      \
	X(rtnl_trylock)                                                                            \
	X(rtnl_unlock)                                                                             \
	X(flush_work)                                                                              \
	X(flush_delayed_work)                                                                      \
	X(cancel_work_sync)                                                                        \
	X(cancel_delayed_work_sync)                                                                \
	X(wait_for_completion)                                                                     \
	X(wait_for_completion_interruptible)                                                       \
	X(wait_for_completion_killable)                                                            \
	X(down)                                                                                    \
	X(kfree)                                                                                   \
	X(kvfree)                                                                                  \
	X(kmem_cache_free)                                                                         \
	X(free_pages)                                                                              \
	X(__free_pages)                                                                            \
	X(__folio_put)                                                                             \
	X(page_frag_free)                                                                          \
	X(dma_alloc_attrs)                                                                         \
	X(dma_free_attrs)                                                                          \
	X(dma_map_page_attrs)                                                                      \
	X(__dev_kfree_skb_any)                                                                     \
	X(__dev_kfree_skb_irq)                                                                     \
	X(dev_kfree_skb_any_reason)                                                                \
	X(dev_kfree_skb_irq_reason)                                                                \
	X(kfree_skb_reason)                                                                        \
	X(sk_skb_reason_drop)                                                                      \
	X(consume_skb)                                                                             \
	X(napi_consume_skb)                                                                        \
	X(build_skb)                                                                               \
	X(napi_build_skb)                                                                          \
	X(xdp_return_frame)                                                                        \
	X(xdp_return_frame_rx_napi)                                                                \
	X(eth_type_trans)                                                                          \
	X(napi_gro_receive)                                                                        \
	X(netif_receive_skb)                                                                       \
	X(netif_rx)                                                                                \
	X(napi_schedule_prep)                                                                      \
	X(__napi_schedule)                                                                         \
	X(__napi_schedule_irqoff)                                                                  \
	X(napi_complete_done)                                                                      \
	X(mod_timer)                                                                               \
	X(mod_timer_pending)                                                                       \
	X(timer_reduce)                                                                            \
	X(add_timer)                                                                               \
	X(add_timer_on)                                                                            \
	X(hrtimer_start_range_ns)                                                                  \
	X(queue_work_on)                                                                           \
	X(queue_delayed_work_on)                                                                   \
	X(mod_delayed_work_on)                                                                     \
	X(__tasklet_schedule)                                                                      \
	X(__tasklet_hi_schedule)                                                                   \
	X(__udelay)                                                                                \
	X(__ndelay)                                                                                \
	X(__const_udelay)                                                                          \
	X(msleep)                                                                                  \
	X(usleep_range_state)

/* What a function answers in place of a driver that has failed. */
enum recov_tap_answer {
	RECOV_TAP_ZERO,	 /* nothing, false, NULL, a count, IRQ_NONE, NETDEV_TX_OK */
	RECOV_TAP_ERROR, /* -EIO: a signed integer of at least 32 bits */
	/* -EOPNOTSUPP: int (struct net_device *, char *, size_t) and int (struct net_device *,
	 * struct netdev_phys_item_id *), of which any other error keeps the kernel from saying
	 * anything of the device: rtnl_fill_ifinfo() */
	RECOV_TAP_UNSUPPORTED,
};

/* What kind of call it is, where that matters for what has to be put right after an unwind. */
enum recov_tap_kind {
	RECOV_TAP_OTHER,
	RECOV_TAP_INIT,	 /* init_module */
	RECOV_TAP_EXIT,	 /* cleanup_module */
	RECOV_TAP_IRQ,	 /* irqreturn_t (int, void *) */
	RECOV_TAP_POLL,	 /* int (struct napi_struct *, int) */
	RECOV_TAP_XMIT,	 /* netdev_tx_t (struct sk_buff *, struct net_device *) */
	RECOV_TAP_TIMER, /* void (struct timer_list *) */
	RECOV_TAP_WORK,	 /* void (struct work_struct *) */
	RECOV_TAP_STATS, /* struct net_device_stats *(struct net_device *), which is never NULL */
	/* void (struct virtio_device *), as remove() is: virtio's core warns of one that has not
	 * stopped its device */
	RECOV_TAP_VIRTIO,
};

/* Does it leave preemption as it was? Others may begin what another call ends. */
static inline int recov_tap_is_balanced(__u16 kind)
{
	return kind >= RECOV_TAP_IRQ && kind <= RECOV_TAP_TIMER;
}

struct recov_tap {
	__u64 function; /* the driver's; R_X86_64_64 in the image */
	__u16 answer;	/* enum recov_tap_answer */
	__u16 kind;	/* enum recov_tap_kind */
	__u16 stack_words;
	__u16 reserved;
	__u64 kernel[2]; /* the shadow module's own, 0 in the image */
};

#ifndef __KERNEL__
_Static_assert(sizeof(struct recov_tap) == 32, "recov_tap");
#endif

#endif /* RECOV_TAP_H */
