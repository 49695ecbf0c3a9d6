// SPDX-License-Identifier: GPL-2.0-or-later
/* Tells calls that hang from those that are long or wait for something to do. */
#include "hang.h"

#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "stay.h"

#define HANG_NS	  (5ULL * 1000 * 1000 * 1000) /* a call that may sleep may take so long */
#define FRESH_NS  (3ULL * 1000 * 1000 * 1000) /* what was seen then still counts */
#define STAYS_MAX 256
#define CALLS_MAX 256
#define TOLD_MAX  64
/* Then it is told again: who heard of it just after a swap had no use for it. */
#define AGAIN_NS (60ULL * 1000 * 1000 * 1000)

struct call {
	unsigned kind;
	struct recov_running running;
};

struct hangs {
	struct observer *observer;
	struct stays *stays;
	struct recov_stay tasks[STAYS_MAX], before[STAYS_MAX]; /* at this look, and the last */
	size_t n_tasks, n_before;
	struct recov_stay cpus[STAYS_MAX];
	size_t n_cpus;
	struct call calls[CALLS_MAX];
	size_t n_calls;
	struct {
		uint64_t since_ns; /* of the hang */
		uint64_t at_ns;	   /* the last time */
	} told[TOLD_MAX];
	unsigned n_told;
	uint64_t now_ns;
	void (*on_hang)(void *ctx, const struct hang *hang);
	void *ctx;
};

int hangs_new(struct observer *observer, struct hangs **ret_hangs)
{
	struct hangs *hangs;
	int r;

	hangs = calloc(1, sizeof(*hangs));
	if (!hangs)
		return -ENOMEM;
	hangs->observer = observer;
	r = stays_new(&hangs->stays);
	if (r < 0) {
		free(hangs);
		return r;
	}
	*ret_hangs = hangs;
	return 0;
}

void hangs_free(struct hangs *hangs)
{
	if (!hangs)
		return;
	stays_free(hangs->stays);
	free(hangs);
}

/* Its place in told, or TOLD_MAX. */
static unsigned place_of(const struct hangs *hangs, uint64_t since_ns)
{
	unsigned i;

	for (i = 0; i < TOLD_MAX && hangs->told[i].since_ns != since_ns; i++)
		;
	return i;
}

static bool is_told(const struct hangs *hangs, uint64_t since_ns)
{
	unsigned i = place_of(hangs, since_ns);

	return i < TOLD_MAX && hangs->now_ns < hangs->told[i].at_ns + AGAIN_NS;
}

static void remember(struct hangs *hangs, uint64_t since_ns)
{
	unsigned i = place_of(hangs, since_ns);

	if (i == TOLD_MAX)
		i = hangs->n_told++ % TOLD_MAX;
	hangs->told[i].since_ns = since_ns;
	hangs->told[i].at_ns = hangs->now_ns;
}

static void tell(struct hangs *hangs, const struct hang *hang, uint64_t since_ns)
{
	remember(hangs, since_ns);
	hangs->on_hang(hangs->ctx, hang);
}

/* ---- what there is ---- */

/* Of one call, wherever in the driver it is by now. */
static bool is_same(const struct recov_stay *a, const struct recov_stay *b)
{
	return a->pid == b->pid && a->mark == b->mark && a->slot == b->slot &&
	       a->generation == b->generation;
}

static void on_task(void *ctx, const struct recov_stay *stay)
{
	struct hangs *hangs = ctx;
	struct recov_stay *task, *before = NULL;

	for (size_t i = 0; i < hangs->n_before; i++) {
		if (is_same(&hangs->before[i], stay))
			before = &hangs->before[i];
	}
	/* One that is awake may have slept until something happened; not if it was seen before. */
	if (hangs->n_tasks == STAYS_MAX || (!before && !stay->asleep))
		return;
	task = &hangs->tasks[hangs->n_tasks++];
	*task = *stay;
	task->seen_ns = hangs->now_ns;
	/* Tasks found at the same time are to differ: this is what is told of, once. */
	task->since_ns = hangs->now_ns + hangs->n_tasks;
	if (before) {
		task->since_ns = before->since_ns;
		before->pid = 0;
	}
}

/* One that sleeps again and again may just have been on a CPU. */
static void keep_fresh(struct hangs *hangs)
{
	for (size_t i = 0; i < hangs->n_before && hangs->n_tasks < STAYS_MAX; i++) {
		if (hangs->before[i].pid && hangs->now_ns < hangs->before[i].seen_ns + FRESH_NS)
			hangs->tasks[hangs->n_tasks++] = hangs->before[i];
	}
}

/* One that sleeps again and again is there once, asleep or awake. */
static void on_cpu(void *ctx, const struct recov_stay *stay)
{
	struct hangs *hangs = ctx;

	if (hangs->n_cpus == STAYS_MAX || hangs->now_ns >= stay->seen_ns + FRESH_NS)
		return;
	for (size_t i = 0; i < hangs->n_tasks; i++) {
		struct recov_stay *task = &hangs->tasks[i];

		if (!is_same(task, stay))
			continue;
		if (task->seen_ns < stay->seen_ns)
			task->seen_ns = stay->seen_ns;
		return;
	}
	hangs->cpus[hangs->n_cpus++] = *stay;
}

static bool may_not_sleep(unsigned kind)
{
	return kind == RECOV_ENTRY_IRQ || kind == RECOV_ENTRY_TIMER || kind == RECOV_ENTRY_XMIT;
}

/* Of the calls of a task, one within the other, the innermost is the one that hangs. */
static void on_running(void *ctx, unsigned kind, const struct recov_running *running)
{
	struct hangs *hangs = ctx;

	for (size_t i = 0; i < hangs->n_calls; i++) {
		struct call *call = &hangs->calls[i];

		if (may_not_sleep(kind) || may_not_sleep(call->kind) ||
		    call->running.pid != running->pid)
			continue;
		if (call->running.since_ns < running->since_ns)
			*call = (struct call){.kind = kind, .running = *running};
		return;
	}
	if (hangs->n_calls < CALLS_MAX)
		hangs->calls[hangs->n_calls++] = (struct call){.kind = kind, .running = *running};
}

/* ---- what of it hangs ---- */

/* Is the call the one of that task, or what that CPU does? */
static bool is_of(const struct recov_stay *stay, bool on_cpu, const struct call *call)
{
	if (may_not_sleep(call->kind))
		return on_cpu && stay->cpu == call->running.cpu;
	return stay->pid == call->running.pid;
}

static const struct recov_stay *stay_of(const struct hangs *hangs, const struct call *call)
{
	for (size_t i = 0; i < hangs->n_cpus; i++) {
		if (is_of(&hangs->cpus[i], true, call) &&
		    hangs->cpus[i].seen_ns >= call->running.since_ns)
			return &hangs->cpus[i];
	}
	for (size_t i = 0; i < hangs->n_tasks; i++) {
		if (is_of(&hangs->tasks[i], false, call) &&
		    hangs->tasks[i].seen_ns >= call->running.since_ns)
			return &hangs->tasks[i];
	}
	return NULL;
}

/* Waits until something happens, as it may for ever; or is gone. */
static bool task_just_waits(unsigned pid)
{
	_cleanup_fclose_ FILE *stat = NULL;
	char path[64], state = 'S';

	snprintf(path, sizeof(path), "/proc/%u/stat", pid);
	stat = fopen(path, "re");
	if (stat && fscanf(stat, "%*d (%*[^)]) %c", &state) != 1)
		state = 'D';
	return state == 'S' || state == 'I' || state == 'Z' || state == 'X';
}

static void judge_call(struct hangs *hangs, const struct call *call)
{
	const struct recov_running *running = &call->running;
	const struct recov_stay *stay = stay_of(hangs, call);
	uint64_t limit = may_not_sleep(call->kind) ? RECOV_LONG_NS : HANG_NS;
	struct hang hang = {
		.slot = running->slot,
		.entry = observer_kind_name(call->kind),
		.function = running->function,
		.cpu = running->cpu,
		.pid = running->pid,
		.comm = running->comm,
		.device = running->device,
	};

	if (hangs->now_ns < running->since_ns + limit || is_told(hangs, running->since_ns))
		return;
	hang.duration_ns = hangs->now_ns - running->since_ns;
	if (stay && (hang.slot >= RECOV_WATCH_MAX || hang.slot == stay->slot)) {
		hang.slot = stay->slot;
		hang.site = stay->site;
	}
	if (hang.slot < RECOV_WATCH_MAX &&
	    (may_not_sleep(call->kind) || !task_just_waits(running->pid)))
		tell(hangs, &hang, running->since_ns);
}

/* One that no call explains. */
static void judge_stay(struct hangs *hangs, const struct recov_stay *stay, bool on_cpu)
{
	struct hang hang = {
		.slot = stay->slot,
		.entry = stay->pid ? "task" : "cpu",
		.site = stay->site,
		.cpu = stay->cpu,
		.pid = stay->pid,
		.comm = stay->comm,
		.device = "",
	};

	for (size_t i = 0; i < hangs->n_calls; i++) {
		if (!is_of(stay, on_cpu, &hangs->calls[i]))
			continue;
		/* The call may be over before it is seen that it is. */
		if (is_told(hangs, hangs->calls[i].running.since_ns))
			remember(hangs, stay->since_ns);
		return;
	}
	if (stay->seen_ns < stay->since_ns + HANG_NS || is_told(hangs, stay->since_ns))
		return;
	hang.duration_ns = hangs->now_ns - stay->since_ns;
	tell(hangs, &hang, stay->since_ns);
}

void hangs_look(struct hangs *hangs, const struct irqs *irqs, uint64_t now_ns,
		void (*on_hang)(void *ctx, const struct hang *hang), void *ctx)
{
	hangs->now_ns = now_ns;
	hangs->on_hang = on_hang;
	hangs->ctx = ctx;
	memcpy(hangs->before, hangs->tasks, sizeof(hangs->before));
	hangs->n_before = hangs->n_tasks;
	hangs->n_tasks = hangs->n_cpus = hangs->n_calls = 0;
	/* A call that begins in between is found by both. */
	(void)stays_tasks(hangs->stays, on_task, hangs);
	keep_fresh(hangs);
	(void)stays_cpus(hangs->stays, on_cpu, hangs);
	(void)observer_running(hangs->observer, on_running, hangs);
	if (irqs)
		irqs_running(irqs, now_ns, on_running, hangs);

	for (size_t i = 0; i < hangs->n_calls; i++)
		judge_call(hangs, &hangs->calls[i]);
	for (size_t i = 0; i < hangs->n_tasks; i++)
		judge_stay(hangs, &hangs->tasks[i], false);
	for (size_t i = 0; i < hangs->n_cpus; i++)
		judge_stay(hangs, &hangs->cpus[i], true);
}

void hangs_over(struct hangs *hangs, const struct recov_record *record,
		void (*on_hang)(void *ctx, const struct hang *hang), void *ctx)
{
	const struct hang hang = {
		.slot = record->slot,
		.entry = observer_kind_name(record->key.class),
		.function = record->key.object,
		.duration_ns = record->detail,
		.cpu = record->cpu,
		.comm = "",
		.device = "",
	};

	if (place_of(hangs, record->object.time_ns) < TOLD_MAX)
		return;
	hangs->on_hang = on_hang;
	hangs->ctx = ctx;
	tell(hangs, &hang, record->object.time_ns);
}
