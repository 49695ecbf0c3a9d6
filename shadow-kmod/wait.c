// SPDX-License-Identifier: GPL-2.0
/*
 * The twins of functions that sleep until somebody else has done something. They do so a while at a
 * time: once the driver is taken out without being called nobody comes to do it any more, and the call
 * ends. To those who count how often a task has slept it is one sleep: the kernel's and recoverd's looks
 * at tasks that hang.
 */
#include <linux/completion.h>
#include <linux/sched.h>
#include <linux/semaphore.h>

#include "twin.h"

#define A_WHILE (HZ / 2)

static void another_while(unsigned long caller)
{
	current->nvcsw--; /* nobody but the task itself writes it */
	trap_abandoned(caller);
}

TWIN_DEFINE(void, wait_for_completion, struct completion *done)
{
	while (!wait_for_completion_timeout(done, A_WHILE))
		another_while(_RET_IP_);
}

#define TWIN_WAIT_SIGNALS(name)                                                                    \
	TWIN_DEFINE(int, name, struct completion *done)                                            \
	{                                                                                          \
		long left;                                                                         \
                                                                                                   \
		while (!(left = name##_timeout(done, A_WHILE)))                                    \
			another_while(_RET_IP_);                                                   \
		return left < 0 ? left : 0;                                                        \
	}

TWIN_WAIT_SIGNALS(wait_for_completion_interruptible)
TWIN_WAIT_SIGNALS(wait_for_completion_killable)

TWIN_DEFINE(void, down, struct semaphore *semaphore)
{
	while (down_timeout(semaphore, A_WHILE))
		another_while(_RET_IP_);
}
