// SPDX-License-Identifier: GPL-2.0-or-later
/* recovctl policy: looks at policies, without the daemon. */
#include <string.h>

#include "../recoverd/cleanup.h"
#include "../recoverd/duration.h"
#include "../recoverd/policy.h"
#include "../recoverd/text.h"
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

static json_t *detect_json(const struct policy *policy)
{
	json_t *on = json_array();

	for (int i = 0; i < POLICY_TRIGGERS; i++) {
		if (policy_is_on(policy, (enum policy_trigger)i))
			json_array_append_new(
				on, json_string(policy_trigger_name((enum policy_trigger)i)));
	}
	return json_pack("{s:o, s:s?, s:I, s:I, s:i, s:I}", "on", on, "heartbeat",
			 policy->heartbeat, "heartbeat_interval_ms",
			 (json_int_t)policy->heartbeat_ms, "heartbeat_timeout_ms",
			 (json_int_t)policy->heartbeat_limit_ms, "heartbeat_misses",
			 (int)policy->heartbeat_misses, "grace_ms", (json_int_t)policy->grace_ms);
}

static json_t *policy_json(const struct policy *policy)
{
	json_t *steps = json_array();
	char text[POLICY_STEP_TEXT_MAX];

	for (size_t i = 0; i < policy->n_steps; i++)
		json_array_append_new(steps, text_json(policy_step_text(&policy->steps[i], text)));
	return json_pack(
		"{s:o, s:s, s:o, s:o, s:I, s:I, s:i, s:I, s:I, s:o?, s:s}", "name",
		text_json(policy->name), "drivers", policy->drivers, "detect", detect_json(policy),
		"steps", steps, "backoff_ms", (json_int_t)policy->backoff_ms, "backoff_max_ms",
		(json_int_t)policy->backoff_max_ms, "limit", (int)policy->limit, "interval_ms",
		(json_int_t)policy->interval_ms, "script_timeout_ms", (json_int_t)policy->script_ms,
		"parameters", policy->parameters ? text_json(policy->parameters) : NULL, "give_up",
		policy->unbind ? "unbind" : "leave");
}

static void say_policy(const struct policy *policy)
{
	char backoff[32], most[32], interval[32], text[POLICY_STEP_TEXT_MAX];

	say("%s: %s, on", policy->name, policy->drivers);
	for (int i = 0; i < POLICY_TRIGGERS; i++) {
		if (policy_is_on(policy, (enum policy_trigger)i))
			say(" %s", policy_trigger_name((enum policy_trigger)i));
	}
	if (policy->heartbeat)
		say(" (%s)", policy->heartbeat);
	say("\n");
	say("  ");
	for (size_t i = 0; i < policy->n_steps; i++)
		say("%s%s", i ? ", then " : "", policy_step_text(&policy->steps[i], text));
	say("; waits %s to %s, gives up after %u in %s%s\n",
	    duration_format(policy->backoff_ms * UINT64_C(1000000), backoff, sizeof(backoff)),
	    duration_format(policy->backoff_max_ms * UINT64_C(1000000), most, sizeof(most)),
	    policy->limit,
	    duration_format(policy->interval_ms * UINT64_C(1000000), interval, sizeof(interval)),
	    policy->unbind ? " and unbinds its devices" : "");
	if (policy->parameters)
		say("  with %s\n", policy->parameters);
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
