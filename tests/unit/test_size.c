// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Amounts of memory: what people write is understood exactly or not at all.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>

#include "../../recoverd/cleanup.h"
#include "../../recoverd/size.h"

static void takes_powers_of_1024(void **state)
{
	static const struct {
		const char *text;
		uint64_t bytes;
	} good[] = {
		{"0", 0},
		{"4096", 4096},
		{"1K", 1024},
		{"64M", 64 << 20},
		{"1.5G", 3ULL << 29},
		{"2T", 2ULL << 40},
		{"0.5K", 512},
		{"007K", 7168},
		{"8388606T", 8388606ULL << 40},
		{"1.250M", 1310720},
	};
	uint64_t bytes;

	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		bytes = 77;
		assert_int_equal(size_parse(good[i].text, &bytes), 0);
		assert_int_equal(bytes, good[i].bytes);
	}
}

static void refuses_what_it_would_have_to_guess(void **state)
{
	static const char *const bad[] = {
		"",    "K",   "-1K", "+1K",  " 1K", "1 K",  "1K ",    "1k",	 "1KB", "1KiB",
		"1.K", ".5K", "1.5", "1,5K", "1e3", "0x10", "1.5.5K", "1.0001M", "inf",
	};
	uint64_t bytes = 77;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(size_parse(bad[i], &bytes), -EINVAL);
	assert_int_equal(bytes, 77);
}

static void refuses_what_does_not_fit(void **state)
{
	static const char *const big[] = {
		"9223372036854775808",
		"8388608T",
		"99999999999999999999999",
		"9007199254740992G",
	};
	uint64_t bytes = 77;

	for (size_t i = 0; i < ARRAY_SIZE(big); i++)
		assert_int_equal(size_parse(big[i], &bytes), -ERANGE);
	assert_int_equal(bytes, 77);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_powers_of_1024),
		cmocka_unit_test(refuses_what_it_would_have_to_guess),
		cmocka_unit_test(refuses_what_does_not_fit),
	};

	return cmocka_run_group_tests_name("size", tests, NULL, NULL);
}
