// SPDX-License-Identifier: GPL-2.0
/* The twins: what armed drivers call in place of the kernel's functions for locks, and for
 * works that may wait for one; see recov_tap.h. */
#include <linux/instruction_pointer.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/rcupdate.h>
#include <linux/rtnetlink.h>
#include <linux/rwsem.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>

#include "held.h"
#include "net.h"
#include "twin.h"

#define TWIN_LOCK(name, lock_type, kind)                                                           \
	TWIN_DEFINE(void, name, lock_type *lock) __acquires(lock)                                  \
	{                                                                                          \
		held_check((unsigned long)lock | (kind), _RET_IP_);                                \
		name(lock);                                                                        \
		held_add((unsigned long)lock | (kind));                                            \
	}

#define TWIN_LOCK_IRQSAVE(name, lock_type, kind)                                                   \
	TWIN_DEFINE(unsigned long, name, lock_type *lock) __acquires(lock)                         \
	{                                                                                          \
		unsigned long flags;                                                               \
                                                                                                   \
		held_check((unsigned long)lock | (kind), _RET_IP_);                                \
		flags = name(lock);                                                                \
		held_add((unsigned long)lock | (kind));                                            \
		return flags;                                                                      \
	}

#define TWIN_TRYLOCK(name, lock_type, kind)                                                        \
	TWIN_DEFINE(int, name, lock_type *lock)                                                    \
	{                                                                                          \
		int taken = name(lock);                                                            \
                                                                                                   \
		if (taken)                                                                         \
			held_add((unsigned long)lock | (kind));                                    \
		return taken;                                                                      \
	}

/* To give back what nobody has takes the count of what disables preemption below zero. */
#define IS_HELD_SPIN(lock)  raw_spin_is_locked(lock)
#define IS_HELD_READ(lock)  atomic_read(&(lock)->raw_lock.cnts)
#define IS_HELD_WRITE(lock) atomic_read(&(lock)->raw_lock.cnts)

#define TWIN_UNLOCK(name, lock_type, kind)                                                         \
	TWIN_DEFINE(void, name, lock_type *lock) __releases(lock)                                  \
	{                                                                                          \
		TWIN_CHECK(name, IS_##kind(lock), lock);                                           \
		held_drop((unsigned long)lock | (kind));                                           \
		name(lock);                                                                        \
	}

#define TWIN_UNLOCK_IRQRESTORE(name, lock_type, kind)                                              \
	TWIN_DEFINE(void, name, lock_type *lock, unsigned long flags) __releases(lock)             \
	{                                                                                          \
		TWIN_CHECK(name, IS_##kind(lock), lock);                                           \
		held_drop((unsigned long)lock | (kind));                                           \
		name(lock, flags);                                                                 \
	}

TWIN_LOCK(_raw_spin_lock, raw_spinlock_t, HELD_SPIN)
TWIN_LOCK(_raw_spin_lock_bh, raw_spinlock_t, HELD_SPIN)
TWIN_LOCK(_raw_spin_lock_irq, raw_spinlock_t, HELD_SPIN)
TWIN_LOCK_IRQSAVE(_raw_spin_lock_irqsave, raw_spinlock_t, HELD_SPIN)
TWIN_TRYLOCK(_raw_spin_trylock, raw_spinlock_t, HELD_SPIN)
TWIN_TRYLOCK(_raw_spin_trylock_bh, raw_spinlock_t, HELD_SPIN)
TWIN_UNLOCK(_raw_spin_unlock, raw_spinlock_t, HELD_SPIN)
TWIN_UNLOCK(_raw_spin_unlock_bh, raw_spinlock_t, HELD_SPIN)
TWIN_UNLOCK(_raw_spin_unlock_irq, raw_spinlock_t, HELD_SPIN)
TWIN_UNLOCK_IRQRESTORE(_raw_spin_unlock_irqrestore, raw_spinlock_t, HELD_SPIN)

TWIN_LOCK(_raw_read_lock, rwlock_t, HELD_READ)
TWIN_LOCK(_raw_read_lock_bh, rwlock_t, HELD_READ)
TWIN_LOCK(_raw_read_lock_irq, rwlock_t, HELD_READ)
TWIN_LOCK_IRQSAVE(_raw_read_lock_irqsave, rwlock_t, HELD_READ)
TWIN_TRYLOCK(_raw_read_trylock, rwlock_t, HELD_READ)
TWIN_UNLOCK(_raw_read_unlock, rwlock_t, HELD_READ)
TWIN_UNLOCK(_raw_read_unlock_bh, rwlock_t, HELD_READ)
TWIN_UNLOCK(_raw_read_unlock_irq, rwlock_t, HELD_READ)
TWIN_UNLOCK_IRQRESTORE(_raw_read_unlock_irqrestore, rwlock_t, HELD_READ)

TWIN_LOCK(_raw_write_lock, rwlock_t, HELD_WRITE)
TWIN_LOCK(_raw_write_lock_bh, rwlock_t, HELD_WRITE)
TWIN_LOCK(_raw_write_lock_irq, rwlock_t, HELD_WRITE)
TWIN_LOCK_IRQSAVE(_raw_write_lock_irqsave, rwlock_t, HELD_WRITE)
TWIN_TRYLOCK(_raw_write_trylock, rwlock_t, HELD_WRITE)
TWIN_UNLOCK(_raw_write_unlock, rwlock_t, HELD_WRITE)
TWIN_UNLOCK(_raw_write_unlock_bh, rwlock_t, HELD_WRITE)
TWIN_UNLOCK(_raw_write_unlock_irq, rwlock_t, HELD_WRITE)
TWIN_UNLOCK_IRQRESTORE(_raw_write_unlock_irqrestore, rwlock_t, HELD_WRITE)

#define TWIN_SLEEPING_LOCK(name, lock_type, kind)                                                  \
	TWIN_DEFINE(void, name, lock_type *lock)                                                   \
	{                                                                                          \
		bool waits = held_wait((unsigned long)lock | (kind), _RET_IP_);                    \
                                                                                                   \
		name(lock);                                                                        \
		if (unlikely(waits))                                                               \
			held_wait_over();                                                          \
		held_add_sleeping((unsigned long)lock | (kind));                                   \
	}

#define TWIN_SLEEPING_LOCK_SIGNALS(name, lock_type, kind)                                          \
	TWIN_DEFINE(int, name, lock_type *lock)                                                    \
	{                                                                                          \
		bool waits = held_wait((unsigned long)lock | (kind), _RET_IP_);                    \
		int err = name(lock);                                                              \
                                                                                                   \
		if (unlikely(waits))                                                               \
			held_wait_over();                                                          \
		if (!err)                                                                          \
			held_add_sleeping((unsigned long)lock | (kind));                           \
		return err;                                                                        \
	}

#define TWIN_SLEEPING_TRYLOCK(name, lock_type, kind)                                               \
	TWIN_DEFINE(int, name, lock_type *lock)                                                    \
	{                                                                                          \
		int taken = name(lock);                                                            \
                                                                                                   \
		if (taken)                                                                         \
			held_add_sleeping((unsigned long)lock | (kind));                           \
		return taken;                                                                      \
	}

#define TWIN_SLEEPING_UNLOCK(name, lock_type, kind, is_held)                                       \
	TWIN_DEFINE(void, name, lock_type *lock)                                                   \
	{                                                                                          \
		TWIN_CHECK(name, is_held, lock);                                                   \
		held_drop_sleeping((unsigned long)lock | (kind));                                  \
		name(lock);                                                                        \
	}

TWIN_SLEEPING_LOCK(mutex_lock, struct mutex, HELD_MUTEX)
TWIN_SLEEPING_LOCK(mutex_lock_io, struct mutex, HELD_MUTEX)
TWIN_SLEEPING_LOCK_SIGNALS(mutex_lock_interruptible, struct mutex, HELD_MUTEX)
TWIN_SLEEPING_LOCK_SIGNALS(mutex_lock_killable, struct mutex, HELD_MUTEX)
TWIN_SLEEPING_TRYLOCK(mutex_trylock, struct mutex, HELD_MUTEX)
TWIN_SLEEPING_UNLOCK(mutex_unlock, struct mutex, HELD_MUTEX, mutex_is_locked(lock))

TWIN_SLEEPING_LOCK(down_write, struct rw_semaphore, HELD_DOWN_WRITE)
TWIN_SLEEPING_LOCK_SIGNALS(down_write_killable, struct rw_semaphore, HELD_DOWN_WRITE)
TWIN_SLEEPING_TRYLOCK(down_write_trylock, struct rw_semaphore, HELD_DOWN_WRITE)
TWIN_SLEEPING_UNLOCK(up_write, struct rw_semaphore, HELD_DOWN_WRITE,
		     held_is_down(lock, HELD_DOWN_WRITE))

/* The kernel does not know its readers: whether one still has it can't be told, nor who should. */
TWIN_DEFINE(void, down_read, struct rw_semaphore *lock)
{
	bool waits = held_wait((unsigned long)lock | HELD_DOWN_READ, _RET_IP_);

	down_read(lock);
	if (unlikely(waits))
		held_wait_over();
}

#define TWIN_DOWN_READ_SIGNALS(name)                                                               \
	TWIN_DEFINE(int, name, struct rw_semaphore *lock)                                          \
	{                                                                                          \
		bool waits = held_wait((unsigned long)lock | HELD_DOWN_READ, _RET_IP_);            \
		int err = name(lock);                                                              \
                                                                                                   \
		if (unlikely(waits))                                                               \
			held_wait_over();                                                          \
		return err;                                                                        \
	}

TWIN_DOWN_READ_SIGNALS(down_read_interruptible)
TWIN_DOWN_READ_SIGNALS(down_read_killable)

TWIN_DEFINE(void, up_read, struct rw_semaphore *lock)
{
	TWIN_CHECK(up_read, held_is_down(lock, HELD_DOWN_READ), lock);
	up_read(lock);
}

TWIN_DEFINE(void, downgrade_write, struct rw_semaphore *lock)
{
	TWIN_CHECK(downgrade_write, held_is_down(lock, HELD_DOWN_WRITE), lock);
	held_drop_sleeping((unsigned long)lock | HELD_DOWN_WRITE);
	downgrade_write(lock);
}

/* rtnl is a mutex that only these functions know. In a swap a probe() has it until it ends. */
static struct net_slot *probing_slot(void)
{
	struct net_slot *ns;

	rcu_read_lock();
	ns = net_probing_slot(); /* stays as long as this task is in its probe() */
	rcu_read_unlock();
	return ns;
}

static int lock_rtnl(int (*lock)(void), unsigned long caller)
{
	struct net_slot *ns = probing_slot();
	bool waits;
	int err;

	if (ns) {
		net_probe_lock(ns);
		return 0;
	}
	waits = held_wait((unsigned long)held_rtnl, caller);
	err = lock();
	if (unlikely(waits))
		held_wait_over();
	if (!err)
		held_add_rtnl();
	return err;
}

static int lock_uninterrupted(void)
{
	rtnl_lock();
	return 0;
}

TWIN_DEFINE(void, rtnl_lock, void)
{
	lock_rtnl(lock_uninterrupted, _RET_IP_);
}

TWIN_DEFINE(int, rtnl_lock_killable, void)
{
	return lock_rtnl(rtnl_lock_killable, _RET_IP_);
}

TWIN_DEFINE(int, rtnl_trylock, void)
{
	struct net_slot *ns = probing_slot();
	int taken;

	if (ns)
		return net_probe_trylock(ns);
	taken = rtnl_trylock();
	if (taken)
		held_add_rtnl();
	return taken;
}

TWIN_DEFINE(void, rtnl_unlock, void)
{
	if (probing_slot())
		return;
	TWIN_CHECK(rtnl_unlock, mutex_is_locked(held_rtnl), held_rtnl);
	held_drop_rtnl();
	rtnl_unlock();
}

#define TWIN_WORK(name, work_type, its_work)                                                       \
	TWIN_DEFINE(bool, name, work_type *work)                                                   \
	{                                                                                          \
		bool waits = held_wait_work(its_work, _RET_IP_);                                   \
		bool was = name(work);                                                             \
                                                                                                   \
		if (unlikely(waits))                                                               \
			held_wait_over();                                                          \
		return was;                                                                        \
	}

TWIN_WORK(flush_work, struct work_struct, work)
TWIN_WORK(cancel_work_sync, struct work_struct, work)
TWIN_WORK(flush_delayed_work, struct delayed_work, &work->work)
TWIN_WORK(cancel_delayed_work_sync, struct delayed_work, &work->work)
