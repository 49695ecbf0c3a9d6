// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Worker messages: what a worker says is taken when it is whole, and not believed otherwise.
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
#include "../../recoverd/worker_message.h"

#define DEVICE                                                                                     \
	"{\"bus\":\"pci\",\"name\":\"n\",\"object\":\"eth0\",\"class\":\"net\",\"room\":9,"        \
	"\"need\":8,\"supported\":true,\"reason\":\"\"}"
#define MODULE                                                                                     \
	"{\"name\":\"mii\",\"old_path\":\"/a\",\"new_path\":\"/b\",\"options\":\"\","              \
	"\"old_version\":\"1\",\"new_version\":\"2\"}"
#define PLAN                                                                                       \
	"{\"type\":\"plan\",\"driver\":\"pcnet32\",\"modules\":[" MODULE "],\"devices\":[" DEVICE  \
	"]}"
#define PHASE "{\"type\":\"phase\",\"phase\":\"unload\",\"rollback\":true,\"done\":true,\"ns\":77}"
#define RESULT                                                                                     \
	"{\"type\":\"result\",\"outcome\":\"rolled-back\",\"fault\":\"failed\",\"reason\":\"r\","  \
	"\"phases_ns\":[0,1,2,3,4,5,6,7,8],\"pause_ns\":9,\"left_out\":6,\"untrusted\":true,"      \
	"\"released\":[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17]}"
#define LOOK                                                                                       \
	"{\"type\":\"look\",\"present\":true,\"reason\":\"\",\"abi\":1,\"swaps\":2,"               \
	"\"swap_state\":\"none\",\"owner_pid\":0,\"deadline_left_ns\":0,\"driver\":\"\","          \
	"\"swap_devices\":[{\"bus\":\"pci\",\"name\":\"n\",\"object\":\"o\",\"class\":\"net\","    \
	"\"state\":\"kept\",\"error\":-5,\"reason\":\"\"}]}"
#define MATCH                                                                                      \
	"{\"type\":\"match\",\"driver\":\"e1000\",\"fault\":\"none\",\"reason\":\"\",\"devices\":" \
	"[" DEVICE "]}"

static int parse(const char *text, struct worker_message *ret_message)
{
	json_auto_t *body = json_loads(text, 0, NULL);

	if (!body)
		fail_msg("this test is wrong: %s", text);
	return worker_message_parse(body, ret_message);
}

static void takes_each_message(void **state)
{
	struct worker_message message;

	assert_int_equal(parse(PLAN, &message), 0);
	assert_int_equal(message.type, WORKER_PLAN);
	assert_int_equal(parse(LOOK, &message), 0);
	assert_int_equal(message.type, WORKER_LOOK);
	assert_int_equal(parse(MATCH, &message), 0);
	assert_int_equal(message.type, WORKER_MATCH);

	assert_int_equal(parse(PHASE, &message), 0);
	assert_int_equal(message.type, WORKER_PHASE);
	assert_int_equal(message.phase.phase, REPLUG_UNLOAD);
	assert_true(message.phase.rollback && message.phase.done);
	assert_int_equal(message.phase.ns, 77);

	assert_int_equal(parse(RESULT, &message), 0);
	assert_int_equal(message.type, WORKER_RESULT);
	assert_int_equal(message.result.outcome, REPLUG_ROLLED_BACK);
	assert_int_equal(message.result.error.fault, REPLUG_FAULT_FAILED);
	assert_string_equal(message.result.error.text, "r");
	assert_int_equal(message.result.phases_ns[REPLUG_RESUME], 8);
	assert_int_equal(message.result.pause_ns, 9);
	assert_int_equal(message.result.left_out, 6);
}

static void what_a_worker_builds_is_taken(void **state)
{
	struct replug_device device = {
		.bus = "pci", .name = "a\xff", .verdict = -95, .reason = "x"};
	struct replug_error error = {REPLUG_FAULT_REFUSED, "no\n"};
	struct replug_result result = {.outcome = REPLUG_REFUSED, .error = error, .pause_ns = 3};
	json_auto_t *match = worker_message_match("e1000", &error, &device, 1);
	json_auto_t *end = worker_message_result(&result);
	struct worker_message message;

	assert_int_equal(worker_message_parse(match, &message), 0);
	assert_int_equal(worker_message_parse(end, &message), 0);
	assert_int_equal(message.result.outcome, REPLUG_REFUSED);
	assert_int_equal(message.result.error.fault, REPLUG_FAULT_REFUSED);
	for (int phase = 0; phase < REPLUG_PHASES; phase++) {
		json_auto_t *body = worker_message_phase(phase, false, true, 1);

		assert_int_equal(worker_message_parse(body, &message), 0);
		assert_int_equal(message.phase.phase, phase);
	}
}

static void assert_refused(const char *good, const char *from, const char *to)
{
	struct worker_message message = {.type = 99};
	_cleanup_free_ char *text = NULL;
	const char *at = strstr(good, from);

	assert_non_null(at);
	assert_true(asprintf(&text, "%.*s%s%s", (int)(at - good), good, to, at + strlen(from)) > 0);
	assert_int_equal(parse(text, &message), -EBADMSG);
	assert_int_equal(message.type, 99);
}

static void does_not_believe_other_shapes(void **state)
{
	assert_refused(PLAN, "\"plan\"", "\"nonsense\"");
	assert_refused(PLAN, "\"plan\"", "7");
	assert_refused(PLAN, "\"type\":\"plan\",", "");
	assert_refused(PLAN, "\"driver\":\"pcnet32\"", "\"driver\":\"pc net\"");
	assert_refused(PLAN, "\"driver\":\"pcnet32\"", "\"driver\":\"pcnet32\",\"more\":1");
	assert_refused(PLAN, "\"modules\":[", "\"modules\":[[],");
	assert_refused(PLAN, "\"old_path\":\"/a\"", "\"old_path\":\"a\"");
	assert_refused(PLAN, "\"room\":9", "\"room\":-9");
	assert_refused(PLAN, "\"room\":9", "\"room\":4294967296");
	assert_refused(PLAN, "\"supported\":true", "\"supported\":1");
	assert_refused(PLAN, "\"devices\":[" DEVICE "]", "\"devices\":{}");
	assert_refused(PHASE, "\"unload\"", "\"unloaded\"");
	assert_refused(PHASE, "\"ns\":77", "\"ns\":-77");
	assert_refused(PHASE, "\"done\":true", "\"done\":null");
	assert_refused(RESULT, "rolled-back", "rolled");
	assert_refused(RESULT, "\"fault\":\"failed\"", "\"fault\":\"\"");
	assert_refused(RESULT, "[0,1,2,3,4,5,6,7,8]", "[0,1,2,3,4,5,6,7]");
	assert_refused(RESULT, "[0,1,2,3,4,5,6,7,8]", "[0,1,2,3,4,5,6,7,8,9]");
	assert_refused(RESULT, "[0,1,2,3,4,5,6,7,8]", "[0,1,2,3,4,5,6,7,-8]");
	assert_refused(RESULT, "[0,1,2,3,4,5,6,7,8]", "{}");
	assert_refused(RESULT, "\"pause_ns\":9", "\"pause_ns\":0.5");
	assert_refused(RESULT, "\"left_out\":6", "\"left_out\":-6");
	assert_refused(RESULT, "[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17]", "[]");
	assert_refused(RESULT, "14,15,16,17]", "14,15,16,-1]");
	assert_refused(LOOK, "\"abi\":1", "\"abi\":-1");
	assert_refused(LOOK, "\"driver\":\"\"", "\"driver\":\"/etc\"");
	assert_refused(LOOK, "\"error\":-5", "\"error\":99999999999");
	assert_refused(MATCH, "\"driver\":\"e1000\"", "\"driver\":\"\"");
	assert_refused(MATCH, "\"class\":\"net\",", "");
}

static void does_not_take_what_is_too_long(void **state)
{
	_cleanup_free_ char *text = calloc(1, 5001);
	struct worker_message message;
	json_auto_t *body = NULL;

	memset(text, 'a', 5000);
	body = json_loads(RESULT, 0, NULL);
	json_object_set_new(body, "reason", json_string(text));
	assert_int_equal(worker_message_parse(body, &message), -EBADMSG);
	/* What is bearable is cut to what a result holds. */
	text[1000] = '\0';
	json_object_set_new(body, "reason", json_string(text));
	assert_int_equal(worker_message_parse(body, &message), 0);
	assert_int_equal(strlen(message.result.error.text), sizeof(message.result.error.text) - 1);
}

static void does_not_take_lists_without_end(void **state)
{
	json_auto_t *body = json_loads(PLAN, 0, NULL), *module = json_loads(MODULE, 0, NULL);
	struct worker_message message;

	for (int i = 0; i < 40; i++)
		json_array_append(json_object_get(body, "modules"), module);
	assert_int_equal(worker_message_parse(body, &message), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_each_message),
		cmocka_unit_test(what_a_worker_builds_is_taken),
		cmocka_unit_test(does_not_believe_other_shapes),
		cmocka_unit_test(does_not_take_what_is_too_long),
		cmocka_unit_test(does_not_take_lists_without_end),
	};

	return cmocka_run_group_tests_name("worker message", tests, NULL, NULL);
}
