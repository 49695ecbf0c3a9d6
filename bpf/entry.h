/* SPDX-License-Identifier: GPL-2.0 */
/* Calls into a driver: how long they take, and what state they set. */
#ifndef ENTRY_H
#define ENTRY_H

#include "object.h"

struct entering {
	int slot; /* -1: nobody's, and nothing happens; RECOV_WATCH_MAX: known when it ends */
	u32 kind;
	u64 function;
	struct device *device;
};

/* Entries that do not sleep and do not nest in their own kind. */
int enter_on_cpu(struct entering *entering);
int cpu_entry_end(u32 kind);

static __always_inline void cpu_entry_begin(int slot, u32 kind, u64 function)
{
	struct entering entering = {.slot = slot, .kind = kind, .function = function};

	if (slot >= 0)
		enter_on_cpu(&entering);
}

/* Entries of a task. */
int enter(struct entering *entering);

static __always_inline void entry_begin(int slot, u32 kind, u64 function, struct device *device)
{
	struct entering entering = {
		.slot = slot, .kind = kind, .function = function, .device = device};

	if (slot >= 0)
		enter(&entering);
}

/* slot: the entry's if it was not known at its begin. When that was; 0: not known. */
u64 entry_end(int slot, u32 kind, s64 result);

/* An entry without a time. */
int count_entry(struct entering *entering);

struct request {
	int slot;
	u32 kind;
	u64 object, what;
	s64 result;
	const void *data;
	u32 size;
	u32 user;     /* data is in user memory */
	u64 asked_ns; /* 0: now */
	struct device *device;
};

/*
 * The request log. What was asked last counts; a request that failed does not replace one that
 * worked. Data that the answer may overwrite is taken before: request_ask(), and request_done() of
 * the same kind by the same task.
 */
int request_ask(struct request *request);
int request_done(u32 kind, s64 result);
int request_log(struct request *request);

/* What was set in an object that goes. Walks the whole log: for rare things. */
int requests_forget(u64 *object);
/* The same for an open file, and at little cost where nothing but its opening was logged. */
int requests_forget_file(u64 *file, u32 slot);

#endif /* ENTRY_H */
