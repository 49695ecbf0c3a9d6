// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Hangs: what is told of calls and of who stays in a driver's code, and that it is told once a minute. The
 * programs that see them are faked.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../recoverd/cleanup.h"
#include "../../recoverd/hang.h"
#include "../../recoverd/stay.h"

#define SECOND 1000000000ULL

static uint64_t now;

/* ---- what the programs see ---- */

static struct recov_stay tasks[4], cpus[4];
static size_t n_tasks, n_cpus, n_calls;
static struct {
	unsigned kind;
	struct recov_running running;
} calls[4];

int stays_new(struct stays **ret_stays)
{
	*ret_stays = NULL;
	return 0;
}

void stays_free(struct stays *stays)
{
}

int stays_tasks(struct stays *stays, void (*on_stay)(void *ctx, const struct recov_stay *stay),
		void *ctx)
{
	for (size_t i = 0; i < n_tasks; i++)
		on_stay(ctx, &tasks[i]);
	return 0;
}

int stays_cpus(struct stays *stays, void (*on_stay)(void *ctx, const struct recov_stay *stay),
	       void *ctx)
{
	for (size_t i = 0; i < n_cpus; i++)
		on_stay(ctx, &cpus[i]);
	return 0;
}

int observer_running(struct observer *observer,
		     void (*on_running)(void *ctx, unsigned kind,
					const struct recov_running *running),
		     void *ctx)
{
	for (size_t i = 0; i < n_calls; i++)
		on_running(ctx, calls[i].kind, &calls[i].running);
	return 0;
}

static bool is_line_busy;
static const struct irqs *given_irqs;

void irqs_running(const struct irqs *irqs, uint64_t now_ns,
		  void (*on_running)(void *ctx, unsigned kind, const struct recov_running *running),
		  void *ctx)
{
	const struct recov_running running = {.since_ns = 100 * SECOND, .function = 0xf, .cpu = 1};

	assert_ptr_equal(irqs, given_irqs);
	assert_int_equal(now_ns, now);
	if (is_line_busy)
		on_running(ctx, RECOV_ENTRY_IRQ, &running);
}

const char *observer_kind_name(unsigned kind)
{
	return kind == RECOV_ENTRY_IRQ ? "irq" : kind == RECOV_ENTRY_PROBE ? "probe" : "ioctl";
}

/* ---- what is told ---- */

static struct hangs *hangs;
static struct hang told[8];
static size_t n_told;

static void on_hang(void *ctx, const struct hang *hang)
{
	assert_true(n_told < ARRAY_SIZE(told));
	told[n_told++] = *hang;
}

static void look(unsigned times)
{
	while (times--) {
		now += SECOND;
		hangs_look(hangs, given_irqs, now, on_hang, NULL);
	}
}

static int setup(void **state)
{
	n_tasks = n_cpus = n_calls = n_told = 0;
	is_line_busy = false;
	given_irqs = NULL;
	now = 100 * SECOND;
	return hangs_new(NULL, &hangs);
}

static int teardown(void **state)
{
	hangs_free(hangs);
	return 0;
}

static void task(unsigned pid, uint64_t mark)
{
	tasks[0] = (struct recov_stay){
		.site = 0xabc, .mark = mark, .slot = 3, .pid = pid, .asleep = 1, .comm = "head"};
	n_tasks = 1;
}

static void call(unsigned kind, unsigned pid, unsigned slot)
{
	calls[n_calls].kind = kind;
	calls[n_calls++].running = (struct recov_running){
		.since_ns = now + n_calls, .function = 0xf00, .slot = slot, .pid = pid};
}

/* ---- tests ---- */

static void a_task_that_stays_is_told_once(void **state)
{
	task(10, 1);
	look(5);
	assert_int_equal(n_told, 0);
	look(10);
	assert_int_equal(n_told, 1);
	assert_string_equal(told[0].entry, "task");
	assert_int_equal(told[0].slot, 3);
	assert_int_equal(told[0].site, 0xabc);
	assert_int_equal(told[0].pid, 10);
	assert_in_range(told[0].duration_ns, 5 * SECOND - 10, 6 * SECOND);
}

static void what_goes_on_is_told_again_each_minute(void **state)
{
	task(10, 1);
	look(64);
	assert_int_equal(n_told, 1);
	look(4);
	assert_int_equal(n_told, 2);
	assert_in_range(told[1].duration_ns, 65 * SECOND - 10, 66 * SECOND);
	look(60);
	assert_int_equal(n_told, 3);
}

static void a_task_that_comes_again_and_again_is_not(void **state)
{
	for (unsigned i = 0; i < 20; i++) {
		task(10, i / 3);
		look(1);
	}
	assert_int_equal(n_told, 0);
}

static void a_task_that_was_just_awake_still_stays(void **state)
{
	task(10, 1);
	look(3);
	n_tasks = 0;
	look(1);
	task(10, 1);
	look(3);
	assert_int_equal(n_told, 1);
}

static void a_task_that_sleeps_again_and_again_stays(void **state)
{
	task(10, 1);
	look(1);
	tasks[0].asleep = 0;
	tasks[0].site = 0xdef;
	look(6);
	assert_int_equal(n_told, 1);
}

static void one_that_never_sleeps_does_not(void **state)
{
	task(10, 1);
	tasks[0].asleep = 0;
	look(10);
	assert_int_equal(n_told, 0);
}

static void a_task_that_is_on_a_cpu_is_told_once(void **state)
{
	task(10, 1);
	cpus[0] = tasks[0];
	n_cpus = 1;
	for (unsigned i = 0; i < 10; i++) {
		cpus[0].since_ns = 100 * SECOND;
		cpus[0].seen_ns = now;
		look(1);
	}
	assert_int_equal(n_told, 1);
}

static void one_that_has_left_begins_anew(void **state)
{
	task(10, 1);
	look(4);
	n_tasks = 0;
	look(4);
	task(10, 1);
	look(4);
	assert_int_equal(n_told, 0);
}

static void a_call_is_told_instead_of_its_task(void **state)
{
	task((unsigned)getpid(), 1);
	call(RECOV_ENTRY_IOCTL, (unsigned)getpid(), 3);
	look(10);
	assert_int_equal(n_told, 1);
	assert_string_equal(told[0].entry, "ioctl");
	assert_int_equal(told[0].function, 0xf00);
	assert_int_equal(told[0].site, 0xabc);
	/* Its end may be seen before the task's. */
	n_calls = 0;
	look(10);
	assert_int_equal(n_told, 1);
}

static void the_task_tells_whose_a_call_is(void **state)
{
	call(RECOV_ENTRY_OPEN, (unsigned)getpid(), RECOV_WATCH_MAX);
	look(10);
	assert_int_equal(n_told, 0);
	task((unsigned)getpid(), 1);
	look(1);
	assert_int_equal(n_told, 1);
	assert_int_equal(told[0].slot, 3);
}

static void the_innermost_of_a_tasks_calls_hangs(void **state)
{
	call(RECOV_ENTRY_INIT, (unsigned)getpid(), 3);
	call(RECOV_ENTRY_PROBE, (unsigned)getpid(), 3);
	look(10);
	assert_int_equal(n_told, 1);
	assert_string_equal(told[0].entry, "probe");
}

static bool is_asleep(pid_t pid)
{
	_cleanup_fclose_ FILE *stat = NULL;
	char path[32], status = 0;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	stat = fopen(path, "re");
	return stat && fscanf(stat, "%*d (%*[^)]) %c", &status) == 1 && status == 'S';
}

static void a_call_that_waits_is_no_hang(void **state)
{
	pid_t pid = fork();

	if (pid == 0) {
		(void)pause();
		_exit(0);
	}
	for (int i = 0; i < 10000 && !is_asleep(pid); i++)
		(void)usleep(1000);
	call(RECOV_ENTRY_IOCTL, (unsigned)pid, 3);
	look(10);
	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, NULL, 0);
	assert_int_equal(n_told, 0);
}

static void an_interrupt_may_take_less(void **state)
{
	call(RECOV_ENTRY_IRQ, 0, 3);
	/* What the CPU did before is not where the interrupt is. */
	cpus[0] = (struct recov_stay){
		.since_ns = now - 9 * SECOND, .seen_ns = now, .site = 0xabc, .slot = 3, .pid = 10};
	n_cpus = 1;
	look(1);
	assert_int_equal(n_told, 0);
	look(2);
	assert_int_equal(n_told, 1);
	assert_string_equal(told[0].entry, "irq");
	assert_int_equal(told[0].site, 0);
}

static void a_line_that_stays_busy_is_told_once(void **state)
{
	static const char any;

	given_irqs = (const struct irqs *)&any;
	is_line_busy = true;
	look(1);
	assert_int_equal(n_told, 1);
	assert_string_equal(told[0].entry, "irq");
	assert_int_equal(told[0].function, 0xf);
	assert_int_equal(told[0].cpu, 1);
	look(5);
	assert_int_equal(n_told, 1);
}

static void what_no_look_has_found_is_told_at_its_end(void **state)
{
	struct recov_record record = {.slot = 3, .cpu = 2, .detail = 4 * SECOND};

	record.key.object = 0xf00;
	record.key.class = RECOV_ENTRY_IRQ;
	call(RECOV_ENTRY_IRQ, 0, 3);
	look(3);
	assert_int_equal(n_told, 1);
	record.object.time_ns = calls[0].running.since_ns;
	hangs_over(hangs, &record, on_hang, NULL);
	assert_int_equal(n_told, 1);
	record.object.time_ns += 5 * SECOND;
	hangs_over(hangs, &record, on_hang, NULL);
	assert_int_equal(n_told, 2);
	assert_int_equal(told[1].duration_ns, 4 * SECOND);
	assert_int_equal(told[1].cpu, 2);
}

static void a_cpu_that_stays_is_told_once(void **state)
{
	n_cpus = 1;
	for (unsigned i = 0; i < 10; i++) {
		cpus[0] = (struct recov_stay){.since_ns = 100 * SECOND,
					      .seen_ns = now,
					      .site = 0xabc,
					      .slot = 3,
					      .cpu = 1};
		look(1);
	}
	assert_int_equal(n_told, 1);
	assert_string_equal(told[0].entry, "cpu");
	assert_int_equal(told[0].cpu, 1);
}

static void a_cpu_that_nobody_looks_at_any_more_is_not(void **state)
{
	cpus[0] = (struct recov_stay){
		.since_ns = now, .seen_ns = now + 3 * SECOND, .site = 0xabc, .slot = 3};
	n_cpus = 1;
	look(10);
	assert_int_equal(n_told, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_task_that_stays_is_told_once),
		TEST(what_goes_on_is_told_again_each_minute),
		TEST(a_task_that_comes_again_and_again_is_not),
		TEST(a_task_that_was_just_awake_still_stays),
		TEST(a_task_that_sleeps_again_and_again_stays),
		TEST(one_that_never_sleeps_does_not),
		TEST(a_task_that_is_on_a_cpu_is_told_once),
		TEST(one_that_has_left_begins_anew),
		TEST(a_call_is_told_instead_of_its_task),
		TEST(the_task_tells_whose_a_call_is),
		TEST(the_innermost_of_a_tasks_calls_hangs),
		TEST(a_call_that_waits_is_no_hang),
		TEST(an_interrupt_may_take_less),
		TEST(a_line_that_stays_busy_is_told_once),
		TEST(what_no_look_has_found_is_told_at_its_end),
		TEST(a_cpu_that_stays_is_told_once),
		TEST(a_cpu_that_nobody_looks_at_any_more_is_not),
	};

	return cmocka_run_group_tests_name("hang", tests, NULL, NULL);
}
