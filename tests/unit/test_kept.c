// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Kept images: the way back to a module that is loaded but not installed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "plan_fixture.h"

/* Puts an image of "eth" with that version into the root. */
static const char *write_eth(struct machine *m, const char *file, const char *version)
{
	struct elf_builder b;

	elf_builder_module(&b, "eth", "");
	elf_builder_modinfo(&b, "version", version);
	return machine_file(m, file, &b);
}

static void install_eth(struct machine *m, const char *version)
{
	struct elf_builder b;

	elf_builder_module(&b, "eth", "");
	elf_builder_modinfo(&b, "version", version);
	machine_install(m, "eth", &b);
}

static void load_eth(struct machine *m, const char *version)
{
	machine_load(m, "eth", 0);
	machine_text(m, "eth", "version", version);
}

/* Keeps an image of that version as a swap would, and forgets the file it came from. */
static void keep_eth(struct machine *m, const char *version)
{
	struct replug_image *image = NULL;
	struct replug_error error = {0};
	static char dir[96];
	const char *path;

	snprintf(dir, sizeof(dir), "%s/kept", m->root);
	m->host.kept = dir;
	path = write_eth(m, "built.ko", version);
	assert_int_equal(replug_image_open(path, &image, &error), 0);
	assert_int_equal(replug_kept_add(dir, image), 0);
	replug_image_free(image);
	unlink(path);
}

/* Versions of the image to go back to and of the one that goes in. */
static void assert_plan(struct machine *m, const char *to, const char *old_version,
			const char *new_version)
{
	const struct replug_module *modules;
	struct replug_plan *plan = NULL;
	struct replug_error error = {0};
	size_t n;

	if (replug_plan_new(&m->host, "eth", to, &plan, &error))
		fail_msg("%s", error.text);
	modules = replug_plan_modules(plan, &n);
	assert_int_equal(n, 1);
	assert_string_equal(replug_image_version(modules[0].old_image), old_version);
	assert_string_equal(replug_image_version(modules[0].new_image), new_version);
	assert_string_equal(modules[0].options, "");
	replug_plan_free(plan);
}

static void assert_refused(struct machine *m, const char *sentence)
{
	struct replug_plan *plan = NULL;
	struct replug_error error = {0};

	assert_true(replug_plan_new(&m->host, "eth", NULL, &plan, &error) < 0);
	assert_string_equal(error.text, sentence);
	assert_int_equal(error.fault, REPLUG_FAULT_REFUSED);
}

static void test_way_back_from_the_installed_is_the_kept_image(void **state)
{
	struct machine *m = *state;

	install_eth(m, "1");
	load_eth(m, "2");
	keep_eth(m, "2");
	assert_plan(m, NULL, "2", "1");
}

static void test_way_back_from_a_third_is_the_kept_image(void **state)
{
	struct machine *m = *state;

	install_eth(m, "1");
	load_eth(m, "2");
	keep_eth(m, "2");
	assert_plan(m, write_eth(m, "new.ko", "3"), "2", "3");
}

static void test_kept_image_of_another_version_is_no_way_back(void **state)
{
	struct machine *m = *state;
	char sentence[256];

	install_eth(m, "1");
	load_eth(m, "2");
	keep_eth(m, "3");
	snprintf(sentence, sizeof(sentence),
		 "the loaded eth is no longer the installed one (%s), so there would be no way "
		 "back",
		 machine_path(m, "lib/kernel/eth.ko"));
	assert_refused(m, sentence);
}

static void test_installed_image_is_preferred(void **state)
{
	struct machine *m = *state;

	install_eth(m, "1");
	load_eth(m, "1");
	keep_eth(m, "1");
	assert_plan(m, NULL, "1", "1");
}

static void test_driver_that_is_only_kept_needs_an_image_to_go_to(void **state)
{
	struct machine *m = *state;

	load_eth(m, "2");
	keep_eth(m, "2");
	assert_refused(m, "eth is loaded from another file, and none is installed");
	assert_plan(m, write_eth(m, "new.ko", "3"), "2", "3");
}

static void test_cleaning_leaves_other_modules_and_the_excepted_image(void **state)
{
	struct machine *m = *state;
	struct replug_image *image = NULL, *other = NULL;
	struct replug_error error = {0};
	struct elf_builder b;

	install_eth(m, "1");
	load_eth(m, "2");
	keep_eth(m, "2");
	keep_eth(m, "3");
	/* Its name begins alike. */
	elf_builder_module(&b, "eth_extra", "");
	assert_int_equal(replug_image_open(machine_file(m, "extra.ko", &b), &other, &error), 0);
	assert_int_equal(replug_kept_add(m->host.kept, other), 0);
	assert_int_equal(replug_image_open(write_eth(m, "new.ko", "2"), &image, &error), 0);

	replug_kept_clean(m->host.kept, "eth", image);
	assert_plan(m, NULL, "2", "1");
	load_eth(m, "3");
	assert_true(replug_plan_new(&m->host, "eth", NULL, &(struct replug_plan *){NULL}, NULL) <
		    0);
	load_eth(m, "2");
	replug_kept_clean(m->host.kept, "eth", NULL);
	assert_true(replug_plan_new(&m->host, "eth", NULL, &(struct replug_plan *){NULL}, NULL) <
		    0);
	assert_int_equal(rmdir(m->host.kept), -1);
	replug_kept_clean(m->host.kept, "eth_extra", NULL);
	assert_int_equal(rmdir(m->host.kept), 0);
	replug_image_free(other);
	replug_image_free(image);
}

#define MACHINE_TEST(test) cmocka_unit_test_setup_teardown(test, machine_setup, machine_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		MACHINE_TEST(test_way_back_from_the_installed_is_the_kept_image),
		MACHINE_TEST(test_way_back_from_a_third_is_the_kept_image),
		MACHINE_TEST(test_kept_image_of_another_version_is_no_way_back),
		MACHINE_TEST(test_installed_image_is_preferred),
		MACHINE_TEST(test_driver_that_is_only_kept_needs_an_image_to_go_to),
		MACHINE_TEST(test_cleaning_leaves_other_modules_and_the_excepted_image),
	};

	return cmocka_run_group_tests_name("kept", tests, NULL, NULL);
}
