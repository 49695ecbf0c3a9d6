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
	assert_int_equal(policy->steps[policy_rung(policy, 1)].action, POLICY_RESTART);
	assert_int_equal(policy->steps[policy_rung(policy, 3)].action, POLICY_INSTALLED);
	assert_int_equal(policy->steps[policy_rung(policy, 4)].action, POLICY_GIVE_UP);
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
	assert_int_equal(policy_rung(policy, 3), 0);
	assert_int_equal(policy_rung(policy, 4), 1);
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
	assert_refused(GOOD "Interval=0s\n", 5, "Interval= is no time in which");
	assert_refused(GOOD "Steps=restart reboot\n", 5, "has a step that is not known");
	assert_refused(GOOD "Steps=give-up restart\n", 5, "goes on behind");
	assert_refused(GOOD "Steps=none rebind\n", 5, "goes on behind");
	assert_refused(GOOD "Steps=restart installed restart\n", 5, "in a loop");
	assert_refused(GOOD "Steps=\n", 5, "has no step");
	assert_refused(GOOD "Steps=restart:/usr/bin/true\n", 5, "not known");
	assert_refused(GOOD "Steps=replug\n", 5, "without the file");
	assert_refused(GOOD "Steps=replug:e1000.ko\n", 5, "without its full path");
	assert_refused(GOOD "Steps=script:/nowhere\n", 5, "not there");
	assert_refused(GOOD "Steps=script:/usr/bin\n", 5, "no regular file");
	assert_refused(GOOD "Steps=script:/etc/passwd\n", 5, "not executable");
	assert_refused(GOOD "ScriptTimeout=0\n", 5, "is no time from 1ms");
	assert_refused(GOOD "GiveUp=rebind\n", 5, "neither leave nor unbind");
	assert_refused(GOOD "Parameters=\n", 5, "bytes long");
	assert_refused(GOOD "[Detect]\nOn=fault panic\n", 6, "trigger that is not known");
	assert_refused(GOOD "[Detect]\nOn=\n", 6, "has no trigger");
	assert_refused(GOOD "[Detect]\nHeartbeat=usb\n", 6, "without its full path");
	assert_refused(GOOD "[Detect]\nHeartbeatInterval=1ms\n", 6, "less than 100ms");
	assert_refused(GOOD "[Detect]\nHeartbeatMisses=0\n", 6, "is no number");
	assert_refused(GOOD "[Detect]\nGrace=1\n", 6, "Grace= is no time");
	assert_refused(GOOD "[Detect]\nHeartbeat=net\n", 0, "go together");
	assert_refused(GOOD "[Detect]\nOn=heartbeat\n", 0, "go together");
	assert_refused(GOOD "rubbish\n", 5, "neither a section nor a key");
	assert_refused("[Match]\nDriver=/bin/sh\n", 2, "no driver's name");
	assert_refused("[Match]\nDriver=e1000\n", 0, "Steps= is missing");
	assert_refused("[Recover]\nSteps=none\n", 0, "Driver= is missing");
	assert_refused(GOOD "Backoff=10s\nBackoffMax=1s\n", 0, "BackoffMax= is less");
	assert_refused(GOOD "Steps=restart restart restart restart restart restart restart "
			    "restart restart\n",
		       5, "too many steps");
}

static void all_keys_are_understood(void **state)
{
	char text[POLICY_STEP_TEXT_MAX];
	struct policy *policy = NULL;

	assert_int_equal(read_one("[Match]\nDriver=e1000\n[Detect]\nOn=fault tx-timeout heartbeat\n"
				  "Heartbeat=net\nHeartbeatInterval=1s\nHeartbeatTimeout=300ms\n"
				  "HeartbeatMisses=2\nGrace=4s\n[Recover]\n"
				  "Steps=rebind restart replug:/usr/bin/true bus-reset "
				  "script:/usr/bin/true give-up\n"
				  "ScriptTimeout=3s\nParameters=debug=1 eee=0\nGiveUp=unbind\n",
				  &policy),
			 0);
	assert_true(policy_is_on(policy, POLICY_ON_TX_TIMEOUT));
	assert_false(policy_is_on(policy, POLICY_ON_HANG));
	assert_string_equal(policy->heartbeat, "net");
	assert_int_equal(policy->heartbeat_ms, 1000);
	assert_int_equal(policy->heartbeat_limit_ms, 300);
	assert_int_equal(policy->heartbeat_misses, 2);
	assert_int_equal(policy->grace_ms, 4000);
	assert_int_equal(policy->script_ms, 3000);
	assert_string_equal(policy->parameters, "debug=1 eee=0");
	assert_true(policy->unbind);
	assert_int_equal(policy->n_steps, 6);
	assert_string_equal(policy_step_text(&policy->steps[2], text), "replug:/usr/bin/true");
	assert_string_equal(policy_step_text(&policy->steps[3], text), "bus-reset");
	policies_free(policy);
}

static void files_that_others_can_change_are_refused(void **state)
{
	struct policy *policy = NULL;
	char text[512], script[256];

	put("/script", "#!/bin/sh\n");
	snprintf(script, sizeof(script), "%s/script", root);
	snprintf(text, sizeof(text), GOOD "Steps=script:%s\n", script);
	assert_return_code(chmod(script, 0755), errno);
	if (geteuid() != 0) {
		assert_refused(text, 5, "not owned by root");
		return;
	}
	assert_return_code(chmod(root, 0777), errno);
	assert_refused(text, 5, "in a folder that others");
	assert_return_code(chmod(root, 0755), errno);
	assert_int_equal(read_one(text, &policy), 0);
	policies_free(policy);
	assert_return_code(chmod(script, 0775), errno);
	assert_refused(text, 5, "others than root may write to");
	assert_return_code(chmod(script, 0755), errno);
	assert_return_code(chown(script, 1, 0), errno);
	assert_refused(text, 5, "not owned by root");
	assert_return_code(unlink(script), errno);
	assert_return_code(symlink("/usr/bin/true", script), errno);
	assert_refused(text, 5, "no regular file");
}

static void a_folder_is_no_policy(void **state)
{
	struct policy *policy = NULL;

	assert_int_equal(policy_read(root, on_warning, NULL, &policy), -EISDIR);
	assert_null(policy);
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
		TEST(all_keys_are_understood),
		TEST(files_that_others_can_change_are_refused),
		TEST(a_folder_is_no_policy),
		TEST(the_first_that_matches_counts),
	};

	return cmocka_run_group_tests_name("policy", tests, NULL, NULL);
}
