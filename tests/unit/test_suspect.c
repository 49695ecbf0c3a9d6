// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Which request of a driver's log is taken to be what it failed in, and which setting that is.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <linux/ethtool.h>
#include <linux/ethtool_netlink.h>
#include <linux/sockios.h>
#include <string.h>

#include "../../include/recov_observe.h"
#include "../../include/recov_shadow.h"
#include "../../recoverd/observation.h"
#include "../../recoverd/observer.h"
#include "../../recoverd/suspect.h"

#define MESSAGE	  (UINT64_C(1) << 63)
#define CARD	  "0000:00:03.0"
#define GRACE_MS  10
#define MS	  UINT64_C(1000000)
#define FAULT_NS  (1000 * MS)
#define NO_DEVICE NULL

/* In place of the one that asks the kernel. */
static json_t *log_of_driver;

json_t *observation_requests(struct manager *manager, const char *driver)
{
	assert_string_equal(driver, "some");
	return json_incref(log_of_driver);
}

static int begin_log(void **state)
{
	log_of_driver = json_array();
	return 0;
}

static int end_log(void **state)
{
	json_decref(log_of_driver);
	return 0;
}

/* As observed_requests() tells it. */
static void add(enum recov_entry_kind kind, uint64_t what, const char *device, uint64_t asked_ns)
{
	char text[32];

	snprintf(text, sizeof(text), "0x%llx", (unsigned long long)what);
	json_array_append_new(log_of_driver,
			      json_pack("{s:s, s:s, s:s*, s:I}", "kind", observer_kind_name(kind),
					"what", text, "device", device, "asked_ns",
					(json_int_t)asked_ns));
}

static struct suspect find(void)
{
	return suspect_find(NULL, "some", FAULT_NS, GRACE_MS);
}

static void assert_suspect(uint32_t setting)
{
	struct suspect suspect = find();

	assert_int_equal(suspect.setting, setting);
	if (setting)
		assert_string_equal(suspect.device, CARD);
}

static void test_without_requests_there_is_none(void **state)
{
	assert_suspect(RECOV_SETTING_NONE);
}

static void test_the_last_request_before_the_fault_is_it(void **state)
{
	add(RECOV_ENTRY_NET_FEATURES, 0, CARD, FAULT_NS - 3 * MS);
	add(RECOV_ENTRY_NET_MTU, 0, CARD, FAULT_NS - MS);
	add(RECOV_ENTRY_NET_MAC, 0, CARD, FAULT_NS - 2 * MS);
	/* of the next copy of the driver, which was given all of it again */
	add(RECOV_ENTRY_NET_RX_MODE, 0, CARD, FAULT_NS + 1);
	assert_suspect(RECOV_SETTING_MTU);
}

static void test_what_was_asked_at_the_time_of_the_fault_counts(void **state)
{
	add(RECOV_ENTRY_NET_MTU, 0, CARD, FAULT_NS);
	assert_suspect(RECOV_SETTING_MTU);
}

static void test_too_long_ago_there_is_none(void **state)
{
	add(RECOV_ENTRY_NET_MTU, 0, CARD, FAULT_NS - GRACE_MS * MS - 1);
	assert_suspect(RECOV_SETTING_NONE);
	add(RECOV_ENTRY_NET_MTU, 0, CARD, FAULT_NS - GRACE_MS * MS);
	assert_suspect(RECOV_SETTING_MTU);
}

static void test_what_is_no_setting_clears_those_before(void **state)
{
	add(RECOV_ENTRY_NET_MTU, 0, CARD, FAULT_NS - 2 * MS);
	add(RECOV_ENTRY_NET_OPEN, 0, CARD, FAULT_NS - MS);
	assert_suspect(RECOV_SETTING_NONE);
}

static void test_a_device_whose_name_may_be_cut_is_none(void **state)
{
	char name[RECOV_LABEL_LEN];

	add(RECOV_ENTRY_NET_MTU, 0, NO_DEVICE, FAULT_NS - 2 * MS);
	assert_suspect(RECOV_SETTING_NONE);
	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	add(RECOV_ENTRY_NET_MTU, 0, name, FAULT_NS - MS);
	assert_suspect(RECOV_SETTING_NONE);
	add(RECOV_ENTRY_NET_MTU, 0, name + 1, FAULT_NS);
	assert_int_equal(find().setting, RECOV_SETTING_MTU);
	assert_string_equal(find().device, name + 1);
}

static void test_each_request_is_of_its_setting(void **state)
{
	static const struct {
		enum recov_entry_kind kind;
		uint32_t setting;
		uint64_t what;
	} requests[] = {
		{RECOV_ENTRY_NET_FEATURES, RECOV_SETTING_FEATURES, 0},
		{RECOV_ENTRY_NET_MAC, RECOV_SETTING_MAC, 0},
		{RECOV_ENTRY_NET_MTU, RECOV_SETTING_MTU, 0},
		{RECOV_ENTRY_NET_VLAN, RECOV_SETTING_VLANS, 0},
		{RECOV_ENTRY_NET_RX_MODE, RECOV_SETTING_RX_MODE, 0},
		{RECOV_ENTRY_NET_ETHTOOL, RECOV_SETTING_RINGS, ETHTOOL_SRINGPARAM},
		{RECOV_ENTRY_NET_ETHTOOL, RECOV_SETTING_COALESCE, ETHTOOL_SCOALESCE},
		{RECOV_ENTRY_NET_ETHTOOL, RECOV_SETTING_PRIVATE_FLAGS, ETHTOOL_SPFLAGS},
		{RECOV_ENTRY_NET_ETHTOOL, RECOV_SETTING_TUNABLES, ETHTOOL_STUNABLE},
		{RECOV_ENTRY_NET_ETHTOOL, RECOV_SETTING_FLOW_HASH, ETHTOOL_SRXFH},
		{RECOV_ENTRY_NET_ETHTOOL, RECOV_SETTING_RSS, ETHTOOL_SRSSH},
		{RECOV_ENTRY_NET_ETHTOOL, RECOV_SETTING_NONE, ETHTOOL_GRINGPARAM},
		{RECOV_ENTRY_NET_ETHTOOL, RECOV_SETTING_NONE, ETHTOOL_PHYS_ID},
		/* above a command: which tunable, or of which flows */
		{RECOV_ENTRY_NET_ETHTOOL, RECOV_SETTING_TUNABLES,
		 UINT64_C(3) << 32 | ETHTOOL_STUNABLE},
		/* the numbers of messages are others than those of ioctls */
		{RECOV_ENTRY_NET_ETHTOOL, RECOV_SETTING_RINGS, MESSAGE | ETHTOOL_MSG_RINGS_SET},
		{RECOV_ENTRY_NET_ETHTOOL, RECOV_SETTING_LINK, MESSAGE | ETHTOOL_MSG_LINKMODES_SET},
		{RECOV_ENTRY_NET_ETHTOOL, RECOV_SETTING_EEE, MESSAGE | ETHTOOL_MSG_EEE_SET},
		{RECOV_ENTRY_NET_ETHTOOL, RECOV_SETTING_NONE, MESSAGE | ETHTOOL_SRINGPARAM},
		{RECOV_ENTRY_NET_IOCTL, RECOV_SETTING_MTU, SIOCSIFMTU},
		{RECOV_ENTRY_NET_IOCTL, RECOV_SETTING_MAC, SIOCSIFHWADDR},
		{RECOV_ENTRY_NET_IOCTL, RECOV_SETTING_RX_MODE, SIOCADDMULTI},
		{RECOV_ENTRY_NET_IOCTL, RECOV_SETTING_NONE, SIOCGMIIREG},
	};

	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		json_array_clear(log_of_driver);
		add(requests[i].kind, requests[i].what, CARD, FAULT_NS - MS);
		assert_suspect(requests[i].setting);
	}
}

/* A setting without a request would never be left out. */
static void test_every_setting_can_be_suspected(void **state)
{
	uint32_t found = 0;

	for (unsigned kind = 0; kind < RECOV_ENTRY_KIND_COUNT; kind++)
		for (uint64_t what = 0; what < 256; what++)
			for (unsigned message = 0; message < 2; message++) {
				json_array_clear(log_of_driver);
				add(kind, what | (message ? MESSAGE : 0), CARD, FAULT_NS);
				found |= 1U << find().setting;
			}
	for (unsigned i = 1; i < RECOV_SETTING_COUNT; i++)
		if (!(found & 1U << i))
			fail_msg("nothing that is asked is the setting %s", replug_setting_name(i));
}

static void test_as_json_it_has_both_names(void **state)
{
	const struct suspect suspect = {.setting = RECOV_SETTING_RX_MODE, .device = CARD};
	json_auto_t *json = suspect_json(&suspect);
	json_auto_t *none = suspect_json(&(struct suspect){}), *null = suspect_json(NULL);

	assert_string_equal(json_string_value(json_object_get(json, "device")), CARD);
	assert_string_equal(json_string_value(json_object_get(json, "setting")), "rx-mode");
	assert_true(json_is_null(none));
	assert_true(json_is_null(null));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin_log, end_log)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_without_requests_there_is_none),
		TEST(test_the_last_request_before_the_fault_is_it),
		TEST(test_what_was_asked_at_the_time_of_the_fault_counts),
		TEST(test_too_long_ago_there_is_none),
		TEST(test_what_is_no_setting_clears_those_before),
		TEST(test_a_device_whose_name_may_be_cut_is_none),
		TEST(test_each_request_is_of_its_setting),
		TEST(test_every_setting_can_be_suspected),
		TEST(test_as_json_it_has_both_names),
	};

	return cmocka_run_group_tests_name("suspect", tests, NULL, NULL);
}
