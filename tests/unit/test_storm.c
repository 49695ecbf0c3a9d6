// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Storms and budgets: each is told once, until it has calmed down. The counts are faked.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "../../recoverd/budget.h"
#include "../../recoverd/cleanup.h"
#include "../../recoverd/observed.h"
#include "../../recoverd/storm.h"

#define SECOND 1000000000ULL

static struct recov_entry_key keys[2];
static struct recov_entry entries[2];
static uint64_t memory, now;
static struct storms storms;
static struct storm told[8];
static size_t n_told;

int observer_entries(struct observer *observer, unsigned slot,
		     void (*on_entry)(void *ctx, const struct recov_entry_key *key,
				      const struct recov_entry *entry),
		     void *ctx)
{
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		on_entry(ctx, &keys[i], &entries[i]);
	return 0;
}

/* The same calls, as the line counts them. */
void irqs_entries(const struct irqs *irqs, unsigned slot,
		  void (*on_entry)(void *ctx, const struct recov_entry_key *key,
				   const struct recov_entry *entry),
		  void *ctx)
{
	on_entry(ctx, &keys[0], &entries[0]);
}

/* What only budget_sites() asks for. */
int observer_objects(struct observer *observer, unsigned slot,
		     void (*on_object)(void *ctx, const struct recov_object_key *key,
				       const struct recov_object *object),
		     void *ctx)
{
	return 0;
}

const struct recov_state *observer_state(const struct observer *observer)
{
	return NULL;
}

json_t *observed_symbol(struct observer *observer, uint64_t address)
{
	return json_null();
}

static void on_storm(void *ctx, const struct storm *storm)
{
	assert_true(n_told < ARRAY_SIZE(told));
	told[n_told++] = *storm;
}

/* After so many calls of each function, in a second. */
static void look(uint64_t first, uint64_t second)
{
	entries[0].calls += first;
	entries[1].calls += second;
	now += SECOND;
	storms_look(&storms, NULL, NULL, 0, now, memory, on_storm, NULL);
}

static int setup(void **state)
{
	keys[0] = (struct recov_entry_key){.function = 0xa, .kind = RECOV_ENTRY_IRQ};
	keys[1] = (struct recov_entry_key){.function = 0xb, .kind = RECOV_ENTRY_TIMER};
	memset(entries, 0, sizeof(entries));
	memset(&storms, 0, sizeof(storms));
	n_told = 0;
	memory = 0;
	now = 100 * SECOND;
	return 0;
}

static void what_was_before_the_first_look_is_no_storm(void **state)
{
	memory = 1000000;
	look(1000000, 1000000);
	look(0, 0);
	assert_int_equal(n_told, 0);
}

static void a_storm_is_told_once(void **state)
{
	look(0, 0);
	look(60000, 10);
	assert_int_equal(n_told, 1);
	assert_string_equal(told[0].event, "driver.irq-storm");
	assert_int_equal(told[0].function, 0xa);
	assert_int_equal(told[0].rate, 60000);
	look(70000, 10);
	look(40000, 10); /* not calm yet */
	look(70000, 10);
	look(10000, 10); /* not for long enough */
	look(10000, 10);
	look(70000, 10);
	assert_int_equal(n_told, 1);
	look(10000, 10);
	look(10000, 10);
	look(10000, 10);
	look(70000, 10);
	assert_int_equal(n_told, 2);
}

static void each_kind_has_its_own_limit(void **state)
{
	look(0, 0);
	look(40000, 3000);
	assert_int_equal(n_told, 0);
	look(40000, 5000);
	assert_int_equal(n_told, 1);
	assert_string_equal(told[0].event, "driver.timer-storm");
	assert_int_equal(told[0].function, 0xb);
}

static void memory_that_is_kept_may_storm(void **state)
{
	look(0, 0);
	memory = 5000;
	look(0, 0);
	assert_int_equal(n_told, 1);
	assert_string_equal(told[0].event, "driver.alloc-storm");
	assert_int_equal(told[0].function, 0);
	memory = 0; /* the driver is loaded anew */
	look(0, 0);
	memory = 1000;
	look(0, 0);
	assert_int_equal(n_told, 1);
}

static void a_budget_is_passed_once(void **state)
{
	struct budget budget = {.bytes = 1000}, none = {};

	assert_false(budget_passes(&budget, 1000));
	assert_true(budget_passes(&budget, 1001));
	assert_false(budget_passes(&budget, 2000));
	assert_false(budget_passes(&budget, 1000));
	assert_true(budget_passes(&budget, 1001));
	assert_false(budget_passes(&none, UINT64_MAX));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(what_was_before_the_first_look_is_no_storm, setup),
		cmocka_unit_test_setup(a_storm_is_told_once, setup),
		cmocka_unit_test_setup(each_kind_has_its_own_limit, setup),
		cmocka_unit_test_setup(memory_that_is_kept_may_storm, setup),
		cmocka_unit_test_setup(a_budget_is_passed_once, setup),
	};

	return cmocka_run_group_tests_name("storm", tests, NULL, NULL);
}
