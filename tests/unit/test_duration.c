// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Durations: what people write is understood exactly or not at all.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>

#include "../../recoverd/cleanup.h"
#include "../../recoverd/duration.h"

static void takes_a_number_with_a_unit(void **state)
{
	static const struct {
		const char *text;
		uint32_t ms;
	} good[] = {
		{"500ms", 500},	 {"2s", 2000},	    {"1.5s", 1500},
		{"0", 0},	 {"0s", 0},	    {"1min", 60000},
		{"0.001s", 1},	 {"2000us", 2},	    {"2 s", 2000},
		{"3sec", 3000},	 {"00010ms", 10},   {"4294967295ms", UINT32_MAX},
		{"1.50s", 1500}, {"0.5min", 30000}, {"1.500000s", 1500},
	};
	uint32_t ms;

	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		ms = 77;
		assert_int_equal(duration_parse_ms(good[i].text, &ms), 0);
		assert_int_equal(ms, good[i].ms);
	}
}

static void refuses_what_it_would_have_to_guess(void **state)
{
	static const char *const bad[] = {
		"",    "5",   "1.5",	"ms",	 "-1s",	     "+1s",	   " 1s",  "1.s",
		".5s", "1s ", "1ss",	"1 2s",	 "0x10ms",   "1e3ms",	   "1,5s", "0.5ms",
		"1us", "1h",  "1.5.5s", "nan s", "infinity", "1.0000001s",
	};
	uint32_t ms = 77;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(duration_parse_ms(bad[i], &ms), -EINVAL);
	assert_int_equal(ms, 77);
}

static void refuses_what_does_not_fit(void **state)
{
	static const char *const big[] = {
		"4294967296ms",
		"4294968s",
		"99999999999999999999999s",
		"4294967295min",
	};
	uint32_t ms = 77;

	for (size_t i = 0; i < ARRAY_SIZE(big); i++)
		assert_int_equal(duration_parse_ms(big[i], &ms), -ERANGE);
	assert_int_equal(ms, 77);
}

static void writes_three_digits_or_so(void **state)
{
	char buf[32];

	assert_string_equal(duration_format(0, buf, sizeof(buf)), "0 ns");
	assert_string_equal(duration_format(850000, buf, sizeof(buf)), "850 us");
	assert_string_equal(duration_format(12345678, buf, sizeof(buf)), "12.3 ms");
	assert_string_equal(duration_format(2050000000, buf, sizeof(buf)), "2.05 s");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_a_number_with_a_unit),
		cmocka_unit_test(refuses_what_it_would_have_to_guess),
		cmocka_unit_test(refuses_what_does_not_fit),
		cmocka_unit_test(writes_three_digits_or_so),
	};

	return cmocka_run_group_tests_name("duration", tests, NULL, NULL);
}
