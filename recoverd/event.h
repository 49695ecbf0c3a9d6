/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The event stream: what happened, as recov.event/1 objects.
 *
 * Every event gets the next number of seq. The last ones are kept for readers that come later. A
 * reader that can't take an event misses it: its own "lost" counts such events from then on, and
 * the gap in "seq" says where.
 */
#ifndef RECOVERD_EVENT_H
#define RECOVERD_EVENT_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#define EVENT_SCHEMA "recov.event/1"

enum event_severity {
	EVENT_DEBUG,
	EVENT_INFO,
	EVENT_NOTICE,
	EVENT_WARNING,
	EVENT_ERROR,
};

/* Where the time comes from; a test gives a fixed one. */
struct event_clock {
	void (*now)(void *ctx, struct timespec *ret_real, uint64_t *ret_mono_ns);
	void *ctx;
};

extern const struct event_clock event_system_clock;

struct event_listener {
	/* < 0: did not take it. The event is the caller's. */
	int (*deliver)(struct event_listener *listener, const json_t *event);
	uint64_t lost;
	struct event_listener *next; /* the log's */
};

struct event_log;

/* history: how many events are kept. */
int event_log_new(const struct event_clock *clock, const char *boot_id, size_t history,
		  struct event_log **ret_log);
void event_log_free(struct event_log *log);
int event_log_resize(struct event_log *log, size_t history);

/* Takes over fields, which come after the common ones; NULL: none, or no memory for them, and then
 * the event is counted as lost to everybody. */
void event_publish(struct event_log *log, const char *name, enum event_severity severity,
		   json_t *fields);

/* Gives one event to one listener, with that listener's lost, and counts it if it does not take
 * it. For events of the past. */
void event_hand_out(struct event_listener *listener, const json_t *event);

void event_log_add(struct event_log *log, struct event_listener *listener);
/* Not from inside the listener's own deliver(). */
void event_log_remove(struct event_log *log, struct event_listener *listener);

/* The kept events in order, n of event_log_kept(); borrowed. */
const json_t *event_log_get(const struct event_log *log, size_t i);
size_t event_log_kept(const struct event_log *log);
uint64_t event_log_seq(const struct event_log *log);	 /* of the last event; 0: none yet */
uint64_t event_log_evicted(const struct event_log *log); /* no longer kept */

/* malloc'ed RFC 3339 in UTC with nanoseconds. */
char *event_timestamp(const struct timespec *real);
/* One line with its newline; malloc'ed. */
char *event_line(const json_t *event);

#endif
