// SPDX-License-Identifier: GPL-2.0
/* The locks that armed drivers hold: looked through, and given back. */
#include <linux/delay.h>
#include <linux/hash.h>
#include <linux/ktime.h>
#include <linux/pgtable.h>
#include <linux/preempt.h>
#include <linux/rtnetlink.h>
#include <linux/rwsem.h>
#include <linux/sched/task_stack.h>
#include <linux/spinlock.h>
#include <linux/uaccess.h>
#include <linux/workqueue.h>

#include "held.h"
#include "shadow.h"
#include "trap.h"

#define OWNER_FLAGS 7ul /* of mutex.owner, rw_semaphore.owner; kernel/locking/mutex.h, rwsem.c */

/* Of rw_semaphore.count, kernel/locking/rwsem.c. */
#define SEM_WRITER	 BIT(0)
#define SEM_READER_SHIFT 8
#define SEM_READERS	 GENMASK(BITS_PER_LONG - 2, SEM_READER_SHIFT)
#define SEM_READER_OWNED BIT(0) /* of its owner */

DEFINE_PER_CPU(struct held_list, held_spins);

/* ---- spinlocks ---- */

static spinlock_t *spinlock_of(unsigned long lock)
{
	return (spinlock_t *)(lock & ~(unsigned long)HELD_KINDS_MASK);
}

static rwlock_t *rwlock_of(unsigned long lock)
{
	return (rwlock_t *)(lock & ~(unsigned long)HELD_KINDS_MASK);
}

static bool is_locked(unsigned long lock)
{
	switch (lock & HELD_KINDS_MASK) {
	case HELD_SPIN:
		return spin_is_locked(spinlock_of(lock));
	case HELD_WRITE:
		return atomic_read(&rwlock_of(lock)->raw_lock.cnts) & _QW_LOCKED;
	default:
		return atomic_read(&rwlock_of(lock)->raw_lock.cnts) >= _QR_BIAS;
	}
}

/* Has whoever asks for it now to wait? */
static bool is_busy(unsigned long lock)
{
	switch (lock & HELD_KINDS_MASK) {
	case HELD_SPIN:
		return spin_is_locked(spinlock_of(lock));
	case HELD_WRITE:
		return atomic_read(&rwlock_of(lock)->raw_lock.cnts);
	default:
		return atomic_read(&rwlock_of(lock)->raw_lock.cnts) & _QW_WMASK;
	}
}

/* Not preemptible. */
static void drop_at(struct held_list *list, unsigned int i)
{
	unsigned int n = READ_ONCE(list->n);

	WRITE_ONCE(list->locks[i].lock, HELD_HOLE);
	while (n && list->locks[n - 1].lock == HELD_HOLE) {
		WRITE_ONCE(list->locks[--n].lock, 0);
		WRITE_ONCE(list->n, n);
	}
}

void held_drop_below(struct held_list *list, unsigned long lock)
{
	unsigned int i = READ_ONCE(list->n);

	while (i--) {
		if (READ_ONCE(list->locks[i].lock) == lock) {
			drop_at(list, i);
			return;
		}
	}
}

#define LOOKS_NS  NSEC_PER_MSEC
#define LOOKS_MIN 10

/* It may have been given back by a function of the kernel and be somebody else's for now. By the clock:
 * each look may cost a virtual CPU its turn. */
static bool stays_locked(unsigned long lock)
{
	u64 begin_ns = ktime_get_mono_fast_ns();
	unsigned int i;

	for (i = 0; i < LOOKS_MIN || ktime_get_mono_fast_ns() - begin_ns < LOOKS_NS; i++) {
		if (!is_locked(lock))
			return false;
		udelay(1);
	}
	return true;
}

static bool excludes(unsigned long held, unsigned long wanted)
{
	return !((held ^ wanted) & ~(unsigned long)HELD_KINDS_MASK) &&
	       (held & wanted & HELD_KINDS_MASK) != HELD_READ;
}

void held_check_spins(unsigned long lock, unsigned long caller)
{
	struct held_list *list;
	unsigned int i;

	preempt_disable();
	list = this_cpu_ptr(&held_spins);
	i = READ_ONCE(list->n);
	while (i--) {
		unsigned long held = READ_ONCE(list->locks[i].lock);

		if (!excludes(held, lock))
			continue;
		if (stays_locked(held))
			trap_deadlock(lock & ~(unsigned long)HELD_KINDS_MASK, caller);
		else
			drop_at(list, i);
	}
	/* There is nobody who could give it back: a lock that the driver does not hold, and that is
	 * taken nevertheless, was overwritten. */
	if (num_online_cpus() == 1 && is_busy(lock))
		trap_deadlock(lock & ~(unsigned long)HELD_KINDS_MASK, caller);
	preempt_enable();
}

static void unlock(unsigned long lock)
{
	switch (lock & HELD_KINDS_MASK) {
	case HELD_SPIN:
		arch_spin_unlock(&spinlock_of(lock)->rlock.raw_lock);
		break;
	case HELD_WRITE:
		arch_write_unlock(&rwlock_of(lock)->raw_lock);
		break;
	case HELD_READ:
		arch_read_unlock(&rwlock_of(lock)->raw_lock);
		break;
	}
}

/* A function that was deeper in the same stack than the call began. */
static bool is_in_call(const struct tap_record *record, unsigned long sp)
{
	return object_is_on_stack(record) == object_is_on_stack((void *)sp) &&
	       sp < (unsigned long)record;
}

unsigned long held_spin_of(const struct tap_record *record)
{
	struct held_list *list = this_cpu_ptr(&held_spins);
	unsigned int i = READ_ONCE(list->n);
	u32 word;

	while (i--) {
		unsigned long lock = READ_ONCE(list->locks[i].lock);
		unsigned long address = lock & ~(unsigned long)HELD_KINDS_MASK;

		if (lock == HELD_HOLE || !is_in_call(record, list->locks[i].sp))
			continue;
		/* The kernel may have given it back, and freed it. */
		if (!get_kernel_nofault(word, (u32 *)address) && stays_locked(lock))
			return address;
		drop_at(list, i);
	}
	return 0;
}

/* A driver may have given anything for a lock. */
static bool is_writable(unsigned long lock)
{
	unsigned int level;
	const pte_t *pte = lookup_address(lock & ~(unsigned long)HELD_KINDS_MASK, &level);

	return pte && !(~pte_flags(*pte) & (_PAGE_PRESENT | _PAGE_RW));
}

void held_release_spins(const struct tap_record *record)
{
	struct held_list *list = this_cpu_ptr(&held_spins);
	unsigned int i = list->n;

	while (i--) {
		unsigned long lock = list->locks[i].lock;

		if (lock == HELD_HOLE || !is_in_call(record, list->locks[i].sp))
			continue;
		drop_at(list, i);
		if (is_writable(lock) && is_locked(lock))
			unlock(lock);
	}
}

/* ---- locks that sleep ---- */

struct mutex *held_rtnl;

/* Of tasks, each of which looks for its own entries in a few only. */
#define SLOTS_ORDER 8
#define SLOTS	    (1u << SLOTS_ORDER)
#define SLOTS_TRIED 8

/* A slot is written only by its task. */
struct sleeping_slot {
	struct task_struct *task; /* compared, never looked into; NULL: free */
	unsigned long lock;	  /* with its kind, or one of the notes below; 0: for none */
	/* Of one that waits: the work that its task serves, and that which it waits for instead of a
	 * lock. */
	const struct work_struct *serves, *work;
	unsigned long sp; /* where the stack was */
};

/* Which task has which, and which one waits for which. */
static struct sleeping_slot slots[SLOTS], waits[SLOTS];

static struct sleeping_slot *nth_slot(struct sleeping_slot *table, const struct task_struct *task,
				      unsigned int i)
{
	return &table[(hash_ptr(task, SLOTS_ORDER) + i) % SLOTS];
}

static bool take_slot(struct sleeping_slot *table, unsigned long lock,
		      const struct work_struct *work, unsigned long sp)
{
	unsigned int i;

	for (i = 0; i < SLOTS_TRIED; i++) {
		struct sleeping_slot *slot = nth_slot(table, current, i);

		if (READ_ONCE(slot->task) || cmpxchg(&slot->task, NULL, current))
			continue;
		slot->sp = sp;
		WRITE_ONCE(slot->serves, table == waits ? current_work() : NULL);
		WRITE_ONCE(slot->work, work);
		WRITE_ONCE(slot->lock, lock);
		return true;
	}
	return false;
}

static void free_slot(struct sleeping_slot *slot)
{
	WRITE_ONCE(slot->lock, 0);
	WRITE_ONCE(slot->work, NULL);
	smp_store_release(&slot->task, NULL);
}

static struct sleeping_slot *wait_of(const struct task_struct *task)
{
	unsigned int i;

	for (i = 0; i < SLOTS_TRIED; i++) {
		struct sleeping_slot *wait = nth_slot(waits, task, i);

		if (READ_ONCE(wait->task) == task)
			return wait;
	}
	return NULL;
}

static struct mutex *mutex_of(unsigned long lock)
{
	return (struct mutex *)(lock & ~(unsigned long)HELD_SLEEPING_MASK);
}

static struct rw_semaphore *rwsem_of(unsigned long lock)
{
	return (struct rw_semaphore *)(lock & ~(unsigned long)HELD_SLEEPING_MASK);
}

bool held_is_down(const struct rw_semaphore *sem, enum held_sleeping kind)
{
	unsigned long count;

	return !copy_from_kernel_nofault(&count, &sem->count, sizeof(count)) &&
	       count & (kind == HELD_DOWN_WRITE ? SEM_WRITER : SEM_READERS);
}

/* What somebody else waits for may be gone by now. NULL: nobody has it, or readers do. */
static struct task_struct *owner_of(unsigned long lock)
{
	bool is_mutex = (lock & HELD_SLEEPING_MASK) == HELD_MUTEX;
	unsigned long owner;

	if (copy_from_kernel_nofault(&owner,
				     is_mutex ? &mutex_of(lock)->owner : &rwsem_of(lock)->owner,
				     sizeof(owner)) ||
	    (!is_mutex && owner & SEM_READER_OWNED))
		return NULL;
	return (struct task_struct *)(owner & ~OWNER_FLAGS);
}

#define CIRCLE_MAX 8 /* tasks */
#define LOOK_MS	   25

/* What the task that serves it waits for; 0: it does not, or for something else. */
static unsigned long lock_for(const struct work_struct *work)
{
	unsigned int i;

	for (i = 0; i < SLOTS; i++) {
		unsigned long lock = READ_ONCE(waits[i].lock);

		if (lock && READ_ONCE(waits[i].serves) == work && READ_ONCE(waits[i].task))
			return lock;
	}
	return 0;
}

static bool leads_back(unsigned long lock)
{
	unsigned int i;

	for (i = 0; i < CIRCLE_MAX && lock; i++) {
		const struct task_struct *owner = owner_of(lock);
		const struct work_struct *work;
		const struct sleeping_slot *wait;

		if (owner == current)
			return true;
		wait = owner ? wait_of(owner) : NULL;
		if (!wait)
			return false;
		work = READ_ONCE(wait->work);
		if (work && work == current_work())
			return true;
		lock = work ? lock_for(work) : READ_ONCE(wait->lock);
	}
	return false;
}

/* The way is looked at while it changes, but the last one on it waits for this task: it has what it
 * has. So has, when it is looked at once more, the one before. Not so one that waits for a work, which
 * may be over, and he just not have come to notice: that has the time between the looks. */
static bool is_circle(unsigned long lock)
{
	unsigned int i;

	for (i = 0; i < CIRCLE_MAX; i++) {
		if (!leads_back(lock))
			return false;
		msleep(LOOK_MS);
	}
	return true;
}

void held_wait_over(void)
{
	struct sleeping_slot *wait = wait_of(current);

	if (wait)
		free_slot(wait);
}

/* Is it somebody's, so that one may have to wait? */
static bool is_taken(unsigned long lock)
{
	if ((lock & HELD_SLEEPING_MASK) == HELD_MUTEX)
		return atomic_long_read(&mutex_of(lock)->owner);
	return held_is_down(rwsem_of(lock), HELD_DOWN_WRITE);
}

bool held_wait(unsigned long lock, unsigned long caller)
{
	bool noted;

	if (likely(!is_taken(lock)))
		return false;
	noted = take_slot(waits, lock, NULL, current_stack_pointer);
	smp_mb(); /* of two that close a circle, one sees the other */
	if (!is_circle(lock))
		return noted;
	held_wait_over();
	trap_deadlock(lock & ~(unsigned long)HELD_SLEEPING_MASK, caller);
	return false;
}

bool held_wait_work(struct work_struct *work, unsigned long caller)
{
	unsigned int busy = work_busy(work); /* one that is only queued may take the lock yet */
	bool noted;

	if (likely(!busy))
		return false;
	noted = take_slot(waits, 0, work, current_stack_pointer);
	smp_mb(); /* as above */
	if (!(busy & WORK_BUSY_RUNNING && work == current_work()) && !is_circle(lock_for(work)))
		return noted;
	held_wait_over();
	trap_deadlock((unsigned long)work, caller);
	return false;
}

void held_add_sleeping(unsigned long lock)
{
	take_slot(slots, lock, NULL, current_stack_pointer);
}

bool held_drop_sleeping(unsigned long lock)
{
	unsigned int i;

	for (i = 0; i < SLOTS_TRIED; i++) {
		struct sleeping_slot *slot = nth_slot(slots, current, i);

		if (READ_ONCE(slot->task) == current && slot->lock == lock) {
			free_slot(slot);
			return true;
		}
	}
	return false;
}

/* What is noted in place of a lock, by kinds that none has. */
enum {
	NOTE_LENT = HELD_DOWN_READ + 1, /* of rtnl as its caller's: given back for a while */
	NOTE_SHADOW,			/* of rtnl as the shadow's */
	NOTE_HOOK,			/* of none: the task is in a replacement */
};

static unsigned long rtnl_as(unsigned int kind)
{
	return (unsigned long)held_rtnl | kind;
}

void held_add_shadow_rtnl(unsigned long sp)
{
	take_slot(slots, rtnl_as(NOTE_SHADOW), NULL, sp);
}

void held_drop_shadow_rtnl(void)
{
	held_drop_sleeping(rtnl_as(NOTE_SHADOW));
}

void held_add_hook(unsigned long sp)
{
	take_slot(slots, NOTE_HOOK, NULL, sp);
}

/* The innermost one. */
void held_drop_hook(void)
{
	struct sleeping_slot *found = NULL;
	unsigned int i;

	for (i = 0; i < SLOTS_TRIED; i++) {
		struct sleeping_slot *slot = nth_slot(slots, current, i);

		if (READ_ONCE(slot->task) == current && slot->lock == NOTE_HOOK &&
		    (!found || slot->sp < found->sp))
			found = slot;
	}
	if (found)
		free_slot(found);
}

void held_add_rtnl(void)
{
	if (!held_drop_sleeping(rtnl_as(NOTE_LENT)))
		held_add_sleeping(rtnl_as(HELD_MUTEX));
}

void held_drop_rtnl(void)
{
	if (!held_drop_sleeping(rtnl_as(HELD_MUTEX)))
		held_add_sleeping(rtnl_as(NOTE_LENT));
}

const struct task_struct *held_owner_of_rtnl(void)
{
	return owner_of(rtnl_as(HELD_MUTEX));
}

/* What the kernel has unlocked may be gone by now. Of rtnl no more than the lock: what else
 * rtnl_unlock() does may wait for ever, and whoever has it next does it. */
static void unlock_own(unsigned long lock)
{
	if (owner_of(lock) != current)
		return;
	if ((lock & HELD_SLEEPING_MASK) == HELD_MUTEX)
		mutex_unlock(mutex_of(lock));
	else if ((lock & HELD_SLEEPING_MASK) == HELD_DOWN_WRITE)
		up_write(rwsem_of(lock));
}

/* Unless an earlier call has left the note, and the caller has it. */
static void return_rtnl(void)
{
	if (owner_of(rtnl_as(HELD_MUTEX)) != current)
		rtnl_lock();
}

unsigned long held_mutex_of(const struct tap_record *record)
{
	unsigned int i;

	for (i = 0; i < SLOTS_TRIED; i++) {
		const struct sleeping_slot *slot = nth_slot(slots, current, i);
		unsigned long lock = READ_ONCE(slot->lock);

		/* The kernel may have given it back. */
		if (READ_ONCE(slot->task) == current && is_in_call(record, slot->sp) &&
		    (lock & HELD_SLEEPING_MASK) == HELD_MUTEX && owner_of(lock) == current)
			return lock;
	}
	return 0;
}

void held_release_sleeping(const struct tap_record *record)
{
	unsigned int i;

	held_wait_over();
	for (i = 0; i < SLOTS_TRIED; i++) {
		struct sleeping_slot *slot = nth_slot(slots, current, i);
		unsigned long lock = slot->lock;

		if (READ_ONCE(slot->task) != current || !is_in_call(record, slot->sp))
			continue;
		free_slot(slot);
		if (lock == rtnl_as(NOTE_LENT))
			return_rtnl();
		else if (lock == rtnl_as(NOTE_SHADOW))
			unlock_own(rtnl_as(HELD_MUTEX));
		else if (lock == NOTE_HOOK)
			recov_hook_left();
		else
			unlock_own(lock);
	}
}

void held_forget(void)
{
	memset(slots, 0, sizeof(slots));
	memset(waits, 0, sizeof(waits));
}

int __init held_init(void)
{
	held_rtnl = (struct mutex *)ksym_lookup("rtnl_mutex");
	if (held_rtnl)
		return 0;
	pr_err("recov_shadow: this kernel has no rtnl_mutex\n");
	return -ENOENT;
}
