/* SPDX-License-Identifier: GPL-2.0 */
/* Mistakes planted into loaded drivers: what the parts that plant them share. */
#ifndef INJECT_H
#define INJECT_H

#include <linux/atomic.h>
#include <linux/completion.h>
#include <linux/irq_work.h>
#include <linux/kprobes.h>
#include <linux/list.h>
#include <linux/ptrace.h>
#include <linux/rcupdate.h>
#include <linux/types.h>
#include <linux/workqueue.h>

#include "recov_shadow.h"

struct inject_call {
	struct kprobe probe;
	struct inject *inject;
	struct recov_inject_call what;
	atomic_t calls; /* that the driver has made */
	u32 index;	/* of its hits */
};

struct inject_hit {
	u64 time_ns; /* of the first time; 0: it was not met */
	atomic_t count;
	u32 cpu, pid;
};

/* Nothing is planted before PLANTED nor after ENDING; with PLANTED it is decided that it is. */
enum inject_state {
	INJECT_PLANTING,
	INJECT_CANCELLED, /* it took too long: nobody waits for it any more */
	INJECT_PLANTED,
	INJECT_ENDING,
	INJECT_ENDED, /* the work has nothing to do with it any more */
};

/* What is planted in one driver. From its creation until it is forgotten it is on the list, where
 * handlers find it under rcu. */
struct inject {
	struct list_head list;
	struct rcu_head rcu;
	char driver[RECOV_NAME_LEN];
	unsigned long text, text_size;
	u8 *alias;			 /* the same memory, to be written */
	struct recov_inject_site *sites; /* ascending */
	struct inject_call *calls;
	u32 n_sites, n_calls, n_probes;
	u32 for_ms, max_hits, flags;
	struct inject_hit *hits; /* of the sites, then of the calls */
	atomic_t n_hits;
	atomic_t state; /* enum inject_state */
	bool gone;	/* the driver is: its text is not touched any more */
	u32 failed, differing;
	int err;
	u64 planted_ns, ended_ns;
	struct work_struct plant;
	struct completion planted; /* or failed, see err */
	struct delayed_work end;
	struct completion ended;
	struct irq_work full; /* max_hits are reached */
};

/* ---- inject_verb.c ---- */

/* The verbs; -ENOTTY for others. May sleep. */
long inject_ioctl(unsigned int cmd, void __user *arg);

/* ---- inject.c ---- */

int inject_init(void);
void inject_uninit(void);
/* What is asked for, of a module that the caller holds; or arg->failed. May sleep. */
int inject_new(struct recov_inject *arg, const struct module *module, struct inject **ret_inject);
/* Has it planted. From now on it ends by itself, when it has to. For one verb at a time, as all of
 * these down to inject_forget(), which may sleep. */
void inject_begin(struct inject *inject);
/* By its driver, or by its index; NULL: nothing is planted, nor was. */
struct inject *inject_find(const char *driver, u32 index);
/* Waits until it is planted, or ends it and waits for that, but not too long: -ETIMEDOUT. Otherwise
 * what became of it. */
int inject_wait_planted(struct inject *inject);
int inject_wait_ended(struct inject *inject);
/* Of one that has ended. */
void inject_forget(struct inject *inject);
/* PLANTING -> PLANTED. False: it has been cancelled, or the driver is gone. Any context. */
bool inject_commit(struct inject *inject);
/* The site or call has been met. Any context, NMI as well. */
void inject_hit(struct inject *inject, u32 index);
/* In whose text the address is, or NULL. Under rcu_read_lock(); any context. */
struct inject *inject_find_text(unsigned long address);

/* ---- inject_text.c ---- */

/* The driver's text once more, writable. May sleep. */
int inject_text_map(struct inject *inject);
void inject_text_unmap(struct inject *inject);
/* Puts all in, and commits; or nothing, with failed. -ETIMEDOUT: a CPU hangs. */
int inject_text_plant(struct inject *inject);
/* Takes all out again that is still there, and counts the rest in differing. -ETIMEDOUT likewise:
 * nothing is taken out. -ENOENT: the driver is gone. */
int inject_text_restore(struct inject *inject);
int inject_text_init(void);
void inject_text_uninit(void);

/* ---- inject_call.c: the same, but the calls go as usual until it is committed. May sleep. ---- */

int inject_calls_plant(struct inject *inject);
void inject_calls_restore(struct inject *inject);

#endif /* INJECT_H */
