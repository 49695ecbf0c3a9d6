// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Plans with another image: what is accepted, and each reason for which one is refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "plan_fixture.h"

/* mov $SIZE,%edi; call; ret */
static const uint8_t code_900[] = {0xbf, 0x84, 3, 0, 0, 0xe8, 0, 0, 0, 0, 0xc3};
static const uint8_t code_2480[] = {0xbf, 0xb0, 9, 0, 0, 0xe8, 0, 0, 0, 0, 0xc3};
static const uint8_t code_unknown[] = {0x89, 0xc7, 0xe8, 0, 0, 0, 0, 0xc3};

/* A machine where "eth" is loaded. The path is where the new images are put. */
static struct machine *machine_with_eth(void **state, char path[256])
{
	struct machine *m = *state;

	machine_module(m, "eth", "", 0);
	machine_export(m, "printk", 0x2222, "");
	machine_export(m, "alloc_etherdev_mqs", 0x3333, "");
	strcpy(path, machine_path(m, "new.ko"));
	return m;
}

/* Puts the builder's image there and expects the plan to take it. */
static void assert_accepted(struct machine *m, struct elf_builder *b)
{
	const char *path = machine_file(m, "new.ko", b);
	const struct replug_module *modules;
	struct replug_plan *plan = NULL;
	struct replug_error error = {0};
	size_t n;

	if (replug_plan_new(&m->host, "eth", path, &plan, &error))
		fail_msg("%s", error.text);
	modules = replug_plan_modules(plan, &n);
	assert_string_equal(replug_image_path(modules[0].new_image), path);
	assert_ptr_not_equal(modules[0].new_image, modules[0].old_image);
	replug_plan_free(plan);
}

static void assert_path_refused(struct machine *m, const char *path, enum replug_fault fault,
				const char *format, ...)
{
	struct replug_plan *plan = NULL;
	struct replug_error error = {0};
	char expected[512];
	va_list ap;

	va_start(ap, format);
	vsnprintf(expected, sizeof(expected), format, ap);
	va_end(ap);
	assert_true(replug_plan_new(&m->host, "eth", path, &plan, &error) < 0);
	assert_null(plan);
	assert_string_equal(error.text, expected);
	assert_int_equal(error.fault, fault);
}

#define assert_image_refused(m, b, ...)                                                            \
	do {                                                                                       \
		machine_file(m, "new.ko", b);                                                      \
		assert_path_refused(m, path, REPLUG_FAULT_REFUSED, __VA_ARGS__);                   \
	} while (0)

/* ---- Accepted ---- */

static void test_matching_image_is_accepted(void **state)
{
	struct elf_builder b;
	char path[256];
	struct machine *m = machine_with_eth(state, path);

	elf_builder_module(&b, "eth", "");
	elf_builder_import(&b, "printk", 0x2222);
	elf_builder_symbol(&b, "nice_to_have", STB_WEAK, STT_NOTYPE, SHN_UNDEF, 0, 0);
	assert_accepted(m, &b);
}

static void test_single_import_without_version_is_accepted(void **state)
{
	struct elf_builder b;
	char path[256];
	struct machine *m = machine_with_eth(state, path);

	elf_builder_module(&b, "eth", "");
	elf_builder_symbol(&b, "printk", STB_GLOBAL, STT_NOTYPE, SHN_UNDEF, 0, 0);
	assert_accepted(m, &b);
}

static void test_import_from_a_module_that_is_swapped_too_is_accepted(void **state)
{
	struct machine *m = *state;
	struct elf_builder b;

	machine_module(m, "eth", "mii", 0);
	elf_builder_module(&b, "mii", "");
	elf_builder_export(&b, "mii_link_ok", 0x4444);
	machine_install(m, "mii", &b);
	machine_load(m, "mii", 1);
	machine_hold(m, "mii", "eth");

	elf_builder_module(&b, "eth", "mii");
	elf_builder_import(&b, "mii_link_ok", 0x4444);
	assert_accepted(m, &b);
}

static void test_import_from_a_module_that_stays_is_accepted(void **state)
{
	struct elf_builder b;
	char path[256];
	struct machine *m = machine_with_eth(state, path);

	machine_module(m, "libphy", "", 5);
	machine_export(m, "phy_start", 0x5555, "libphy");
	elf_builder_module(&b, "eth", "libphy,some-base");
	elf_builder_import(&b, "phy_start", 0x5555);
	assert_accepted(m, &b);
}

/* ---- Refused: the file ---- */

static void test_missing_file_is_named(void **state)
{
	char path[256];
	struct machine *m = machine_with_eth(state, path);

	assert_path_refused(m, path, REPLUG_FAULT_USAGE, "there is no file %s", path);
}

static void test_file_that_is_no_module_is_named(void **state)
{
	char path[256];
	struct machine *m = machine_with_eth(state, path);

	machine_write(path, "hello", 5);
	assert_path_refused(m, path, REPLUG_FAULT_USAGE,
			    "%s is not a usable module: it is no ELF file", path);
}

static void test_truncated_file_is_named(void **state)
{
	struct elf_builder b;
	char path[256];
	struct machine *m = machine_with_eth(state, path);

	elf_builder_module(&b, "eth", "");
	machine_file(m, "new.ko", &b);
	assert_int_equal(truncate(path, 600), 0);
	assert_path_refused(m, path, REPLUG_FAULT_USAGE,
			    "%s is not a usable module: it is truncated", path);
}

static void test_image_for_another_architecture_is_named(void **state)
{
	struct elf_builder b;
	struct elf_bytes file;
	char path[256];
	struct machine *m = machine_with_eth(state, path);

	elf_builder_module(&b, "eth", "");
	file = elf_builder_finish(&b);
	((Elf64_Ehdr *)file.data)->e_machine = EM_AARCH64;
	machine_write(path, file.data, file.size);
	free(file.data);
	assert_path_refused(m, path, REPLUG_FAULT_USAGE,
			    "%s is not a usable module: it was built for another architecture",
			    path);
}

/* ---- Refused: what it is ---- */

static void test_image_of_another_module_is_refused(void **state)
{
	struct elf_builder b;
	char path[256];
	struct machine *m = machine_with_eth(state, path);

	elf_builder_module(&b, "sound", "");
	assert_image_refused(m, &b, "%s is the module sound, not eth", path);
}

static void test_image_of_another_kernel_is_refused(void **state)
{
	struct elf_builder b;
	char path[256];
	struct machine *m = machine_with_eth(state, path);

	elf_builder_init(&b);
	elf_builder_this_module(&b, "eth");
	elf_builder_modinfo(&b, "vermagic", "5.10.0 SMP mod_unload modversions ");
	assert_image_refused(m, &b,
			     "%s was built for another kernel: \"5.10.0 SMP mod_unload "
			     "modversions\", not \"6.1.0-test SMP preempt mod_unload modversions\"",
			     path);
}

static void test_unsigned_image_is_refused_where_signatures_are_enforced(void **state)
{
	struct elf_builder b;
	char path[256];
	struct machine *m = machine_with_eth(state, path);

	machine_text(m, "module", "parameters/sig_enforce", "Y\n");
	elf_builder_module(&b, "eth", "");
	assert_image_refused(m, &b, "%s is not signed, and this kernel loads only signed modules",
			     path);
	machine_text(m, "module", "parameters/sig_enforce", "N\n");
	elf_builder_module(&b, "eth", "");
	assert_accepted(m, &b);
}

static void test_unsigned_image_is_refused_by_a_kernel_that_is_locked_down(void **state)
{
	static const char integrity[] = "none [integrity] confidentiality\n";
	struct elf_builder b;
	char path[256];
	struct machine *m = machine_with_eth(state, path);
	const char *lockdown = machine_path(m, "sys/kernel/security/lockdown");

	machine_write(lockdown, integrity, strlen(integrity));
	elf_builder_module(&b, "eth", "");
	assert_image_refused(m, &b, "%s is not signed, and this kernel loads only signed modules",
			     path);
}

static void test_loaded_image_that_would_not_come_back_stays(void **state)
{
	char path[256];
	struct machine *m = machine_with_eth(state, path);

	machine_text(m, "module", "parameters/sig_enforce", "Y\n");
	assert_path_refused(m, NULL, REPLUG_FAULT_REFUSED,
			    "eth is not signed, and this kernel loads only signed modules: it "
			    "would not come back");
}

static void test_image_with_a_missing_dependency_is_refused(void **state)
{
	struct elf_builder b;
	char path[256];
	struct machine *m = machine_with_eth(state, path);

	elf_builder_module(&b, "libphy", "");
	machine_install(m, "libphy", &b);
	elf_builder_module(&b, "eth", "libphy");
	assert_image_refused(m, &b, "%s needs the module libphy, which is not loaded", path);
}

/* ---- Refused: its symbols ---- */

static void test_image_with_an_unknown_symbol_is_refused(void **state)
{
	struct elf_builder b;
	char path[256];
	struct machine *m = machine_with_eth(state, path);

	elf_builder_module(&b, "eth", "");
	elf_builder_import(&b, "brand_new", 0x1);
	assert_image_refused(m, &b, "%s needs brand_new, which this kernel does not export", path);
}

static void test_image_with_another_version_of_a_symbol_is_refused(void **state)
{
	struct elf_builder b;
	char path[256];
	struct machine *m = machine_with_eth(state, path);

	elf_builder_module(&b, "eth", "");
	elf_builder_import(&b, "printk", 0x9999);
	assert_image_refused(m, &b,
			     "%s was built against another version of printk (0x00009999, here "
			     "0x00002222)",
			     path);
}

static void test_image_with_another_version_of_a_swapped_symbol_is_refused(void **state)
{
	struct machine *m = *state;
	struct elf_builder b;
	char path[256];

	strcpy(path, machine_path(m, "new.ko"));
	machine_module(m, "eth", "mii", 0);
	elf_builder_module(&b, "mii", "");
	elf_builder_export(&b, "mii_link_ok", 0x4444);
	machine_install(m, "mii", &b);
	machine_load(m, "mii", 1);
	machine_hold(m, "mii", "eth");
	/* As loaded now; what counts is what will be loaded. */
	machine_export(m, "mii_link_ok", 0x5555, "mii");

	elf_builder_module(&b, "eth", "mii");
	elf_builder_import(&b, "mii_link_ok", 0x5555);
	assert_image_refused(m, &b,
			     "%s was built against another version of mii_link_ok (0x00005555, "
			     "here 0x00004444)",
			     path);
}

static void test_image_without_versions_is_refused(void **state)
{
	struct elf_builder b;
	char path[256];
	struct machine *m = machine_with_eth(state, path);

	elf_builder_init(&b);
	elf_builder_this_module(&b, "eth");
	elf_builder_modinfo(&b, "vermagic", ELF_BUILDER_VERMAGIC);
	elf_builder_symbol(&b, "printk", STB_GLOBAL, STT_NOTYPE, SHN_UNDEF, 0, 0);
	assert_image_refused(m, &b, "%s carries no symbol versions, which this kernel asks for",
			     path);
}

static void test_symbol_of_a_module_that_is_not_loaded_is_refused(void **state)
{
	struct elf_builder b;
	char path[256];
	struct machine *m = machine_with_eth(state, path);

	machine_export(m, "phy_start", 0x5555, "libphy");
	elf_builder_module(&b, "eth", "");
	elf_builder_import(&b, "phy_start", 0x5555);
	assert_image_refused(m, &b, "%s needs phy_start of the module libphy, which is not loaded",
			     path);
}

static void test_symbol_that_goes_with_the_old_image_is_refused(void **state)
{
	struct elf_builder b;
	char path[256];
	struct machine *m = machine_with_eth(state, path);

	machine_export(m, "eth_helper", 0x6666, "eth");
	elf_builder_module(&b, "eth", "");
	elf_builder_import(&b, "eth_helper", 0x6666);
	assert_image_refused(m, &b, "%s needs eth_helper, which this kernel does not export", path);
}

static void test_kernel_that_can_not_be_asked_is_told(void **state)
{
	struct elf_builder b;
	char path[256];
	struct machine *m = machine_with_eth(state, path);

	elf_builder_module(&b, "eth", "");
	machine_file(m, "new.ko", &b);
	m->symbol_error = -EIO;
	assert_path_refused(m, path, REPLUG_FAULT_FAILED,
			    "cannot ask whether this kernel exports module_layout: "
			    "Input/output error");
}

/* ---- The private area ---- */

static void build_with_code(struct elf_builder *b, const void *code, size_t size, size_t call_at)
{
	elf_builder_module(b, "eth", "");
	elf_builder_version(b, "alloc_etherdev_mqs", 0x3333);
	elf_builder_caller(b, "probe", code, size, call_at, "alloc_etherdev_mqs");
}

static void test_private_area_that_fits_is_accepted(void **state)
{
	struct elf_builder b;
	char path[256];
	struct machine *m = machine_with_eth(state, path);

	build_with_code(&b, code_900, sizeof(code_900), 6);
	assert_accepted(m, &b);
}

static void test_larger_private_area_is_refused(void **state)
{
	struct elf_builder b;
	char path[256];
	struct machine *m = machine_with_eth(state, path);

	build_with_code(&b, code_2480, sizeof(code_2480), 6);
	assert_image_refused(
		m, &b, "%s needs 2480 bytes of private area per device, eth0 has only 1000", path);
}

static void test_unknown_private_area_is_left_to_the_kernel(void **state)
{
	struct elf_builder b;
	char path[256];
	struct machine *m = machine_with_eth(state, path);

	build_with_code(&b, code_unknown, sizeof(code_unknown), 3);
	assert_accepted(m, &b);
}

/* It has been given what it needs: the constant may belong to another of its devices. */
static void test_same_image_is_not_asked_for_its_private_area(void **state)
{
	struct machine *m = *state;
	struct elf_builder b;

	machine_export(m, "alloc_etherdev_mqs", 0x3333, "");
	build_with_code(&b, code_2480, sizeof(code_2480), 6);
	machine_install(m, "eth", &b);
	machine_load(m, "eth", 0);
	build_with_code(&b, code_2480, sizeof(code_2480), 6);
	assert_accepted(m, &b);
}

#define MACHINE_TEST(test) cmocka_unit_test_setup_teardown(test, machine_setup, machine_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		MACHINE_TEST(test_matching_image_is_accepted),
		MACHINE_TEST(test_single_import_without_version_is_accepted),
		MACHINE_TEST(test_import_from_a_module_that_is_swapped_too_is_accepted),
		MACHINE_TEST(test_import_from_a_module_that_stays_is_accepted),
		MACHINE_TEST(test_missing_file_is_named),
		MACHINE_TEST(test_file_that_is_no_module_is_named),
		MACHINE_TEST(test_truncated_file_is_named),
		MACHINE_TEST(test_image_for_another_architecture_is_named),
		MACHINE_TEST(test_image_of_another_module_is_refused),
		MACHINE_TEST(test_image_of_another_kernel_is_refused),
		MACHINE_TEST(test_unsigned_image_is_refused_where_signatures_are_enforced),
		MACHINE_TEST(test_unsigned_image_is_refused_by_a_kernel_that_is_locked_down),
		MACHINE_TEST(test_loaded_image_that_would_not_come_back_stays),
		MACHINE_TEST(test_image_with_a_missing_dependency_is_refused),
		MACHINE_TEST(test_image_with_an_unknown_symbol_is_refused),
		MACHINE_TEST(test_image_with_another_version_of_a_symbol_is_refused),
		MACHINE_TEST(test_image_with_another_version_of_a_swapped_symbol_is_refused),
		MACHINE_TEST(test_image_without_versions_is_refused),
		MACHINE_TEST(test_symbol_of_a_module_that_is_not_loaded_is_refused),
		MACHINE_TEST(test_symbol_that_goes_with_the_old_image_is_refused),
		MACHINE_TEST(test_kernel_that_can_not_be_asked_is_told),
		MACHINE_TEST(test_private_area_that_fits_is_accepted),
		MACHINE_TEST(test_larger_private_area_is_refused),
		MACHINE_TEST(test_unknown_private_area_is_left_to_the_kernel),
		MACHINE_TEST(test_same_image_is_not_asked_for_its_private_area),
	};

	return cmocka_run_group_tests_name("compat", tests, NULL, NULL);
}
