// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * recovctl inject classes and plan as a program: what it prints and writes, and its exit status.
 */
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "mutate_fixture.h"
#include "unpack.h"

static char out[1 << 16];

/* A shell command, with the folder of files as $D; what it printed is in out. */
static int run(const char *command)
{
	FILE *pipe = popen(command, "r");
	size_t n;
	int status;

	assert_non_null(pipe);
	n = fread(out, 1, sizeof(out) - 1, pipe);
	out[n] = '\0';
	status = pclose(pipe);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void write_file(const char *name, const void *bytes, size_t size)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", getenv("D"), name);
	file = fopen(path, "w");
	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, size, file), size);
	assert_int_equal(fclose(file), 0);
}

/* The coverage of build_faultable(): all was executed that the name of the lock tells. */
static void write_coverage(const char *name, const char *build_id)
{
	struct taken taken = take(build_faultable(), false);
	uint32_t executed[] = {0x06, 0x3d};
	struct replug_coverage_section section = {
		.name = (char *)".text", .executed = executed, .n_executed = 2};
	const struct replug_coverage coverage = {.driver = (char *)"some",
						 .build_id = (char *)build_id,
						 .kernel = (char *)"6.1",
						 .sections = &section,
						 .n_sections = 1};
	char *text;

	section.bytes = (uint8_t *)replug_image_section(taken.image, ".text", &section.size);
	text = replug_coverage_format(&coverage);
	assert_non_null(text);
	write_file(name, text, strlen(text));
	write_file("short.json", text, strlen(text) / 2);
	free(text);
	give_back(&taken);
}

/* build/recovctl for build/tests/unit/test_inject, as $recovctl */
static int find_recovctl(void)
{
	char path[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - sizeof("/recovctl"));

	if (n < 0)
		return -1;
	path[n] = '\0';
	strcat(dirname(dirname(dirname(path))), "/recovctl");
	return setenv("recovctl", path, 1);
}

static int setup(void **state)
{
	char folder[] = "/tmp/inject.XXXXXX";
	struct elf_bytes file = build_faultable();
	struct elf_builder b;

	if (find_recovctl() || !mkdtemp(folder) || setenv("D", folder, 1))
		return -1;
	write_file("some.ko", file.data, file.size);
	free(file.data);
	driver_begin(&b);
	elf_builder_section(&b, ".text", SHT_PROGBITS, SHF_ALLOC | SHF_EXECINSTR, "\xc3", 1);
	file = elf_builder_finish(&b);
	write_file("stripped.ko", file.data, file.size);
	free(file.data);
	write_coverage("coverage.json", BUILD_ID_HEX);
	write_coverage("other.json", "00");
	return 0;
}

static int teardown(void **state)
{
	return run("rm -rf $D");
}

#define PLAN "$recovctl inject plan --image $D/some.ko "

static void test_a_table_shows_the_faults(void **state)
{
	assert_int_equal(run(PLAN "--seed 17 --class leak,alloc --faults 2"), 0);
	assert_string_equal(out, "ID  CLASS  PLACE           BEFORE          AFTER\n"
				 "1   alloc  some_poll+0x14  call __kmalloc  mov eax, 0\n"
				 "2   leak   some_poll+0x38  call kfree      "
				 "nop dword ptr [rax + rax]\n");
	assert_int_equal(run(PLAN "--seed 17 --class override,device:intx --faults 2 --no-legend"),
			 0);
	assert_string_equal(out, "1  device:intx\n"
				 "2  override     some_poll  __kmalloc  returns 0\n");
}

static void test_the_same_plan_is_printed_and_written(void **state)
{
	assert_int_equal(run(PLAN "--seed 1 --json >$D/a; " PLAN "--seed 1 --out $D/b >$D/table; "
				  "cmp $D/a $D/b && ! cmp -s $D/a $D/table && cat $D/a"),
			 0);
	assert_non_null(strstr(
		out,
		"{\"schema\":\"recov.faults/1\",\"driver\":\"some\",\"build_id\":\"" BUILD_ID_HEX
		"\","
		"\"kernel\":\"6.1.0-test\",\"seed\":1,\"faults\":[{\"id\":1,"));
	assert_int_equal(run("wc -l <$D/a"), 0);
	assert_int_equal(atoi(out), 1);
}

static void test_five_faults_are_drawn_unless_told_otherwise(void **state)
{
	assert_int_equal(run(PLAN "--seed 1 --no-legend | wc -l"), 0);
	assert_int_equal(atoi(out), 5);
	assert_int_equal(run(PLAN "--seed 1 --no-legend --preset nooks --faults=9 | wc -l"), 0);
	assert_int_equal(atoi(out), 9);
}

static void test_a_coverage_narrows_what_is_drawn_from(void **state)
{
	assert_int_equal(run(PLAN "--seed 1 --coverage $D/coverage.json --class nop --faults 2 "
				  "--no-legend | sort -k 3"),
			 0);
	assert_non_null(strstr(out, "some_poll+0x3d  call _raw_spin_unlock"));
	assert_non_null(strstr(out, "some_poll+0x6   call _raw_spin_lock"));
}

static void test_classes_are_counted(void **state)
{
	assert_int_equal(run("$recovctl inject classes --image $D/some.ko --no-legend | "
			     "awk '{printf \"%s %s \", $1, $2}'"),
			 0);
	assert_non_null(strstr(out, "init 3 nop 19 "));
	assert_non_null(strstr(out, "leak 1 alloc 1 nolock 1 nounlock 1 override 1 "
				    "device:bus-master 1 "));
	assert_int_equal(run("$recovctl inject classes --image $D/some.ko --json"), 0);
	assert_non_null(strstr(out, "{\"schema\":\"recov.fault-classes/1\",\"driver\":\"some\""));
	assert_int_equal(run("$recovctl inject classes --image $D/some.ko --no-legend "
			     "--coverage $D/coverage.json | awk '$1 == \"nop\" {print $2}'"),
			 0);
	assert_int_equal(atoi(out), 2);
}

static void assert_says(const char *arguments, int status, const char *sentence)
{
	char command[512], wanted[512];

	snprintf(command, sizeof(command),
		 "$recovctl inject %s 2>&1 | sed \"s|$D|D|;1q\"; "
		 "$recovctl inject %s >/dev/null 2>&1",
		 arguments, arguments);
	assert_int_equal(run(command), status);
	snprintf(wanted, sizeof(wanted), "recovctl: %s\n", sentence);
	assert_string_equal(out, wanted);
}

static void test_bad_input_is_one_sentence_and_its_exit_status(void **state)
{
	static const struct {
		const char *arguments;
		int status;
		const char *sentence;
	} bad[] = {
		{"plan --seed 1", 2, "inject plan needs --image"},
		{"plan --image $D/some.ko", 2, "inject plan needs --seed"},
		{"plan --image $D/none.ko --seed 1", 2, "there is no file D/none.ko"},
		{"plan --image $D/coverage.json --seed 1", 2,
		 "D/coverage.json is not a usable module: it is no ELF file"},
		{"plan --image $D/stripped.ko --seed 1", 4,
		 "no faults can be planned for some: it has no symbols of its functions"},
		{"plan --image $D/some.ko --seed 1 --class evil", 2,
		 "there is no class of faults \"evil\""},
		{"plan --image $D/some.ko --seed 1 --preset rio", 2,
		 "there is no preset \"rio\", only \"nooks\""},
		{"plan --image $D/some.ko --seed 1 --preset nooks --class nop", 2,
		 "--class and --preset exclude each other"},
		{"plan --image $D/some.ko --seed 1 --faults 20", 4,
		 "some has 19 places for such faults, 20 are wanted"},
		{"plan --image $D/some.ko --seed -1", 2,
		 "--seed is a whole number of 0 to 9007199254740991, not \"-1\""},
		{"plan --image $D/some.ko --seed 1x", 2,
		 "--seed is a whole number of 0 to 9007199254740991, not \"1x\""},
		{"plan --image $D/some.ko --seed 9007199254740992", 2,
		 "--seed is a whole number of 0 to 9007199254740991, not \"9007199254740992\""},
		{"plan --image $D/some.ko --seed 1 --faults 0", 2,
		 "--faults is a whole number of 1 to 1000, not \"0\""},
		{"plan --image $D/some.ko --seed 1 --out $D/none/x", 2,
		 "D/none/x can't be written: No such file or directory"},
		{"plan --image $D/some.ko --seed 1 --coverage $D/other.json", 2,
		 "the coverage is not of this some: it is of another build"},
		{"plan --image $D/some.ko --seed 1 --coverage $D/short.json", 2,
		 "D/short.json is no usable coverage file: it is cut short"},
		{"plan --image $D/some.ko --seed 1 --coverage $D/none.json", 2,
		 "there is no file D/none.json"},
		{"plan e1000 --image $D/some.ko --seed 1", 2, "unexpected argument \"e1000\""},
		{"classes --image $D/some.ko --seed 1", 2, "inject classes does not take --seed"},
		{"nonsense", 2, "there is no verb \"inject nonsense\""},
		{"", 2, "there is no verb \"inject\""},
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_says(bad[i].arguments, bad[i].status, bad[i].sentence);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_table_shows_the_faults),
		cmocka_unit_test(test_the_same_plan_is_printed_and_written),
		cmocka_unit_test(test_five_faults_are_drawn_unless_told_otherwise),
		cmocka_unit_test(test_a_coverage_narrows_what_is_drawn_from),
		cmocka_unit_test(test_classes_are_counted),
		cmocka_unit_test(test_bad_input_is_one_sentence_and_its_exit_status),
	};

	return cmocka_run_group_tests_name("inject", tests, setup, teardown);
}
