// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Policies: what they say, and that one with a mistake says nothing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../recoverd/cleanup.h"
#include "../../recoverd/policy.h"

static char root[] = "/tmp/test_policy.XXXXXX";
static char told[512];
static unsigned told_line, n_told;

static void on_warning(void *ctx, const char *file, unsigned line, const char *text)
{
	if (n_told++ == 0) {
		snprintf(told, sizeof(told), "%s", text);
		told_line = line;
	}
}

static void put(const char *name, const char *text)
{
	_cleanup_fclose_ FILE *file = NULL;
	char path[256];

	snprintf(path, sizeof(path), "%s%s", root, name);
	file = fopen(path, "we");
	assert_non_null(file);
	fputs(text, file);
}

static int setup(void **state)
{
	char command[256];

	strcpy(strrchr(root, '.'), ".XXXXXX");
	if (!mkdtemp(root))
		return -1;
	snprintf(command, sizeof(command),
		 "mkdir -p %s/etc/recoverd/policies.d "
		 "%s/usr/lib/recoverd/policies.d",
		 root, root);
	told[0] = '\0';
	told_line = n_told = 0;
	return system(command);
}

static int teardown(void **state)
{
	char command[96];

	snprintf(command, sizeof(command), "rm -r %s", root);
	return system(command);
}

static int read_one(const char *text, struct policy **ret_policy)
{
	char path[256];

	put("/one.policy", text);
	snprintf(path, sizeof(path), "%s/one.policy", root);
	return policy_read(path, on_warning, NULL, ret_policy);
}

static void a_policy_says_what_to_do(void **state)
{
	struct policy *policy = NULL;

	assert_int_equal(read_one("[Match]\nDriver=e1000 virtio_*\n[Recover]\n"
				  "Steps=restart restart installed give-up\n"
				  "Backoff=1s\nBackoffMax=3s\nLimit=4\nInterval=1min\n",
				  &policy),
			 0);
	assert_int_equal(n_told, 0);
	assert_string_equal(policy->name, "one.policy");
	assert_int_equal(policy->interval_ms, 60000);
	assert_int_equal(policy_step_at(policy, 1), POLICY_RESTART);
	assert_int_equal(policy_step_at(policy, 3), POLICY_INSTALLED);
	assert_int_equal(policy_step_at(policy, 4), POLICY_GIVE_UP);
	assert_int_equal(policy_backoff_ms(policy, 1), 0);
	assert_int_equal(policy_backoff_ms(policy, 2), 1000);
	assert_int_equal(policy_backoff_ms(policy, 3), 2000);
	assert_int_equal(policy_backoff_ms(policy, 4), 3000);
	assert_int_equal(policy_backoff_ms(policy, 1000), 3000);
	assert_ptr_equal(policies_find(policy, "e1000"), policy);
	assert_ptr_equal(policies_find(policy, "virtio_net"), policy);
	assert_null(policies_find(policy, "e1000e"));
	policies_free(policy);
}

static void the_last_step_is_repeated_until_there_are_too_many_faults(void **state)
{
	struct policy *policy = NULL;

	assert_int_equal(
		read_one("[Match]\nDriver=*\n[Recover]\nSteps=restart\nLimit=3\n", &policy), 0);
	assert_int_equal(policy_step_at(policy, 3), POLICY_RESTART);
	assert_int_equal(policy_step_at(policy, 4), POLICY_GIVE_UP);
	policies_free(policy);
}

static void assert_refused(const char *text, unsigned line, const char *why)
{
	struct policy *policy = NULL;

	n_told = 0;
	assert_int_equal(read_one(text, &policy), -EBADMSG);
	assert_null(policy);
	assert_non_null(strstr(told, why));
	assert_int_equal(told_line, line);
}

#define GOOD "[Match]\nDriver=e1000\n[Recover]\nSteps=restart\n"

static void a_mistake_is_told_with_its_line(void **state)
{
	assert_refused(GOOD "Stpes=restart\n", 5, "Unknown key Stpes= in section [Recover]");
	assert_refused(GOOD "[Recovery]\nSteps=none\n", 6, "Unknown key Steps=");
	assert_refused(GOOD "Backoff=5\n", 5, "Backoff= is no time");
	assert_refused(GOOD "Interval=1h2\n", 5, "Interval= is no time");
	assert_refused(GOOD "Limit=0\n", 5, "Limit= is no number");
	assert_refused(GOOD "Limit=-1\n", 5, "Limit= is no number");
	assert_refused(GOOD "Steps=restart reboot\n", 5, "has a step that is not known");
	assert_refused(GOOD "Steps=give-up restart\n", 5, "goes on behind");
	assert_refused(GOOD "Steps=\n", 5, "has no step");
	assert_refused(GOOD "rubbish\n", 5, "neither a section nor a key");
	assert_refused("[Match]\nDriver=/bin/sh\n", 2, "no driver's name");
	assert_refused("[Match]\nDriver=e1000\n", 0, "Steps= is missing");
	assert_refused("[Recover]\nSteps=none\n", 0, "Driver= is missing");
	assert_refused(GOOD "Backoff=10s\nBackoffMax=1s\n", 0, "BackoffMax= is less");
	assert_refused(GOOD "Steps=restart restart restart restart restart restart restart "
			    "restart restart\n",
		       5, "too many steps");
}

static void the_first_that_matches_counts(void **state)
{
	struct policy *policies = NULL;

	put("/usr/lib/recoverd/policies.d/50-any.policy",
	    "[Match]\nDriver=*\n[Recover]\nSteps=none\n");
	put("/etc/recoverd/policies.d/10-e1000.policy", GOOD);
	put("/usr/lib/recoverd/policies.d/10-e1000.policy", "hidden");
	put("/etc/recoverd/policies.d/20-bad.policy", "[Match]\nDriver=*\n");
	assert_int_equal(policies_load(root, on_warning, NULL, &policies), 0);
	assert_int_equal(n_told, 1);
	assert_string_equal(policies_find(policies, "e1000")->name, "10-e1000.policy");
	assert_string_equal(policies_find(policies, "igb")->name, "50-any.policy");
	policies_free(policies);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_policy_says_what_to_do),
		TEST(the_last_step_is_repeated_until_there_are_too_many_faults),
		TEST(a_mistake_is_told_with_its_line),
		TEST(the_first_that_matches_counts),
	};

	return cmocka_run_group_tests_name("policy", tests, NULL, NULL);
}
