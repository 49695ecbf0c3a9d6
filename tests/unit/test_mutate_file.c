// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Plans of faults and coverages as files: what was written is read again, anything else is refused
 * with the place. To be run from the top of the tree.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "mutate_fixture.h"
#include "mutate_json.h"
#include "schema_fixture.h"
#include "unpack.h"
#include "util.h"

#define GOLDEN "tests/unit/golden/"

static const char plan_text[] =
	"{\"schema\":\"recov.faults/1\",\"driver\":\"some\",\"build_id\":\"0a\",\"kernel\":\"6.1\","
	"\"seed\":17,\"faults\":[{\"id\":1,\"section\":\".text\",\"offset\":16,\"class\":\"src\","
	"\"variant\":3,\"function\":\"some_poll\",\"function_offset\":4,\"old\":\"488b1d????????\","
	"\"new\":\"488b15????????\",\"before\":\"mov rbx, x\",\"after\":\"mov rdx, x\"},"
	"{\"id\":2,\"section\":\".text\",\"offset\":32,\"class\":\"override\",\"function\":"
	"\"some_poll\",\"function_offset\":20,\"import\":\"__kmalloc\",\"result\":-12},"
	"{\"id\":3,\"class\":\"device:intx\",\"device\":\"intx\"}]}";

static const char coverage_text[] =
	"{\"schema\":\"recov.coverage/"
	"1\",\"driver\":\"some\",\"build_id\":\"0a\",\"kernel\":\"6.1\","
	"\"sections\":[{\"name\":\".text\",\"size\":4,\"text\":\"kJAxww==\",\"executed\":[0,2]}]}";

/* The text with the first of one part in it replaced; malloc'ed. */
static char *replaced(const char *text, const char *part, const char *by)
{
	const char *at = strstr(text, part);
	char *changed;

	assert_non_null(at);
	assert_true(asprintf(&changed, "%.*s%s%s", (int)(at - text), text, by, at + strlen(part)) >
		    0);
	return changed;
}

static void test_a_plan_is_read_as_it_was_written(void **state)
{
	struct replug_injection_plan *plan = NULL;
	const struct replug_injection *fault;
	_cleanup_free_ char *again = NULL;

	assert_int_equal(
		replug_injection_plan_parse("p", plan_text, strlen(plan_text), &plan, NULL), 0);
	assert_string_equal(plan->driver, "some");
	assert_string_equal(plan->build_id, "0a");
	assert_string_equal(plan->kernel, "6.1");
	assert_int_equal(plan->seed, 17);
	assert_int_equal(plan->n_injections, 3);
	fault = plan->injections;
	assert_int_equal(fault->kind, REPLUG_INJECT_TEXT);
	assert_int_equal(fault->offset, 16);
	assert_int_equal(fault->function_offset, 4);
	assert_int_equal(fault->variant, 3);
	assert_int_equal(fault->length, 7);
	assert_memory_equal(fault->old, "\x48\x8b\x1d\0\0\0\0", 7);
	assert_memory_equal(fault->new, "\x48\x8b\x15\0\0\0\0", 7);
	assert_int_equal(fault->old_loader, 0x78);
	assert_int_equal(fault->new_loader, 0x78);
	assert_int_equal(fault[1].kind, REPLUG_INJECT_CALL);
	assert_string_equal(fault[1].import, "__kmalloc");
	assert_int_equal(fault[1].result, -12);
	assert_int_equal(fault[2].kind, REPLUG_INJECT_DEVICE);
	assert_string_equal(fault[2].device, "intx");
	again = replug_injection_plan_format(plan);
	assert_string_equal(again, plan_text);
	replug_injection_plan_free(plan);
}

static void test_a_coverage_is_read_as_it_was_written(void **state)
{
	struct replug_coverage *coverage = NULL;
	_cleanup_free_ char *again = NULL;

	assert_int_equal(
		replug_coverage_parse("c", coverage_text, strlen(coverage_text), &coverage, NULL),
		0);
	assert_string_equal(coverage->driver, "some");
	assert_int_equal(coverage->n_sections, 1);
	assert_string_equal(coverage->sections[0].name, ".text");
	assert_int_equal(coverage->sections[0].size, 4);
	assert_memory_equal(coverage->sections[0].bytes, "\x90\x90\x31\xc3", 4);
	assert_int_equal(coverage->sections[0].n_executed, 2);
	assert_int_equal(coverage->sections[0].executed[1], 2);
	again = replug_coverage_format(coverage);
	assert_string_equal(again, coverage_text);
	replug_coverage_free(coverage);
}

static void test_base64_is_that_of_rfc_4648(void **state)
{
	static const char *const texts[] = {"",		"Zg==",	    "Zm8=",    "Zm9v",
					    "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"};
	uint8_t bytes[8];

	for (size_t n = 0; n < ARRAY_SIZE(texts); n++) {
		_cleanup_free_ char *text = base64_encode((const uint8_t *)"foobar", n);

		assert_string_equal(text, texts[n]);
		assert_true(base64_decode(text, bytes, n));
		assert_memory_equal(bytes, "foobar", n);
		assert_false(base64_decode(text, bytes, n + 3));
	}
	assert_false(base64_decode("Zh==", bytes, 1)); /* bits that mean nothing */
	assert_false(base64_decode("Zm==", bytes, 2));
	assert_false(base64_decode("Z===", bytes, 1));
	assert_false(base64_decode("Zm9\n", bytes, 3));
}

static void assert_bad_plan(const char *text, size_t size, const char *reason)
{
	struct replug_injection_plan *plan = NULL;
	struct replug_error error = {0};
	char wanted[256];

	assert_int_equal(replug_injection_plan_parse("p.json", text, size, &plan, &error),
			 -EBADMSG);
	assert_null(plan);
	assert_int_equal(error.fault, REPLUG_FAULT_USAGE);
	snprintf(wanted, sizeof(wanted), "p.json is no usable plan of faults: %s", reason);
	assert_string_equal(error.text, wanted);
}

static void assert_bad_coverage(const char *text, size_t size, const char *reason)
{
	struct replug_coverage *coverage = NULL;
	struct replug_error error = {0};
	char wanted[256];

	assert_int_equal(replug_coverage_parse("c.json", text, size, &coverage, &error), -EBADMSG);
	assert_null(coverage);
	assert_int_equal(error.fault, REPLUG_FAULT_USAGE);
	snprintf(wanted, sizeof(wanted), "c.json is no usable coverage file: %s", reason);
	assert_string_equal(error.text, wanted);
}

static void test_a_file_cut_short_is_refused(void **state)
{
	for (size_t size = 0; size < strlen(plan_text); size++)
		assert_bad_plan(plan_text, size, "it is cut short");
	for (size_t size = 0; size < strlen(coverage_text); size++)
		assert_bad_coverage(coverage_text, size, "it is cut short");
}

static void test_a_bad_plan_is_refused_with_the_place(void **state)
{
	static const struct {
		const char *part, *by, *reason;
	} bad[] = {
		{"{\"schema\"", "nonsense", "it is no JSON (line 1, column 8)"},
		{"recov.faults/1", "recov.plan/1",
		 "its schema is recov.plan/1, not recov.faults/1"},
		{"\"schema\"", "\"skema\"", "it has no schema"},
		{"\"driver\":\"some\"", "\"driver\":\"so me\"", "\"driver\" is no such text"},
		{"\"driver\":\"some\",", "", "\"driver\" is missing"},
		/* both become parts of paths */
		{"\"driver\":\"some\"", "\"driver\":\"../module/some\"",
		 "\"driver\" is no such text"},
		{"\"section\":\".text\"", "\"section\":\"../../.text\"",
		 "fault 1: \"section\" is no such text"},
		{"\"build_id\":\"0a\"", "\"build_id\":\"0A\"",
		 "\"build_id\" is not lower-case hex"},
		{"\"build_id\":\"0a\"", "\"build_id\":\"0\"", "\"build_id\" is not lower-case hex"},
		{"\"seed\":17", "\"seed\":-1",
		 "\"seed\" is not a whole number of 0 to 9007199254740991"},
		{"\"seed\":17", "\"seed\":1.5",
		 "\"seed\" is not a whole number of 0 to 9007199254740991"},
		{"\"seed\":17", "\"seed\":9007199254740992",
		 "\"seed\" is not a whole number of 0 to 9007199254740991"},
		{"\"faults\":[", "\"faults\":[],\"x\":[", "it has no faults, or more than 1000"},
		{"\"faults\":[", "\"faults\":[7,",
		 "fault 1: \"id\" is not a whole number of 1 to 1"},
		{"\"id\":2", "\"id\":1", "fault 2: \"id\" is not a whole number of 2 to 2"},
		{"\"class\":\"src\"", "\"class\":\"evil\"",
		 "fault 1: there is no class of faults \"evil\""},
		{"\"offset\":16", "\"offset\":-16",
		 "fault 1: \"offset\" is not a whole number of 0 to 2147483647"},
		{"\"function_offset\":4", "\"function_offset\":17",
		 "fault 1: \"function_offset\" is not a whole number of 0 to 16"},
		{"\"variant\":3", "\"variant\":121",
		 "fault 1: \"variant\" is not a whole number of 0 to 120"},
		{"\"section\":\".text\"", "\"section\":\"\"",
		 "fault 1: \"section\" is no such text"},
		{"488b1d????????", "", "fault 1: \"old\" is not 1 to 15 bytes of hex"},
		{"488b1d????????", "488b1d???????", "fault 1: \"old\" is not 1 to 15 bytes of hex"},
		{"488b1d????????", "00000000000000000000000000000000",
		 "fault 1: \"old\" is not 1 to 15 bytes of hex"},
		{"488b1d????????", "488b1D????????", "fault 1: \"old\" is not lower-case hex"},
		{"488b1d????????", "488b1d?0??????", "fault 1: \"old\" is not lower-case hex"},
		{"488b1d????????", "488b1d??????", "fault 1: \"old\" and \"new\" differ in length"},
		{"488b1d????????", "488b1d??????00",
		 "fault 1: \"new\" has an unknown byte that \"old\" has not"},
		{"488b15????????", "488b1d????????", "fault 1: \"old\" and \"new\" are the same"},
		{"488b15????????", "cc8b15????????", "fault 1: \"new\" begins with a breakpoint"},
		{"mov rbx, x", "mov\\u001b", "fault 1: \"before\" is no such text"},
		{"\"result\":-12", "\"result\":1",
		 "fault 2: \"result\" is not a whole number of -2147483648 to 0"},
		{"\"device\":\"intx\"", "\"device\":\"memory\"",
		 "fault 3: \"device\" is not that of its class"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		_cleanup_free_ char *text = replaced(plan_text, bad[i].part, bad[i].by);

		assert_bad_plan(text, strlen(text), bad[i].reason);
	}
}

static void test_faults_that_overlap_are_refused(void **state)
{
	static const char second[] =
		"{\"id\":2,\"section\":\"%s\",\"offset\":%d,\"class\":\"nop\",\"variant\":0,"
		"\"function\":\"some_poll\",\"function_offset\":0,\"old\":\"4889d8\",\"new\":"
		"\"0f1f00\",\"before\":\"x\",\"after\":\"y\"}]}";
	static const struct {
		const char *section;
		int offset;
		bool overlaps;
	} places[] = {
		{".text", 13, false}, {".text", 14, true},  {".text", 16, true},
		{".text", 22, true},  {".text", 23, false}, {".text.unlikely", 16, false},
	};

	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		const char *rest = strstr(plan_text, "{\"id\":2");
		char text[sizeof(plan_text) + sizeof(second) + 32];
		struct replug_injection_plan *plan = NULL;
		size_t n = (size_t)(rest - plan_text);

		memcpy(text, plan_text, n);
		n += (size_t)sprintf(text + n, second, places[i].section, places[i].offset);
		if (places[i].overlaps)
			assert_bad_plan(text, n, "fault 2 overlaps fault 1");
		else
			assert_int_equal(replug_injection_plan_parse("p", text, n, &plan, NULL), 0);
		replug_injection_plan_free(plan);
	}
}

static void test_a_bad_coverage_is_refused_with_the_place(void **state)
{
	static const struct {
		const char *part, *by, *reason;
	} bad[] = {
		{"recov.coverage/1", "recov.coverage/2",
		 "its schema is recov.coverage/2, not recov.coverage/1"},
		{"\"kernel\":\"6.1\",", "", "\"kernel\" is missing"},
		{"\"sections\":[", "\"sections\":[],\"x\":[", "it has no sections, or too many"},
		{"\"sections\":[", "\"sections\":[\"x\",", "section 1: \"name\" is missing"},
		{"\"size\":4", "\"size\":0",
		 "section 1: \"size\" is not a whole number of 1 to 33554432"},
		{"\"size\":4", "\"size\":33554433",
		 "section 1: \"size\" is not a whole number of 1 to 33554432"},
		{"\"size\":4", "\"size\":33554432",
		 ".text: \"text\" is not 33554432 bytes of base64"},
		{"\"size\":4", "\"size\":3", ".text: \"text\" is not 3 bytes of base64"},
		{"kJAxww==", "kJAxw!==", ".text: \"text\" is not 4 bytes of base64"},
		{"\"executed\":[0,2]", "\"executed\":7", ".text: \"executed\" is missing"},
		{"[0,2]", "[0,4]",
		 ".text: \"executed\" is no ascending list of offsets in the section"},
		{"[0,2]", "[2,2]",
		 ".text: \"executed\" is no ascending list of offsets in the section"},
		{"[0,2]", "[-1]",
		 ".text: \"executed\" is no ascending list of offsets in the section"},
		{"[0,2]", "[\"0\"]",
		 ".text: \"executed\" is no ascending list of offsets in the section"},
		{"[0,2]}", "[]},{\"name\":\".text\",\"size\":1,\"text\":\"kA==\",\"executed\":[]}",
		 "it has two sections .text"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		_cleanup_free_ char *text = replaced(coverage_text, bad[i].part, bad[i].by);

		assert_bad_coverage(text, strlen(text), bad[i].reason);
	}
}

static void test_files_that_are_none_are_said(void **state)
{
	struct replug_injection_plan *plan = NULL;
	struct replug_coverage *coverage = NULL;
	struct replug_error error = {0};

	assert_int_equal(replug_injection_plan_read("/nonexistent", &plan, &error), -ENOENT);
	assert_string_equal(error.text, "there is no file /nonexistent");
	assert_int_equal(replug_coverage_read("/dev", &coverage, &error), -EBADMSG);
	assert_string_equal(error.text, "/dev is no usable coverage file: it is a directory");
	assert_int_equal(replug_coverage_read("/dev/null", &coverage, &error), -EBADMSG);
	assert_string_equal(error.text, "/dev/null is no usable coverage file: it is no regular "
					"file");
	assert_int_equal(error.fault, REPLUG_FAULT_USAGE);
}

static void test_a_plan_for_another_build_is_refused(void **state)
{
	struct replug_injection_plan *plan = NULL;
	struct replug_error error = {0};

	assert_int_equal(
		replug_injection_plan_parse("p", plan_text, strlen(plan_text), &plan, NULL), 0);
	assert_int_equal(replug_injection_plan_check(plan, "some", "0a", &error), 0);
	assert_int_equal(replug_injection_plan_check(plan, "some", "0b", &error), -ESTALE);
	assert_string_equal(error.text, "the plan is for another build of some");
	assert_int_equal(replug_injection_plan_check(plan, "some", "0a0a", &error), -ESTALE);
	assert_int_equal(replug_injection_plan_check(plan, "some", "f", &error), -ESTALE);
	/* that of an armed image */
	assert_int_equal(replug_injection_plan_check(plan, "some", "f5", &error), 0);
	assert_int_equal(replug_injection_plan_check(plan, "other", "0a", &error), -ESTALE);
	assert_string_equal(error.text, "the plan is for some, not for other");
	assert_int_equal(error.fault, REPLUG_FAULT_USAGE);
	replug_injection_plan_free(plan);
}

static void test_the_loaders_bytes_are_taken_from_memory(void **state)
{
	struct replug_injection_plan *plan = NULL;
	uint8_t memory[] = {0x48, 0x8b, 0x1d, 1, 2, 3, 4};
	uint8_t old[REPLUG_INSTRUCTION_MAX], new[REPLUG_INSTRUCTION_MAX];

	assert_int_equal(
		replug_injection_plan_parse("p", plan_text, strlen(plan_text), &plan, NULL), 0);
	assert_true(replug_injection_bytes(plan->injections, memory, old, new));
	assert_memory_equal(old, memory, 7);
	assert_memory_equal(new, "\x48\x8b\x15\1\2\3\4", 7);
	memory[1] = 0;
	assert_false(replug_injection_bytes(plan->injections, memory, old, new));
	replug_injection_plan_free(plan);
}

static void test_plans_and_coverages_follow_their_schemas(void **state)
{
	_cleanup_free_ uint8_t *golden = NULL;
	size_t size;

	assert_int_equal(replug_read_file(GOLDEN "coverages.jsonl", &golden, &size), 0);
	assert_int_equal(size, strlen(coverage_text) + 1);
	assert_memory_equal(golden, coverage_text, size - 1);
	assert_follows("include/recov_coverage.schema.json", GOLDEN "coverages.jsonl", true);
	assert_follows("include/recov_faults.schema.json", GOLDEN "faults.jsonl", true);
}

static void test_the_schemas_are_not_for_just_anything(void **state)
{
	assert_follows("include/recov_coverage.schema.json", GOLDEN "faults.jsonl", false);
	assert_follows("include/recov_faults.schema.json", GOLDEN "coverages.jsonl", false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_plan_is_read_as_it_was_written),
		cmocka_unit_test(test_a_coverage_is_read_as_it_was_written),
		cmocka_unit_test(test_base64_is_that_of_rfc_4648),
		cmocka_unit_test(test_a_file_cut_short_is_refused),
		cmocka_unit_test(test_a_bad_plan_is_refused_with_the_place),
		cmocka_unit_test(test_faults_that_overlap_are_refused),
		cmocka_unit_test(test_a_bad_coverage_is_refused_with_the_place),
		cmocka_unit_test(test_files_that_are_none_are_said),
		cmocka_unit_test(test_a_plan_for_another_build_is_refused),
		cmocka_unit_test(test_the_loaders_bytes_are_taken_from_memory),
		cmocka_unit_test(test_plans_and_coverages_follow_their_schemas),
		cmocka_unit_test(test_the_schemas_are_not_for_just_anything),
	};

	return cmocka_run_group_tests_name("mutate_file", tests, NULL, NULL);
}
