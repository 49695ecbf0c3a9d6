/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The groups of BPF programs that are wanted: has them loaded and unloaded, one at a time. */
#ifndef RECOVERD_GROUPS_H
#define RECOVERD_GROUPS_H

#include "manager.h"
#include "programs.h"

struct groups {
	struct manager *manager;
	const struct groups_ops *ops;
	void *ctx;
	unsigned loaded; /* a bit each */
	int doing;	 /* one that is being loaded or unloaded, -1: none */
	bool leftovers;	 /* of earlier daemons may be there */
};

/* All are called from the loop. */
struct groups_ops {
	/* What a group has seen is worth nothing: it sees no more, or did not see all. */
	void (*forget)(void *ctx, unsigned group);
	/* One was loaded or unloaded: call groups_want() again. */
	void (*on_change)(void *ctx);
	void (*on_failed)(void *ctx, unsigned group, const struct replug_error *error);
};

/* All that watching a driver, in the kernel's spelling, takes, with what is asked for. Reads the
 * driver's installed image. */
unsigned groups_for(const char *driver, unsigned asked);

/* Finds out what is loaded. */
void groups_init(struct groups *groups, struct manager *manager, const struct groups_ops *ops,
		 void *ctx);
/* Begins to load a group that is wanted and to unload one that is not; a bit each, not 0. The base
 * is to be wanted with each other one. */
void groups_want(struct groups *groups, unsigned wanted);
/* Nothing is wanted: lets go of all, and of what others have left, unless a worker is at it; then
 * on_change comes. */
void groups_remove(struct groups *groups);

static inline bool groups_have(const struct groups *groups, unsigned group)
{
	return groups->loaded >> group & 1;
}

#endif
