// SPDX-License-Identifier: GPL-2.0
/*
 * Calls into a driver that have not returned. Each has its record on its task's stack. That of a task
 * which sleeps in the driver ends: the place to which it would return there leads to the landing
 * instead, and it is woken. What it waits on keeps an entry on a part of its stack that is gone, so
 * that must be memory of the driver's, which nobody uses any more.
 */
#include <linux/delay.h>
#include <linux/jiffies.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/sched/task_stack.h>
#include <linux/stop_machine.h>
#include <asm/unwind.h>

#include "release.h"
#include "trap.h"

#define FRAMES_MAX   128
#define SLEEPERS_MAX 64 /* at once */
#define LOOK_MS	     20

struct look {
	const struct tap_image *image;
	const struct task_struct *self; /* may be at the end of the driver's exit function */
	struct task_struct *sleepers[SLEEPERS_MAX]; /* that have been led to the landing */
	unsigned int n_sleepers;
	unsigned int n_calls;	  /* that have not returned */
	char comm[TASK_COMM_LEN]; /* of the last one's task */
	struct fault *fault; /* of what loads the driver, or unloads it; NULL: nothing is told */
	const struct task_struct *caller; /* only that one ends, and is told of; or NULL */
};

/* The innermost call of the image above sp, or NULL. The stack does not change. */
static struct tap_record *record_above(const struct tap_image *image, unsigned long sp,
				       unsigned long end)
{
	for (sp = ALIGN(sp, sizeof(long)); sp + sizeof(struct tap_record) <= end;
	     sp += sizeof(long)) {
		struct tap_record *record = (void *)sp;

		if (record->magic == tap_magic(record) && record->tap >= image->taps &&
		    record->tap < image->taps + image->n_taps)
			return record;
	}
	return NULL;
}

/* Is the call one of those that the driver's init or exit function leads to? */
static bool is_on_its_way(const struct tap_image *image, const struct tap_record *record,
			  unsigned long end)
{
	while (record && record->tap->kind != RECOV_TAP_INIT && record->tap->kind != RECOV_TAP_EXIT)
		record = record_above(image, (unsigned long)(record + 1), end);
	return record;
}

static void tell(struct fault *fault, struct task_struct *task, const struct tap_record *record,
		 unsigned long ip)
{
	const struct pt_regs regs = {.ip = ip, .cs = __KERNEL_CS};

	fault->task = task;
	fault_note(record, &regs, fault);
}

/* From there to the tap. */
static void note_way(struct unwind_state *state, struct fault *fault)
{
	unsigned int i;

	memset(fault->stack, 0, sizeof(fault->stack));
	for (i = 0; i < RECOV_FAULT_STACK_DEPTH; i++) {
		if (!unwind_next_frame(state) || unwind_done(state) || tap_is_return(state->ip))
			return;
		fault->stack[i] = state->ip;
	}
}

/* Where the task will return to in the driver: the place of that address on its stack. */
static unsigned long *return_into(const struct tap_image *image, struct task_struct *task,
				  struct fault *fault)
{
	struct unwind_state state;
	unsigned int i;

	unwind_start(&state, task, NULL, NULL);
	for (i = 0; i < FRAMES_MAX && !unwind_done(&state); i++) {
		unsigned long *at = (unsigned long *)(state.sp - sizeof(long));

		/* Interrupted and not asleep, or it has been led out already. */
		if (unwind_get_entry_regs(&state, NULL) || state.ip == (unsigned long)recov_tap_end)
			return NULL;
		if (release_is_of(image, (void *)state.ip)) {
			if (*at != state.ip)
				return NULL;
			if (fault)
				note_way(&state, fault);
			return at;
		}
		if (!unwind_next_frame(&state))
			return NULL;
	}
	return NULL;
}

static void look_at(struct look *look, struct task_struct *task)
{
	unsigned long end = (unsigned long)task_stack_page(task) + THREAD_SIZE;
	struct fault *fault = NULL;
	struct tap_record *record;
	unsigned long *at;

	record = record_above(look->image, task->thread.sp, end);
	if (!record)
		return;
	look->n_calls++;
	memcpy(look->comm, task->comm, sizeof(look->comm));
	if (task->on_rq || look->n_sleepers == SLEEPERS_MAX ||
	    (look->caller && task != look->caller))
		return;
	if (look->fault && (task == look->caller || is_on_its_way(look->image, record, end)))
		fault = look->fault;
	at = return_into(look->image, task, fault);
	if (!at || (unsigned long)at > (unsigned long)record)
		return;
	if (fault)
		tell(fault, task, record, *at);
	*at = (unsigned long)recov_tap_end;
	look->sleepers[look->n_sleepers++] = get_task_struct(task);
}

/* While all CPUs do nothing else: no task runs, and none is in an interrupt. */
static int look_at_all(void *data)
{
	struct task_struct *process, *task;
	struct look *look = data;

	for_each_process_thread(process, task)
	{
		/* Nobody takes its stack away now. */
		if (task != look->self && refcount_read(&task->stack_refcount))
			look_at(look, task);
	}
	return 0;
}

struct has_call {
	const struct tap_image *image;
	const struct task_struct *(*find)(void);
	bool has;
};

/* While all CPUs do nothing else. */
static int look_for_call(void *data)
{
	struct has_call *look = data;
	const struct task_struct *task = look->find();

	if (task && refcount_read(&task->stack_refcount))
		look->has = record_above(look->image, task->thread.sp,
					 (unsigned long)task_stack_page(task) + THREAD_SIZE);
	return 0;
}

bool release_has_call(const char *driver, const struct task_struct *(*find)(void))
{
	struct has_call look = {.image = tap_get_image(driver), .find = find};

	if (!look.image)
		return false;
	stop_machine(look_for_call, &look, NULL);
	module_put(look.image->module);
	return look.has;
}

static struct look *look_new(const struct tap_image *image)
{
	struct look *look = kzalloc(sizeof(*look), GFP_NOIO); /* its device may be the disk */

	if (look) {
		look->image = image;
		look->self = current;
	}
	return look;
}

static int lead_out(struct look *look)
{
	unsigned int i;
	int err;

	look->n_calls = 0;
	look->n_sleepers = 0;
	err = stop_machine(look_at_all, look, NULL);
	for (i = 0; i < look->n_sleepers; i++) {
		wake_up_process(look->sleepers[i]);
		put_task_struct(look->sleepers[i]);
	}
	return err;
}

unsigned int release_sleepers(const struct tap_image *image, const struct task_struct *caller,
			      unsigned int ms)
{
	struct fault fault = {.cause = RECOV_FAULT_HANG, .error = ms};
	struct look *look = look_new(image);
	unsigned int n = 0;

	if (!look)
		return 0;
	look->fault = &fault;
	look->caller = caller;
	if (!lead_out(look))
		n = look->n_sleepers;
	kfree(look);
	return n;
}

int release_calls(const struct tap_image *image, struct recov_released *report)
{
	unsigned long limit = jiffies + msecs_to_jiffies(RELEASE_MS);
	struct look *look = look_new(image);
	int err = 0;

	if (!look)
		return release_fail(report, -ENOMEM, "there is no memory");
	for (;;) {
		err = lead_out(look);
		report->counts[RECOV_RELEASED_CALL] += look->n_sleepers;
		if (err || !look->n_calls)
			break;
		if (time_after(jiffies, limit)) {
			err = release_fail(report, -EBUSY,
					   "%u calls into it do not return, the last one of %.16s",
					   look->n_calls, look->comm);
			break;
		}
		msleep(LOOK_MS);
	}
	kfree(look);
	return err;
}

void release_last_calls(const struct tap_image *image)
{
	struct recov_released report = {};

	if (!release_calls(image, &report) && report.counts[RECOV_RELEASED_CALL])
		pr_warn("recov_shadow: %u calls into %s, which left them asleep, have ended\n",
			report.counts[RECOV_RELEASED_CALL], image->module->name);
}
