// SPDX-License-Identifier: GPL-2.0-or-later
/* Reads policies and tells what they say. */
#include "policy.h"

#include <fnmatch.h>
#include <string.h>

#include "cleanup.h"
#include "policy_keys.h"

struct reading {
	struct policy *policy;
	inifile_warn warn;
	void *ctx;
	bool wrong;
};

static void policy_free(struct policy *policy)
{
	if (!policy)
		return;
	for (size_t i = 0; i < policy->n_steps; i++)
		free(policy->steps[i].path);
	free(policy->name);
	free(policy->drivers);
	free(policy->heartbeat);
	free(policy->parameters);
	free(policy);
}

static void policy_freep(struct policy **policy)
{
	policy_free(*policy);
}

void policies_free(struct policy *policies)
{
	for (struct policy *policy; (policy = policies);) {
		policies = policy->next;
		policy_free(policy);
	}
}

/* ---- files ---- */

static void on_warning(void *ctx, const char *path, unsigned line, const char *text)
{
	struct reading *reading = ctx;

	reading->wrong = true;
	reading->warn(reading->ctx, path, line, text);
}

static void on_key(struct inifile *file, void *ctx, const char *section, const char *key,
		   const char *value)
{
	struct reading *reading = ctx;
	const char *why;
	bool known;

	why = policy_set(reading->policy, section, key, value, &known);
	if (!known)
		inifile_complain(file, "Unknown key %.80s= in section [%.80s]", key, section);
	else if (why)
		inifile_complain(file, "%s= %s: \"%.80s\"", key, why, value);
}

int policy_read(const char *path, inifile_warn warn, void *ctx, struct policy **ret_policy)
{
	_cleanup_(policy_freep) struct policy *policy = calloc(1, sizeof(*policy));
	struct reading reading = {.policy = policy, .warn = warn, .ctx = ctx};
	const char *slash = strrchr(path, '/'), *why;
	int r;

	if (!policy)
		return -ENOMEM;
	policy->backoff_ms = 500;
	policy->backoff_max_ms = 60 * 1000;
	policy->interval_ms = 10 * 60 * 1000;
	policy->limit = 5;
	policy->script_ms = 10 * 1000;
	policy->on = 1U << POLICY_ON_FAULT;
	policy->heartbeat_ms = 5 * 1000;
	policy->heartbeat_limit_ms = 2 * 1000;
	policy->heartbeat_misses = 3;
	policy->grace_ms = 10 * 1000;
	policy->name = strdup(slash ? slash + 1 : path);
	if (!policy->name)
		return -ENOMEM;
	r = inifile_read(path, on_key, on_warning, &reading);
	if (r < 0)
		return r;
	why = reading.wrong ? NULL : policy_check(policy);
	if (why)
		on_warning(&reading, path, 0, why);
	if (reading.wrong)
		return -EBADMSG;
	*ret_policy = TAKE_PTR(policy);
	return 0;
}

struct loading {
	struct policy **end;
	inifile_warn warn;
	void *ctx;
};

static void on_file(void *ctx, const char *path)
{
	struct loading *loading = ctx;
	int r = policy_read(path, loading->warn, loading->ctx, loading->end);

	if (r >= 0)
		loading->end = &(*loading->end)->next;
	else if (r != -EBADMSG)
		loading->warn(loading->ctx, path, 0, strerror(-r));
}

int policies_load(const char *root, inifile_warn warn, void *ctx, struct policy **ret_policies)
{
	struct policy *policies = NULL;
	struct loading loading = {.end = &policies, .warn = warn, .ctx = ctx};
	int r = inifile_each(root, "policies.d", ".policy", on_file, &loading);

	if (r < 0) {
		policies_free(policies);
		return r;
	}
	*ret_policies = policies;
	return 0;
}

/* ---- what they say ---- */

static bool matches(const struct policy *policy, const char *driver)
{
	_cleanup_free_ char *copy = strdup(policy->drivers);
	char *rest = copy;

	for (char *glob; copy && (glob = strsep(&rest, " \t"));) {
		if (*glob && fnmatch(glob, driver, 0) == 0)
			return true;
	}
	return false;
}

const struct policy *policies_find(const struct policy *policies, const char *driver)
{
	for (const struct policy *policy = policies; policy; policy = policy->next) {
		if (matches(policy, driver))
			return policy;
	}
	return NULL;
}

size_t policy_rung(const struct policy *policy, unsigned n)
{
	if (n > policy->limit)
		return policy->n_steps;
	return n > policy->n_steps ? policy->n_steps - 1 : n - 1;
}

uint32_t policy_backoff_ms(const struct policy *policy, unsigned n)
{
	uint64_t ms = policy->backoff_ms;

	if (n < 2)
		return 0;
	for (; n > 2 && ms < policy->backoff_max_ms; n--)
		ms *= 2;
	return ms < policy->backoff_max_ms ? (uint32_t)ms : policy->backoff_max_ms;
}
