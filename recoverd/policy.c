// SPDX-License-Identifier: GPL-2.0-or-later
/* Reads policies and tells what they say. */
#include "policy.h"

#include <fnmatch.h>
#include <string.h>

#include "cleanup.h"
#include "duration.h"

#define LIMIT_MAX 1000

struct reading {
	struct policy *policy;
	inifile_warn warn;
	void *ctx;
	bool wrong;
};

static const char *const step_names[POLICY_STEPS] = {
	[POLICY_NONE] = "none",
	[POLICY_RESTART] = "restart",
	[POLICY_INSTALLED] = "installed",
	[POLICY_GIVE_UP] = "give-up",
};

const char *policy_step_name(enum policy_step step)
{
	return step_names[step];
}

static void policy_free(struct policy *policy)
{
	if (!policy)
		return;
	free(policy->name);
	free(policy->drivers);
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

/* ---- keys ---- */

static const char *set_drivers(struct policy *policy, const char *value)
{
	if (!*value)
		return "names no driver";
	if (value[strspn(value, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				"_-*?[] \t")])
		return "has what is in no driver's name";
	free(policy->drivers);
	policy->drivers = strdup(value);
	return policy->drivers ? NULL : "found no memory";
}

static int find_step(const char *word)
{
	for (int i = 0; i < POLICY_STEPS; i++) {
		if (strcmp(step_names[i], word) == 0)
			return i;
	}
	return -1;
}

static const char *set_steps(struct policy *policy, const char *value)
{
	_cleanup_free_ char *copy = strdup(value);
	char *rest = copy;

	if (!copy)
		return "found no memory";
	policy->n_steps = 0;
	for (char *word; (word = strsep(&rest, " \t"));) {
		int step = *word ? find_step(word) : -1;

		if (!*word)
			continue;
		if (step < 0)
			return "has a step that is not known";
		if (policy->n_steps == POLICY_STEPS_MAX)
			return "has too many steps";
		if (policy->n_steps && (policy->steps[policy->n_steps - 1] == POLICY_GIVE_UP ||
					policy->steps[policy->n_steps - 1] == POLICY_NONE))
			return "goes on behind a step that ends it";
		policy->steps[policy->n_steps++] = (enum policy_step)step;
	}
	return policy->n_steps ? NULL : "has no step";
}

static const char *set_time(uint32_t *ms, const char *value)
{
	return duration_parse_ms(value, ms) < 0 ? "is no time such as 500ms, 2s or 1min" : NULL;
}

static const char *set_backoff(struct policy *policy, const char *value)
{
	return set_time(&policy->backoff_ms, value);
}

static const char *set_backoff_max(struct policy *policy, const char *value)
{
	return set_time(&policy->backoff_max_ms, value);
}

static const char *set_interval(struct policy *policy, const char *value)
{
	return set_time(&policy->interval_ms, value);
}

static const char *set_limit(struct policy *policy, const char *value)
{
	unsigned long number;
	char *end;

	number = strtoul(value, &end, 10);
	if (*value < '0' || *value > '9' || *end || number == 0 || number > LIMIT_MAX)
		return "is no number from 1 to 1000";
	policy->limit = (uint32_t)number;
	return NULL;
}

static const struct {
	const char *section, *key;
	const char *(*set)(struct policy *policy, const char *value);
} keys[] = {
	{"Match", "Driver", set_drivers},      {"Recover", "Steps", set_steps},
	{"Recover", "Backoff", set_backoff},   {"Recover", "BackoffMax", set_backoff_max},
	{"Recover", "Interval", set_interval}, {"Recover", "Limit", set_limit},
};

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

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		if (strcmp(keys[i].section, section) != 0 || strcmp(keys[i].key, key) != 0)
			continue;
		why = keys[i].set(reading->policy, value);
		if (why)
			inifile_complain(file, "%s= %s: \"%.80s\"", key, why, value);
		return;
	}
	inifile_complain(file, "Unknown key %.80s= in section [%.80s]", key, section);
}

/* What no line is to blame for. */
static void check(struct reading *reading, const char *path)
{
	const struct policy *policy = reading->policy;

	if (!policy->drivers)
		on_warning(reading, path, 0, "Driver= is missing in section [Match]");
	if (!policy->n_steps)
		on_warning(reading, path, 0, "Steps= is missing in section [Recover]");
	if (policy->backoff_max_ms < policy->backoff_ms)
		on_warning(reading, path, 0, "BackoffMax= is less than Backoff=");
}

int policy_read(const char *path, inifile_warn warn, void *ctx, struct policy **ret_policy)
{
	_cleanup_(policy_freep) struct policy *policy = calloc(1, sizeof(*policy));
	struct reading reading = {.policy = policy, .warn = warn, .ctx = ctx};
	const char *slash = strrchr(path, '/');
	int r;

	if (!policy)
		return -ENOMEM;
	policy->backoff_ms = 500;
	policy->backoff_max_ms = 60 * 1000;
	policy->interval_ms = 10 * 60 * 1000;
	policy->limit = 5;
	policy->name = strdup(slash ? slash + 1 : path);
	if (!policy->name)
		return -ENOMEM;
	r = inifile_read(path, on_key, on_warning, &reading);
	if (r < 0)
		return r;
	if (!reading.wrong)
		check(&reading, path);
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

enum policy_step policy_step_at(const struct policy *policy, unsigned n)
{
	if (n > policy->limit)
		return POLICY_GIVE_UP;
	return policy->steps[n > policy->n_steps ? policy->n_steps - 1 : n - 1];
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
