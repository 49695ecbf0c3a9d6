/* SPDX-License-Identifier: GPL-2.0 */
/* What the faulty drivers share: the places at which they fail, and the faults. */
#ifndef FAULTY_H
#define FAULTY_H

#include <linux/atomic.h>
#include <linux/bits.h>
#include <linux/compiler.h>

/* From where the kernel calls a driver. */
enum faulty_context {
	FAULTY_PROCESS, /* for a process: an ioctl, a read, an operation of ethtool */
	FAULTY_XMIT,
	FAULTY_WORK,
	FAULTY_KTHREAD,
	FAULTY_TIMER,
	FAULTY_HRTIMER, /* in hardirq context */
	FAULTY_TASKLET,
	FAULTY_NAPI,
	FAULTY_HARDIRQ,
	FAULTY_PREPARED, /* there, when NAPI waits to be scheduled by it */
	FAULTY_PROBE,
	FAULTY_REMOVE,
	FAULTY_OPEN,
	FAULTY_STOP,	 /* of a file: its release */
	FAULTY_FEATURES, /* once a feature is switched off */
	FAULTY_MTU,	 /* once another one is set */
	FAULTY_DISABLED, /* while NAPI is off to change the rings */
	FAULTY_CONTEXTS
};

/* faults.c: one row a fault; the table is what there is to document. */
struct faulty_fault {
	const char *name;
	const char *site; /* the function that fails */
	void (*make)(void);
	unsigned long never; /* contexts in which a fault of this kind cannot be, a bit each */
	unsigned long needs; /* those that a driver has where it can be at all, or none */
};

extern const struct faulty_fault faulty_faults[]; /* ends with an empty row */
void faulty_renew(void);			  /* with nothing planted */
void faulty_finish(void);			  /* before the driver goes; may sleep */

/* plant.c: the parameters `fault`, `last` and `faults`. */
extern const char *const faulty_context_names[FAULTY_CONTEXTS];
extern atomic_t faulty_armed; /* the context of the fault that is planted, or none of them */
void faulty_reach(enum faulty_context context);

/* The driver: where it is called at all, and how it gets itself called there, if it can. */
extern const unsigned long faulty_contexts;
void faulty_kick(enum faulty_context context);

/* faulty_point: wherever the kernel enters the driver; the fault planted there happens, once. */
static inline void faulty_point(enum faulty_context context)
{
	if (unlikely(atomic_read(&faulty_armed) == context))
		faulty_reach(context);
}

#endif
