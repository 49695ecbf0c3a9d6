// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The daemon's command line.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>

#include "../../recoverd/options.h"

#define PARSE(options, ...)                                                                        \
	options_parse((int)(sizeof((char *[]){"recoverd", ##__VA_ARGS__}) / sizeof(char *)),       \
		      (char *[]){"recoverd", ##__VA_ARGS__, NULL}, options)

static void has_defaults(void **state)
{
	struct options options;

	assert_int_equal(PARSE(&options), 1);
	assert_string_equal(options.runtime_dir, "/run/recoverd");
	assert_null(options.socket);
	assert_null(options.events);
	assert_false(options.background);
}

static void takes_every_option(void **state)
{
	struct options options;

	assert_int_equal(PARSE(&options, "--background", "--events", "-", "--socket=/s",
			       "--runtime-dir", "/r"),
			 1);
	assert_true(options.background);
	assert_string_equal(options.events, "-");
	assert_string_equal(options.socket, "/s");
	assert_string_equal(options.runtime_dir, "/r");
}

static void refuses_what_it_does_not_know(void **state)
{
	struct options options = {.socket = "untouched"};

	assert_int_equal(PARSE(&options, "--nonsense"), -EINVAL);
	assert_int_equal(PARSE(&options, "extra"), -EINVAL);
	assert_int_equal(PARSE(&options, "--events"), -EINVAL);
	assert_int_equal(PARSE(&options, "--events="), -EINVAL);
	assert_string_equal(options.socket, "untouched");
}

static void prints_help_and_version_and_ends(void **state)
{
	struct options options;

	assert_int_equal(PARSE(&options, "--help"), 0);
	assert_int_equal(PARSE(&options, "--version"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(has_defaults),
		cmocka_unit_test(takes_every_option),
		cmocka_unit_test(refuses_what_it_does_not_know),
		cmocka_unit_test(prints_help_and_version_and_ends),
	};

	return cmocka_run_group_tests_name("options", tests, NULL, NULL);
}
