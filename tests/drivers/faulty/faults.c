// SPDX-License-Identifier: GPL-2.0
/*
 * The faults: what goes wrong in drivers, a function each. What the compiler must not know, for it
 * would mend the fault or make another one of it, goes through OPTIMIZER_HIDE_VAR.
 */
#include <linux/bottom_half.h>
#include <linux/bug.h>
#include <linux/completion.h>
#include <linux/dma-mapping.h>
#include <linux/irqflags.h>
#include <linux/kernel.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/netdevice.h>
#include <linux/objtool.h>
#include <linux/processor.h>
#include <linux/rcupdate.h>
#include <linux/rtnetlink.h>
#include <linux/rwsem.h>
#include <linux/sched.h>
#include <linux/semaphore.h>
#include <linux/sizes.h>
#include <linux/skbuff.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/timer.h>
#include <linux/workqueue.h>
#include <net/sock.h>

#include "faulty.h"
#include "faulty_bus.h"

#define WILD 0x5a5a5a5a5a5a5a5aul /* on x86-64 no address at all */

enum {
	STACK_WORDS = 24, /* how far up its own frame a function may end */
	COPIED = 64,
	RECORD_WORDS = 128, /* how far up the stack the record of a call may lie */
	RECORD_MAGIC = 0x5ec07a91,
	RECORD_ARGUMENT = 6,
	/* Not zero nor one, by which the compiler divides in its own way. */
	DIVIDEND = 1000,
	ARGUMENTS = 64 * SZ_1K, /* a user address where a thread of the kernel has none */
	BEHIND_MEMORY_SHIFT = 42
};

static unsigned long faulty_sink;
static unsigned long faulty_never; /* stays zero, which the compiler cannot know */
static const unsigned long faulty_constant = 1;

/* The driver's own locks. */
static DEFINE_SPINLOCK(faulty_spinlock);
static DEFINE_MUTEX(faulty_mutex);
static DEFINE_MUTEX(faulty_second_mutex);
static DECLARE_RWSEM(faulty_rwsem);

/* faulty_renew: the fault before has left the lock held, unless somebody unwound it. */
void faulty_renew(void)
{
	spin_lock_init(&faulty_spinlock);
}

/* ---- Bad accesses ---- */

static __always_inline void *hidden(unsigned long address)
{
	OPTIMIZER_HIDE_VAR(address);
	return (void *)address;
}

static __always_inline void load(unsigned long address)
{
	unsigned long *p = hidden(address);

	WRITE_ONCE(faulty_sink, READ_ONCE(*p));
}

static __always_inline void store(unsigned long address)
{
	unsigned long *p = hidden(address);

	WRITE_ONCE(*p, 0);
}

static noinline void faulty_null_read(void)
{
	load(0);
}

static noinline void faulty_null_write(void)
{
	store(0);
}

static noinline void faulty_null_exec(void)
{
	void (*nowhere)(void) = hidden(0);

	nowhere();
}

static noinline void faulty_wild_read(void)
{
	load(WILD);
}

static noinline void faulty_wild_write(void)
{
	store(WILD);
}

static noinline void faulty_rodata_write(void)
{
	store((unsigned long)&faulty_constant);
}

/* Of a process, memory that is there: its arguments. Only SMAP notices that. */
static noinline void faulty_user_pointer(void)
{
	load(current->mm ? current->mm->arg_start : ARGUMENTS);
}

static noinline void faulty_bug(void)
{
	BUG();
}

/* As a byte of its text that has become something else. */
static noinline void faulty_breakpoint(void)
{
	asm volatile("int3");
}

static noinline void faulty_divide(void)
{
	int zero = 0;

	OPTIMIZER_HIDE_VAR(zero);
	WRITE_ONCE(faulty_sink, DIVIDEND / zero);
}

/* ---- The stack ---- */

/* smash: what the stack holds from `p` on as `wanted`, the first time, is something else then. */
static __always_inline void smash(unsigned long *p, unsigned long wanted)
{
	unsigned int i;

	OPTIMIZER_HIDE_VAR(p);
	for (i = 0; i < STACK_WORDS; i++) {
		if (READ_ONCE(p[i]) == wanted) {
			WRITE_ONCE(p[i], WILD);
			return;
		}
	}
}

static noinline void faulty_canary(void)
{
	unsigned long room[4];

	smash(room, current->stack_canary);
}

static noinline void faulty_smashed_return(void)
{
	unsigned long room[4];

	smash(room, (unsigned long)__builtin_return_address(0));
}

static noinline void faulty_overflow(void)
{
	if (READ_ONCE(faulty_never))
		return;
	faulty_overflow();
	/* What is still to be done then keeps each frame. */
	WRITE_ONCE(faulty_sink, faulty_sink + 1);
}

/* For objtool cannot follow it either. */
static noinline void faulty_lost_stack(void)
{
	asm volatile("mov %0, %%rsp\n\tpush %%rax" : : "r"(WILD) : "memory");
}
STACK_FRAME_NON_STANDARD(faulty_lost_stack);

static void *faulty_page;

/* In memory that could be anybody's, where a function of the kernel would do no worse than use it. */
static noinline void faulty_other_stack(void)
{
	if (!faulty_page)
		faulty_page = (void *)get_zeroed_page(GFP_ATOMIC);
	if (!faulty_page)
		return;
	asm volatile("mov %%rsp, %%r12\n\t"
		     "mov %0, %%rsp\n\t"
		     "call ktime_get\n\t"
		     "mov %%r12, %%rsp"
		     :
		     : "r"(faulty_page + PAGE_SIZE)
		     : "memory", "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11",
		       "r12");
}
STACK_FRAME_NON_STANDARD(faulty_other_stack);

/* What a tap has put on the stack: its word for the first argument, which its end makes use of. It is
 * known by its first one: shadow-kmod/tap.h. */
static noinline void faulty_smashed_record(void)
{
	unsigned long room[4], *p = room;
	unsigned int i;

	OPTIMIZER_HIDE_VAR(p);
	for (i = 0; i < RECORD_WORDS; i++) {
		if (READ_ONCE(p[i]) == (unsigned long)&p[i] + RECORD_MAGIC) {
			WRITE_ONCE(p[i + RECORD_ARGUMENT], WILD);
			break;
		}
	}
	load(0);
}

/* ---- Bad arguments: it is a function of the kernel that fails ---- */

static noinline void faulty_bad_memcpy(void)
{
	size_t size = COPIED;

	OPTIMIZER_HIDE_VAR(size);
	memcpy(hidden(0), faulty_faults, size);
}

static noinline void faulty_bad_list(void)
{
	LIST_HEAD(list);
	struct list_head entry;

	list_add(&entry, &list);
	list_del(&entry);
	list_del(&entry);
}

/* In the direct map, but far behind all memory, where there is no struct page. */
static noinline void faulty_bad_kfree(void)
{
	kfree(hidden(PAGE_OFFSET + BIT(BEHIND_MEMORY_SHIFT)));
}

/* One of the slab allocator's. */
static noinline void faulty_bad_page(void)
{
	void *object = kmalloc(sizeof(long), GFP_ATOMIC);

	if (!object)
		return;
	free_page((unsigned long)object & PAGE_MASK);
	kfree(object);
}

static noinline void faulty_bad_lock(void)
{
	spinlock_t *lock = hidden(0);

	spin_lock(lock);
	spin_unlock(lock);
}

/* ---- Bad arguments that the kernel notices later, when no driver calls it ---- */

static union {
	struct sk_buff packet;
	struct napi_struct napi;
	struct timer_list timer;
	struct work_struct work;
} faulty_object;

/* Nobody has taken it from where packets are taken. */
static noinline void faulty_bad_skb(void)
{
	memset(&faulty_object, 0, sizeof(faulty_object));
	refcount_set(&faulty_object.packet.users, 1);
	dev_kfree_skb_any(&faulty_object.packet);
}

/* It is somebody else's by now: the driver has given it back before, and a socket sends what is there. */
static noinline void faulty_stale_skb(void)
{
	static struct sock socket;
	struct sk_buff *packet = alloc_skb(COPIED, GFP_ATOMIC);

	if (!packet)
		return;
	packet->sk = &socket;
	packet->destructor = sock_wfree;
	dev_kfree_skb_any(packet);
}

static noinline void faulty_bad_napi(void)
{
	memset(&faulty_object, 0, sizeof(faulty_object));
	napi_schedule(&faulty_object.napi);
}

static noinline void faulty_bad_timer(void)
{
	memset(&faulty_object, 0, sizeof(faulty_object));
	faulty_object.timer.function = hidden(WILD);
	mod_timer(&faulty_object.timer, jiffies);
}

static void faulty_late_work(struct work_struct *work)
{
}

static noinline void faulty_bad_work(void)
{
	memset(&faulty_object, 0, sizeof(faulty_object));
	INIT_LIST_HEAD(&faulty_object.work.entry);
	schedule_work(&faulty_object.work);
}

static noinline void faulty_bad_queue(void)
{
	static DECLARE_DELAYED_WORK(work, faulty_late_work);

	queue_delayed_work(hidden(0), &work, 1);
}

/* Nobody has it. */
static noinline void faulty_bad_unlock(void)
{
	spin_unlock(&faulty_spinlock);
}

static noinline void faulty_bad_delay(void)
{
	udelay((unsigned long)hidden(WILD));
}

/* A device would get at it. */
static noinline void faulty_bad_map(void)
{
	static struct device device;

	dma_map_page(&device, (struct page *)hidden(WILD), 0, COPIED, DMA_FROM_DEVICE);
}

/* What lies behind it is somebody else's. */
static noinline void faulty_bad_coherent(void)
{
	static struct device device = {.coherent_dma_mask = DMA_BIT_MASK(32)};
	dma_addr_t handle;
	void *memory = dma_alloc_coherent(&device, PAGE_SIZE, &handle, GFP_ATOMIC);

	if (memory)
		dma_free_coherent(&device, 2 * PAGE_SIZE, memory, handle);
}

/* ---- A fault in a state that somebody has to restore ---- */

static noinline void faulty_under_spinlock(void)
{
	spin_lock(&faulty_spinlock);
	load(0);
	spin_unlock(&faulty_spinlock);
}

static noinline void faulty_under_bus_spinlock(void)
{
	unsigned long flags;

	spin_lock_irqsave(&faulty_bus_spinlock, flags);
	load(0);
	spin_unlock_irqrestore(&faulty_bus_spinlock, flags);
}

/* Where calls have to leave preemption as it was. */
static noinline void faulty_kept_lock(void)
{
	unsigned long flags;

	spin_lock_irqsave(&faulty_bus_spinlock, flags);
}

static noinline void faulty_kept_mutex(void)
{
	mutex_lock(&faulty_bus_mutex);
}

static noinline void faulty_under_bus_mutex(void)
{
	mutex_lock(&faulty_bus_mutex);
	load(0);
	mutex_unlock(&faulty_bus_mutex);
}

static noinline void faulty_under_bus_writer(void)
{
	down_write(&faulty_bus_rwsem);
	load(0);
	up_write(&faulty_bus_rwsem);
}

static noinline void faulty_under_rtnl(void)
{
	rtnl_lock();
	load(0);
	rtnl_unlock();
}

static noinline void faulty_irqs_off(void)
{
	unsigned long flags;

	local_irq_save(flags);
	load(0);
	local_irq_restore(flags);
}

static noinline void faulty_bh_off(void)
{
	local_bh_disable();
	load(0);
	local_bh_enable();
}

static noinline void faulty_rcu(void)
{
	rcu_read_lock();
	load(0);
	rcu_read_unlock();
}

/* ---- No end ---- */

static __always_inline void loop(void)
{
	while (!READ_ONCE(faulty_never))
		cpu_relax();
}

static noinline void faulty_loop(void)
{
	loop();
}

static noinline void faulty_loop_irqs_off(void)
{
	unsigned long flags;

	local_irq_save(flags);
	loop();
	local_irq_restore(flags);
}

static noinline void faulty_spin_deadlock(void)
{
	spinlock_t *again = hidden((unsigned long)&faulty_spinlock);

	spin_lock(&faulty_spinlock);
	spin_lock(again);
	spin_unlock(again);
	spin_unlock(&faulty_spinlock);
}

static noinline void faulty_spin_deadlock_irqsave(void)
{
	spinlock_t *again = hidden((unsigned long)&faulty_spinlock);
	unsigned long flags, more;

	spin_lock_irqsave(&faulty_spinlock, flags);
	spin_lock_irqsave(again, more);
	spin_unlock_irqrestore(again, more);
	spin_unlock_irqrestore(&faulty_spinlock, flags);
}

static noinline void faulty_mutex_deadlock(void)
{
	mutex_lock(&faulty_mutex);
	mutex_lock(&faulty_mutex);
	mutex_unlock(&faulty_mutex);
	mutex_unlock(&faulty_mutex);
}

static DECLARE_COMPLETION(faulty_second_taken);

/* In the other order. */
static void faulty_take_second(struct work_struct *work)
{
	mutex_lock(&faulty_second_mutex);
	complete(&faulty_second_taken);
	mutex_lock(&faulty_mutex);
	mutex_unlock(&faulty_mutex);
	mutex_unlock(&faulty_second_mutex);
}

static DECLARE_WORK(faulty_second_work, faulty_take_second);

static noinline void faulty_mutex_circle(void)
{
	mutex_lock(&faulty_mutex);
	queue_work(system_unbound_wq, &faulty_second_work);
	wait_for_completion(&faulty_second_taken);
	mutex_lock(&faulty_second_mutex);
	mutex_unlock(&faulty_second_mutex);
	mutex_unlock(&faulty_mutex);
}

static noinline void faulty_rwsem_deadlock(void)
{
	down_write(&faulty_rwsem);
	down_read(&faulty_rwsem);
	up_read(&faulty_rwsem);
	up_write(&faulty_rwsem);
}

static void faulty_write(struct work_struct *work)
{
	down_write(&faulty_rwsem);
	complete(&faulty_second_taken);
	mutex_lock(&faulty_mutex);
	mutex_unlock(&faulty_mutex);
	up_write(&faulty_rwsem);
}

static DECLARE_WORK(faulty_writer, faulty_write);

static noinline void faulty_rwsem_circle(void)
{
	mutex_lock(&faulty_mutex);
	queue_work(system_unbound_wq, &faulty_writer);
	wait_for_completion(&faulty_second_taken);
	down_read(&faulty_rwsem);
	up_read(&faulty_rwsem);
	mutex_unlock(&faulty_mutex);
}

static DECLARE_COMPLETION(faulty_work_begun);

static void faulty_take_first(struct work_struct *work)
{
	complete(&faulty_work_begun);
	mutex_lock(&faulty_mutex);
	mutex_unlock(&faulty_mutex);
}

static DECLARE_WORK(faulty_first_work, faulty_take_first);

/* As drivers that wait for a work while they have a lock that the work is about to take. */
static noinline void faulty_work_circle(void)
{
	mutex_lock(&faulty_mutex);
	queue_work(system_unbound_wq, &faulty_first_work);
	wait_for_completion(&faulty_work_begun);
	cancel_work_sync(&faulty_first_work);
	mutex_unlock(&faulty_mutex);
}

static noinline void faulty_wait_for_itself(void)
{
	cancel_work_sync(current_work());
}

static DECLARE_COMPLETION(faulty_never_done);

static noinline void faulty_wait(void)
{
	wait_for_completion(&faulty_never_done);
}

static struct semaphore faulty_semaphore = __SEMAPHORE_INITIALIZER(faulty_semaphore, 1);

static noinline void faulty_down_twice(void)
{
	down(&faulty_semaphore);
	down(&faulty_semaphore);
	up(&faulty_semaphore);
	up(&faulty_semaphore);
}

void faulty_finish(void)
{
	cancel_work_sync(&faulty_first_work);
	cancel_work_sync(&faulty_second_work);
	cancel_work_sync(&faulty_writer);
	free_page((unsigned long)faulty_page);
	faulty_page = NULL;
}

/* ---- The table ---- */

#define IN_HARDIRQ (BIT(FAULTY_HRTIMER) | BIT(FAULTY_HARDIRQ) | BIT(FAULTY_PREPARED))
#define IN_SOFTIRQ (BIT(FAULTY_XMIT) | BIT(FAULTY_TIMER) | BIT(FAULTY_TASKLET) | BIT(FAULTY_NAPI))

/* There another call may end what one has begun, or it is not known that none may. */
#define MAY_KEEP                                                                                   \
	(~(BIT(FAULTY_XMIT) | BIT(FAULTY_WORK) | BIT(FAULTY_TIMER) | BIT(FAULTY_NAPI) |            \
	   BIT(FAULTY_HARDIRQ)))

#define FAULT_OF(needs, name, function, never)                                                     \
	{                                                                                          \
		name, #function, function, never, needs                                            \
	}
#define FAULT(name, function, never) FAULT_OF(0, name, function, never)

const struct faulty_fault faulty_faults[] = {
	FAULT("null-read", faulty_null_read, 0),
	FAULT("null-write", faulty_null_write, 0),
	FAULT("null-exec", faulty_null_exec, 0),
	FAULT("wild-read", faulty_wild_read, 0),
	FAULT("wild-write", faulty_wild_write, 0),
	FAULT("rodata-write", faulty_rodata_write, 0),
	FAULT("user-pointer", faulty_user_pointer, 0),
	FAULT("bug", faulty_bug, 0),
	FAULT("breakpoint", faulty_breakpoint, 0),
	FAULT("divide", faulty_divide, 0),
	FAULT("canary", faulty_canary, 0),
	FAULT("smashed-return", faulty_smashed_return, 0),
	FAULT("smashed-record", faulty_smashed_record, 0),
	FAULT("overflow", faulty_overflow, 0),
	FAULT("lost-stack", faulty_lost_stack, 0),
	FAULT("other-stack", faulty_other_stack, 0),
	FAULT("bad-memcpy", faulty_bad_memcpy, 0),
	FAULT("bad-list", faulty_bad_list, 0),
	FAULT("bad-kfree", faulty_bad_kfree, 0),
	FAULT("bad-page", faulty_bad_page, 0),
	FAULT("bad-lock", faulty_bad_lock, 0),
	FAULT("bad-skb", faulty_bad_skb, 0),
	FAULT_OF(BIT(FAULTY_XMIT), "stale-skb", faulty_stale_skb, 0),
	FAULT("bad-napi", faulty_bad_napi, 0),
	FAULT("bad-timer", faulty_bad_timer, 0),
	FAULT("bad-work", faulty_bad_work, 0),
	FAULT("bad-queue", faulty_bad_queue, 0),
	FAULT("bad-unlock", faulty_bad_unlock, 0),
	FAULT("bad-delay", faulty_bad_delay, 0),
	FAULT("bad-map", faulty_bad_map, 0),
	FAULT("bad-coherent", faulty_bad_coherent, 0),
	FAULT("under-spinlock", faulty_under_spinlock, 0),
	FAULT("under-bus-spinlock", faulty_under_bus_spinlock, 0),
	FAULT("kept-lock", faulty_kept_lock, MAY_KEEP),
	FAULT("kept-mutex", faulty_kept_mutex, ~BIT(FAULTY_WORK)),
	FAULT("under-bus-mutex", faulty_under_bus_mutex, IN_HARDIRQ | IN_SOFTIRQ),
	FAULT("under-bus-writer", faulty_under_bus_writer, IN_HARDIRQ | IN_SOFTIRQ),
	FAULT("under-rtnl", faulty_under_rtnl, ~(BIT(FAULTY_WORK) | BIT(FAULTY_KTHREAD))),
	FAULT("irqs-off", faulty_irqs_off, 0),
	FAULT("bh-off", faulty_bh_off, IN_HARDIRQ),
	FAULT("rcu", faulty_rcu, 0),
	FAULT("loop", faulty_loop, 0),
	FAULT("loop-irqs-off", faulty_loop_irqs_off, 0),
	FAULT("spin-deadlock", faulty_spin_deadlock, 0),
	FAULT("spin-deadlock-irqsave", faulty_spin_deadlock_irqsave, 0),
	FAULT("mutex-deadlock", faulty_mutex_deadlock, IN_HARDIRQ | IN_SOFTIRQ),
	FAULT("rwsem-deadlock", faulty_rwsem_deadlock, IN_HARDIRQ | IN_SOFTIRQ),
	FAULT("rwsem-circle", faulty_rwsem_circle, IN_HARDIRQ | IN_SOFTIRQ),
	FAULT("mutex-circle", faulty_mutex_circle, IN_HARDIRQ | IN_SOFTIRQ),
	FAULT("work-circle", faulty_work_circle, IN_HARDIRQ | IN_SOFTIRQ),
	FAULT("wait-for-itself", faulty_wait_for_itself, ~BIT(FAULTY_WORK)),
	FAULT("wait", faulty_wait, IN_HARDIRQ | IN_SOFTIRQ),
	FAULT("down-twice", faulty_down_twice, IN_HARDIRQ | IN_SOFTIRQ),
	{}};
