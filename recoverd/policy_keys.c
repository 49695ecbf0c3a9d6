// SPDX-License-Identifier: GPL-2.0-or-later
/* Understands the keys of policies. */
#include "policy_keys.h"

#include <limits.h>
#include <string.h>

#include "cleanup.h"
#include "duration.h"
#include "trusted.h"

#define SCRIPT_LIMIT_MAX (10 * 60 * 1000)
#define PARAMETERS_MAX	 1024
#define STRING(text)	 #text
#define NUMBER(value)	 STRING(value)

static const struct {
	const char *name;
	bool has_path;
	bool ends; /* nothing can follow */
} actions[POLICY_ACTIONS] = {
	[POLICY_NONE] = {"none", .ends = true},
	[POLICY_REBIND] = {"rebind"},
	[POLICY_RESTART] = {"restart"},
	[POLICY_UNTRUSTED] = {"untrusted"},
	[POLICY_INSTALLED] = {"installed"},
	[POLICY_REPLUG] = {"replug", .has_path = true},
	[POLICY_BUS_RESET] = {"bus-reset"},
	[POLICY_SCRIPT] = {"script", .has_path = true},
	[POLICY_GIVE_UP] = {"give-up", .ends = true},
};

static const char *const trigger_names[POLICY_TRIGGERS] = {
	[POLICY_ON_FAULT] = "fault",
	[POLICY_ON_HANG] = "hang",
	[POLICY_ON_WARN] = "warn",
	[POLICY_ON_OOPS] = "oops",
	[POLICY_ON_TX_TIMEOUT] = "tx-timeout",
	[POLICY_ON_STORM] = "storm",
	[POLICY_ON_HEARTBEAT] = "heartbeat",
};

const char *policy_trigger_name(enum policy_trigger trigger)
{
	return trigger_names[trigger];
}

/* ---- steps ---- */

const char *policy_step_text(const struct policy_step *step, char *buf)
{
	snprintf(buf, POLICY_STEP_TEXT_MAX, "%s%s%s", actions[step->action].name,
		 step->path ? ":" : "", step->path ? step->path : "");
	return buf;
}

static int find_action(const char *word, size_t length)
{
	for (int i = 0; i < POLICY_ACTIONS; i++) {
		if (strlen(actions[i].name) == length &&
		    strncmp(actions[i].name, word, length) == 0)
			return i;
	}
	return -1;
}

const char *policy_step_parse(const char *word, struct policy_step *ret_step)
{
	size_t length = strcspn(word, ":");
	const char *path = word[length] ? word + length + 1 : NULL, *why;
	struct policy_step step = {};
	int action = find_action(word, length);

	if (action < 0 || (path && !actions[action].has_path))
		return "has a step that is not known";
	step.action = (enum policy_action)action;
	if (actions[action].has_path) {
		why = path ? trusted_check(path, action == POLICY_SCRIPT)
			   : "has a step without the file that it is about";
		if (why)
			return why;
		step.path = strdup(path);
		if (!step.path)
			return "found no memory";
	}
	*ret_step = step;
	return NULL;
}

static bool is_same(const struct policy_step *a, const struct policy_step *b)
{
	return a->action == b->action && (!a->path || strcmp(a->path, b->path) == 0);
}

/* Steps go up: one that comes again behind another would go on for ever. */
static const char *check_order(const struct policy *policy, const struct policy_step *step)
{
	const struct policy_step *last =
		policy->n_steps ? &policy->steps[policy->n_steps - 1] : NULL;

	if (policy->n_steps == POLICY_STEPS_MAX)
		return "has too many steps";
	if (last && actions[last->action].ends)
		return "goes on behind a step that ends it";
	for (size_t i = 0; last && !is_same(last, step) && i < policy->n_steps; i++) {
		if (is_same(&policy->steps[i], step))
			return "comes back to a step that it has left, in a loop";
	}
	return NULL;
}

static void forget_steps(struct policy *policy)
{
	while (policy->n_steps)
		free(policy->steps[--policy->n_steps].path);
}

static const char *set_steps(struct policy *policy, const char *value)
{
	_cleanup_free_ char *copy = strdup(value);
	char *rest = copy;
	const char *why;

	if (!copy)
		return "found no memory";
	forget_steps(policy);
	for (char *word; (word = strsep(&rest, " \t"));) {
		struct policy_step step;

		if (!*word)
			continue;
		why = policy_step_parse(word, &step);
		if (why)
			return why;
		why = check_order(policy, &step);
		if (why) {
			free(step.path);
			return why;
		}
		policy->steps[policy->n_steps++] = step;
	}
	return policy->n_steps ? NULL : "has no step";
}

/* ---- other values ---- */

static const char *set_text(char **text, const char *value)
{
	free(*text);
	*text = strdup(value);
	return *text ? NULL : "found no memory";
}

static const char *set_drivers(struct policy *policy, const char *value)
{
	if (!*value)
		return "names no driver";
	if (value[strspn(value, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				"_-*?[] \t")])
		return "has what is in no driver's name";
	return set_text(&policy->drivers, value);
}

static const char *set_on(struct policy *policy, const char *value)
{
	_cleanup_free_ char *copy = strdup(value);
	char *rest = copy;

	if (!copy)
		return "found no memory";
	policy->on = 0;
	for (char *word; (word = strsep(&rest, " \t"));) {
		int i;

		if (!*word)
			continue;
		for (i = 0; i < POLICY_TRIGGERS && strcmp(trigger_names[i], word) != 0; i++)
			;
		if (i == POLICY_TRIGGERS)
			return "has a trigger that is not known";
		policy->on |= 1U << i;
	}
	return policy->on ? NULL : "has no trigger";
}

static const char *set_heartbeat(struct policy *policy, const char *value)
{
	const char *why =
		strcmp(value, POLICY_HEARTBEAT_NET) == 0 ? NULL : trusted_check(value, true);

	return why ? why : set_text(&policy->heartbeat, value);
}

static const char *set_time(uint32_t *ms, const char *value)
{
	return duration_parse_ms(value, ms) < 0 ? "is no time such as 500ms, 2s or 1min" : NULL;
}

/* What waits for ever, or not at all, is no limit. */
static const char *set_limit_of_time(uint32_t *ms, const char *value)
{
	const char *why = set_time(ms, value);

	if (!why && (*ms == 0 || *ms > SCRIPT_LIMIT_MAX))
		why = "is no time from 1ms to 10min";
	return why;
}

static const char *set_heartbeat_interval(struct policy *policy, const char *value)
{
	const char *why = set_time(&policy->heartbeat_ms, value);

	return !why && policy->heartbeat_ms < 100 ? "is less than 100ms" : why;
}

static const char *set_heartbeat_timeout(struct policy *policy, const char *value)
{
	return set_limit_of_time(&policy->heartbeat_limit_ms, value);
}

static const char *set_grace(struct policy *policy, const char *value)
{
	return set_time(&policy->grace_ms, value);
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
	const char *why = set_time(&policy->interval_ms, value);

	if (!why && policy->interval_ms == 0)
		why = "is no time in which faults could be counted";
	return why;
}

static const char *set_script_timeout(struct policy *policy, const char *value)
{
	return set_limit_of_time(&policy->script_ms, value);
}

static const char *set_count(uint32_t *count, const char *value)
{
	unsigned long number;
	char *end;

	number = strtoul(value, &end, 10);
	if (*value < '0' || *value > '9' || *end || number == 0 || number > POLICY_COUNT_MAX)
		return "is no number from 1 to " NUMBER(POLICY_COUNT_MAX);
	*count = (uint32_t)number;
	return NULL;
}

static const char *set_limit(struct policy *policy, const char *value)
{
	return set_count(&policy->limit, value);
}

static const char *set_heartbeat_misses(struct policy *policy, const char *value)
{
	return set_count(&policy->heartbeat_misses, value);
}

static const char *set_parameters(struct policy *policy, const char *value)
{
	if (!*value || strlen(value) > PARAMETERS_MAX)
		return "is not from 1 to " NUMBER(PARAMETERS_MAX) " bytes long";
	return set_text(&policy->parameters, value);
}

static const char *set_give_up(struct policy *policy, const char *value)
{
	policy->unbind = strcmp(value, "unbind") == 0;
	return policy->unbind || strcmp(value, "leave") == 0 ? NULL : "is neither leave nor unbind";
}

static const struct {
	const char *section, *key;
	const char *(*set)(struct policy *policy, const char *value);
} keys[] = {
	{"Match", "Driver", set_drivers},
	{"Detect", "On", set_on},
	{"Detect", "Heartbeat", set_heartbeat},
	{"Detect", "HeartbeatInterval", set_heartbeat_interval},
	{"Detect", "HeartbeatTimeout", set_heartbeat_timeout},
	{"Detect", "HeartbeatMisses", set_heartbeat_misses},
	{"Detect", "Grace", set_grace},
	{"Recover", "Steps", set_steps},
	{"Recover", "Backoff", set_backoff},
	{"Recover", "BackoffMax", set_backoff_max},
	{"Recover", "Interval", set_interval},
	{"Recover", "Limit", set_limit},
	{"Recover", "ScriptTimeout", set_script_timeout},
	{"Recover", "Parameters", set_parameters},
	{"Recover", "GiveUp", set_give_up},
};

const char *policy_set(struct policy *policy, const char *section, const char *key,
		       const char *value, bool *ret_known)
{
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		if (strcmp(keys[i].section, section) == 0 && strcmp(keys[i].key, key) == 0) {
			*ret_known = true;
			return keys[i].set(policy, value);
		}
	}
	*ret_known = false;
	return NULL;
}

const char *policy_check(const struct policy *policy)
{
	if (!policy->drivers)
		return "Driver= is missing in section [Match]";
	if (!policy->n_steps)
		return "Steps= is missing in section [Recover]";
	if (policy->backoff_max_ms < policy->backoff_ms)
		return "BackoffMax= is less than Backoff=";
	if (!policy->heartbeat != !policy_is_on(policy, POLICY_ON_HEARTBEAT))
		return "Heartbeat= and heartbeat in On= go together";
	return NULL;
}
