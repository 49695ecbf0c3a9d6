// SPDX-License-Identifier: GPL-2.0-or-later
/* Who depends on a driver, in a made-up sysfs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../recoverd/dependants.h"

static char root[] = "/tmp/test_dependants.XXXXXX";

static void run(const char *format, const char *first, const char *second)
{
	char command[512];

	snprintf(command, sizeof(command), format, root, first, second);
	assert_int_equal(system(command), 0);
}

/* A card, and the module that drives it. */
static void card(const char *object, const char *module)
{
	run("cd %1$s && mkdir -p class/net/%2$s bus/pci devices/%2$s drivers module/%3$s/holders &&"
	    " touch module/%3$s/initstate && mkdir -p drivers/%3$s &&"
	    " ln -sfn ../../module/%3$s drivers/%3$s/module && ln -s ../../drivers/%3$s"
	    " devices/%2$s/driver && ln -s ../../bus/pci devices/%2$s/subsystem &&"
	    " ln -s ../../../devices/%2$s class/net/%2$s/device",
	    object, module);
}

static void assert_dependants(const char *driver, const char *expected)
{
	json_auto_t *dependants = dependants_scan(root, driver);
	json_auto_t *wanted = json_loads(expected, 0, NULL);

	assert_non_null(wanted);
	assert_true(json_equal(dependants, wanted));
}

static void test_dependants(void **state)
{
	card("eth0", "some_nic");
	card("eth1", "some_nic");
	card("eth2", "other");
	assert_dependants("some_nic", "[]");
	run("ln -s ../../../class/net/x %1$s/class/net/eth0/upper_%2$s", "bond0", "");
	run("ln -s ../../../class/net/x %1$s/class/net/eth1/upper_%2$s", "br0", "");
	run("ln -s ../../../class/net/x %1$s/class/net/eth1/upper_%2$s", "eth1.5", "");
	run("ln -s ../../../class/net/x %1$s/class/net/eth1/lower_%2$s", "no", "");
	run("ln -s ../../../class/net/x %1$s/class/net/eth2/upper_%2$s", "br1", "");
	run("ln -s ../../../module/x %1$s/module/some_nic/holders/%2$s", "rdma", "");
	assert_dependants("some-nic",
			  "[{\"kind\": \"module\", \"name\": \"rdma\"},"
			  "{\"kind\": \"device\", \"name\": \"bond0\", \"on\": \"eth0\"},"
			  "{\"kind\": \"device\", \"name\": \"br0\", \"on\": \"eth1\"},"
			  "{\"kind\": \"device\", \"name\": \"eth1.5\", \"on\": \"eth1\"}]");
	assert_dependants("not_there", "[]");
}

static int set_up(void **state)
{
	return mkdtemp(root) ? 0 : -1;
}

static int tear_down(void **state)
{
	run("rm -rf %1$s", "", "");
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_dependants, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
