// SPDX-License-Identifier: GPL-2.0-or-later
/* How many faults of a driver count. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../recoverd/patient.h"

#define SECOND UINT64_C(1000000000)

static int setup(void **state)
{
	*state = patient_new(NULL, NULL, "e1000");
	return *state ? 0 : -1;
}

static int teardown(void **state)
{
	patient_free(*state);
	return 0;
}

static void those_of_the_interval_count(void **state)
{
	struct patient *patient = *state;

	assert_int_equal(patient_faults(patient, SECOND, 1000), 0);
	patient_count(patient, 10 * SECOND);
	patient_count(patient, 12 * SECOND);
	assert_int_equal(patient_faults(patient, 13 * SECOND, 5000), 2);
	assert_int_equal(patient_faults(patient, 15 * SECOND, 5000), 2);
	assert_int_equal(patient_faults(patient, 15 * SECOND + 1, 5000), 1);
	assert_int_equal(patient_faults(patient, 18 * SECOND, 5000), 0);
}

static void as_many_are_remembered_as_a_limit_can_have(void **state)
{
	struct patient *patient = *state;
	uint64_t now_ns = 100 * SECOND;

	for (unsigned i = 1; i <= PATIENT_FAULTS_MAX; i++) {
		patient_count(patient, now_ns + i);
		assert_int_equal(patient_faults(patient, now_ns + i, 1000), i);
	}
	patient_count(patient, now_ns + PATIENT_FAULTS_MAX + 1);
	assert_int_equal(patient_faults(patient, now_ns + SECOND, 1000), PATIENT_FAULTS_MAX);
	/* The oldest ones have gone first. */
	assert_int_equal(patient_faults(patient, now_ns + SECOND + 3, 1000),
			 PATIENT_FAULTS_MAX - 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(those_of_the_interval_count),
		TEST(as_many_are_remembered_as_a_limit_can_have),
	};

	return cmocka_run_group_tests_name("patient", tests, NULL, NULL);
}
