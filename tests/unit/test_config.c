// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Configuration: which file wins, what is warned of, and that bad lines change nothing.
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
#include "../../recoverd/config.h"

static char root[] = "/tmp/test_config.XXXXXX";
static struct config *config;
static char warnings[4096];

static void on_warning(void *ctx, const char *file, unsigned line, const char *text)
{
	size_t used = strlen(warnings);

	snprintf(warnings + used, sizeof(warnings) - used, "%s:%u: %s\n", file + strlen(root), line,
		 text);
}

static int setup(void **state)
{
	strcpy(strrchr(root, '.'), ".XXXXXX");
	warnings[0] = '\0';
	return mkdtemp(root) && config_new(&config) == 0 ? 0 : -1;
}

static int teardown(void **state)
{
	char command[64];

	config_free(config);
	snprintf(command, sizeof(command), "rm -rf %s", root);
	return system(command);
}

static void write_text(const char *path, const char *text)
{
	_cleanup_fclose_ FILE *file = NULL;
	char name[256];

	snprintf(name, sizeof(name), "%s%s", root, path);
	for (char *slash = name + strlen(root) + 1; (slash = strchr(slash, '/')); slash++) {
		*slash = '\0';
		(void)mkdir(name, 0755);
		*slash = '/';
	}
	file = fopen(name, "w");
	assert_non_null(file);
	fputs(text, file);
}

static void load(void)
{
	assert_int_equal(config_load(config, root, on_warning, NULL), 0);
}

static void has_defaults_without_any_file(void **state)
{
	load();
	assert_null(config->output);
	assert_int_equal(config->history, 1024);
	assert_int_equal(config->memory_budget, 0);
	assert_int_equal(config->drain_ms, 100);
	assert_int_equal(config->deadline_ms, 30000);
	assert_int_equal(config->link_ms, 6000);
	assert_string_equal(warnings, "");
}

static void takes_every_key(void **state)
{
	write_text("/etc/recoverd/recoverd.conf", "# comment\n"
						  "[Events]\n"
						  "Output=/var/log/recoverd/events.jsonl\n"
						  "History = 10\n"
						  "\n"
						  "[Observe]\n"
						  "MemoryBudget=64M\n"
						  "[Swap]\n"
						  "DrainLimit=1.5s ; comment\n"
						  "Deadline=1min\n"
						  "LinkLimit=500ms\n");
	load();
	assert_string_equal(config->output, "/var/log/recoverd/events.jsonl");
	assert_int_equal(config->history, 10);
	assert_int_equal(config->memory_budget, 64 << 20);
	assert_int_equal(config->drain_ms, 1500);
	assert_int_equal(config->deadline_ms, 60000);
	assert_int_equal(config->link_ms, 500);
	assert_string_equal(warnings, "");
}

static void reads_one_main_file_etc_first(void **state)
{
	write_text("/usr/lib/recoverd/recoverd.conf", "[Events]\nHistory=1\n[Swap]\nDeadline=5s\n");
	load();
	assert_int_equal(config->history, 1);
	write_text("/etc/recoverd/recoverd.conf", "[Events]\nHistory=2\n");
	config_free(config);
	assert_int_equal(config_new(&config), 0);
	load();
	assert_int_equal(config->history, 2);
	assert_int_equal(config->deadline_ms, 30000);
}

static void drop_ins_come_after_in_the_order_of_names(void **state)
{
	write_text("/etc/recoverd/recoverd.conf", "[Events]\nHistory=1\n");
	write_text("/etc/recoverd/recoverd.conf.d/20.conf", "[Events]\nHistory=20\n");
	write_text("/usr/lib/recoverd/recoverd.conf.d/30.conf", "[Events]\nHistory=30\n");
	write_text("/run/recoverd/recoverd.conf.d/10.conf", "[Events]\nHistory=10\n");
	load();
	assert_int_equal(config->history, 30);
}

static void a_drop_in_hides_one_of_the_same_name(void **state)
{
	write_text("/usr/lib/recoverd/recoverd.conf.d/50.conf",
		   "[Events]\nHistory=5\n[Swap]\nDeadline=5s\n");
	write_text("/run/recoverd/recoverd.conf.d/50.conf", "[Events]\nHistory=6\n");
	write_text("/etc/recoverd/recoverd.conf.d/50.conf", "");
	load();
	assert_int_equal(config->history, 1024);
	assert_int_equal(config->deadline_ms, 30000);
}

static void other_names_are_no_drop_ins(void **state)
{
	write_text("/etc/recoverd/recoverd.conf.d/a.conf.bak", "[Events]\nHistory=5\n");
	write_text("/etc/recoverd/recoverd.conf.d/.conf", "[Events]\nHistory=5\n");
	write_text("/etc/recoverd/recoverd.conf.d/.b.conf", "[Events]\nHistory=5\n");
	load();
	assert_int_equal(config->history, 1024);
}

static void unknown_keys_are_told_with_file_and_line(void **state)
{
	write_text("/etc/recoverd/recoverd.conf", "[Events]\n"
						  "\n"
						  "Histroy=1\n"
						  "[Policy]\n"
						  "History=1\n");
	load();
	assert_string_equal(warnings, "/etc/recoverd/recoverd.conf:3: Unknown key Histroy= in "
				      "section [Events], ignoring\n"
				      "/etc/recoverd/recoverd.conf:5: Unknown key History= in "
				      "section [Policy], ignoring\n");
	assert_int_equal(config->history, 1024);
}

static void bad_values_are_told_and_change_nothing(void **state)
{
	static const char *const bad[] = {
		"[Events]\nHistory=0\n",	  "[Events]\nHistory=-1\n",
		"[Events]\nHistory=9999999\n",	  "[Events]\nHistory=ten\n",
		"[Events]\nOutput=relative\n",	  "[Events]\nOutput=unix:x\n",
		"[Swap]\nDrainLimit=5\n",	  "[Swap]\nDrainLimit=11s\n",
		"[Swap]\nDeadline=0s\n",	  "[Swap]\nDeadline=121s\n",
		"[Swap]\nLinkLimit=forever\n",	  "[Observe]\nMemoryBudget=0\n",
		"[Observe]\nMemoryBudget=lots\n",
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		warnings[0] = '\0';
		write_text("/etc/recoverd/recoverd.conf", bad[i]);
		load();
		assert_non_null(strstr(warnings, "recoverd.conf:2: "));
		assert_non_null(strstr(warnings, "can't be"));
	}
	assert_null(config->output);
	assert_int_equal(config->history, 1024);
	assert_int_equal(config->memory_budget, 0);
	assert_int_equal(config->drain_ms, 100);
	assert_int_equal(config->deadline_ms, 30000);
	assert_int_equal(config->link_ms, 6000);
}

static void lines_of_no_meaning_are_told(void **state)
{
	write_text("/etc/recoverd/recoverd.conf", "[Events]\nnonsense\nHistory=3\n");
	load();
	assert_non_null(strstr(warnings, "recoverd.conf:2: "));
	assert_int_equal(config->history, 3);
}

static void a_line_too_long_is_passed_over_as_a_whole(void **state)
{
	char text[2000];

	/* Cut in two it would set History to 7. */
	strcpy(text, "[Events]\n#");
	memset(text + strlen(text), 'x', 197);
	strcpy(text + 207, "\nHistory=3\n;");
	memset(text + strlen(text), 'y', 198);
	strcpy(text + 207 + 12 + 198, "History=7\nHistory=4\n");
	write_text("/etc/recoverd/recoverd.conf", text);
	load();
	assert_int_equal(config->history, 4);
	assert_non_null(strstr(warnings, "recoverd.conf:4: Line is longer"));
}

static void a_folder_in_place_of_a_file_is_an_error(void **state)
{
	char path[256];

	write_text("/etc/recoverd/recoverd.conf/x", "");
	assert_int_equal(config_load(config, root, on_warning, NULL), -EISDIR);
	snprintf(path, sizeof(path), "%s/etc/recoverd/none.conf", root);
	assert_int_equal(config_read(config, path, on_warning, NULL), -ENOENT);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(has_defaults_without_any_file),
		TEST(takes_every_key),
		TEST(reads_one_main_file_etc_first),
		TEST(drop_ins_come_after_in_the_order_of_names),
		TEST(a_drop_in_hides_one_of_the_same_name),
		TEST(other_names_are_no_drop_ins),
		TEST(unknown_keys_are_told_with_file_and_line),
		TEST(bad_values_are_told_and_change_nothing),
		TEST(lines_of_no_meaning_are_told),
		TEST(a_line_too_long_is_passed_over_as_a_whole),
		TEST(a_folder_in_place_of_a_file_is_an_error),
	};

	return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
