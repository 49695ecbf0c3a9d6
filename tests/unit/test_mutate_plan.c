// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Plans of faults: what a seed means, where faults may be, and how often each class comes.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "mutate_fixture.h"
#include "mutate_random.h"
#include "unpack.h"
#include "util.h"

#define GOLDEN "tests/unit/golden/faults.jsonl"

struct sites {
	struct taken taken;
	struct replug_sites *sites;
};

static struct sites sites_of(struct elf_bytes file, const struct replug_coverage *coverage)
{
	struct sites s = {.taken = take(file, false)};
	struct replug_error error = {0};

	if (replug_sites_new(s.taken.text, coverage, &s.sites, &error))
		fail_msg("%s", error.text);
	return s;
}

static void sites_end(struct sites *s)
{
	replug_sites_free(s->sites);
	give_back(&s->taken);
}

static struct replug_injection_plan *plan_of(const struct sites *s,
					     struct replug_injection_options options)
{
	struct replug_injection_plan *plan = NULL;
	struct replug_error error = {0};

	if (replug_injection_plan_new(s->sites, &options, &plan, &error))
		fail_msg("%s", error.text);
	assert_int_equal(plan->n_injections, options.n);
	return plan;
}

static size_t class_number(const char *name)
{
	const struct replug_injection_class *class;
	size_t i = 0;

	while ((class = replug_injection_class(i)) && !str_eq(class->name, name))
		i++;
	assert_non_null(class);
	return i;
}

/* ---- random numbers ---- */

static void test_random_numbers_are_those_of_splitmix64(void **state)
{
	/* As its authors' own program gives them for this seed. */
	static const uint64_t wanted[] = {
		UINT64_C(6457827717110365317),	UINT64_C(3203168211198807973),
		UINT64_C(9817491932198370423),	UINT64_C(4593380528125082431),
		UINT64_C(16408922859458223821),
	};
	uint64_t random = 1234567;

	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++)
		assert_true(random_next(&random) == wanted[i]);
}

static void test_bounded_numbers_come_equally_often(void **state)
{
	uint64_t random = 1, counts[7] = {0};

	for (size_t i = 0; i < 70000; i++)
		counts[random_below(&random, ARRAY_SIZE(counts))]++;
	for (size_t i = 0; i < ARRAY_SIZE(counts); i++)
		assert_in_range(counts[i], 9700, 10300);
	for (size_t i = 0; i < 100; i++)
		assert_true(random_below(&random, (UINT64_C(1) << 63) + 1) <= UINT64_C(1) << 63);
	assert_true(random_below(&random, 1) == 0);
}

/* ---- plans ---- */

static char *plan_lines(void)
{
	static const struct replug_injection_options options[] = {
		{.seed = 0, .n = 5},
		{.seed = 1, .n = 5},
		{.seed = REPLUG_SEED_MAX, .n = 5},
		{.seed = 17, .n = 8, .preset = "nooks"},
		{.seed = 17, .n = 3, .classes = "leak,alloc,nolock,nounlock"},
		{.seed = 17, .n = 3, .classes = "override,device:intx,device:memory"},
	};
	struct sites s = sites_of(build_faultable(), NULL);
	char *text = strdup("");

	for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
		struct replug_injection_plan *plan = plan_of(&s, options[i]);
		char *line = replug_injection_plan_format(plan), *longer;

		assert_non_null(line);
		assert_true(asprintf(&longer, "%s%s\n", text, line) > 0);
		free(text);
		free(line);
		text = longer;
		replug_injection_plan_free(plan);
	}
	sites_end(&s);
	return text;
}

static void test_a_seed_means_the_same_for_ever(void **state)
{
	_cleanup_free_ char *first = plan_lines(), *second = plan_lines();
	_cleanup_free_ uint8_t *golden = NULL;
	size_t size;

	assert_string_equal(first, second);
	if (getenv("UPDATE_GOLDEN")) {
		FILE *file = fopen(GOLDEN, "w");

		assert_non_null(file);
		fputs(first, file);
		fclose(file);
	}
	assert_int_equal(replug_read_file(GOLDEN, &golden, &size), 0);
	assert_int_equal(size, strlen(first));
	assert_memory_equal(first, golden, size);
}

static void test_faults_are_at_different_places(void **state)
{
	struct sites s = sites_of(build_faultable(), NULL);

	for (uint64_t seed = 0; seed < 200; seed++) {
		struct replug_injection_plan *plan =
			plan_of(&s, (struct replug_injection_options){.seed = seed, .n = 19});

		for (size_t i = 0; i < plan->n_injections; i++) {
			assert_int_equal(plan->injections[i].id, i + 1);
			for (size_t k = 0; k < i; k++)
				assert_int_not_equal(plan->injections[i].offset,
						     plan->injections[k].offset);
		}
		replug_injection_plan_free(plan);
	}
	sites_end(&s);
}

static void assert_fails(const struct sites *s, struct replug_injection_options options, int r,
			 enum replug_fault fault, const char *text)
{
	struct replug_injection_plan *plan = NULL;
	struct replug_error error = {0};

	assert_int_equal(replug_injection_plan_new(s->sites, &options, &plan, &error), r);
	assert_null(plan);
	assert_int_equal(error.fault, fault);
	assert_string_equal(error.text, text);
}

static void test_what_is_drawn_can_be_read_again(void **state)
{
	/* movabs rax; jumps, once it is another instruction, each of which is told with its name. */
	static const char code[] = "48b8 7000700070007000 c3";
	char name[512];
	struct elf_builder b;
	struct sites s;

	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	driver_begin(&b);
	driver_function(&b, ".text", name, code);
	s = sites_of(elf_builder_finish(&b), NULL);
	for (uint64_t seed = 0; seed < 200; seed++) {
		struct replug_injection_plan *again = NULL,
					     *plan = plan_of(&s, (struct replug_injection_options){
									 .seed = seed,
									 .n = 1,
									 .classes = "text"});
		_cleanup_free_ char *text = replug_injection_plan_format(plan);
		struct replug_error error = {0};

		if (replug_injection_plan_parse("p", text, strlen(text), &again, &error))
			fail_msg("%s", error.text);
		replug_injection_plan_free(again);
		replug_injection_plan_free(plan);
	}
	sites_end(&s);
}

static void test_what_cannot_be_drawn_is_said(void **state)
{
	struct sites s = sites_of(build_faultable(), NULL);

	assert_fails(&s, (struct replug_injection_options){.n = 1, .classes = "nop,evil"}, -EINVAL,
		     REPLUG_FAULT_USAGE, "there is no class of faults \"evil\"");
	assert_fails(&s, (struct replug_injection_options){.n = 1, .classes = "nop,"}, -EINVAL,
		     REPLUG_FAULT_USAGE, "there is no class of faults \"\"");
	assert_fails(&s, (struct replug_injection_options){.n = 1, .preset = "rio"}, -EINVAL,
		     REPLUG_FAULT_USAGE, "there is no preset \"rio\", only \"nooks\"");
	assert_fails(&s, (struct replug_injection_options){.n = 20}, -EOPNOTSUPP,
		     REPLUG_FAULT_UNSUPPORTED, "some has 19 places for such faults, 20 are wanted");
	assert_fails(&s, (struct replug_injection_options){.n = 2, .classes = "leak,leak"},
		     -EOPNOTSUPP, REPLUG_FAULT_UNSUPPORTED,
		     "some has 1 places for such faults, 2 are wanted");
	assert_fails(&s, (struct replug_injection_options){.n = 0}, -EINVAL, REPLUG_FAULT_NONE, "");
	assert_fails(&s, (struct replug_injection_options){.n = 1, .seed = REPLUG_SEED_MAX + 1},
		     -EINVAL, REPLUG_FAULT_NONE, "");
	sites_end(&s);
}

static void test_only_classes_that_were_named_come(void **state)
{
	struct sites s = sites_of(build_faultable(), NULL);

	for (uint64_t seed = 0; seed < 100; seed++) {
		struct replug_injection_plan *plan =
			plan_of(&s, (struct replug_injection_options){
					    .seed = seed, .n = 2, .classes = "alloc,device:intx"});

		for (size_t i = 0; i < plan->n_injections; i++)
			assert_true(str_eq(plan->injections[i].class, "alloc") ||
				    str_eq(plan->injections[i].class, "device:intx"));
		replug_injection_plan_free(plan);
	}
	sites_end(&s);
}

/* How often each class comes as the only fault, in a thousand seeds. */
static void count_classes(const struct sites *s, const char *preset, size_t *counts)
{
	for (uint64_t seed = 0; seed < 1000; seed++) {
		struct replug_injection_plan *plan = plan_of(
			s,
			(struct replug_injection_options){.seed = seed, .n = 1, .preset = preset});

		counts[class_number(plan->injections[0].class)]++;
		replug_injection_plan_free(plan);
	}
}

static void test_classes_come_as_often_as_they_have_sites(void **state)
{
	struct sites s = sites_of(build_faultable(), NULL);
	const struct replug_injection_class *class;
	size_t counts[32] = {0}, total = 0;

	for (size_t i = 0; (class = replug_injection_class(i)); i++)
		total += class->by_default ? replug_sites_count(s.sites, i) : 0;
	count_classes(&s, NULL, counts);
	for (size_t i = 0; (class = replug_injection_class(i)); i++) {
		size_t share = 1000 * replug_sites_count(s.sites, i);

		if (!class->by_default)
			assert_int_equal(counts[i], 0);
		else
			assert_in_range((counts[i] + 40) * total, share, share + 80 * total);
	}
	sites_end(&s);
}

static void test_the_classes_of_nooks_come_equally_often(void **state)
{
	static const char *const nooks[] = {"src",    "dst",  "ptr",  "interface",
					    "branch", "loop", "text", "nop"};
	struct sites s = sites_of(build_faultable(), NULL);
	size_t counts[32] = {0}, total = 0;

	count_classes(&s, "nooks", counts);
	for (size_t i = 0; i < ARRAY_SIZE(nooks); i++) {
		assert_in_range(counts[class_number(nooks[i])], 95, 155);
		total += counts[class_number(nooks[i])];
	}
	assert_int_equal(total, 1000);
	sites_end(&s);
}

static void test_devices_are_only_those_of_pci(void **state)
{
	struct elf_builder b;
	struct sites s;

	elf_builder_module(&b, "some", "");
	elf_builder_build_id(&b, BUILD_ID);
	driver_function(&b, ".text", "some_poll", "90c3");
	s = sites_of(elf_builder_finish(&b), NULL);
	assert_fails(&s, (struct replug_injection_options){.n = 1, .classes = "device:intx"},
		     -EOPNOTSUPP, REPLUG_FAULT_UNSUPPORTED,
		     "some has 0 places for such faults, 1 are wanted");
	sites_end(&s);
}

static void test_a_call_is_overridden_once_in_a_function(void **state)
{
	static const struct piece_reloc relocs[] = {
		{1, "__kmalloc", R_X86_64_PLT32},
		{6, "build_skb", R_X86_64_PLT32},
		{11, "__kmalloc", R_X86_64_PLT32},
	};
	struct sites s =
		sites_of(build_driver("e800000000 e800000000 e800000000 c3", relocs, 3), NULL);
	struct replug_injection_plan *plan = plan_of(
		&s, (struct replug_injection_options){.seed = 3, .n = 2, .classes = "override"});

	assert_int_equal(replug_sites_count(s.sites, class_number("override")), 2);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(plan->injections[i].kind, REPLUG_INJECT_CALL);
		assert_string_equal(plan->injections[i].function, "some_poll");
		assert_string_equal(plan->injections[i].import,
				    plan->injections[i].offset ? "build_skb" : "__kmalloc");
	}
	replug_injection_plan_free(plan);
	sites_end(&s);
}

/* ---- coverage ---- */

/* That of build_faultable(): its code as in the file, but for what the loader wrote. */
static void covered_code(uint8_t *bytes)
{
	struct taken taken = take(build_faultable(), false);
	size_t size;
	const uint8_t *text = replug_image_section(taken.image, ".text", &size);

	assert_int_equal(size, 0x44);
	memcpy(bytes, text, size);
	memset(bytes + 0x07, 0xaa, 4);
	memset(bytes + 0x2d, 0xbb, 4);
	give_back(&taken);
}

static struct replug_coverage coverage_of(struct replug_coverage_section *section)
{
	return (struct replug_coverage){.driver = (char *)"some",
					.build_id = (char *)BUILD_ID_HEX,
					.kernel = (char *)"6.1.0-test",
					.sections = section,
					.n_sections = 1};
}

static void test_only_what_was_executed_is_changed(void **state)
{
	uint32_t executed[] = {0x06, 0x2a};
	uint8_t bytes[0x44];
	struct replug_coverage_section section = {(char *)".text", bytes, sizeof(bytes), executed,
						  ARRAY_SIZE(executed)};
	const struct replug_coverage coverage = coverage_of(&section);
	struct sites s;
	struct replug_injection_plan *plan;

	covered_code(bytes);
	s = sites_of(build_faultable(), &coverage);
	assert_int_equal(replug_sites_count(s.sites, class_number("nop")), 2);
	assert_int_equal(replug_sites_count(s.sites, class_number("nolock")), 1);
	assert_int_equal(replug_sites_count(s.sites, class_number("leak")), 0);
	plan = plan_of(&s, (struct replug_injection_options){.seed = 1, .n = 2});
	for (size_t i = 0; i < 2; i++)
		assert_true(plan->injections[i].offset == 6 || plan->injections[i].offset == 0x2a);
	replug_injection_plan_free(plan);
	sites_end(&s);
}

static void test_what_the_kernel_has_changed_is_left_alone(void **state)
{
	uint32_t executed[] = {0x06, 0x22, 0x2a};
	uint8_t bytes[0x44];
	struct replug_coverage_section section = {(char *)".text", bytes, sizeof(bytes), executed,
						  ARRAY_SIZE(executed)};
	const struct replug_coverage coverage = coverage_of(&section);
	struct sites s;

	covered_code(bytes);
	bytes[0x24]++;
	s = sites_of(build_faultable(), &coverage);
	assert_int_equal(replug_sites_count(s.sites, class_number("nop")), 2);
	sites_end(&s);
}

static void assert_not_covered(const struct replug_coverage *coverage, const char *text)
{
	struct taken taken = take(build_faultable(), false);
	struct replug_error error = {0};
	struct replug_sites *sites = NULL;

	assert_int_equal(replug_sites_new(taken.text, coverage, &sites, &error), -EBADMSG);
	assert_null(sites);
	assert_int_equal(error.fault, REPLUG_FAULT_USAGE);
	assert_string_equal(error.text, text);
	give_back(&taken);
}

static void test_coverage_of_something_else_is_refused(void **state)
{
	uint32_t executed[] = {0x06, 0x2b};
	uint8_t bytes[0x44];
	struct replug_coverage_section section = {(char *)".text", bytes, sizeof(bytes), executed,
						  ARRAY_SIZE(executed)};
	struct replug_coverage coverage = coverage_of(&section);

	covered_code(bytes);
	assert_not_covered(&coverage, "the coverage is not of this some: no instruction begins "
				      "where one was executed");
	section.size--;
	assert_not_covered(&coverage,
			   "the coverage is not of this some: a section has another size");
	section.name = (char *)".text.hot";
	assert_not_covered(&coverage, "the coverage is not of this some: it has a section that the "
				      "driver has not");
	coverage.build_id = (char *)"00";
	assert_not_covered(&coverage, "the coverage is not of this some: it is of another build");
	coverage.driver = (char *)"other";
	assert_not_covered(&coverage, "the coverage is not of this some: it is of another driver");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_numbers_are_those_of_splitmix64),
		cmocka_unit_test(test_bounded_numbers_come_equally_often),
		cmocka_unit_test(test_a_seed_means_the_same_for_ever),
		cmocka_unit_test(test_faults_are_at_different_places),
		cmocka_unit_test(test_what_is_drawn_can_be_read_again),
		cmocka_unit_test(test_what_cannot_be_drawn_is_said),
		cmocka_unit_test(test_only_classes_that_were_named_come),
		cmocka_unit_test(test_classes_come_as_often_as_they_have_sites),
		cmocka_unit_test(test_the_classes_of_nooks_come_equally_often),
		cmocka_unit_test(test_devices_are_only_those_of_pci),
		cmocka_unit_test(test_a_call_is_overridden_once_in_a_function),
		cmocka_unit_test(test_only_what_was_executed_is_changed),
		cmocka_unit_test(test_what_the_kernel_has_changed_is_left_alone),
		cmocka_unit_test(test_coverage_of_something_else_is_refused),
	};

	return cmocka_run_group_tests_name("mutate_plan", tests, NULL, NULL);
}
