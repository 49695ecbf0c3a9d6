// SPDX-License-Identifier: GPL-2.0-or-later
/* recovctl inject apply: plants the faults of a plan. */
#include <signal.h>
#include <string.h>
#include <time.h>

#include "../recoverd/shadow.h"
#include "inject_live.h"
#include "output.h"

#define LOOK_MS 20 /* between looks whether a fault was met */

static volatile sig_atomic_t interrupted;

static void on_interrupt(int signo)
{
	(void)signo;
	interrupted = 1;
}

struct site {
	struct recov_inject_site site;
	size_t index; /* in the plan */
};

/* All that a plan becomes. */
struct applying {
	const struct cli *cli;
	const char *driver;
	int fd;
	struct site *sites;
	struct recov_inject_call *calls;
	size_t *call_indexes;
	size_t n_sites, n_calls;
	struct inject_record *record;
};

static void applying_end(struct applying *a)
{
	closep(&a->fd);
	free(a->sites);
	free(a->calls);
	free(a->call_indexes);
	inject_record_free(a->record);
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static int add_site(struct applying *a, const struct replug_injection *fault, size_t index)
{
	struct recov_inject_site *site = &a->sites[a->n_sites].site;
	uint8_t memory[REPLUG_INSTRUCTION_MAX];
	uint64_t base;
	int r;

	r = inject_base(a->driver, fault->section, &base);
	if (!r)
		r = inject_read_text(a->fd, a->driver, base + fault->offset, memory, fault->length);
	if (r)
		return r;
	if (!replug_injection_bytes(fault, memory, site->old_bytes, site->new_bytes)) {
		complain("%s+0x%x of %s is not as fault %u expects: somebody has changed it",
			 fault->function, fault->function_offset, a->driver, fault->id);
		return EXIT_REFUSED;
	}
	site->address = base + fault->offset;
	site->length = fault->length;
	a->sites[a->n_sites++].index = index;
	return 0;
}

/* All calls that the function makes. */
static int add_call(struct applying *a, const struct replug_injection *fault, size_t index)
{
	struct recov_inject_call *call = &a->calls[a->n_calls];
	uint64_t base, start, end;
	int r;

	r = inject_base(a->driver, fault->section, &base);
	if (r)
		return r;
	start = base + fault->offset - fault->function_offset;
	r = inject_function_end(a->driver, start, &end);
	if (r)
		return r;
	call->caller = start + 1;
	call->size = end - call->caller;
	call->result = fault->result;
	call->first = a->cli->first_call ? (uint32_t)a->cli->first_call : 1;
	call->count = (uint32_t)a->cli->calls;
	memccpy(call->symbol, fault->import, '\0', sizeof(call->symbol) - 1);
	a->call_indexes[a->n_calls++] = index;
	return 0;
}

static int compare_sites(const void *a, const void *b)
{
	uint64_t x = ((const struct site *)a)->site.address;
	uint64_t y = ((const struct site *)b)->site.address;

	return x < y ? -1 : x > y;
}

/* Makes of each fault what is to be done, and does nothing yet. */
static int prepare(struct applying *a)
{
	struct inject_record *record = a->record;
	size_t n = record->plan->n_injections;
	int r = 0;

	a->sites = calloc(n, sizeof(*a->sites));
	a->calls = calloc(n, sizeof(*a->calls));
	a->call_indexes = calloc(n, sizeof(*a->call_indexes));
	record->order = calloc(n, sizeof(*record->order));
	if (!a->sites || !a->calls || !a->call_indexes || !record->order)
		return inject_fail(&(struct replug_error){}, -ENOMEM);
	for (size_t i = 0; i < n && !r; i++) {
		const struct replug_injection *fault = &record->plan->injections[i];

		if (fault->kind == REPLUG_INJECT_TEXT)
			r = add_site(a, fault, i);
		else if (fault->kind == REPLUG_INJECT_CALL)
			r = add_call(a, fault, i);
		else
			r = inject_device_add(a->driver, fault, &record->devices,
					      &record->n_devices);
	}
	qsort(a->sites, a->n_sites, sizeof(*a->sites), compare_sites);
	for (size_t i = 0; i < a->n_sites; i++)
		record->order[record->n_order++] = a->sites[i].index;
	for (size_t i = 0; i < a->n_calls; i++)
		record->order[record->n_order++] = a->call_indexes[i];
	return r;
}

static int plant(const struct applying *a)
{
	_cleanup_free_ struct recov_inject_site *sites = calloc(a->n_sites + 1, sizeof(*sites));
	struct recov_inject inject = {
		.sites = (uintptr_t)sites,
		.calls = (uintptr_t)a->calls,
		.n_sites = (uint32_t)a->n_sites,
		.n_calls = (uint32_t)a->n_calls,
		.for_ms = a->cli->for_ms,
		.max_hits = (uint32_t)a->cli->hits,
		.flags = a->cli->port ? RECOV_INJECT_PORT : 0,
	};

	if (!sites)
		return inject_fail(&(struct replug_error){}, -ENOMEM);
	memccpy(inject.driver, a->driver, '\0', sizeof(inject.driver) - 1);
	for (size_t i = 0; i < a->n_sites; i++)
		sites[i] = a->sites[i].site;
	return inject_plant(a->fd, &inject);
}

static int mend(const struct applying *a, size_t n)
{
	int r = 0;

	for (size_t i = 0; i < n; i++)
		r = inject_device_mend(a->driver, &a->record->devices[i]) ?: r;
	return r;
}

static int check_swap(const struct applying *a)
{
	struct recov_info info;

	if (shadow_info(a->fd, &info) == 0 && info.swap_state != RECOV_SWAP_NONE &&
	    strcmp(info.driver, a->driver) == 0)
		return inject_explain(a->driver, EBUSY);
	return 0;
}

/* A plan that was applied before has to be over, all of it; then it is forgotten. */
static int make_room(const struct applying *a)
{
	_cleanup_(inject_record_freep) struct inject_record *before = NULL;
	_cleanup_free_ struct recov_inject_hit *hits = NULL;
	struct recov_injected injected;
	int r;

	r = inject_ask(a->fd, a->driver, &injected, &hits);
	if (r > 0)
		return r;
	if (!r && (injected.state == RECOV_INJECT_PLANTED || injected.state == RECOV_INJECT_ENDING))
		return inject_explain(a->driver, EEXIST);
	if (inject_record_load(a->driver, &before) == 0)
		for (size_t i = 0; i < before->n_devices; i++)
			if (inject_device_is_broken(a->driver, &before->devices[i]))
				return inject_explain(a->driver, EEXIST);
	r = r ? 0 : inject_take_out(a->fd, a->driver, &injected);
	inject_record_remove(a->driver);
	return r > 0 ? r : 0;
}

static int apply(struct applying *a)
{
	struct recov_injected injected;
	size_t broken = 0;
	int r;

	a->record->began_ns = now_ns();
	r = a->n_sites + a->n_calls ? plant(a) : 0;
	if (r)
		return r;
	for (; broken < a->record->n_devices && !r; broken++)
		r = inject_device_break(&a->record->devices[broken]);
	if (!r)
		r = inject_record_save(a->record);
	if (!r)
		return 0;
	mend(a, broken);
	if (a->n_sites + a->n_calls)
		(void)inject_take_out(a->fd, a->driver, &injected);
	return r;
}

static int ask(const struct applying *a, struct recov_injected *ret_injected,
	       struct recov_inject_hit **ret_hits)
{
	return a->n_sites + a->n_calls ? inject_ask(a->fd, a->driver, ret_injected, ret_hits) : 0;
}

/* Until all were met, the time is over, or what is planted ends. */
static int wait_for_hits(const struct applying *a)
{
	const struct timespec pause = {.tv_nsec = LOOK_MS * 1000000};
	uint64_t limit_ns = now_ns() + a->cli->wait_ms * UINT64_C(1000000);

	while (a->n_sites + a->n_calls && !interrupted && now_ns() < limit_ns) {
		_cleanup_free_ struct recov_inject_hit *hits = NULL;
		struct recov_injected injected;
		int r = ask(a, &injected, &hits);

		if (r) /* that it was undone is told with the rest */
			return r == -ENOENT ? 0 : r;
		if (injected.state != RECOV_INJECT_PLANTED ||
		    injected.hits == a->n_sites + a->n_calls)
			return 0;
		nanosleep(&pause, NULL);
	}
	return 0;
}

/* The kernel ends what it has planted itself; a device needs somebody who stays for that. */
static int mend_in_time(const struct applying *a)
{
	const struct timespec pause = {.tv_nsec = LOOK_MS * 1000000};
	uint64_t limit_ns = a->record->began_ns + a->cli->for_ms * UINT64_C(1000000);

	while (!interrupted && now_ns() < limit_ns)
		nanosleep(&pause, NULL);
	return mend(a, a->record->n_devices);
}

static int tell(const struct applying *a)
{
	_cleanup_free_ struct recov_inject_hit *hits = NULL;
	struct recov_injected injected;
	json_auto_t *report = NULL;
	int r = ask(a, &injected, &hits);

	if (r == -ENOENT) {
		complain("%s: somebody has undone it meanwhile", a->driver);
		return EXIT_FAILED;
	}
	if (r)
		return r;
	report = inject_report(a->driver, a->record, hits ? &injected : NULL, hits);
	inject_say_report(a->cli, report);
	return 0;
}

int verb_inject_apply(const struct cli *cli)
{
	_cleanup_(applying_end) struct applying a = {.cli = cli, .fd = -1};
	char build_id[2 * REPLUG_BUILD_ID_MAX + 1];
	struct replug_error err = {};
	int r;

	if (!cli->n_operands) {
		complain("inject apply needs a plan");
		return EXIT_USAGE;
	}
	a.record = calloc(1, sizeof(*a.record));
	if (!a.record)
		return inject_fail(&err, -ENOMEM);
	r = replug_injection_plan_read(cli->operands[0], &a.record->plan, &err);
	if (r)
		return inject_fail(&err, r);
	a.driver = a.record->plan->driver;
	r = inject_open(&a.fd);
	if (!r)
		r = check_swap(&a);
	if (!r)
		r = inject_build_id(a.fd, a.driver, build_id);
	if (r)
		return r;
	r = replug_injection_plan_check(a.record->plan, a.driver, build_id, &err);
	if (r)
		return inject_fail(&err, r);
	r = make_room(&a);
	if (!r)
		r = prepare(&a);
	if (!r) {
		signal(SIGINT, on_interrupt);
		r = apply(&a);
	}
	if (!r && cli->wait_ms)
		r = wait_for_hits(&a);
	if (!r && cli->for_ms && a.record->n_devices)
		r = mend_in_time(&a);
	return r ? r : tell(&a);
}
