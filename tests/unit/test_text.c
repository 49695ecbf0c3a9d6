// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Text from outside: nothing steers a terminal, nothing breaks JSON.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "../../recoverd/cleanup.h"
#include "../../recoverd/text.h"

static void assert_escaped(const char *bytes, const char *expected)
{
	_cleanup_free_ char *escaped = text_escape(bytes);

	assert_string_equal(escaped, expected);
}

static void escapes_control_characters(void **state)
{
	assert_escaped("eth0", "eth0");
	assert_escaped("a\x1b[31mb", "a\\x1b[31mb");
	assert_escaped("a\nb\tc\x7f", "a\\x0ab\\x09c\\x7f");
	assert_escaped("\xc2\x9b"
		       "31m",
		       "\\xc2\\x9b31m");
	assert_escaped("back\\slash", "back\\\\slash");
}

static void escapes_what_reorders_a_line(void **state)
{
	assert_escaped("\xe2\x80\xae"
		       "0hte",
		       "\\xe2\\x80\\xae0hte");
	assert_escaped("\xe2\x81\xa6", "\\xe2\\x81\\xa6");
}

static void escapes_what_is_no_utf8(void **state)
{
	assert_escaped("\xff", "\\xff");
	assert_escaped("\xc0\x80", "\\xc0\\x80");	   /* overlong */
	assert_escaped("\xed\xa0\x80", "\\xed\\xa0\\x80"); /* surrogate */
	assert_escaped("a\xe2\x82", "a\\xe2\\x82");	   /* cut */
	assert_escaped("\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80");
	assert_escaped("gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f");
}

static void json_of_any_bytes_is_valid(void **state)
{
	char bytes[2] = "";

	for (int byte = 1; byte < 256; byte++) {
		json_auto_t *string = NULL;

		bytes[0] = (char)byte;
		string = text_json(bytes);
		assert_true(json_is_string(string));
	}
}

static void json_keeps_what_is_valid(void **state)
{
	json_auto_t *string = text_json("\xc3\xbc\xff.");

	assert_string_equal(json_string_value(string), "\xc3\xbc\xef\xbf\xbd.");
}

static void knows_names_of_modules(void **state)
{
	char longest[57];

	memset(longest, 'a', sizeof(longest));
	longest[55] = '\0';
	assert_true(text_is_module_name("e1000"));
	assert_true(text_is_module_name("8139cp"));
	assert_true(text_is_module_name("virtio-net"));
	assert_true(text_is_module_name(longest));
	longest[55] = 'a';
	longest[56] = '\0';
	assert_false(text_is_module_name(longest));
	assert_false(text_is_module_name(""));
	assert_false(text_is_module_name("../e1000"));
	assert_false(text_is_module_name("e1000 "));
	assert_false(text_is_module_name("\xc3\xbc"));
}

static void takes_dash_and_underscore_alike(void **state)
{
	assert_true(text_same_module("virtio_net", "virtio-net"));
	assert_false(text_same_module("virtio_net", "virtio_ne"));
	assert_false(text_same_module("virtio_net", "virtio_net2"));
	assert_true(text_same_module("", ""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(escapes_control_characters),
		cmocka_unit_test(escapes_what_reorders_a_line),
		cmocka_unit_test(escapes_what_is_no_utf8),
		cmocka_unit_test(json_of_any_bytes_is_valid),
		cmocka_unit_test(json_keeps_what_is_valid),
		cmocka_unit_test(knows_names_of_modules),
		cmocka_unit_test(takes_dash_and_underscore_alike),
	};

	return cmocka_run_group_tests_name("text", tests, NULL, NULL);
}
