// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Drivers: the ways of their state machine, and where they come from.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "../../recoverd/cleanup.h"
#include "../../recoverd/driver.h"
#include "../../recoverd/inventory.h"

static struct driver in(enum driver_state state)
{
	return (struct driver){.name = "e1000", .state = state};
}

static void assert_goes(enum driver_state from, enum driver_input input, enum driver_state to)
{
	struct driver driver = in(from);

	assert_int_equal(driver_feed(&driver, input), 0);
	assert_int_equal(driver.state, to);
}

static void assert_stays(enum driver_state from, enum driver_input input)
{
	struct driver driver = in(from);

	assert_int_equal(driver_feed(&driver, input), -EINVAL);
	assert_int_equal(driver.state, from);
}

static void a_swap_ends_well_or_not(void **state)
{
	assert_goes(DRIVER_LIVE, DRIVER_BEGIN, DRIVER_SWAPPING);
	assert_goes(DRIVER_SWAPPING, DRIVER_SERVES, DRIVER_LIVE);
	assert_goes(DRIVER_SWAPPING, DRIVER_BREAKS, DRIVER_FAILED);
	assert_goes(DRIVER_SWAPPING, DRIVER_LOSES, DRIVER_INTERRUPTED);
}

static void what_was_interrupted_or_failed_can_be_finished(void **state)
{
	assert_goes(DRIVER_INTERRUPTED, DRIVER_BEGIN, DRIVER_SWAPPING);
	assert_goes(DRIVER_FAILED, DRIVER_BEGIN, DRIVER_SWAPPING);
	assert_goes(DRIVER_LIVE, DRIVER_LOSES, DRIVER_INTERRUPTED);
}

static void a_failed_driver_seen_bound_is_live(void **state)
{
	assert_goes(DRIVER_FAILED, DRIVER_SEEN, DRIVER_LIVE);
	assert_goes(DRIVER_LIVE, DRIVER_SEEN, DRIVER_LIVE);
	/* In the middle of a swap a bound device says nothing. */
	assert_goes(DRIVER_SWAPPING, DRIVER_SEEN, DRIVER_SWAPPING);
	assert_goes(DRIVER_INTERRUPTED, DRIVER_SEEN, DRIVER_INTERRUPTED);
}

static void one_that_has_faulted_is_so_until_it_is_swapped(void **state)
{
	assert_goes(DRIVER_LIVE, DRIVER_FAULTS, DRIVER_FAULTED);
	assert_goes(DRIVER_FAULTED, DRIVER_FAULTS, DRIVER_FAULTED);
	assert_goes(DRIVER_FAULTED, DRIVER_SEEN, DRIVER_FAULTED);
	assert_goes(DRIVER_FAULTED, DRIVER_BEGIN, DRIVER_SWAPPING);
	assert_goes(DRIVER_SWAPPING, DRIVER_FAULTS, DRIVER_SWAPPING);
	assert_stays(DRIVER_FAULTED, DRIVER_SERVES);
}

static void what_can_not_happen_changes_nothing(void **state)
{
	assert_stays(DRIVER_SWAPPING, DRIVER_BEGIN);
	assert_stays(DRIVER_LIVE, DRIVER_SERVES);
	assert_stays(DRIVER_LIVE, DRIVER_BREAKS);
	assert_stays(DRIVER_FAILED, DRIVER_SERVES);
}

static void a_set_is_ordered_and_knows_dashes(void **state)
{
	struct driver_set set = {};
	struct driver *a, *b, *again;

	assert_int_equal(driver_set_get(&set, "virtio-net", &a), 0);
	assert_int_equal(driver_set_get(&set, "e1000", &b), 0);
	assert_int_equal(driver_set_get(&set, "virtio_net", &again), 0);
	assert_ptr_equal(a, again);
	assert_string_equal(a->name, "virtio_net");
	assert_int_equal(set.n, 2);
	assert_ptr_equal(set.list[0], b);
	assert_null(driver_set_find(&set, "e100"));
	driver_set_uninit(&set);
}

/* ---- inventory, on a sysfs of ours ---- */

static char sysfs[] = "/tmp/test_driver.XXXXXX";

static void make(const char *format, ...)
{
	char path[512], command[1024];
	va_list ap;

	va_start(ap, format);
	vsnprintf(path, sizeof(path), format, ap);
	va_end(ap);
	snprintf(command, sizeof(command), "cd %s && mkdir -p %s", sysfs, path);
	assert_int_equal(system(command), 0);
}

static void point(const char *from, const char *to)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", sysfs, from);
	assert_int_equal(symlink(to, path), 0);
}

static int setup(void **state)
{
	strcpy(strrchr(sysfs, '.'), ".XXXXXX");
	if (!mkdtemp(sysfs))
		return -1;
	make("class/net/eth0 class/net/eth1 class/net/lo class/net/eth2");
	make("devices/0000:00:03.0 devices/virtio2 devices/0000:00:05.0");
	make("bus/pci/drivers/e1000 bus/pci/drivers/stmmac bus/virtio/drivers/virtio_net");
	make("module/e1000 module/virtio_net module/stmmac/parameters");
	make("module/e1000/initstate module/virtio_net/initstate");
	point("class/net/eth0/device", "../../../devices/0000:00:03.0");
	point("class/net/eth1/device", "../../../devices/virtio2");
	point("class/net/eth2/device", "../../../devices/0000:00:05.0");
	point("devices/0000:00:03.0/driver", "../../bus/pci/drivers/e1000");
	point("devices/0000:00:03.0/subsystem", "../../bus/pci");
	point("devices/virtio2/driver", "../../bus/virtio/drivers/virtio_net");
	point("devices/virtio2/subsystem", "../../bus/virtio");
	point("devices/0000:00:05.0/driver", "../../bus/pci/drivers/stmmac");
	point("devices/0000:00:05.0/subsystem", "../../bus/pci");
	point("bus/pci/drivers/e1000/module", "../../../../module/e1000");
	point("bus/virtio/drivers/virtio_net/module", "../../../../module/virtio_net");
	/* Built in with parameters: it has a module folder, but no state. */
	point("bus/pci/drivers/stmmac/module", "../../../../module/stmmac");
	return 0;
}

static int teardown(void **state)
{
	char command[64];

	snprintf(command, sizeof(command), "rm -rf %s", sysfs);
	return system(command);
}

static void assert_device(const json_t *device, const char *object, const char *driver,
			  const char *bus, const char *name, bool built_in)
{
	assert_string_equal(json_string_value(json_object_get(device, "object")), object);
	assert_string_equal(json_string_value(json_object_get(device, "driver")), driver);
	assert_string_equal(json_string_value(json_object_get(device, "bus")), bus);
	assert_string_equal(json_string_value(json_object_get(device, "name")), name);
	assert_int_equal(json_is_true(json_object_get(device, "built_in")), built_in);
}

static void lists_devices_with_a_driver(void **state)
{
	json_auto_t *devices = NULL;

	assert_int_equal(inventory_scan(sysfs, &devices), 0);
	assert_int_equal(json_array_size(devices), 3);
	assert_device(json_array_get(devices, 0), "eth0", "e1000", "pci", "0000:00:03.0", false);
	assert_device(json_array_get(devices, 1), "eth1", "virtio_net", "virtio", "virtio2", false);
	assert_device(json_array_get(devices, 2), "eth2", "stmmac", "pci", "0000:00:05.0", true);
}

static void tells_loaded_from_built_in(void **state)
{
	assert_true(inventory_is_loaded(sysfs, "virtio-net"));
	assert_false(inventory_is_loaded(sysfs, "stmmac"));
	assert_false(inventory_is_loaded(sysfs, "nothing"));
}

static void a_machine_without_network_has_no_devices(void **state)
{
	json_auto_t *devices = NULL;

	assert_int_equal(inventory_scan("/nonexistent", &devices), 0);
	assert_int_equal(json_array_size(devices), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_swap_ends_well_or_not),
		cmocka_unit_test(what_was_interrupted_or_failed_can_be_finished),
		cmocka_unit_test(a_failed_driver_seen_bound_is_live),
		cmocka_unit_test(one_that_has_faulted_is_so_until_it_is_swapped),
		cmocka_unit_test(what_can_not_happen_changes_nothing),
		cmocka_unit_test(a_set_is_ordered_and_knows_dashes),
		cmocka_unit_test_setup_teardown(lists_devices_with_a_driver, setup, teardown),
		cmocka_unit_test_setup_teardown(tells_loaded_from_built_in, setup, teardown),
		cmocka_unit_test(a_machine_without_network_has_no_devices),
	};

	return cmocka_run_group_tests_name("driver", tests, NULL, NULL);
}
