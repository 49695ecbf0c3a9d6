// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The intent of a swap: what was written comes back, and a damaged file is never believed.
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
#include "../../recoverd/intent.h"

static const char good[] =
	"{\"schema\":\"recov.intent/1\",\"boot_id\":\"b\",\"started\":\"t\",\"mono_ns\":5,"
	"\"driver\":\"pcnet32\",\"image\":null,\"modules\":["
	"{\"name\":\"pcnet32\",\"old_path\":\"/a\",\"new_path\":\"/b\",\"options\":\"debug=1\"},"
	"{\"name\":\"mii\",\"old_path\":\"/c\",\"new_path\":\"/c\",\"options\":\"\"}]}";

static char path[] = "/tmp/test_intent.XXXXXX";

static int setup(void **state)
{
	int fd;

	strcpy(strrchr(path, '.'), ".XXXXXX");
	fd = mkstemp(path);
	return fd < 0 ? -1 : close(fd);
}

static int teardown(void **state)
{
	(void)unlink(path);
	return 0;
}

static int parse(const char *text, size_t len, struct intent **ret_intent)
{
	char why[256] = "";
	int r;

	r = intent_parse(text, len, ret_intent, why, sizeof(why));
	if (r == -EBADMSG)
		assert_true(strlen(why) > 0);
	return r;
}

static void assert_is_good(const struct intent *intent)
{
	assert_string_equal(intent->driver, "pcnet32");
	assert_null(intent->image);
	assert_int_equal(intent->mono_ns, 5);
	assert_int_equal(intent->n_modules, 2);
	assert_string_equal(intent->modules[0].name, "pcnet32");
	assert_string_equal(intent->modules[0].old_path, "/a");
	assert_string_equal(intent->modules[0].new_path, "/b");
	assert_string_equal(intent->modules[0].options, "debug=1");
	assert_string_equal(intent->modules[1].name, "mii");
}

static void what_was_written_comes_back(void **state)
{
	struct intent *intent = NULL, *again = NULL;
	char why[256];
	struct stat st;

	assert_int_equal(parse(good, strlen(good), &intent), 0);
	assert_int_equal(intent_write(intent, path), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(intent_read(path, &again, why, sizeof(why)), 0);
	assert_is_good(again);
	assert_int_equal(intent_remove(path), 0);
	assert_int_equal(intent_read(path, &again, why, sizeof(why)), -ENOENT);
	assert_int_equal(intent_remove(path), 0);
	intent_free(intent);
	intent_free(again);
}

static void an_image_comes_back_too(void **state)
{
	struct intent *intent = NULL, *again = NULL;
	char why[256];

	assert_int_equal(intent_new("e1000", "/root/e1000.ko", "b", "t", 1, NULL, &intent), 0);
	assert_int_equal(intent_write(intent, path), 0);
	assert_int_equal(intent_read(path, &again, why, sizeof(why)), 0);
	assert_string_equal(again->image, "/root/e1000.ko");
	assert_int_equal(again->n_modules, 0);
	intent_free(intent);
	intent_free(again);
}

static void a_cut_file_is_damaged_wherever_it_is_cut(void **state)
{
	struct intent *intent = NULL;

	for (size_t len = 0; len < strlen(good); len++)
		assert_int_equal(parse(good, len, &intent), -EBADMSG);
	assert_null(intent);
}

static void a_changed_byte_never_does_harm(void **state)
{
	_cleanup_free_ char *text = strdup(good);

	for (size_t i = 0; i < strlen(good); i++) {
		for (int bit = 0; bit < 8; bit++) {
			struct intent *intent = NULL;

			text[i] = (char)(good[i] ^ (1 << bit));
			if (parse(text, strlen(good), &intent) == 0)
				assert_true(intent->driver && intent->boot_id);
			intent_free(intent);
		}
		text[i] = good[i];
	}
}

static void assert_refused(const char *from, const char *to)
{
	_cleanup_free_ char *text = NULL;
	struct intent *intent = NULL;
	const char *at = strstr(good, from);

	assert_non_null(at);
	assert_true(asprintf(&text, "%.*s%s%s", (int)(at - good), good, to, at + strlen(from)) > 0);
	assert_int_equal(parse(text, strlen(text), &intent), -EBADMSG);
	assert_null(intent);
}

static void values_out_of_range_are_refused(void **state)
{
	assert_refused("recov.intent/1", "recov.intent/2");
	assert_refused("\"mono_ns\":5", "\"mono_ns\":-5");
	assert_refused("\"mono_ns\":5", "\"mono_ns\":1e3");
	assert_refused("\"driver\":\"pcnet32\"", "\"driver\":\"../pcnet32\"");
	assert_refused("\"driver\":\"pcnet32\"", "\"driver\":\"\"");
	assert_refused("\"image\":null", "\"image\":\"relative.ko\"");
	assert_refused("\"image\":null", "\"image\":7");
	assert_refused("\"name\":\"mii\"", "\"name\":\"m i\"");
	assert_refused("\"old_path\":\"/a\"", "\"old_path\":\"a\"");
	assert_refused("\"options\":\"\"", "\"options\":null");
	assert_refused("\"boot_id\":\"b\",", "");
	assert_refused("\"boot_id\":\"b\",", "\"boot_id\":\"b\",\"boot_id\":\"b\",");
	assert_refused("\"boot_id\":\"b\",", "\"boot_id\":\"b\",\"more\":1,");
	assert_refused("\"modules\":[", "\"modules\":[7,");
	assert_refused("pcnet32\",\"image\"", "pcnet32\\u0000\",\"image\"");
}

static void a_list_without_end_is_refused(void **state)
{
	json_auto_t *modules = json_array();
	struct intent *intent = NULL;

	for (int i = 0; i < 33; i++)
		json_array_append_new(modules,
				      json_pack("{s:s, s:s, s:s, s:s}", "name", "a", "old_path",
						"/a", "new_path", "/a", "options", ""));
	assert_int_equal(intent_new("a", NULL, "b", "t", 1, modules, &intent), -EBADMSG);
	json_array_remove(modules, 0);
	assert_int_equal(intent_new("a", NULL, "b", "t", 1, modules, &intent), 0);
	intent_free(intent);
}

static void only_a_file_of_ours_is_read(void **state)
{
	struct intent *intent = NULL;
	char why[256], link[64];

	snprintf(link, sizeof(link), "%s.link", path);
	assert_int_equal(symlink(path, link), 0);
	assert_int_equal(intent_read(link, &intent, why, sizeof(why)), -ELOOP);
	assert_int_equal(unlink(link), 0);
	assert_int_equal(mkfifo(link, 0600), 0);
	assert_int_equal(intent_read(link, &intent, why, sizeof(why)), -EBADMSG);
	assert_int_equal(unlink(link), 0);
	assert_int_equal(truncate(path, 10 << 20), 0);
	assert_int_equal(intent_read(path, &intent, why, sizeof(why)), -EBADMSG);
	assert_int_equal(truncate(path, 0), 0);
	assert_int_equal(intent_read(path, &intent, why, sizeof(why)), -EBADMSG);
	if (getuid() == 0) {
		assert_int_equal(chown(path, 65534, 65534), 0);
		assert_int_equal(intent_read(path, &intent, why, sizeof(why)), -EBADMSG);
	}
}

static void writing_fails_cleanly(void **state)
{
	struct intent *intent = NULL;

	assert_int_equal(parse(good, strlen(good), &intent), 0);
	assert_int_equal(intent_write(intent, "/nonexistent/swap.json"), -ENOENT);
	intent_free(intent);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_was_written_comes_back),
		TEST(an_image_comes_back_too),
		TEST(a_cut_file_is_damaged_wherever_it_is_cut),
		TEST(a_changed_byte_never_does_harm),
		TEST(values_out_of_range_are_refused),
		TEST(a_list_without_end_is_refused),
		TEST(only_a_file_of_ours_is_read),
		TEST(writing_fails_cleanly),
	};

	return cmocka_run_group_tests_name("intent", tests, NULL, NULL);
}
