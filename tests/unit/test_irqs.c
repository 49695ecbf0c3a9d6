// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Interrupt lines: their counts, and calls that stay. The folder of the lines is made up, and so is
 * what the program there finds.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "../../recoverd/cleanup.h"
#include "../../recoverd/irqs.h"

#define SECOND	  1000000000ULL
#define LINE_MAX_ 8

static char root[] = "/tmp/test_irqs.XXXXXX";
static struct irqs *irqs;
static struct recov_state state_of_all;
static struct recov_irq found[LINE_MAX_]; /* function 0: no driver's */
static uint64_t now;

const struct recov_state *observer_state(const struct observer *observer)
{
	return &state_of_all;
}

int observer_irq(struct observer *observer, unsigned number, struct recov_irq *ret_irq)
{
	assert_in_range(number, 0, LINE_MAX_ - 1);
	*ret_irq = found[number];
	return found[number].function ? 0 : -ENOENT;
}

/* ---- a machine ---- */

static void line(unsigned number)
{
	char path[96];

	snprintf(path, sizeof(path), "%s/sys/kernel/irq/%u", root, number);
	(void)mkdir(path, 0700);
}

static void look(void)
{
	now += SECOND;
	irqs_look(irqs);
}

/* ---- what is told ---- */

static uint64_t calls[16];
static size_t n_entries;
static struct recov_running running;
static size_t n_running;

static void on_entry(void *ctx, const struct recov_entry_key *key, const struct recov_entry *entry)
{
	assert_int_equal(key->kind, RECOV_ENTRY_IRQ);
	assert_in_range(key->function, 1, 15);
	calls[key->function] = entry->calls;
	n_entries++;
}

static void on_running(void *ctx, unsigned kind, const struct recov_running *one)
{
	assert_int_equal(kind, RECOV_ENTRY_IRQ);
	running = *one;
	n_running++;
}

static size_t entries(unsigned slot)
{
	n_entries = 0;
	irqs_entries(irqs, slot, on_entry, NULL);
	return n_entries;
}

static size_t busy(void)
{
	n_running = 0;
	irqs_running(irqs, now, on_running, NULL);
	return n_running;
}

static void folder(const char *name)
{
	char path[96];

	snprintf(path, sizeof(path), "%s%s", root, name);
	assert_int_equal(mkdir(path, 0700), 0);
}

static int setup(void **state)
{
	_cleanup_fclose_ FILE *file = NULL;
	char path[96];

	strcpy(root + strlen(root) - 6, "XXXXXX");
	memset(found, 0, sizeof(found));
	memset(calls, 0, sizeof(calls));
	now = 100 * SECOND;
	if (!mkdtemp(root))
		return -1;
	folder("/sys");
	folder("/sys/kernel");
	folder("/sys/kernel/irq");
	folder("/proc");
	folder("/proc/irq");
	folder("/proc/irq/1");
	snprintf(path, sizeof(path), "%s/proc/irq/1/effective_affinity_list", root);
	file = fopen(path, "we");
	if (!file || fputs("2\n", file) < 0)
		return -1;
	line(1);
	line(2);
	line(3);
	found[1] = (struct recov_irq){.function = 10, .slot = 2, .calls = UINT32_MAX - 1};
	found[2] = (struct recov_irq){.function = 10, .slot = 2, .calls = 7};
	return irqs_new(NULL, root, &irqs);
}

static int teardown(void **state)
{
	char command[96];

	irqs_free(irqs);
	snprintf(command, sizeof(command), "rm -r %s", root);
	return system(command);
}

/* ---- tests ---- */

static void calls_are_counted_from_the_first_look_on(void **state)
{
	look();
	assert_int_equal(entries(2), 1);
	assert_int_equal(calls[10], 0);
	found[1].calls += 3;
	found[2].calls += 2;
	look();
	assert_int_equal(entries(2), 1);
	assert_int_equal(calls[10], 5);
	assert_int_equal(entries(1), 0);
}

static void lines_are_found_when_a_driver_requests_one(void **state)
{
	look();
	found[3] = (struct recov_irq){.function = 11, .slot = 2};
	look();
	assert_int_equal(entries(2), 1);
	state_of_all.irq_changes++;
	look();
	assert_int_equal(entries(2), 2);
	found[1].function = found[2].function = 0;
	look();
	assert_int_equal(entries(2), 1);
	irqs_search(irqs);
	found[1] = (struct recov_irq){.function = 12, .slot = 2};
	look();
	assert_int_equal(entries(2), 2);
}

static void another_driver_on_a_line_has_not_been_called_yet(void **state)
{
	look();
	found[1].calls += 500;
	look();
	found[1].function = 12;
	found[1].calls += 500;
	look();
	found[1].calls++;
	look();
	assert_int_equal(entries(2), 2);
	assert_int_equal(calls[12], 1);
}

static void a_call_that_was_found_twice_stays(void **state)
{
	found[1].since_ns = now + SECOND;
	found[1].seen_ns = now + SECOND;
	look();
	assert_int_equal(busy(), 0);
	found[1].seen_ns = now + SECOND;
	look();
	assert_int_equal(busy(), 1);
	assert_int_equal(running.since_ns, now - SECOND);
	assert_int_equal(running.cpu, 2);
	assert_int_equal(running.function, 10);
}

static void one_that_was_over_long_ago_does_not(void **state)
{
	found[1].since_ns = now - 9 * SECOND;
	found[1].seen_ns = now - 5 * SECOND;
	look();
	assert_int_equal(busy(), 0);
}

static void of_a_shared_line_nobody_knows_whose_a_call_is(void **state)
{
	found[1].since_ns = now - SECOND;
	found[1].seen_ns = now;
	look();
	assert_int_equal(busy(), 1);
	found[1].is_shared = 1;
	look();
	assert_int_equal(busy(), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(calls_are_counted_from_the_first_look_on),
		TEST(lines_are_found_when_a_driver_requests_one),
		TEST(another_driver_on_a_line_has_not_been_called_yet),
		TEST(a_call_that_was_found_twice_stays),
		TEST(one_that_was_over_long_ago_does_not),
		TEST(of_a_shared_line_nobody_knows_whose_a_call_is),
	};

	return cmocka_run_group_tests_name("irqs", tests, NULL, NULL);
}
