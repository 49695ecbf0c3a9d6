// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The event stream: its exact text, its schema, its numbers, its losses.
 *
 * golden/ holds the text that every kind of event and the result of a swap have; it changes only
 * by additions. UPDATE_GOLDEN=1 writes it anew. To be run from the top of the tree.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "../../recoverd/cleanup.h"
#include "../../recoverd/event.h"
#include "../../recoverd/report.h"
#include "../../recoverd/report_fault.h"
#include "../../recoverd/report_health.h"
#include "schema_fixture.h"

#define GOLDEN	"tests/unit/golden/"
#define BOOT_ID "6f8a1a5e-0c0b-4f0e-9d6e-0123456789ab"

/* ---- a clock that goes 1 ms an event ---- */

static uint64_t ticks;

static void fixed_now(void *ctx, struct timespec *ret_real, uint64_t *ret_mono_ns)
{
	ticks++;
	*ret_real = (struct timespec){.tv_sec = 1767225599, .tv_nsec = (long)(ticks * 1000007)};
	*ret_mono_ns = 1000000000 + ticks * 1000007;
}

static const struct event_clock fixed_clock = {.now = fixed_now};

/* ---- a reader that remembers, or refuses ---- */

struct reader {
	struct event_listener listener; /* first */
	json_t *got;
	bool full;
};

static int reader_deliver(struct event_listener *listener, const json_t *event)
{
	struct reader *reader = (struct reader *)listener;

	if (reader->full)
		return -ENOBUFS;
	json_array_append_new(reader->got, json_deep_copy(event));
	return 0;
}

static struct event_log *stream;
static struct reader reader;

static int setup(void **state)
{
	ticks = 0;
	reader = (struct reader){.listener.deliver = reader_deliver, .got = json_array()};
	if (event_log_new(&fixed_clock, BOOT_ID, 4, &stream) < 0)
		return -1;
	event_log_add(stream, &reader.listener);
	return 0;
}

static int teardown(void **state)
{
	event_log_free(stream);
	json_decref(reader.got);
	return 0;
}

static int64_t number(const json_t *event, const char *key)
{
	return json_integer_value(json_object_get(event, key));
}

static const json_t *received(size_t i)
{
	return json_array_get(reader.got, i);
}

/* ---- numbers and losses ---- */

static void numbers_events_from_one(void **state)
{
	for (int i = 0; i < 3; i++)
		event_publish(stream, "a.b", EVENT_INFO, json_object());
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(number(received(i), "seq"), i + 1);
	assert_int_equal(event_log_seq(stream), 3);
}

static void keeps_the_last_ones(void **state)
{
	for (int i = 0; i < 6; i++)
		event_publish(stream, "a.b", EVENT_INFO, json_object());
	assert_int_equal(event_log_kept(stream), 4);
	assert_int_equal(event_log_evicted(stream), 2);
	assert_int_equal(number(event_log_get(stream, 0), "seq"), 3);
	assert_int_equal(number(event_log_get(stream, 3), "seq"), 6);
	assert_null(event_log_get(stream, 4));
}

static void keeps_them_when_resized(void **state)
{
	for (int i = 0; i < 6; i++)
		event_publish(stream, "a.b", EVENT_INFO, json_object());
	assert_int_equal(event_log_resize(stream, 8), 0);
	event_publish(stream, "a.b", EVENT_INFO, json_object());
	assert_int_equal(event_log_kept(stream), 5);
	assert_int_equal(number(event_log_get(stream, 0), "seq"), 3);
	assert_int_equal(event_log_resize(stream, 2), 0);
	assert_int_equal(event_log_kept(stream), 2);
	assert_int_equal(number(event_log_get(stream, 1), "seq"), 7);
}

static void tells_a_reader_what_it_has_lost(void **state)
{
	event_publish(stream, "a.b", EVENT_INFO, json_object());
	reader.full = true;
	event_publish(stream, "a.b", EVENT_INFO, json_object());
	event_publish(stream, "a.b", EVENT_INFO, json_object());
	reader.full = false;
	event_publish(stream, "a.b", EVENT_INFO, json_object());
	assert_int_equal(json_array_size(reader.got), 2);
	assert_int_equal(number(received(0), "lost"), 0);
	assert_int_equal(number(received(1), "lost"), 2);
	assert_int_equal(number(received(1), "seq"), 4);
	/* What is kept is nobody's loss. */
	assert_int_equal(number(event_log_get(stream, 3), "lost"), 0);
}

static void an_event_without_memory_is_lost_not_hidden(void **state)
{
	event_publish(stream, "a.b", EVENT_INFO, NULL);
	event_publish(stream, "a.b", EVENT_INFO, json_object());
	assert_int_equal(json_array_size(reader.got), 1);
	assert_int_equal(number(received(0), "seq"), 2);
	assert_int_equal(number(received(0), "lost"), 1);
}

static void fields_do_not_replace_the_common_ones(void **state)
{
	event_publish(stream, "a.b", EVENT_INFO, json_pack("{s:i, s:s}", "seq", 99, "extra", "x"));
	assert_int_equal(number(received(0), "seq"), 1);
	assert_string_equal(json_string_value(json_object_get(received(0), "extra")), "x");
}

static void names_of_any_bytes_make_valid_events(void **state)
{
	struct replug_error error = {.fault = REPLUG_FAULT_REFUSED, .text = "bad \xff name"};
	_cleanup_free_ char *line = NULL;
	json_auto_t *again = NULL;

	report_swap_refused(stream, "e\xff", "request", &error);
	line = event_line(received(0));
	again = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(again);
}

static void an_event_is_one_line(void **state)
{
	_cleanup_free_ char *line = NULL;

	report_shadow_missing(stream, "two\nlines");
	line = event_line(received(0));
	assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
}

/* ---- golden ---- */

static json_t *device(const char *name, const char *object)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:i, s:i, s:b, s:s}", "bus", "pci", "name", name,
			 "object", object, "class", "net", "room", 5760, "need", 2480, "supported",
			 1, "reason", "");
}

static json_t *modules(void)
{
	return json_pack("[{s:s, s:s, s:s, s:s, s:s, s:s}]", "name", "e1000", "old_path",
			 "/lib/modules/6.1.0/kernel/drivers/net/ethernet/intel/e1000/e1000.ko",
			 "new_path", "/root/e1000.ko", "options", "debug=1", "old_version", "7.3",
			 "new_version", "7.4");
}

static json_t *kernel(void)
{
	return json_pack("{s:s, s:s, s:i, s:i, s:[{s:s, s:s, s:s, s:s, s:s, s:i, s:s}]}",
			 "swap_state", "held", "driver", "e1000", "owner_pid", 0,
			 "deadline_left_ns", 25000000, "swap_devices", "bus", "pci", "name",
			 "0000:00:03.0", "object", "eth0", "class", "net", "state", "kept", "error",
			 0, "reason", "");
}

static const struct replug_result good_result = {
	.outcome = REPLUG_SUCCESS,
	.phases_ns = {1, 2, 3, 4, 5, 6, 7, 8, 9},
	.pause_ns = 203000000,
};

static const struct replug_result rolled_back = {
	.outcome = REPLUG_ROLLED_BACK,
	.error = {REPLUG_FAULT_FAILED, "the probe of the new image failed: No such device"},
	.phases_ns = {1, 2, 3, 4, 5, 6, 7, 8, 9},
	.pause_ns = 412000000,
};

static json_t *object(void)
{
	return json_pack("{s:s, s:s, s:i, s:s, s:s, s:n, s:i, s:i}", "class", "irq", "object",
			 "0xb", "size", 1, "site", "e1000_request_irq+0x3b/0x80 [e1000]", "device",
			 "0000:00:03.0", "name", "mono_ns", 15346734, "count", 1);
}

static json_t *sites(void)
{
	return json_pack("[{s:s, s:i, s:i}]", "site", "e1000_setup_rx_desc+0x3b/0x80 [e1000]",
			 "bytes", 2 << 20, "objects", 512);
}

static void report_health(void)
{
	const struct recov_record fault = {.type = RECOV_RECORD_OOPS,
					   .detail = 16,
					   .cpu = 1,
					   .pid = 77,
					   .comm = "kworker/1:1",
					   .symbol = "e1000_clean+0x1b/0x300 [e1000]"};
	const struct recov_record warning = {.type = RECOV_RECORD_WARN,
					     .pid = 1,
					     .comm = "ip",
					     .symbol = "e1000_open+0x4/0x90 [e1000]"};
	const struct recov_record timeout = {.detail = 2,
					     .object = {.device = "0000:00:03.0", .name = "eth0"}};
	const struct hang hang = {.entry = "net-ethtool",
				  .duration_ns = 6000000000,
				  .cpu = 1,
				  .pid = 88,
				  .comm = "ethtool",
				  .device = "0000:00:03.0"};
	const struct storm irqs = {.event = "driver.irq-storm", .rate = 123456};
	const struct storm allocations = {.event = "driver.alloc-storm", .rate = 7890};
	json_auto_t *leak = object();

	report_driver_loaded(stream, "e1000");
	report_leak(stream, "e1000", leak);
	report_driver_unloaded(stream, "e1000", 1);
	report_wrong_free(stream, "e1000", true, object());
	report_wrong_free(stream, "e1000", false, object());
	report_atomic(stream, "e1000", object());
	report_fault(stream, "e1000", &fault);
	report_fault(stream, "e1000", &warning);
	report_tx_timeout(stream, "e1000", &timeout);
	report_hang(stream, "e1000", &hang, json_null(), json_null());
	report_storm(stream, "e1000", &irqs, json_string("e1000_intr+0x0/0x1b0 [e1000]"), NULL);
	report_storm(stream, "e1000", &allocations, json_null(), sites());
	report_budget(stream, "e1000", 2 << 20, 1 << 20, sites());
}

static void report_caught(void)
{
	struct recov_fault fault = {.cause = RECOV_FAULT_PAGE,
				    .trap = 14,
				    .address = 16,
				    .flags = RECOV_FAULT_IN_SOFTIRQ | RECOV_FAULT_FIRST,
				    .cpu = 1,
				    .pid = 77,
				    .comm = "ksoftirqd/1",
				    .driver = "e1000",
				    .site = "e1000_clean+0x1b/0x300 [e1000]",
				    .entry = "e1000_clean+0x0/0x300 [e1000]",
				    .stack = {0xffffffff81234567}};

	report_fault_caught(stream, report_fault_fields(&fault),
			    "/var/lib/recoverd/reports/e1000-20251231T235959Z-0001.json");
	report_recovering(
		stream, "e1000", "10-nic.policy", "restart", 2, 500,
		&(struct suspect){RECOV_SETTING_MTU, "0000:00:03.0"},
		json_pack("[{s:s, s:s, s:s}]", "kind", "device", "name", "eth0.5", "on", "eth0"));
	report_not_recovered(stream, "e1000", NULL, "no policy is about it");
	report_given_up(stream, "e1000", "10-nic.policy", 6, "there were too many faults");
	report_policy_refused(stream, "/etc/recoverd/policies.d/10-nic.policy", 4,
			      "Steps= has a step that is not known: \"reboot\"");
	fault.cause = RECOV_FAULT_DIVIDE;
	fault.flags = RECOV_FAULT_IN_HARDIRQ;
	report_fault_caught(stream, report_fault_fields(&fault), NULL);
	report_step_failed(stream, "e1000", "10-nic.policy", "replug:/root/e1000.ko",
			   "names a file that is not owned by root");
	report_script(stream, "e1000", "/root/ask", -1, true, NULL);
	report_script(stream, "e1000", "/root/ask", 0, false, "restart");
	report_heartbeat(stream, "e1000", "it does not answer in time");
	report_unbound(stream, "e1000", true);
}

static void report_everything(void)
{
	struct replug_error refusal = {REPLUG_FAULT_REFUSED, "eth0 has an XDP program attached"};
	json_auto_t *one = json_pack("[o]", device("0000:00:03.0", "eth0"));
	json_auto_t *two =
		json_pack("[o, o]", device("0000:00:03.0", "eth0"), device("0000:00:04.0", "eth1"));
	json_auto_t *of_plan = modules(), *of_kernel = kernel();
	json_auto_t *found = json_pack("[{s:s, s:b, s:s, s:s}]", "name", "e1000", "loaded", 0,
				       "old_path", "/lib/e1000.ko", "new_path", "/root/e1000.ko");

	report_daemon_started(stream, "0.1", 1234);
	report_daemon_reloaded(stream);
	report_shadow_missing(stream, "module recov_shadow is not installed for kernel 6.1.0");
	report_shadow_loaded(stream, 1, 3);
	report_swap_planned(stream, "e1000", "request", one, of_plan);
	report_swap_phase(stream, "e1000", one, REPLUG_HOLD, false, false, 0);
	report_swap_phase(stream, "e1000", one, REPLUG_HOLD, false, true, 31000000);
	report_swap_phase(stream, "e1000", two, REPLUG_LOAD, true, true, 170000000);
	report_swap_finished(stream, "e1000", "request", one, &good_result, 250000000);
	report_swap_finished(stream, "e1000", "request", two, &rolled_back, 450000000);
	report_swap_refused(stream, "e1000", "request", &refusal);
	report_swap_interrupted(stream, "e1000", "the daemon was killed in the middle of it", found,
				of_kernel);
	report_swap_interrupted(stream, "e1000", "the process doing it was ended by SIGKILL", NULL,
				NULL);
	report_driver_recovered(stream, "e1000", "interrupted", two, 412000000);
	report_driver_recovered(stream, "e1000", "interrupted", NULL, 412000000);
	report_driver_failed(stream, "e1000", "interrupted", "the old image is gone");
	report_health();
	report_caught();
	report_daemon_stopped(stream, "SIGTERM");
}

static char *all_lines(void)
{
	char *text = strdup("");

	for (size_t i = 0; i < json_array_size(reader.got); i++) {
		_cleanup_free_ char *line = event_line(received(i)), *before = text;

		assert_true(asprintf(&text, "%s%s", before, line) >= 0);
	}
	return text;
}

static char *read_file(const char *path)
{
	_cleanup_fclose_ FILE *file = fopen(path, "r");
	char *text = calloc(1, 65536);

	if (!file)
		fail_msg("%s can't be opened; run this from the top of the tree", path);
	assert_true(fread(text, 1, 65535, file) > 0);
	return text;
}

static void assert_golden(const char *path, const char *text)
{
	_cleanup_free_ char *golden = NULL;

	if (getenv("UPDATE_GOLDEN")) {
		_cleanup_fclose_ FILE *file = fopen(path, "w");

		assert_non_null(file);
		fputs(text, file);
		return;
	}
	golden = read_file(path);
	assert_string_equal(text, golden);
}

static char *swap_lines(void)
{
	struct replug_result refused = {
		.outcome = REPLUG_REFUSED,
		.error = {REPLUG_FAULT_USAGE, "no driver e1001 is loaded"},
	};
	json_auto_t *devices = json_pack("[o]", device("0000:00:03.0", "eth0"));
	json_auto_t *good = report_swap_object("e1000", devices, &good_result);
	json_auto_t *back = report_swap_object("e1000", devices, &rolled_back);
	json_auto_t *none = report_swap_object("e1001", NULL, &refused);
	_cleanup_free_ char *a = event_line(good), *b = event_line(back), *c = event_line(none);
	char *text;

	assert_true(asprintf(&text, "%s%s%s", a, b, c) >= 0);
	return text;
}

static void every_event_is_as_it_always_was(void **state)
{
	_cleanup_free_ char *text = NULL;

	report_everything();
	text = all_lines();
	assert_golden(GOLDEN "events.jsonl", text);
}

static void the_result_of_a_swap_is_as_it_always_was(void **state)
{
	_cleanup_free_ char *text = swap_lines();

	assert_golden(GOLDEN "swaps.jsonl", text);
}

/* ---- schema ---- */

static void events_follow_their_schema(void **state)
{
	assert_follows("include/recov_event.schema.json", GOLDEN "events.jsonl", true);
}

static void results_follow_their_schema(void **state)
{
	assert_follows("include/recov_swap.schema.json", GOLDEN "swaps.jsonl", true);
}

static void the_schemas_are_not_for_just_anything(void **state)
{
	assert_follows("include/recov_event.schema.json", GOLDEN "swaps.jsonl", false);
	assert_follows("include/recov_swap.schema.json", GOLDEN "events.jsonl", false);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(numbers_events_from_one),
		TEST(keeps_the_last_ones),
		TEST(keeps_them_when_resized),
		TEST(tells_a_reader_what_it_has_lost),
		TEST(an_event_without_memory_is_lost_not_hidden),
		TEST(fields_do_not_replace_the_common_ones),
		TEST(names_of_any_bytes_make_valid_events),
		TEST(an_event_is_one_line),
		TEST(every_event_is_as_it_always_was),
		TEST(the_result_of_a_swap_is_as_it_always_was),
		TEST(events_follow_their_schema),
		TEST(results_follow_their_schema),
		TEST(the_schemas_are_not_for_just_anything),
	};

	return cmocka_run_group_tests_name("event", tests, NULL, NULL);
}
