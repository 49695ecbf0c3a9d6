// SPDX-License-Identifier: GPL-2.0-or-later
/* Writes kprobe events to tracefs, attaches BPF programs to them, and removes them. */
#include "probe.h"

#include <bpf/bpf.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/perf_event.h>
#include <string.h>
#include <sys/syscall.h>

#include "aside.h"
#include "cleanup.h"

#define TRACEFS	 "/sys/kernel/tracing"
#define EVENTS	 TRACEFS "/kprobe_events"
#define PROFILE	 TRACEFS "/kprobe_profile"
#define PREFIX	 "recoverd_" /* of our groups of events, and of the events */
#define NAME_LEN 64	     /* MAX_EVENT_NAME_LEN */
#define PATH_LEN 512
#define RETRY_MS 20
#define OWN_MS	 1000 /* for what another process may have open for a moment */

struct probe_event {
	char group[NAME_LEN], name[NAME_LEN];
	int perf, link; /* descriptors; -1: not attached by us */
};

struct probe_set {
	char group[NAME_LEN - 24];
	int fd; /* of EVENTS; -1: nothing is to be added */
	struct probe_event *events;
	size_t n_events;
};

/* Without O_APPEND the kernel would remove everybody's events. */
static int open_events(void)
{
	int fd = open(EVENTS, O_WRONLY | O_APPEND | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

int probe_set_new(const char *use, struct probe_set **ret_set, struct replug_error *err)
{
	static unsigned number;
	struct probe_set *set;
	int fd;

	fd = open_events();
	if (fd < 0) {
		err->fault = fd == -EPERM || fd == -EACCES ? REPLUG_FAULT_REFUSED
							   : REPLUG_FAULT_UNSUPPORTED;
		if (fd == -ENOENT)
			snprintf(
				err->text, sizeof(err->text),
				"functions cannot be probed: there is no %s (tracefs not mounted?)",
				EVENTS);
		else
			snprintf(err->text, sizeof(err->text), "functions cannot be probed: %s: %s",
				 EVENTS, strerror(-fd));
		return fd;
	}
	set = calloc(1, sizeof(*set));
	if (!set) {
		close(fd);
		err->fault = REPLUG_FAULT_FAILED;
		snprintf(err->text, sizeof(err->text), "functions cannot be probed: no memory");
		return -ENOMEM;
	}
	set->fd = fd;
	snprintf(set->group, sizeof(set->group), PREFIX "%.8s_%d_%u", use, (int)getpid(), ++number);
	*ret_set = set;
	return 0;
}

static int write_line(int fd, const char *line)
{
	return write(fd, line, strlen(line)) < 0 ? -errno : 0;
}

/* The number perf knows an event by. */
static int event_id(const struct probe_event *event, uint64_t *ret_id)
{
	_cleanup_fclose_ FILE *file = NULL;
	_cleanup_free_ char *path = NULL;

	if (asprintf(&path, TRACEFS "/events/%s/%s/id", event->group, event->name) < 0)
		return -ENOMEM;
	file = fopen(path, "re");
	if (!file)
		return -errno;
	return fscanf(file, "%" SCNu64, ret_id) == 1 ? 0 : -EINVAL;
}

static int attach(struct probe_event *event, const struct probe *probe)
{
	LIBBPF_OPTS(bpf_link_create_opts, options, .perf_event.bpf_cookie = probe->cookie);
	struct perf_event_attr attr = {.type = PERF_TYPE_TRACEPOINT, .size = sizeof(attr)};
	_cleanup_close_ int fd = -1;
	uint64_t id = 0;
	int r;

	r = event_id(event, &id);
	if (r < 0)
		return r;
	attr.config = id;
	/* The event counts on one CPU; a program that is attached to it runs on all. */
	fd = (int)syscall(SYS_perf_event_open, &attr, -1, 0, -1, PERF_FLAG_FD_CLOEXEC);
	if (fd < 0)
		return -errno;
	r = bpf_link_create(probe->program, fd, BPF_PERF_EVENT, &options);
	if (r < 0)
		return -errno;
	event->link = r;
	event->perf = TAKE_FD(fd);
	return 0;
}

static int remove_event(int fd, const struct probe_event *event)
{
	char line[2 * NAME_LEN + 4];

	snprintf(line, sizeof(line), "-:%s/%s", event->group, event->name);
	return write_line(fd, line);
}

/* Room for one more, which is not counted yet; or NULL. */
static struct probe_event *next_event(struct probe_set *set)
{
	struct probe_event *events;

	events = reallocarray(set->events, set->n_events + 1, sizeof(*events));
	if (!events)
		return NULL;
	set->events = events;
	events[set->n_events] = (struct probe_event){.perf = -1, .link = -1};
	return &events[set->n_events];
}

int probe_set_add(struct probe_set *set, const struct probe *probe, bool *taken)
{
	struct probe_event *event = next_event(set);
	size_t n_taken = 0;
	int r = 0;

	if (!event)
		return -ENOMEM;
	strcpy(event->group, set->group);
	snprintf(event->name, sizeof(event->name), "%s_%s", set->group, probe->name);
	/* Events of one name are one event, which is attached to and let go of as one. */
	for (size_t i = 0; i < probe->n_functions; i++) {
		_cleanup_free_ char *line = NULL;

		if (asprintf(&line, "%c:%s/%s %s", probe->returns ? 'r' : 'p', event->group,
			     event->name, probe->functions[i]) < 0)
			line = NULL;
		r = line ? write_line(set->fd, line) : -ENOMEM;
		if (taken)
			taken[i] = r >= 0;
		n_taken += r >= 0;
	}
	if (n_taken == 0)
		return -ENOENT;
	r = attach(event, probe);
	if (r < 0)
		(void)remove_event(set->fd, event);
	else
		set->n_events++;
	return r;
}

int probe_set_calls(const struct probe_set *set, const char *name, uint64_t *calls, size_t n)
{
	_cleanup_fclose_ FILE *file = fopen(PROFILE, "re");
	char line[256], wanted[NAME_LEN], found[NAME_LEN];
	size_t i = 0;

	if (!file)
		return -errno;
	snprintf(wanted, sizeof(wanted), "%s_%s", set->group, name);
	while (i < n && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%63s %" SCNu64, found, &calls[i]) == 2 &&
		    strcmp(found, wanted) == 0)
			i++;
	}
	return (int)i;
}

int probe_set_pin(struct probe_set *set, const char *folder)
{
	char path[PATH_LEN];

	while (set->n_events) {
		struct probe_event *event = &set->events[set->n_events - 1];

		snprintf(path, sizeof(path), "%s/%s", folder, event->name);
		if (bpf_obj_pin(event->link, path) < 0)
			return -errno;
		(void)close(event->link);
		(void)close(event->perf);
		set->n_events--;
	}
	return 0;
}

/* ---- the end ---- */

struct probe_set *probe_set_find(const char *use)
{
	_cleanup_fclose_ FILE *file = fopen(EVENTS, "re");
	struct probe_set *set = file ? calloc(1, sizeof(*set)) : NULL;
	char line[PATH_LEN], wanted[NAME_LEN];

	if (!set)
		return NULL;
	set->fd = -1;
	snprintf(wanted, sizeof(wanted), PREFIX "%s", use);
	while (fgets(line, sizeof(line), file)) {
		struct probe_event *event = next_event(set);

		/* An event has a line for each of its functions. */
		if (event && sscanf(line, "%*[^:]:%63[^/]/%63s", event->group, event->name) == 2 &&
		    strncmp(event->group, wanted, strlen(wanted)) == 0 &&
		    (!set->n_events || strcmp(event[-1].name, event->name) != 0))
			set->n_events++;
	}
	if (set->n_events)
		return set;
	probe_set_forget(set);
	return NULL;
}

/* What somebody else has open, too, is not let go of by this. */
static void detach(const struct probe_set *set)
{
	for (size_t i = 0; i < set->n_events; i++) {
		if (set->events[i].link < 0)
			continue;
		(void)close(set->events[i].link);
		(void)close(set->events[i].perf);
	}
}

void probe_set_remove(const struct probe_set *set, unsigned patience_ms)
{
	int fd;

	if (!set)
		return;
	detach(set);
	fd = open_events();
	for (size_t i = 0; fd >= 0 && i < set->n_events; i++) {
		while (remove_event(fd, &set->events[i]) == -EBUSY && patience_ms >= RETRY_MS) {
			(void)usleep(RETRY_MS * 1000);
			patience_ms -= RETRY_MS;
		}
	}
	if (fd >= 0)
		(void)close(fd);
}

static void remove_own(void *set)
{
	probe_set_remove(set, OWN_MS);
}

/* The one who closes an attached event last waits for it. */
static int hand_over(struct probe_set *set)
{
	_cleanup_free_ int *fds = calloc(2 * set->n_events, sizeof(*fds));

	if (!fds)
		return -ENOMEM;
	for (size_t i = 0; i < set->n_events; i++) {
		fds[2 * i] = set->events[i].link;
		fds[2 * i + 1] = set->events[i].perf;
	}
	return aside_new(fds, 2 * set->n_events, remove_own, set);
}

void probe_set_free(struct probe_set *set)
{
	int child;

	if (!set)
		return;
	child = set->n_events ? hand_over(set) : -1;
	if (child < 0)
		probe_set_remove(set, 0);
	else
		detach(set);
	closep(&child);
	probe_set_forget(set);
}

void probe_set_forget(struct probe_set *set)
{
	if (!set)
		return;
	closep(&set->fd);
	free(set->events);
	free(set);
}
