// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Plans: which modules a swap takes along, and each reason for which one is refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "plan_fixture.h"

static struct replug_plan *plan_good(struct machine *m, const char *driver, const char *to)
{
	struct replug_plan *plan = NULL;
	struct replug_error error = {0};

	if (replug_plan_new(&m->host, driver, to, &plan, &error))
		fail_msg("%s", error.text);
	return plan;
}

static void assert_refused(struct machine *m, const char *driver, const char *to,
			   enum replug_fault fault, const char *format, ...)
{
	struct replug_plan *plan = NULL;
	struct replug_error error = {0};
	char expected[sizeof(error.text)];
	va_list ap;

	va_start(ap, format);
	vsnprintf(expected, sizeof(expected), format, ap);
	va_end(ap);
	assert_true(replug_plan_new(&m->host, driver, to, &plan, &error) < 0);
	assert_null(plan);
	assert_string_equal(error.text, expected);
	assert_int_equal(error.fault, fault);
	assert_true(replug_plan_new(&m->host, driver, to, &plan, NULL) < 0);
}

/* Expects the plan's modules, in that order, with a space between. */
static void assert_modules(struct machine *m, const char *driver, const char *expected)
{
	struct replug_plan *plan = plan_good(m, driver, NULL);
	const struct replug_module *modules;
	char names[256] = "";
	size_t n;

	modules = replug_plan_modules(plan, &n);
	for (size_t i = 0; i < n; i++) {
		assert_ptr_equal(modules[i].old_image, modules[i].new_image);
		assert_string_equal(replug_image_name(modules[i].old_image), modules[i].name);
		assert_non_null(modules[i].options);
		strcat(strcat(names, i ? " " : ""), modules[i].name);
	}
	assert_string_equal(names, expected);
	replug_plan_free(plan);
}

/* ---- What a swap takes along ---- */

static void test_driver_alone(void **state)
{
	struct machine *m = *state;
	const struct replug_device *devices;
	struct replug_plan *plan;
	size_t n;

	machine_module(m, "eth", "", 0);
	assert_modules(m, "eth", "eth");

	plan = plan_good(m, "eth", NULL);
	assert_string_equal(replug_plan_driver(plan), "eth");
	devices = replug_plan_devices(plan, &n);
	assert_int_equal(n, 1);
	assert_string_equal(devices[0].object, "eth0");
	replug_plan_free(plan);
}

static void test_dashes_in_the_name_do_not_matter(void **state)
{
	struct machine *m = *state;

	machine_module(m, "snd_hda", "", 0);
	assert_modules(m, "snd-hda", "snd_hda");
}

static void test_dependency_held_only_by_the_driver_goes_along(void **state)
{
	struct machine *m = *state;

	machine_module(m, "pcnet32", "mii", 0);
	machine_module(m, "mii", "", 1);
	machine_hold(m, "mii", "pcnet32");
	assert_modules(m, "pcnet32", "pcnet32 mii");
}

static void test_chain_is_unloaded_from_the_driver_on(void **state)
{
	struct machine *m = *state;

	machine_module(m, "virtio_net", "net_failover", 0);
	machine_module(m, "net_failover", "failover", 1);
	machine_module(m, "failover", "", 1);
	machine_hold(m, "net_failover", "virtio_net");
	machine_hold(m, "failover", "net_failover");
	assert_modules(m, "virtio_net", "virtio_net net_failover failover");
}

static void test_diamond_is_unloaded_once_and_last(void **state)
{
	struct machine *m = *state;

	/* "base" is also a direct dependency, named first. */
	machine_module(m, "eth", "base,left,right", 0);
	machine_module(m, "left", "base", 1);
	machine_module(m, "right", "base", 1);
	machine_module(m, "base", "", 3);
	machine_hold(m, "left", "eth");
	machine_hold(m, "right", "eth");
	machine_hold(m, "base", "eth");
	machine_hold(m, "base", "left");
	machine_hold(m, "base", "right");
	assert_modules(m, "eth", "eth left right base");
}

static void test_shared_dependency_stays(void **state)
{
	struct machine *m = *state;

	machine_module(m, "eth", "mii,own", 0);
	machine_module(m, "mii", "deep", 2);
	machine_module(m, "own", "", 1);
	machine_module(m, "deep", "", 1);
	machine_hold(m, "mii", "eth");
	machine_hold(m, "mii", "other");
	machine_hold(m, "own", "eth");
	machine_hold(m, "deep", "mii");
	assert_modules(m, "eth", "eth own");
}

static void test_dependency_with_users_that_are_no_modules_stays(void **state)
{
	struct machine *m = *state;

	machine_module(m, "eth", "mii", 0);
	machine_module(m, "mii", "", 2);
	machine_hold(m, "mii", "eth");
	assert_modules(m, "eth", "eth");
}

static void test_dependency_that_can_not_be_put_back_stays(void **state)
{
	struct machine *m = *state;
	struct elf_builder b;

	machine_module(m, "eth", "gone,changed,permanent,absent,some_base", 0);
	machine_load(m, "gone", 1);
	machine_hold(m, "gone", "eth");
	elf_builder_module(&b, "changed", "");
	elf_builder_build_id(&b, "new");
	machine_install(m, "changed", &b);
	machine_load(m, "changed", 1);
	machine_text(m, "changed", "notes/.note.gnu.build-id", "old");
	machine_hold(m, "changed", "eth");
	machine_module(m, "permanent", "", 1);
	machine_hold(m, "permanent", "eth");
	machine_write(machine_path(m, "proc/modules"), "permanent 1 1 eth,[permanent], Live 0x0\n",
		      40);
	assert_modules(m, "eth", "eth");
}

/* ---- Refusals: the driver ---- */

static void test_unknown_driver_is_refused(void **state)
{
	assert_refused(*state, "nothing", NULL, REPLUG_FAULT_USAGE,
		       "no driver nothing is known to this kernel");
}

static void test_bad_names_are_refused(void **state)
{
	assert_refused(*state, "../eth", NULL, REPLUG_FAULT_USAGE,
		       "\"../eth\" is not a module name");
	assert_refused(*state, "", NULL, REPLUG_FAULT_USAGE, "\"\" is not a module name");
}

static void test_driver_that_is_not_loaded_is_refused(void **state)
{
	struct machine *m = *state;
	struct elf_builder b;

	elf_builder_module(&b, "eth", "");
	machine_install(m, "eth", &b);
	assert_refused(m, "eth", NULL, REPLUG_FAULT_REFUSED, "eth is not loaded");
}

static void test_builtin_driver_is_refused(void **state)
{
	struct machine *m = *state;

	assert_refused(m, "some_base", NULL, REPLUG_FAULT_REFUSED,
		       "some_base is built into the kernel and cannot be swapped");
	/* Those with parameters are seen in sysfs. */
	machine_text(m, "psmouse", "parameters/rate", "100\n");
	assert_refused(m, "psmouse", NULL, REPLUG_FAULT_REFUSED,
		       "psmouse is built into the kernel and cannot be swapped");
}

static void test_driver_on_the_move_is_refused(void **state)
{
	struct machine *m = *state;

	machine_module(m, "eth", "", 0);
	machine_text(m, "eth", "initstate", "going\n");
	assert_refused(m, "eth", NULL, REPLUG_FAULT_REFUSED,
		       "eth is just being loaded or unloaded");
}

static void test_second_swap_is_refused(void **state)
{
	struct machine *m = *state;

	machine_module(m, "eth", "", 0);
	strcpy(m->busy, "e1000");
	assert_refused(m, "eth", NULL, REPLUG_FAULT_REFUSED, "another swap is under way (e1000)");
}

static void test_shadow_that_does_not_answer_is_told(void **state)
{
	struct machine *m = *state;

	machine_module(m, "eth", "", 0);
	m->devices_error = -ENOTTY;
	assert_refused(m, "eth", NULL, REPLUG_FAULT_UNSUPPORTED,
		       "the shadow module cannot tell the devices of eth: "
		       "Inappropriate ioctl for device");
	m->busy_error = -ENODEV;
	assert_refused(m, "eth", NULL, REPLUG_FAULT_UNSUPPORTED,
		       "the shadow module does not answer: No such device");
}

static void test_driver_with_holders_is_refused(void **state)
{
	struct machine *m = *state;

	machine_module(m, "eth", "", 2);
	machine_hold(m, "eth", "upper");
	machine_hold(m, "eth", "another");
	assert_refused(m, "eth", NULL, REPLUG_FAULT_REFUSED,
		       "eth cannot be unloaded: other modules use it (another, upper)");
}

static void test_driver_with_a_companion_is_refused(void **state)
{
	struct machine *m = *state;

	machine_module(m, "bnx2", "", 0);
	machine_module(m, "cnic", "", 0);
	assert_refused(m, "bnx2", NULL, REPLUG_FAULT_REFUSED,
		       "cnic is loaded, which keeps pointers into bnx2's devices");
}

static void test_driver_in_use_is_refused(void **state)
{
	struct machine *m = *state;

	machine_module(m, "eth", "", 3);
	assert_refused(m, "eth", NULL, REPLUG_FAULT_REFUSED,
		       "eth cannot be unloaded: it is in use 3 times");
	machine_number(m, "eth", "refcnt", 1);
	assert_refused(m, "eth", NULL, REPLUG_FAULT_REFUSED,
		       "eth cannot be unloaded: it is in use 1 time");
}

static void test_permanent_driver_is_refused(void **state)
{
	struct machine *m = *state;
	static const char line[] = "eth2 1 0 - Live 0x0\neth 1 0 [permanent], Live 0x0\n";

	machine_module(m, "eth", "", 0);
	machine_write(machine_path(m, "proc/modules"), line, strlen(line));
	assert_refused(m, "eth", NULL, REPLUG_FAULT_REFUSED,
		       "eth cannot be unloaded: it has no exit function");
}

static void test_kernel_that_can_not_unload_is_unsupported(void **state)
{
	struct machine *m = *state;

	machine_module(m, "eth", "", 0);
	unlink(machine_path(m, "sys/module/eth/refcnt"));
	assert_refused(m, "eth", NULL, REPLUG_FAULT_UNSUPPORTED,
		       "this kernel cannot unload modules");
}

static void test_driver_that_is_not_installed_is_refused(void **state)
{
	struct machine *m = *state;

	machine_load(m, "eth", 0);
	assert_refused(m, "eth", NULL, REPLUG_FAULT_REFUSED,
		       "eth is loaded but not installed, so there would be no way back");
}

static void test_installed_file_that_is_no_module_is_refused(void **state)
{
	struct machine *m = *state;

	machine_module(m, "eth", "", 0);
	machine_write(machine_path(m, "lib/kernel/eth.ko"), "nothing", 7);
	assert_refused(m, "eth", NULL, REPLUG_FAULT_REFUSED,
		       "%s is not a usable module: it is no ELF file",
		       machine_path(m, "lib/kernel/eth.ko"));
}

static void test_installed_file_of_another_module_is_refused(void **state)
{
	struct machine *m = *state;
	struct elf_builder b;
	char path[256];

	machine_module(m, "eth", "", 0);
	elf_builder_module(&b, "sound", "");
	strcpy(path, machine_file(m, "lib/kernel/eth.ko", &b));
	assert_refused(m, "eth", NULL, REPLUG_FAULT_REFUSED,
		       "%s, installed as eth, is the module sound", path);
}

/* Installs an "eth" with one piece of identity and gives the loaded one another. */
static void differ(struct machine *m, const char *key, const char *file, bool build_id)
{
	struct elf_builder b;

	elf_builder_module(&b, "eth", "");
	if (build_id)
		elf_builder_build_id(&b, "new");
	else
		elf_builder_modinfo(&b, key, "new");
	machine_install(m, "eth", &b);
	machine_load(m, "eth", 0);
	machine_text(m, "eth", file, "new\n");
	if (!build_id)
		replug_plan_free(plan_good(m, "eth", NULL));
	machine_text(m, "eth", file, "old\n");
	assert_refused(m, "eth", NULL, REPLUG_FAULT_REFUSED,
		       "the loaded eth is no longer the installed one (%s), so there would be no "
		       "way back",
		       machine_path(m, "lib/kernel/eth.ko"));
}

static void test_driver_installed_with_another_build_id_is_refused(void **state)
{
	differ(*state, NULL, "notes/.note.gnu.build-id", true);
}

static void test_driver_installed_with_another_srcversion_is_refused(void **state)
{
	differ(*state, "srcversion", "srcversion", false);
}

static void test_driver_installed_with_another_version_is_refused(void **state)
{
	differ(*state, "version", "version", false);
}

static void test_same_build_id_is_enough(void **state)
{
	struct machine *m = *state;
	struct elf_builder b;
	struct {
		Elf64_Nhdr header;
		char name[4], id[20];
	} note = {{4, 20, NT_GNU_BUILD_ID}, "GNU", "same"};

	elf_builder_module(&b, "eth", "");
	elf_builder_build_id(&b, "same");
	elf_builder_modinfo(&b, "version", "1");
	machine_install(m, "eth", &b);
	machine_load(m, "eth", 0);
	machine_text(m, "eth", "version", "2\n");
	machine_write(machine_path(m, "sys/module/eth/notes/.note.gnu.build-id"), &note,
		      sizeof(note));
	assert_modules(m, "eth", "eth");
}

/* ---- Refusals: the devices ---- */

static void test_driver_without_devices_is_refused(void **state)
{
	struct machine *m = *state;

	machine_module(m, "eth", "", 0);
	m->n_devices = 0;
	assert_refused(m, "eth", NULL, REPLUG_FAULT_REFUSED, "no device is bound to eth");
	m->devices_error = -ENOENT;
	assert_refused(m, "eth", NULL, REPLUG_FAULT_REFUSED, "eth is not loaded");
	m->devices_error = -EBUSY;
	assert_refused(m, "eth", NULL, REPLUG_FAULT_REFUSED,
		       "the devices of eth can't be told: somebody keeps the lock of the network "
		       "(rtnl)");
}

static int must_not_fail(void *ctx, const char *driver)
{
	fail_msg("%s was made to fail", driver);
	return 0;
}

/* Nor is anything done to it. */
static void test_what_is_not_armed_is_not_taken_out_without_being_called(void **state)
{
	const struct replug_target target = {.loaded = true, .untrusted = true};
	struct replug_plan *plan = NULL;
	struct machine *m = *state;
	struct replug_error error;

	machine_module(m, "eth", "", 0);
	m->devices_error = -EBUSY;
	m->host.fail = must_not_fail;
	assert_int_equal(replug_plan_target(&m->host, "eth", &target, &plan, &error), -EOPNOTSUPP);
	assert_string_equal(error.text,
			    "eth is not armed: it can't be taken out without being called");
	assert_null(plan);
}

static void test_driver_without_devices_is_planned_when_told_so(void **state)
{
	const struct replug_target target = {.loaded = true, .without_devices = true};
	struct replug_plan *plan = NULL;
	struct machine *m = *state;
	struct replug_error error;
	size_t n;

	machine_module(m, "eth", "", 0);
	m->n_devices = 0;
	assert_int_equal(replug_plan_target(&m->host, "eth", &target, &plan, &error), 0);
	replug_plan_devices(plan, &n);
	assert_int_equal(n, 0);
	replug_plan_free(plan);
}

static void test_parameters_come_after_those_of_modprobe(void **state)
{
	const struct replug_target target = {.parameters = "debug=2"};
	struct machine *m = *state;
	struct replug_plan *plan = NULL;
	struct replug_error error;
	const struct replug_module *modules;
	char options[64];
	size_t n;

	machine_module(m, "eth", "", 0);
	assert_int_equal(replug_plan_target(&m->host, "eth", &target, &plan, &error), 0);
	modules = replug_plan_modules(plan, &n);
	snprintf(options, sizeof(options), "%s debug=2", modules[0].options);
	assert_string_equal(modules[0].new_options, options);
	replug_plan_free(plan);
	plan = plan_good(m, "eth", NULL);
	assert_null(replug_plan_modules(plan, &n)[0].new_options);
	replug_plan_free(plan);
}

static void test_device_that_can_not_be_carried_over_is_refused(void **state)
{
	struct machine *m = *state;

	machine_module(m, "eth", "", 0);
	m->devices[1] = m->devices[0];
	strcpy(m->devices[1].object, "eth1");
	m->devices[1].verdict = -EOPNOTSUPP;
	strcpy(m->devices[1].reason, "an XDP program is attached");
	m->n_devices = 2;
	assert_refused(m, "eth", NULL, REPLUG_FAULT_REFUSED,
		       "eth1 cannot be carried over: an XDP program is attached");
}

/* ---- Restoring ---- */

static void test_plan_is_restored_from_paths(void **state)
{
	struct machine *m = *state;
	struct replug_module_path paths[2] = {{.name = "eth", .options = "debug=1"},
					      {.name = "mii"}};
	const struct replug_module *modules;
	struct replug_plan *plan = NULL;
	struct replug_error error = {0};
	char old[256], new[256], mii[256];
	struct elf_builder b;
	size_t n;

	elf_builder_module(&b, "eth", "mii");
	strcpy(old, machine_file(m, "old.ko", &b));
	elf_builder_module(&b, "eth", "mii");
	strcpy(new, machine_file(m, "new.ko", &b));
	elf_builder_module(&b, "mii", "");
	strcpy(mii, machine_file(m, "mii.ko", &b));
	paths[0].old_path = old;
	paths[0].new_path = new;
	paths[1].old_path = paths[1].new_path = mii;

	assert_int_equal(replug_plan_restore("eth", paths, 2, &plan, &error), 0);
	assert_string_equal(replug_plan_driver(plan), "eth");
	modules = replug_plan_modules(plan, &n);
	assert_int_equal(n, 2);
	assert_string_equal(replug_image_path(modules[0].old_image), old);
	assert_string_equal(replug_image_path(modules[0].new_image), new);
	assert_string_equal(modules[0].options, "debug=1");
	assert_string_equal(modules[1].name, "mii");
	assert_ptr_equal(modules[1].old_image, modules[1].new_image);
	assert_string_equal(modules[1].options, "");
	replug_plan_devices(plan, &n);
	assert_int_equal(n, 0);
	replug_plan_free(plan);
}

static void test_restoring_another_module_is_refused(void **state)
{
	struct machine *m = *state;
	struct replug_module_path path = {.name = "eth"};
	struct replug_plan *plan = NULL;
	struct replug_error error = {0};
	struct elf_builder b;

	elf_builder_module(&b, "mii", "");
	path.old_path = path.new_path = machine_file(m, "eth.ko", &b);
	assert_int_equal(replug_plan_restore("eth", &path, 1, &plan, &error), -ESTALE);
	assert_int_equal(error.fault, REPLUG_FAULT_REFUSED);
	assert_int_equal(replug_plan_restore("mii", &path, 1, &plan, &error), -EINVAL);
	assert_int_equal(replug_plan_restore("eth", &path, 0, &plan, &error), -EINVAL);
	path.old_path = "/nonexistent.ko";
	assert_int_equal(replug_plan_restore("eth", &path, 1, &plan, &error), -ENOENT);
	assert_string_equal(error.text, "there is no file /nonexistent.ko");
	assert_null(plan);
}

#define MACHINE_TEST(test) cmocka_unit_test_setup_teardown(test, machine_setup, machine_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		MACHINE_TEST(test_driver_alone),
		MACHINE_TEST(test_dashes_in_the_name_do_not_matter),
		MACHINE_TEST(test_dependency_held_only_by_the_driver_goes_along),
		MACHINE_TEST(test_chain_is_unloaded_from_the_driver_on),
		MACHINE_TEST(test_diamond_is_unloaded_once_and_last),
		MACHINE_TEST(test_shared_dependency_stays),
		MACHINE_TEST(test_dependency_with_users_that_are_no_modules_stays),
		MACHINE_TEST(test_dependency_that_can_not_be_put_back_stays),
		MACHINE_TEST(test_unknown_driver_is_refused),
		MACHINE_TEST(test_bad_names_are_refused),
		MACHINE_TEST(test_driver_that_is_not_loaded_is_refused),
		MACHINE_TEST(test_builtin_driver_is_refused),
		MACHINE_TEST(test_driver_on_the_move_is_refused),
		MACHINE_TEST(test_second_swap_is_refused),
		MACHINE_TEST(test_shadow_that_does_not_answer_is_told),
		MACHINE_TEST(test_driver_with_holders_is_refused),
		MACHINE_TEST(test_driver_with_a_companion_is_refused),
		MACHINE_TEST(test_driver_in_use_is_refused),
		MACHINE_TEST(test_permanent_driver_is_refused),
		MACHINE_TEST(test_kernel_that_can_not_unload_is_unsupported),
		MACHINE_TEST(test_driver_that_is_not_installed_is_refused),
		MACHINE_TEST(test_installed_file_that_is_no_module_is_refused),
		MACHINE_TEST(test_installed_file_of_another_module_is_refused),
		MACHINE_TEST(test_driver_installed_with_another_build_id_is_refused),
		MACHINE_TEST(test_driver_installed_with_another_srcversion_is_refused),
		MACHINE_TEST(test_driver_installed_with_another_version_is_refused),
		MACHINE_TEST(test_same_build_id_is_enough),
		MACHINE_TEST(test_driver_without_devices_is_refused),
		MACHINE_TEST(test_driver_without_devices_is_planned_when_told_so),
		MACHINE_TEST(test_what_is_not_armed_is_not_taken_out_without_being_called),
		MACHINE_TEST(test_parameters_come_after_those_of_modprobe),
		MACHINE_TEST(test_device_that_can_not_be_carried_over_is_refused),
		MACHINE_TEST(test_plan_is_restored_from_paths),
		MACHINE_TEST(test_restoring_another_module_is_refused),
	};

	return cmocka_run_group_tests_name("plan", tests, NULL, NULL);
}
