/* SPDX-License-Identifier: GPL-2.0 */
/* Faults of armed drivers: caught, noted, and unwound. */
#ifndef TRAP_H
#define TRAP_H

#include <linux/ptrace.h>
#include <linux/types.h>
#include <linux/wait.h>

#include "recov_shadow.h"
#include "tap.h"

struct fault {
	u32 cause, trap;
	unsigned int context; /* preempt_count() where it happened */
	unsigned long error, address;
	const char *service;		/* of the kernel, with a bad argument; or NULL */
	const struct task_struct *task; /* NULL: the current one */
	u64 stack[RECOV_FAULT_STACK_DEPTH];
};

/* trap.c */
int recov_trap_init(void);
void recov_trap_uninit(void);
/* Faults are caught while somebody wants it, and a little longer. May sleep. */
int trap_get(void);
void trap_put(void);

/* The registers go on where the call of the driver ends. With interrupts off until they do. */
void trap_redirect(struct pt_regs *regs, const struct tap_record *record);

/* trap_find.c: the record of the call in which the registers are, or NULL; the way there in
 * fault->stack. Any context; never faults. */
struct tap_record *trap_find(struct pt_regs *regs, struct fault *fault);
/* The same where the registers may not tell which stack they belong to. Not on one of those. */
struct tap_record *trap_find_lost(struct pt_regs *regs, struct fault *fault);
int trap_find_init(void);
/* Where on the stack the innermost return address into the driver lies, or NULL. Any context; never
 * faults. */
unsigned long *trap_find_return(struct pt_regs *regs, const struct tap_image *image);

/* trap_double.c: a double fault, as its die notifier gets it. Returns if it is none of a driver's. */
int trap_double_init(void);
void trap_double(struct pt_regs *regs, unsigned long error);

/* trap_refuse.c: the call that the CPU is in ends, for it would wait for a lock that it holds itself, or
 * has given a function of the kernel what cannot be right. Returns if it is in none. Any context but
 * NMI. caller: where the driver is; service: not copied before the fault is noted. */
void trap_deadlock(unsigned long lock, unsigned long caller);
void trap_argument(const char *service, unsigned long argument, unsigned long caller);
/* Likewise: function is the driver's, which has returned that. */
void trap_bad_answer(unsigned long answer, unsigned long function);
/* Likewise, without a fault: nobody calls its driver any more. Returns if that is not so. */
void trap_abandoned(unsigned long caller);
/* Likewise, for it returns and has kept a lock, or given back a spinlock that it did not have. Returns
 * if it is not so. */
void trap_unbalanced(struct tap_record *record);

/* watch.c: notices calls that do not end. May sleep. */
int watch_start(void);
void watch_stop(void);
/* storm.c: regs are what the CPU was interrupted in, NULL: that is known, or a call that is looked after.
 * In so many ms there has to be another look; 0: as usual. In an interrupt. */
unsigned int storm_look(const struct pt_regs *regs, u64 now_ns);
/* That CPU does not look any more. May sleep. */
void storm_stop(unsigned int cpu);

/* fault.c: marks the driver failed and keeps what is told. Any context. */
void fault_note(const struct tap_record *record, const struct pt_regs *regs,
		const struct fault *fault);
/* Between the two a fault of a call by this task is one in which a setting was put back. The end tells
 * whether there was one. One task at a time. */
void fault_restore_begin(u32 setting);
bool fault_restore_end(void);
/* RECOV_IOC_FAULT. May sleep. */
int fault_get(u64 seq, struct recov_fault *fault);
/* The newest one's number. */
u64 fault_last(void);
wait_queue_head_t *fault_wait_queue(void);
void fault_uninit(void);

#endif /* TRAP_H */
