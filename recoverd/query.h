/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A question to the kernel that may take long: asked by a worker, answered from the loop. */
#ifndef RECOVERD_QUERY_H
#define RECOVERD_QUERY_H

#include "manager.h"

#define QUERIES_MAX 16

/* answers: array of message bodies, maybe none; result says why. From the loop, once. */
typedef void (*query_answer)(struct manager *manager, void *ctx, json_t *answers,
			     const struct replug_result *result);

/* -EBUSY: too many under way. The answer of a look goes to manager_looked() as well. */
int query_look(struct manager *manager, query_answer answer, void *ctx);
/* drivers: NULL-terminated, copied. */
int query_match(struct manager *manager, const char *const *drivers, query_answer answer,
		void *ctx);
/* answers: some with "holders", then one with "summary" if it came to its end. */
int query_holders(struct manager *manager, const char *driver, query_answer answer, void *ctx);
/* Loads or unloads a group of BPF programs (enum program_group). No answers. */
int query_programs(struct manager *manager, unsigned group, bool load, query_answer answer,
		   void *ctx);
/* Every one under way is given up; answers are not called. */
void query_drop_all(struct manager *manager);

#endif
