/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The locks that armed drivers hold. Who holds a spinlock is known by its CPU, for it stays there;
 * who holds a lock that sleeps, by its task. What a driver has locked and the kernel unlocks stays in
 * the lists until somebody asks for it again, or is found not to be its task's any more.
 */
#ifndef HELD_H
#define HELD_H

#include <linux/compiler.h>
#include <linux/mutex.h>
#include <linux/rwsem.h>
#include <linux/percpu.h>
#include <asm/current.h>

#include "tap.h"

enum held_kind { /* in the low bits of a lock's address */
	HELD_SPIN,
	HELD_WRITE,
	HELD_READ,
	HELD_KINDS_MASK = 3
};

enum held_sleeping { /* likewise of those that sleep */
	HELD_MUTEX,
	HELD_DOWN_WRITE, /* a semaphore of readers and writers */
	HELD_DOWN_READ,	 /* only waited for: of readers there is no list */
	HELD_SLEEPING_MASK = 7
};

#define HELD_MAX  16 /* of a CPU; one more is not kept in mind */
#define HELD_HOLE 1  /* of a lock that was given back before a later one; no lock is there */

/* Interrupts take and give back behind what they came into. */
struct held_list {
	unsigned int n;
	struct {
		unsigned long lock; /* with its kind; 0 from n on */
		unsigned long sp;   /* where the stack was */
	} locks[HELD_MAX];
};

DECLARE_PER_CPU(struct held_list, held_spins);

/* A spinlock that was just taken, or is about to be given back: not preemptible. */
static __always_inline void held_add(unsigned long lock)
{
	struct held_list *list = this_cpu_ptr(&held_spins);
	unsigned int i = READ_ONCE(list->n);

	if (unlikely(i >= HELD_MAX))
		return;
	WRITE_ONCE(list->n, i + 1);
	WRITE_ONCE(list->locks[i].sp, current_stack_pointer);
	WRITE_ONCE(list->locks[i].lock, lock);
}

void held_drop_below(struct held_list *list, unsigned long lock);

static __always_inline void held_drop(unsigned long lock)
{
	struct held_list *list = this_cpu_ptr(&held_spins);
	unsigned int i = READ_ONCE(list->n) - 1;

	/* There may be a hole below the last one. */
	if (likely(!i && list->locks[i].lock == lock)) {
		WRITE_ONCE(list->locks[i].lock, 0);
		WRITE_ONCE(list->n, i);
		return;
	}
	held_drop_below(list, lock);
}

static __always_inline bool held_any_spin(void)
{
	return raw_cpu_read(held_spins.n);
}

void held_check_spins(unsigned long lock, unsigned long caller);

/* Ends the call of the driver if the spinlock that it is about to wait for is held by this CPU: by
 * itself, or by what it has interrupted. Any context. caller: of the twin. A lock's first word is 0 as
 * long as nobody has it. */
static __always_inline void held_check(unsigned long lock, unsigned long caller)
{
	if (unlikely(this_cpu_read(held_spins.n) ||
		     READ_ONCE(*(u32 *)(lock & ~(unsigned long)HELD_KINDS_MASK))))
		held_check_spins(lock, caller);
}

/* The same of a lock that sleeps, with its kind, and that the task would wait for for ever: it has it
 * itself, or whoever has it waits for one of the task's, or for somebody who does. True: it waits, until
 * held_wait_over() tells others that it does not any more. May be preempted. */
bool held_wait(unsigned long lock, unsigned long caller);
void held_wait_over(void);
/* Likewise of a work: the task serves it itself, or whoever does waits for one of the task's locks. */
struct work_struct;
bool held_wait_work(struct work_struct *work, unsigned long caller);
/* A lock that sleeps, with its kind, which the task has just taken, or is about to give back. May be
 * preempted. False: it is not in the list. */
void held_add_sleeping(unsigned long lock);
bool held_drop_sleeping(unsigned long lock);
/* Has anybody a semaphore of readers and writers like that? It may be at any address. */
bool held_is_down(const struct rw_semaphore *sem, enum held_sleeping kind);
/* Likewise of rtnl, which a driver may also give back for its caller, and take again. */
void held_add_rtnl(void);
void held_drop_rtnl(void);
/* Likewise rtnl as the shadow takes it, below a call of a driver's or instead of one; and that the task
 * is in what replaces a function of the kernel's. sp: of the function that does so, or that is replaced.
 * Both end with the call that they are in. What there is no room for, 8 of a task, is left as it is. */
void held_add_shadow_rtnl(unsigned long sp);
void held_drop_shadow_rtnl(void);
void held_add_hook(unsigned long sp);
void held_drop_hook(void);

/* The end of a call that was cut short gives back what it has taken. Not those locks of which the
 * lists had no room. Of a lock that an earlier call on this stack has left held for a later one the
 * same is done: the driver has failed, it will not come to do so itself. Interrupts are off, and as
 * they were before the call. */
void held_release_spins(const struct tap_record *record);
/* A lock that the call has, or 0. Of spins not preemptible, and may take a millisecond; of mutexes in
 * process context. */
unsigned long held_spin_of(const struct tap_record *record);
unsigned long held_mutex_of(const struct tap_record *record);
void held_release_sleeping(const struct tap_record *record);

/* rtnl's own. */
extern struct mutex *held_rtnl;

/* It is there as long as it keeps it; NULL: nobody has it. */
const struct task_struct *held_owner_of_rtnl(void);

/* No armed driver is loaded. */
void held_forget(void);

/* Looks up rtnl. May sleep. */
int held_init(void);

#endif /* HELD_H */
