// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Arming: what a function's type says of its tap, and which functions are left alone.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <bpf/libbpf.h>

#include "arm_fixture.h"

static const struct {
	const char *type; /* see proto() */
	int answer, kind, stack_words;
} known[] = {
	{"v:", RECOV_TAP_ZERO, RECOV_TAP_OTHER, 0},
	{"i:pp", RECOV_TAP_ERROR, RECOV_TAP_OTHER, 0},
	{"l:p", RECOV_TAP_ERROR, RECOV_TAP_OTHER, 0},
	{"h:p", RECOV_TAP_ZERO, RECOV_TAP_OTHER, 0},
	{"u:p", RECOV_TAP_ZERO, RECOV_TAP_OTHER, 0},
	{"b:p", RECOV_TAP_ZERO, RECOV_TAP_OTHER, 0},
	{"p:p", RECOV_TAP_ZERO, RECOV_TAP_OTHER, 0},
	{"e:p", RECOV_TAP_ZERO, RECOV_TAP_OTHER, 0},
	{"o:p", RECOV_TAP_ZERO, RECOV_TAP_OTHER, 0},
	{"q:p", RECOV_TAP_ZERO, RECOV_TAP_OTHER, 0},
	/* Kinds. */
	{"e:ip", RECOV_TAP_ZERO, RECOV_TAP_IRQ, 0},
	{"e:ik", RECOV_TAP_ZERO, RECOV_TAP_OTHER, 0},
	{"i:ni", RECOV_TAP_ZERO, RECOV_TAP_POLL, 0},
	{"i:nu", RECOV_TAP_ERROR, RECOV_TAP_OTHER, 0},
	{"x:kd", RECOV_TAP_ZERO, RECOV_TAP_XMIT, 0},
	{"x:kp", RECOV_TAP_ZERO, RECOV_TAP_OTHER, 0},
	{"v:t", RECOV_TAP_ZERO, RECOV_TAP_TIMER, 0},
	{"i:t", RECOV_TAP_ERROR, RECOV_TAP_OTHER, 0},
	{"v:w", RECOV_TAP_ZERO, RECOV_TAP_WORK, 0},
	{"v:ww", RECOV_TAP_ZERO, RECOV_TAP_OTHER, 0},
	{"S:d", RECOV_TAP_ZERO, RECOV_TAP_STATS, 0},
	{"S:p", RECOV_TAP_ZERO, RECOV_TAP_OTHER, 0},
	{"p:d", RECOV_TAP_ZERO, RECOV_TAP_OTHER, 0},
	/* Queries that may find nothing. */
	{"i:dI", RECOV_TAP_UNSUPPORTED, RECOV_TAP_OTHER, 0},
	{"i:dcz", RECOV_TAP_UNSUPPORTED, RECOV_TAP_OTHER, 0},
	{"i:dcu", RECOV_TAP_ERROR, RECOV_TAP_OTHER, 0},
	{"i:pI", RECOV_TAP_ERROR, RECOV_TAP_OTHER, 0},
	/* Words on the stack. */
	{"v:pppppp", RECOV_TAP_ZERO, RECOV_TAP_OTHER, 0},
	{"v:ppppppb", RECOV_TAP_ZERO, RECOV_TAP_OTHER, 1},
	{"v:ppppppbhe", RECOV_TAP_ZERO, RECOV_TAP_OTHER, 3},
	{"v:sss", RECOV_TAP_ZERO, RECOV_TAP_OTHER, 0},
	{"v:ssppp", RECOV_TAP_ZERO, RECOV_TAP_OTHER, 1},
	{"v:pppppo", RECOV_TAP_ZERO, RECOV_TAP_OTHER, 0},
	{"v:ppppppo", RECOV_TAP_ZERO, RECOV_TAP_OTHER, 1},
	{"v:ppppq", RECOV_TAP_ZERO, RECOV_TAP_OTHER, 0},
	{"v:ppppppE", RECOV_TAP_ZERO, RECOV_TAP_OTHER, 0},
	{"v:pppppppppppppppppppppppppppppppppppppp", RECOV_TAP_ZERO, RECOV_TAP_OTHER, 32},
};

static void test_types_say_what_a_tap_holds(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		const struct recov_tap *tap;
		struct driver d;
		struct pair pair;

		driver_begin(&d, "");
		put_taken(&d, "some", known[i].type);
		pair_open_driver(&pair, &d);
		tap = tap_of(&pair, "some");
		assert_non_null(tap);
		if (tap->answer != known[i].answer || tap->kind != known[i].kind ||
		    tap->stack_words != known[i].stack_words)
			fail_msg("%s: answer %d, kind %d, %d words", known[i].type, tap->answer,
				 tap->kind, tap->stack_words);
		assert_true(tap->function == 0 && tap->kernel[0] == 0 && tap->kernel[1] == 0);
		pair_close(&pair);
	}
}

static void test_what_cannot_be_followed_is_left_alone(void **state)
{
	static const struct {
		const char *type, *reason;
	} cases[] = {
		{NULL, "some: no type is known of it\n"},
		{"i:p.", "some: it takes a variable number of arguments\n"},
		{"i:L", "some: it passes a structure that is too large for registers\n"},
		{"L:p", "some: it passes a structure that is too large for registers\n"},
		{"i:f", "some: it passes a floating-point value\n"},
		{"f:", "some: it passes a floating-point value\n"},
		{"i:F", "some: it passes a floating-point value\n"},
		{"i:P", "some: it passes a structure with members that are not aligned\n"},
		/* What is larger than a word may have to be aligned on the stack. */
		{"i:ppppps", "some: it passes a structure that is too large for registers\n"},
		{"i:pppppq", "some: it passes a structure that is too large for registers\n"},
		{"i:ppppppppppppppppppppppppppppppppppppppp", "some: it has too many arguments\n"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct driver d;
		struct pair pair;
		uint64_t at;

		driver_begin(&d, "");
		put_taken(&d, "other", "v:p");
		at = put_taken(&d, "some", cases[i].type);
		pair_open_driver(&pair, &d);
		assert_int_equal(count_taps(&pair), 1);
		assert_ref(&pair, ".rodata", at, ".text+16");
		assert_string_equal(pair.left.text, cases[i].reason);
		pair_close(&pair);
	}
}

static void test_functions_that_must_not_be_traced_are_left_alone(void **state)
{
	struct driver d;
	struct pair pair;
	size_t noinstr;

	driver_begin(&d, "");
	noinstr = elf_builder_section(&d.b, ".noinstr.text", SHT_PROGBITS,
				      SHF_ALLOC | SHF_EXECINSTR, NULL, 0);
	put_in(&d, noinstr, "some_enter", "v:p", "\xc3", 1);
	put_taken(&d, "some_open", "i:pp");
	elf_bytes_add(&d.b.contents[d.rodata], NULL, 8);
	elf_builder_rela_addend(&d.b, d.rodata, 8, d.text_symbol + 2, R_X86_64_64, 0);
	pair_open_driver(&pair, &d);
	assert_int_equal(count_taps(&pair), 1);
	assert_ref(&pair, ".rodata", 8, "some_enter+0");
	assert_string_equal(pair.left.text,
			    "some_enter: it is called where the kernel must not be entered\n");
	pair_close(&pair);
}

static void test_two_functions_of_one_name_get_words_of_the_stack(void **state)
{
	struct driver d;
	struct pair pair;

	driver_begin(&d, "");
	put_taken(&d, "twice", "i:pp");
	put_taken(&d, "twice", NULL);
	put_taken(&d, "once", "i:pp");
	pair_open_driver(&pair, &d);
	assert_int_equal(count_taps(&pair), 3);
	assert_int_equal(tap_of(&pair, "twice")[0].stack_words, 8);
	assert_int_equal(tap_of(&pair, "twice")[1].stack_words, 8);
	assert_int_equal(tap_of(&pair, "once")->stack_words, 0);
	pair_close(&pair);
}

static void test_two_types_of_one_name_are_no_type(void **state)
{
	struct driver d;
	struct pair pair;

	driver_begin(&d, "");
	put_taken(&d, "twice", "i:pp");
	put_taken(&d, "twice", "v:p");
	put_taken(&d, "once", "i:pp");
	pair_open_driver(&pair, &d);
	assert_int_equal(count_taps(&pair), 1);
	assert_string_equal(pair.left.text,
			    "twice: two functions of different types have its name\n"
			    "twice: two functions of different types have its name\n");
	pair_close(&pair);
}

/* The kernel's types have the function, so that the image's do not. */
static void test_types_shared_with_the_kernel_are_found_there(void **state)
{
	struct replug_image *image, *armed = NULL;
	struct replug_arm_options options = {0};
	struct driver kernel, d;
	struct elf_bytes file;
	struct btf *own;
	const void *types;
	__u32 size;
	int type;

	driver_begin(&kernel, "");
	put(&kernel, "some_open", "v:pppppppp");
	type = proto(&kernel, "v:");

	driver_begin(&d, "");
	put_taken(&d, "some_open", NULL);
	btf__free(d.types);
	own = btf__new_empty_split(kernel.types);
	assert_true(btf__add_func(own, "unused", BTF_FUNC_STATIC, type) > 0);
	types = btf__raw_data(own, &size);
	assert_non_null(types);
	elf_builder_section(&d.b, ".BTF", SHT_PROGBITS, 0, types, size);
	btf__free(own);

	file = elf_builder_finish(&d.b);
	image = parse_good(&file);
	options.types = kernel.types;
	assert_int_equal(replug_image_arm(image, &options, &armed, NULL), 0);
	assert_int_equal(((const struct recov_tap *)replug_image_section(armed, RECOV_TAPS_SECTION,
									 &(size_t){0}))
				 ->stack_words,
			 2);
	replug_image_free(armed);
	replug_image_free(image);
	file = driver_file(&kernel);
	free(file.data);
}

static void test_damaged_types_are_refused(void **state)
{
	static const char *const bad[] = {"", "x",
					  "\x9f\xeb\x01\0\x18\0\0\0 and then nothing good"};
	struct driver d;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct elf_bytes file;

		driver_begin(&d, "");
		put_taken(&d, "some_open", "i:pp");
		btf__free(d.types);
		elf_builder_section(&d.b, ".BTF", SHT_PROGBITS, 0, bad[i], i == 2 ? 31 : i);
		file = elf_builder_finish(&d.b);
		assert_not_armed(file, "its section .BTF holds no usable types");
	}
	driver_begin(&d, "");
	put_taken(&d, "some_open", "i:pp");
	btf__free(d.types);
	assert_not_armed(elf_builder_finish(&d.b), "it has no types (section .BTF)");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_types_say_what_a_tap_holds),
		cmocka_unit_test(test_what_cannot_be_followed_is_left_alone),
		cmocka_unit_test(test_functions_that_must_not_be_traced_are_left_alone),
		cmocka_unit_test(test_two_functions_of_one_name_get_words_of_the_stack),
		cmocka_unit_test(test_two_types_of_one_name_are_no_type),
		cmocka_unit_test(test_types_shared_with_the_kernel_are_found_there),
		cmocka_unit_test(test_damaged_types_are_refused),
	};

	libbpf_set_print(NULL);
	return cmocka_run_group_tests_name("arm_types", tests, NULL, NULL);
}
