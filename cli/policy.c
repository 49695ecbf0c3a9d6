// SPDX-License-Identifier: GPL-2.0-or-later
/* recovctl policy: looks at policies, without the daemon. */
#include <string.h>

#include "../recoverd/cleanup.h"
#include "../recoverd/duration.h"
#include "../recoverd/policy.h"
#include "output.h"

static void on_wrong(void *ctx, const char *file, unsigned line, const char *text)
{
	(void)ctx;
	if (line)
		complain("%s:%u: %s", file, line, text);
	else
		complain("%s: %s", file, text);
}

static int check(const char *path)
{
	struct policy *policy = NULL;
	int r = policy_read(path, on_wrong, NULL, &policy);

	if (r < 0 && r != -EBADMSG)
		complain("%s: %s", path, strerror(-r));
	policies_free(policy);
	return r < 0 ? r == -ENOENT ? EXIT_USAGE : EXIT_FAILED : EXIT_DONE;
}

static json_t *policy_json(const struct policy *policy)
{
	json_t *steps = json_array();

	for (size_t i = 0; i < policy->n_steps; i++)
		json_array_append_new(steps, json_string(policy_step_name(policy->steps[i])));
	return json_pack("{s:s, s:s, s:o, s:i, s:i, s:i, s:i}", "name", policy->name, "drivers",
			 policy->drivers, "steps", steps, "backoff_ms", (int)policy->backoff_ms,
			 "backoff_max_ms", (int)policy->backoff_max_ms, "limit", (int)policy->limit,
			 "interval_ms", (int)policy->interval_ms);
}

static void say_policy(const struct policy *policy)
{
	char backoff[32], most[32], interval[32];

	say("%s: %s\n  ", policy->name, policy->drivers);
	for (size_t i = 0; i < policy->n_steps; i++)
		say("%s%s", i ? ", then " : "", policy_step_name(policy->steps[i]));
	say("; waits %s to %s, gives up after %u in %s\n",
	    duration_format(policy->backoff_ms * UINT64_C(1000000), backoff, sizeof(backoff)),
	    duration_format(policy->backoff_max_ms * UINT64_C(1000000), most, sizeof(most)),
	    policy->limit,
	    duration_format(policy->interval_ms * UINT64_C(1000000), interval, sizeof(interval)));
}

/* The one that counts for a driver, or all. */
static int show(const struct cli *cli, const char *driver)
{
	struct policy *policies = NULL;
	json_auto_t *list = json_array();
	const struct policy *found = NULL;
	int r = policies_load("", on_wrong, NULL, &policies);

	if (r < 0) {
		complain("The policies can't be read: %s", strerror(-r));
		return EXIT_FAILED;
	}
	if (driver)
		found = policies_find(policies, driver);
	for (const struct policy *policy = policies; policy; policy = policy->next) {
		if (driver && policy != found)
			continue;
		if (cli->json)
			json_array_append_new(list, policy_json(policy));
		else
			say_policy(policy);
	}
	if (cli->json)
		say_json(list);
	else if (driver && !found)
		say("no policy is about %s: its faults are only told\n", driver);
	policies_free(policies);
	return EXIT_DONE;
}

int verb_policy(const struct cli *cli)
{
	int status = EXIT_DONE;

	if (strcmp(cli->operands[0], "show") == 0 && cli->n_operands <= 2)
		return show(cli, cli->n_operands == 2 ? cli->operands[1] : NULL);
	if (strcmp(cli->operands[0], "check") == 0 && cli->n_operands >= 2) {
		for (int i = 1; i < cli->n_operands; i++) {
			int one = check(cli->operands[i]);

			if (one != EXIT_DONE)
				status = one;
		}
		return status;
	}
	complain("policy takes check FILE... or show [DRIVER]");
	return EXIT_USAGE;
}
