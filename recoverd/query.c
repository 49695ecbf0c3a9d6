// SPDX-License-Identifier: GPL-2.0-or-later
/* Asks the kernel through a worker process what the daemon itself must not wait for. */
#include "query.h"

#include "cleanup.h"
#include "worker.h"

#define LOOK_LIMIT_MS	 5000
#define MATCH_LIMIT_MS	 15000
#define HOLDERS_LIMIT_MS 20000 /* below the patience of recovctl */

/* Nobody is held up meanwhile; one group took 55 s on a machine of two CPUs that ran four guests. */
#define PROGRAMS_LIMIT_MS 300000

struct query {
	struct manager *manager;
	struct query *next;
	enum job_kind kind;
	struct worker *worker;
	json_t *answers;
	query_answer answer;
	void *ctx;
};

static void query_free(struct query *query)
{
	struct manager *manager = query->manager;

	for (struct query **p = &manager->queries; *p; p = &(*p)->next) {
		if (*p == query) {
			*p = query->next;
			manager->n_queries--;
			break;
		}
	}
	worker_free(query->worker);
	json_decref(query->answers);
	free(query);
}

static void query_freep(struct query **query)
{
	query_free(*query);
}

static void on_message(void *ctx, const struct worker_message *message)
{
	struct query *query = ctx;

	json_array_append(query->answers, message->body);
}

static void on_done(void *ctx, const struct replug_result *result, bool lost)
{
	_cleanup_(query_freep) struct query *query = ctx;

	(void)lost;
	query->worker = NULL;
	if (query->kind == JOB_LOOK)
		manager_looked(query->manager, json_array_get(query->answers, 0));
	query->answer(query->manager, query->ctx, query->answers, result);
}

static int query_new(struct manager *manager, const struct job *job, unsigned limit_ms,
		     query_answer answer, void *ctx)
{
	static const struct worker_ops ops = {.on_message = on_message, .on_done = on_done};
	struct query *query;
	int r;

	if (manager->n_queries >= QUERIES_MAX)
		return -EBUSY;
	query = calloc(1, sizeof(*query));
	if (!query)
		return -ENOMEM;
	query->manager = manager;
	query->kind = job->kind;
	query->answer = answer;
	query->ctx = ctx;
	query->answers = json_array();
	query->next = manager->queries;
	manager->queries = query;
	manager->n_queries++;
	r = query->answers ? worker_new(manager->loop, job, limit_ms, &ops, query, &query->worker)
			   : -ENOMEM;
	if (r < 0)
		query_free(query);
	return r;
}

int query_look(struct manager *manager, query_answer answer, void *ctx)
{
	struct job job = {.kind = JOB_LOOK};

	return query_new(manager, &job, LOOK_LIMIT_MS, answer, ctx);
}

int query_match(struct manager *manager, const char *const *drivers, query_answer answer, void *ctx)
{
	struct job job = {.kind = JOB_MATCH, .drivers = drivers};

	return query_new(manager, &job, MATCH_LIMIT_MS, answer, ctx);
}

int query_holders(struct manager *manager, const char *driver, query_answer answer, void *ctx)
{
	struct job job = {.kind = JOB_HOLDERS, .driver = driver};

	return query_new(manager, &job, HOLDERS_LIMIT_MS, answer, ctx);
}

int query_programs(struct manager *manager, unsigned group, bool load, query_answer answer,
		   void *ctx)
{
	struct job job = {.kind = load ? JOB_LOAD_PROGRAMS : JOB_UNLOAD_PROGRAMS, .group = group};

	return query_new(manager, &job, PROGRAMS_LIMIT_MS, answer, ctx);
}

void query_drop_all(struct manager *manager)
{
	while (manager->queries)
		query_free(manager->queries);
}
