// SPDX-License-Identifier: GPL-2.0-or-later
/* The event stream: numbers, stamps, keeps and hands out events. */
#include "event.h"

#include <string.h>

#include "cleanup.h"

struct event_log {
	struct event_clock clock;
	char *boot_id;
	uint64_t seq;
	json_t **ring;
	size_t size, first, kept;
	struct event_listener *listeners;
	struct event_listener *next; /* of the delivery under way */
};

static const char *const severity_names[] = {
	[EVENT_DEBUG] = "debug",     [EVENT_INFO] = "info",   [EVENT_NOTICE] = "notice",
	[EVENT_WARNING] = "warning", [EVENT_ERROR] = "error",
};

static void system_now(void *ctx, struct timespec *ret_real, uint64_t *ret_mono_ns)
{
	struct timespec mono;

	(void)ctx;
	clock_gettime(CLOCK_REALTIME, ret_real);
	clock_gettime(CLOCK_MONOTONIC, &mono);
	*ret_mono_ns = (uint64_t)mono.tv_sec * 1000000000 + (uint64_t)mono.tv_nsec;
}

const struct event_clock event_system_clock = {.now = system_now};

char *event_timestamp(const struct timespec *real)
{
	char buf[64], *text;
	struct tm tm;

	if (!gmtime_r(&real->tv_sec, &tm) || !strftime(buf, sizeof(buf), "%Y-%m-%dT%H:%M:%S", &tm))
		return NULL;
	if (asprintf(&text, "%s.%09ldZ", buf, real->tv_nsec) < 0)
		return NULL;
	return text;
}

char *event_line(const json_t *event)
{
	_cleanup_free_ char *text = NULL;
	char *line;

	text = json_dumps(event, JSON_COMPACT);
	if (!text || asprintf(&line, "%s\n", text) < 0)
		return NULL;
	return line;
}

int event_log_new(const struct event_clock *clock, const char *boot_id, size_t history,
		  struct event_log **ret_log)
{
	struct event_log *log;

	if (history == 0)
		history = 1;
	log = calloc(1, sizeof(*log));
	if (!log)
		return -ENOMEM;
	log->clock = *clock;
	log->boot_id = strdup(boot_id);
	log->ring = calloc(history, sizeof(*log->ring));
	log->size = history;
	if (!log->boot_id || !log->ring) {
		event_log_free(log);
		return -ENOMEM;
	}
	*ret_log = log;
	return 0;
}

void event_log_free(struct event_log *log)
{
	if (!log)
		return;
	for (size_t i = 0; log->ring && i < log->kept; i++)
		json_decref(log->ring[(log->first + i) % log->size]);
	free(log->ring);
	free(log->boot_id);
	free(log);
}

/* Takes over event. */
static void event_keep(struct event_log *log, json_t *event)
{
	if (log->kept == log->size) {
		json_decref(log->ring[log->first]);
		log->ring[log->first] = event;
		log->first = (log->first + 1) % log->size;
		return;
	}
	log->ring[(log->first + log->kept) % log->size] = event;
	log->kept++;
}

int event_log_resize(struct event_log *log, size_t history)
{
	json_t **ring, **old = log->ring;
	size_t size = log->size, first = log->first, kept = log->kept;

	if (history == 0)
		history = 1;
	if (history == size)
		return 0;
	ring = calloc(history, sizeof(*ring));
	if (!ring)
		return -ENOMEM;
	log->ring = ring;
	log->size = history;
	log->first = log->kept = 0;
	for (size_t i = 0; i < kept; i++)
		event_keep(log, old[(first + i) % size]);
	free(old);
	return 0;
}

static json_t *event_build(struct event_log *log, const char *name, enum event_severity severity,
			   json_t *fields)
{
	_cleanup_free_ char *stamp = NULL;
	struct timespec real;
	uint64_t mono_ns;
	json_t *event;

	log->clock.now(log->clock.ctx, &real, &mono_ns);
	stamp = event_timestamp(&real);
	event = json_pack("{s:s, s:s, s:I, s:s, s:I, s:i, s:s, s:s}", "schema", EVENT_SCHEMA, "ts",
			  stamp ? stamp : "1970-01-01T00:00:00.000000000Z", "mono_ns",
			  (json_int_t)mono_ns, "boot_id", log->boot_id, "seq", (json_int_t)log->seq,
			  "lost", 0, "event", name, "severity", severity_names[severity]);
	if (event && json_object_update_missing(event, fields) < 0) {
		json_decref(event);
		return NULL;
	}
	return event;
}

/* The event as one reader gets it: with what that reader has lost so far. */
static int event_deliver(struct event_listener *listener, const json_t *event)
{
	json_auto_t *copy = NULL;

	if (listener->lost) {
		copy = json_copy((json_t *)event);
		if (!copy ||
		    json_object_set_new(copy, "lost", json_integer((json_int_t)listener->lost)) < 0)
			return -ENOMEM;
		event = copy;
	}
	return listener->deliver(listener, event);
}

void event_hand_out(struct event_listener *listener, const json_t *event)
{
	if (!event || event_deliver(listener, event) < 0)
		listener->lost++;
}

void event_publish(struct event_log *log, const char *name, enum event_severity severity,
		   json_t *fields_taken)
{
	json_auto_t *fields = fields_taken;
	struct event_listener *listener;
	json_t *event = NULL;

	log->seq++;
	if (fields)
		event = event_build(log, name, severity, fields);
	if (event)
		event_keep(log, event);
	for (listener = log->listeners; listener; listener = log->next) {
		log->next = listener->next;
		event_hand_out(listener, event);
	}
	log->next = NULL;
}

void event_log_add(struct event_log *log, struct event_listener *listener)
{
	listener->next = log->listeners;
	log->listeners = listener;
}

void event_log_remove(struct event_log *log, struct event_listener *listener)
{
	for (struct event_listener **p = &log->listeners; *p; p = &(*p)->next) {
		if (*p == listener) {
			*p = listener->next;
			break;
		}
	}
	if (log->next == listener)
		log->next = listener->next;
	listener->next = NULL;
}

const json_t *event_log_get(const struct event_log *log, size_t i)
{
	return i < log->kept ? log->ring[(log->first + i) % log->size] : NULL;
}

size_t event_log_kept(const struct event_log *log)
{
	return log->kept;
}

uint64_t event_log_seq(const struct event_log *log)
{
	return log->seq;
}

uint64_t event_log_evicted(const struct event_log *log)
{
	return log->seq - log->kept;
}
