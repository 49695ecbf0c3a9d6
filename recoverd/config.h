/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Configuration: recoverd.conf of the first of /etc, /run, /usr/local/lib, /usr/lib that has one,
 * then the drop-ins ending in .conf in the recoverd.conf.d folders of all four, in the order of their names. A name
 * in an earlier directory hides the same name in a later one.
 */
#ifndef RECOVERD_CONFIG_H
#define RECOVERD_CONFIG_H

#include <stddef.h>
#include <stdint.h>

struct config {
	char *output;  /* [Events] Output=: where the stream goes besides the socket; or NULL */
	char *drivers; /* [Observe] Drivers=: names with spaces between them; or NULL */
	uint64_t memory_budget; /* [Observe] MemoryBudget=: bytes a driver may own; 0: any */
	uint32_t history;	/* [Events] History=: events kept for late readers */
	uint32_t drain_ms;	/* [Swap] DrainLimit= */
	uint32_t deadline_ms;	/* [Swap] Deadline= */
	uint32_t link_ms;	/* [Swap] LinkLimit= */
};

/* What is wrong with a line; it is ignored. */
typedef void (*config_warn)(void *ctx, const char *file, unsigned line, const char *text);

int config_new(struct config **ret_config);
void config_free(struct config *config);

/* One file; -ENOENT: there is none. */
int config_read(struct config *config, const char *file, config_warn warn, void *ctx);
/* All of them. root: "" or where /etc and the others are looked for, for tests. */
int config_load(struct config *config, const char *root, config_warn warn, void *ctx);

#endif
