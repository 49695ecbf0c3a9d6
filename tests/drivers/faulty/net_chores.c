// SPDX-License-Identifier: GPL-2.0
/*
 * The chores of faulty_net, which do nothing but take place: a timer that sends for a tasklet, a
 * delayed work and a thread, and an hrtimer. They go on from probe to remove, the card up or not.
 */
#include <linux/delay.h>
#include <linux/err.h>
#include <linux/jiffies.h>
#include <linux/ktime.h>
#include <linux/kthread.h>
#include <linux/sched/task.h>

#include "net.h"

enum {
	TIMER_MS = 500,
	HRTIMER_MS = 100,
	KICK_NS = 100000,
	WORK_END_MS = 2000
};

static void faulty_send_for_tasklet(struct faulty_port *port)
{
	/* Else it could have to wait for ksoftirqd. */
	local_bh_disable();
	tasklet_schedule(&port->tasklet);
	local_bh_enable();
}

/* Not for a worker of this CPU: if it died of a fault, the CPU's other works would wait for it. */
static void faulty_send_for_work(struct faulty_port *port)
{
	mod_delayed_work(system_unbound_wq, &port->work, 0);
}

static void faulty_send_for_thread(struct faulty_port *port)
{
	WRITE_ONCE(port->thread_due, true);
	wake_up(&port->wait);
}

static void faulty_net_timer(struct timer_list *timer)
{
	struct faulty_port *port = container_of(timer, struct faulty_port, timer);

	faulty_enter(port, FAULTY_TIMER);
	tasklet_schedule(&port->tasklet);
	faulty_send_for_work(port);
	faulty_send_for_thread(port);
	mod_timer(timer, jiffies + msecs_to_jiffies(TIMER_MS));
}

static enum hrtimer_restart faulty_net_hrtimer(struct hrtimer *timer)
{
	faulty_enter(container_of(timer, struct faulty_port, hrtimer), FAULTY_HRTIMER);
	hrtimer_forward_now(timer, ms_to_ktime(HRTIMER_MS));
	return HRTIMER_RESTART;
}

static void faulty_net_tasklet(struct tasklet_struct *tasklet)
{
	faulty_enter(container_of(tasklet, struct faulty_port, tasklet), FAULTY_TASKLET);
}

static void faulty_net_work(struct work_struct *work)
{
	faulty_enter(container_of(work, struct faulty_port, work.work), FAULTY_WORK);
}

static int faulty_net_thread(void *data)
{
	struct faulty_port *port = data;

	while (!kthread_should_stop()) {
		wait_event_idle(port->wait, READ_ONCE(port->thread_due) || kthread_should_stop());
		if (xchg(&port->thread_due, false))
			faulty_enter(port, FAULTY_KTHREAD);
	}
	return 0;
}

/* faulty_chores_kick: the next time shall be at once. */
void faulty_chores_kick(struct faulty_port *port, enum faulty_context context)
{
	switch (context) {
	case FAULTY_TIMER:
		mod_timer(&port->timer, jiffies);
		break;
	case FAULTY_HRTIMER:
		hrtimer_start(&port->hrtimer, ns_to_ktime(KICK_NS), HRTIMER_MODE_REL);
		break;
	case FAULTY_TASKLET:
		faulty_send_for_tasklet(port);
		break;
	case FAULTY_WORK:
		faulty_send_for_work(port);
		break;
	case FAULTY_KTHREAD:
		faulty_send_for_thread(port);
		break;
	default:
		break;
	}
}

int faulty_chores_start(struct faulty_port *port)
{
	struct task_struct *thread;

	timer_setup(&port->timer, faulty_net_timer, 0);
	hrtimer_init(&port->hrtimer, CLOCK_MONOTONIC, HRTIMER_MODE_REL);
	port->hrtimer.function = faulty_net_hrtimer;
	tasklet_setup(&port->tasklet, faulty_net_tasklet);
	INIT_DELAYED_WORK(&port->work, faulty_net_work);
	init_waitqueue_head(&port->wait);
	thread = kthread_create(faulty_net_thread, port, "%s", dev_name(port->netdev->dev.parent));
	if (IS_ERR(thread))
		return PTR_ERR(thread);
	port->thread = get_task_struct(thread);
	wake_up_process(thread);
	mod_timer(&port->timer, jiffies + msecs_to_jiffies(TIMER_MS));
	hrtimer_start(&port->hrtimer, ms_to_ktime(HRTIMER_MS), HRTIMER_MODE_REL);
	return 0;
}

/* A fault in the work has killed the kernel's worker, which then is busy with it for ever. */
static bool faulty_work_ends(struct faulty_port *port)
{
	unsigned long limit = jiffies + msecs_to_jiffies(WORK_END_MS);

	cancel_delayed_work(&port->work);
	while (work_busy(&port->work.work)) {
		if (time_after(jiffies, limit))
			return false;
		msleep(10);
	}
	cancel_delayed_work_sync(&port->work);
	return true;
}

/* faulty_chores_stop: false when something still refers to the port and always will. */
bool faulty_chores_stop(struct faulty_port *port)
{
	/* First what sends for the others. */
	timer_shutdown_sync(&port->timer);
	hrtimer_cancel(&port->hrtimer);
	tasklet_kill(&port->tasklet);
	kthread_stop(port->thread);
	put_task_struct(port->thread);
	return faulty_work_ends(port);
}
