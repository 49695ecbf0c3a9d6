// SPDX-License-Identifier: GPL-2.0-or-later
/* Has groups of BPF programs loaded and unloaded by workers. */
#include "groups.h"

#include <string.h>

#include "imports.h"
#include "query.h"
#include "sound.h"

unsigned groups_for(const char *driver, unsigned asked)
{
	unsigned groups = imports_groups(driver);

	if (!(asked & 1U << PROGRAMS_MEMORY))
		groups &= ~(1U << PROGRAMS_CACHES);
	return groups | asked | 1U << PROGRAMS_BASE |
	       (sound_concerns(driver) ? 1U << PROGRAMS_SOUND : 0);
}

void groups_init(struct groups *groups, struct manager *manager, const struct groups_ops *ops,
		 void *ctx)
{
	*groups = (struct groups){
		.manager = manager, .ops = ops, .ctx = ctx, .doing = -1, .leftovers = true};
	for (unsigned group = 0; group < PROGRAMS_GROUPS; group++)
		groups->loaded |= programs_are_loaded(group) ? 1U << group : 0;
}

static void on_loaded(struct manager *manager, void *ctx, json_t *answers,
		      const struct replug_result *result)
{
	struct groups *groups = ctx;
	unsigned group = (unsigned)groups->doing;

	(void)manager;
	(void)answers;
	groups->doing = -1;
	if (result->outcome == REPLUG_SUCCESS) {
		groups->ops->forget(groups->ctx, group);
		groups->loaded |= 1U << group;
	} else {
		groups->ops->on_failed(groups->ctx, group, &result->error);
	}
	groups->ops->on_change(groups->ctx);
}

static void on_unloaded(struct manager *manager, void *ctx, json_t *answers,
			const struct replug_result *result)
{
	struct groups *groups = ctx;
	unsigned group = (unsigned)groups->doing;

	(void)manager;
	(void)answers;
	(void)result;
	groups->doing = -1;
	if (group < PROGRAMS_GROUPS)
		groups->ops->forget(groups->ctx, group);
	groups->ops->on_change(groups->ctx);
}

static void load(struct groups *groups, unsigned group)
{
	struct replug_error error = {.fault = REPLUG_FAULT_FAILED};
	int r;

	r = query_programs(groups->manager, group, true, on_loaded, groups);
	if (r >= 0) {
		groups->doing = (int)group;
		return;
	}
	snprintf(error.text, sizeof(error.text), "drivers cannot be watched: %s", strerror(-r));
	groups->ops->on_failed(groups->ctx, group, &error);
}

/* If that fails it stays, until somebody wants something else. */
static void unload(struct groups *groups, unsigned group)
{
	if (query_programs(groups->manager, group, false, on_unloaded, groups) < 0)
		return;
	groups->doing = (int)group;
	groups->loaded &= ~(1U << group);
}

void groups_want(struct groups *groups, unsigned wanted)
{
	if (groups->doing >= 0)
		return;
	if (groups->leftovers)
		unload(groups, PROGRAMS_GROUPS);
	groups->leftovers = false;
	for (unsigned group = 0; group < PROGRAMS_GROUPS && groups->doing < 0; group++) {
		bool is_wanted = wanted >> group & 1;

		if (is_wanted && !groups_have(groups, group))
			load(groups, group);
		else if (!is_wanted && groups_have(groups, group))
			unload(groups, group);
	}
}

void groups_remove(struct groups *groups)
{
	if (groups->doing >= 0)
		return;
	if (groups->loaded || groups->leftovers)
		programs_remove();
	groups->loaded = 0;
	groups->leftovers = false;
}
