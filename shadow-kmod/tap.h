/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Taps: every call from the kernel into an armed driver goes through one, which leaves a record on
 * the stack of what has to be as it was when the call ends, however it ends.
 *
 * struct tap_record lies between the return address of the kernel's function, which is its end, and
 * that of the driver's, recov_tap_ret, which is TAP_GAP below it; arguments on the stack are in between,
 * and then it is recov_tap_ret_stack.
 */
#ifndef TAP_H
#define TAP_H

#include <linux/atomic.h>
#include <linux/bits.h>
#include <linux/compiler.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/types.h>

#include "recov_shadow.h"
#include "recov_tap.h"

#define TAP_PACKETS_MAX 16
#define TAP_LINES_MAX	16

/* What tap_image.looked_at is once its functions are not called any more: all there is, for no call of
 * the kernel's ends one or two bytes before a module. */
#define TAP_FAILED	  (ULONG_MAX - 1)
#define TAP_FAILED_PINNED ULONG_MAX /* and has a reference: it can't clean up after itself */

/* An armed module, from its load until it is gone. The assembler code knows the first fields. */
struct tap_image {
	unsigned long text, text_size; /* calls from there are the driver's own */
	/* As much behind the beginning of text are the callers that taps look at twice: text_size,
	 * or TAP_FAILED... One comparison tells that there is nothing the matter with a call. */
	unsigned long looked_at;
	u32 n_taps;
	bool trusted;		     /* it has failed, and is called again to be taken out */
	bool abandoned;		     /* RECOV_ARMED_FAIL: calls that sleep in it end */
	bool release_at_exit;	     /* RECOV_ARMED_RELEASE */
	bool released;		     /* nothing leads into it any more: see release.h */
	enum module_state way_state; /* tap_cut_short(): what it was at the last look, */
	const struct task_struct *way_caller;
	u64 way_ns, way_limit_ns; /* since when, and how long it may be */
	struct recov_tap *taps;
	struct module *module;
	struct list_head list;
	atomic_t *lent;		       /* lent.h; NULL: nothing is counted */
	atomic_t lines[TAP_LINES_MAX]; /* interrupts that are off since it failed; 0: none */
	/* Packets whose transmission was cut short. Whether the driver still has them shows when it
	 * is gone: what it had it has given back then. */
	atomic_t n_packets;
	struct sk_buff *packets[TAP_PACKETS_MAX];
};

/* What the looks at a call in which a CPU is have found: watch.c. */
struct tap_watch {
	u16 looks; /* one after the other in which it has not slept */
	u8 seen;   /* TAP_SEEN_... in any of them */
	u8 switches;
};

#define TAP_SEEN_ELSEWHERE BIT(0) /* it was in functions of the kernel, too */
#define TAP_SEEN_POLITE	   BIT(1) /* others get the CPU, or would if they asked */
#define TAP_SEEN_ENDING	   BIT(2) /* it ends when the function of the kernel that it is in returns */

struct tap_record {
	unsigned long magic; /* tap_magic() while the call goes on */
	struct recov_tap *tap;
	u32 preempt_count;	  /* as in memory: with PREEMPT_NEED_RESCHED, */
	u32 beside_preempt_count; /* and what is beside it there */
	int pagefault_disabled;	  /* of the task, */
	int beside_pagefault;	  /* with what is beside it there */
	int rcu_nesting;
	int beside_rcu;
	u32 flags;		/* of the CPU, */
	struct tap_watch watch; /* in the half that is always zero there */
	unsigned long arg0;
	unsigned long r15, r14, r13, r12, rbx, rbp;
	unsigned long caller; /* return address */
};

static inline struct tap_image *tap_image(const struct recov_tap *tap)
{
	return (struct tap_image *)tap->kernel[0];
}

/* The driver's. */
static inline unsigned long tap_function(const struct recov_tap *tap)
{
	return tap->kernel[1];
}

static inline bool tap_is_in(const struct tap_image *image, unsigned long address)
{
	return address - image->text < image->text_size;
}

static inline bool tap_serves(const struct tap_image *image)
{
	return READ_ONCE(image->looked_at) == image->text_size;
}

/* How far the word is from what it points to: no other word on a stack is so, nor a copy of it. */
#define TAP_MAGIC 0x5ec07a91

/* Between a record and the return address; the stack frame of an exception, which lies below where the
 * stack is, then does not reach the record. Nothing is ever at the guard's address. */
#define TAP_GAP	  256
#define TAP_GUARD (-0xf0fl)

static inline unsigned long tap_magic(const struct tap_record *record)
{
	return (unsigned long)record + TAP_MAGIC;
}

/* tap_entry.S; the first three are reached by jumps from an image's thunks only, recov_tap_lost from its
 * stubs. */
void recov_tap_enter(void);
void recov_tap_enter_balanced(void);
void recov_tap_enter_stack(void);
extern unsigned long recov_tap_stacks; /* there is no stack below it */
void recov_tap_lost(void);
extern const char recov_tap_lost_here[];
/* Where the driver returns to. */
extern const char recov_tap_ret[], recov_tap_ret_balanced[], recov_tap_ret_stack[];
static inline bool tap_is_return(unsigned long address)
{
	return address == (unsigned long)recov_tap_ret ||
	       address == (unsigned long)recov_tap_ret_balanced ||
	       address == (unsigned long)recov_tap_ret_stack;
}
extern const char recov_tap_land[]; /* rsp is a record: ends its call with tap_landed()'s answer */
void __noreturn recov_tap_jump(struct tap_record *record); /* there, from anywhere in its call */
void recov_tap_end(void); /* there, if a function returns to this instead of into the driver */
void recov_tap_wrapped(void);
void recov_tap_xmit(void); /* in place of ndo_start_xmit() */
long recov_tap_guarded(void *data, struct recov_tap *tap);

/* What function(data) answers, or -EIO: it failed over what the driver has left, and ended there as a
 * call into that does. It must hold no lock by then. May sleep. */
long tap_guarded(struct tap_image *image, long (*function)(void *data), void *data);

/* The tap whose thunk is there; NULL: it is none. Under RCU, as long as which it stays. Any context. */
struct recov_tap *tap_behind(unsigned long thunk);
/* The image whose code is there; NULL: it is none's. Likewise. */
struct tap_image *tap_image_at(unsigned long address);

int tap_init(void);
void tap_uninit(void);
/* RECOV_IOC_ARMED. May sleep. */
int tap_armed(struct recov_armed *armed);
/* From now on its functions fail at once. Any context. True: they did not so far. */
bool tap_image_fail(struct tap_image *image);
/* Is it a function of an image that has failed? May sleep. */
bool tap_has_failed(unsigned long function);
/* Likewise; then that is called again. */
bool tap_forgive(unsigned long function);
/* Has an image of that driver failed, so that a call into it may have been cut short? May sleep. */
bool tap_was_cut(const char *driver);
/* To be called once a second in a swap: a driver that is on its way in or out, or is called by that task to
 * be held or put back, for half of what there was left until the deadline when that was noticed, and 5 s at
 * least, fails, and calls that sleep in it end. One that nobody would release is left alone on its way
 * out. caller: compared only, or NULL. CLOCK_MONOTONIC. May sleep. */
void tap_cut_short(const char *driver, const struct task_struct *caller, u64 now, u64 deadline_ns);
/* The image of that driver, with a reference on its module; NULL: it is not loaded, or not armed. May
 * sleep. */
struct tap_image *tap_get_image(const char *driver);
/* Do calls that sleep there end? Any context. */
bool tap_is_abandoned(unsigned long address);
/* Is there a reference on the packet because its transmission was cut short? Any context. */
bool tap_keeps(const struct sk_buff *packet);
/* Nothing leads into it any more: it may be unloaded. Any line that somebody else uses, too, is on
 * again, and the others are forgotten. May sleep. */
void tap_image_released(struct tap_image *image);
/* What the kernel gets from a driver that has failed, and what is done for it there: with the first
 * argument of the call. refused: the driver has not been called. Any context. */
long tap_answer(struct recov_tap *tap, unsigned long arg0, bool refused);

#endif /* TAP_H */
