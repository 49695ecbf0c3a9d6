// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The private area's size, as read out of a driver's code.
 */
#include <errno.h>
#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "image_fixture.h"

/* ---- The private area ---- */

static int private_size(const void *code, size_t size, size_t call_at, const char *callee,
			uint32_t *ret)
{
	struct replug_image *image;
	struct elf_bytes file;
	struct elf_builder b;
	int r;

	elf_builder_module(&b, "m", "");
	elf_builder_caller(&b, "probe", code, size, call_at, callee);
	file = elf_builder_finish(&b);
	image = parse_good(&file);
	r = replug_image_private_size(image, ret);
	replug_image_free(image);
	return r;
}

static void test_private_size_is_the_constant_before_the_call(void **state)
{
	uint32_t size = 0;

	assert_int_equal(
		private_size(code_constant, sizeof(code_constant), 6, "alloc_etherdev_mqs", &size),
		0);
	assert_int_equal(size, 0x9b0);
}

static void test_private_size_may_be_moved_to_the_whole_register(void **state)
{
	/* mov $0x310,%rdi; mov $0x1,%esi; call */
	static const uint8_t code[] = {0x48, 0xc7, 0xc7, 0x10, 3, 0, 0, 0xbe, 1,
				       0,    0,	   0,	 0xe8, 0, 0, 0, 0};
	uint32_t size = 0;

	assert_int_equal(private_size(code, sizeof(code), 13, "alloc_netdev_mqs", &size), 0);
	assert_int_equal(size, 0x310);
}

static void test_private_size_of_the_devm_allocator_is_its_second_argument(void **state)
{
	/* mov %rbx,%rdi; mov $0x1a90,%esi; call */
	static const uint8_t code[] = {0x48, 0x89, 0xdf, 0xbe, 0x90, 0x1a, 0, 0, 0xe8, 0, 0, 0, 0};
	uint32_t size = 0;

	assert_int_equal(private_size(code, sizeof(code), 9, "devm_alloc_etherdev_mqs", &size), 0);
	assert_int_equal(size, 0x1a90);
}

static void test_private_size_may_be_zero_by_xor(void **state)
{
	/* xor %edi,%edi; call */
	static const uint8_t code[] = {0x31, 0xff, 0xe8, 0, 0, 0, 0};
	uint32_t size = 99;

	assert_int_equal(private_size(code, sizeof(code), 3, "alloc_netdev_mqs", &size), 0);
	assert_int_equal(size, 0);
}

static void test_private_size_may_be_given_in_a_tail_call(void **state)
{
	/* mov $0x40,%edi; jmp */
	static const uint8_t code[] = {0xbf, 0x40, 0, 0, 0, 0xe9, 0, 0, 0, 0};
	uint32_t size = 0;

	assert_int_equal(private_size(code, sizeof(code), 6, "alloc_netdev_mqs", &size), 0);
	assert_int_equal(size, 0x40);
}

static void test_largest_private_size_counts(void **state)
{
	static const uint8_t smaller[] = {0xbf, 0x40, 0, 0, 0, 0xe8, 0, 0, 0, 0, 0xc3};
	struct replug_image *image;
	struct elf_bytes file;
	struct elf_builder b;
	uint32_t size = 0;

	elf_builder_module(&b, "m", "");
	elf_builder_caller(&b, "one", smaller, sizeof(smaller), 6, "alloc_etherdev_mqs");
	elf_builder_caller(&b, "two", code_constant, sizeof(code_constant), 6, "alloc_netdev_mqs");
	elf_builder_caller(&b, "three", smaller, sizeof(smaller), 6, "alloc_netdev_mqs");
	file = elf_builder_finish(&b);
	image = parse_good(&file);
	assert_int_equal(replug_image_private_size(image, &size), 0);
	assert_int_equal(size, 0x9b0);
	replug_image_free(image);
}

static void test_no_allocator_means_no_private_area(void **state)
{
	uint32_t size = 99;

	assert_int_equal(private_size(code_constant, sizeof(code_constant), 6, "kfree", &size), 0);
	assert_int_equal(size, 0);
}

static const struct {
	const char *what;
	uint8_t code[16];
	size_t size, call_at;
} inconstant[] = {
	{"an argument of the caller", {0xe8}, 5, 1},
	{"mov %eax,%edi", {0x89, 0xc7, 0xe8}, 7, 3},
	{"mov $1,%edi; add $8,%edi", {0xbf, 1, 0, 0, 0, 0x83, 0xc7, 8, 0xe8}, 13, 9},
	{"mov $1,%edi; mov $2,%dil", {0xbf, 1, 0, 0, 0, 0x40, 0xb7, 2, 0xe8}, 13, 9},
	{"mov $1,%edi; pop %rdi", {0xbf, 1, 0, 0, 0, 0x5f, 0xe8}, 11, 7},
	{"mov $1,%edi; call elsewhere", {0xbf, 1, 0, 0, 0, 0xff, 0xd0, 0xe8}, 12, 8},
	{"mov $1,%edi; ret", {0xbf, 1, 0, 0, 0, 0xc3, 0xe8}, 11, 7},
	{"je 1f; mov $1,%edi; 1:", {0x74, 5, 0xbf, 1, 0, 0, 0, 0xe8}, 12, 8},
	{"mov $1,%edi; undecodable", {0xbf, 1, 0, 0, 0, 0x06, 0xe8}, 11, 7},
	{"no call: mov $callee,%edi", {0xbf, 1, 0, 0, 0, 0xc3}, 6, 1},
};

static void test_private_size_that_is_no_constant_is_not_guessed(void **state)
{
	for (size_t i = 0; i < sizeof(inconstant) / sizeof(inconstant[0]); i++) {
		uint32_t size = 99;
		int r = private_size(inconstant[i].code, inconstant[i].size, inconstant[i].call_at,
				     "alloc_etherdev_mqs", &size);

		if (r != -ENODATA || size != 99)
			fail_msg("%s: %d, %u", inconstant[i].what, r, size);
	}
}

static void test_functions_that_overlap_are_not_decoded_for_ever(void **state)
{
	static uint8_t nops[1 << 16];
	struct replug_image *image;
	struct elf_bytes file;
	struct elf_builder b;
	uint32_t size = 99;
	size_t at;

	memset(nops, 0x90, sizeof(nops));
	nops[sizeof(nops) - 5] = 0xe8;
	elf_builder_module(&b, "m", "");
	at = elf_builder_caller(&b, "f", nops, sizeof(nops), sizeof(nops) - 4, "alloc_netdev_mqs");
	for (size_t i = 0; i < 4096; i++)
		elf_builder_symbol(&b, "g", STB_LOCAL, STT_FUNC,
				   elf_builder_section(&b, ".text", 0, 0, NULL, 0), at,
				   sizeof(nops));
	file = elf_builder_finish(&b);
	image = parse_good(&file);
	assert_int_equal(replug_image_private_size(image, &size), -ENODATA);
	replug_image_free(image);
}

/* ---- Stock modules, where the build fetched kernels ---- */

static const struct {
	const char *name;
	uint32_t smallest, largest; /* private area; point releases differ */
} stock[] = {
	{"e1000", 2000, 3000},	{"e1000e", 11000, 14000}, {"pcnet32", 600, 800},
	{"8139cp", 1800, 2100}, {"virtio_net", 250, 700}, {"vmxnet3", 28000, 42000},
};

static void check_stock(const char *path, uint32_t smallest, uint32_t largest)
{
	struct replug_image *image = NULL;
	struct replug_error error = {0};
	uint32_t size = 0;

	if (replug_image_open(path, &image, &error))
		fail_msg("%s", error.text);
	if (touch(image, &size) || size < smallest || size > largest)
		fail_msg("%s: private area of %u bytes", path, size);
	replug_image_free(image);
}

static void test_stock_drivers_tell_their_private_size(void **state)
{
	size_t checked = 0;

	for (size_t i = 0; i < sizeof(stock) / sizeof(stock[0]); i++) {
		static const char *const depths[] = {"", "*/*/", "*/*/*/"};

		for (size_t d = 0; d < 3; d++) {
			char pattern[256];
			glob_t found;

			snprintf(pattern, sizeof(pattern),
				 "build/kernels/*/lib/modules/*/kernel/drivers/net/%s%s.ko*",
				 depths[d], stock[i].name);
			if (glob(pattern, 0, NULL, &found))
				continue;
			for (size_t p = 0; p < found.gl_pathc; p++, checked++)
				check_stock(found.gl_pathv[p], stock[i].smallest, stock[i].largest);
			globfree(&found);
		}
	}
	if (!checked) {
		print_message("# SKIP no stock kernels below build/kernels\n");
		skip();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_private_size_is_the_constant_before_the_call),
		cmocka_unit_test(test_private_size_may_be_moved_to_the_whole_register),
		cmocka_unit_test(test_private_size_of_the_devm_allocator_is_its_second_argument),
		cmocka_unit_test(test_private_size_may_be_zero_by_xor),
		cmocka_unit_test(test_private_size_may_be_given_in_a_tail_call),
		cmocka_unit_test(test_largest_private_size_counts),
		cmocka_unit_test(test_no_allocator_means_no_private_area),
		cmocka_unit_test(test_private_size_that_is_no_constant_is_not_guessed),
		cmocka_unit_test(test_functions_that_overlap_are_not_decoded_for_ever),
		cmocka_unit_test(test_stock_drivers_tell_their_private_size),
	};

	return cmocka_run_group_tests_name("private", tests, NULL, NULL);
}
