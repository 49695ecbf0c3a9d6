// SPDX-License-Identifier: GPL-2.0-or-later
/* Writes the event stream out, a line an event, without ever waiting for its reader. */
#include "sink.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "cleanup.h"
#include "log.h"
#include "varlink_frame.h"

#define QUEUE_MAX  (1024 * 1024) /* bytes a slow reader may leave unread */
#define RETRY_USEC (1000 * 1000)

struct sink {
	struct event_listener listener; /* first */
	sd_event *loop;
	struct event_log *log;
	char *spec;
	int fd;			/* -1: not connected, or given up */
	sd_event_source *ready; /* NULL: a file, which is always ready */
	struct frame_buffer out;
	uint64_t retry_usec; /* earliest time of the next try to connect */
	bool is_socket, own_fd;
	bool cut; /* the last line was written in part only */
};

static void sink_disconnect(struct sink *sink)
{
	sink->ready = sd_event_source_disable_unref(sink->ready);
	if (sink->own_fd)
		closep(&sink->fd);
	sink->fd = -1;
	frame_uninit(&sink->out);
}

/* Bytes to write at once without being put to sleep: a pipe or terminal that polls as writable has
 * room for PIPE_BUF. */
static int sink_flush(struct sink *sink)
{
	struct frame_buffer *out = &sink->out;
	struct pollfd p = {.fd = sink->fd, .events = POLLOUT};
	size_t size;
	ssize_t n;

	if (sink->is_socket)
		return frame_send(out, sink->fd);
	while (out->start < out->end) {
		if (poll(&p, 1, 0) <= 0)
			return -EAGAIN;
		if (p.revents & (POLLERR | POLLNVAL))
			return -EPIPE;
		if (!(p.revents & POLLOUT))
			return -EAGAIN;
		size = out->end - out->start;
		n = write(sink->fd, out->data + out->start, size < PIPE_BUF ? size : PIPE_BUF);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EWOULDBLOCK ? -EAGAIN : -errno;
		frame_drop(out, (size_t)n);
	}
	return 0;
}

static int sink_pump(struct sink *sink)
{
	int r;

	r = sink_flush(sink);
	if (r < 0 && r != -EAGAIN) {
		log_errno(LOG_WARNING, r, "Event output %s is gone: %m", sink->spec);
		sink_disconnect(sink);
		return r;
	}
	(void)sd_event_source_set_io_events(sink->ready, r == -EAGAIN ? EPOLLOUT : 0);
	return 0;
}

static int on_ready(sd_event_source *source, int fd, uint32_t events, void *ctx)
{
	struct sink *sink = ctx;

	(void)source;
	(void)fd;
	if (events & (EPOLLHUP | EPOLLERR)) {
		log_line(LOG_WARNING, "The reader of event output %s is gone", sink->spec);
		sink_disconnect(sink);
	} else {
		(void)sink_pump(sink);
	}
	return 0;
}

static int sink_connect(struct sink *sink, const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	_cleanup_close_ int fd = -1;
	int r;

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	strcpy(address.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	r = sd_event_add_io(sink->loop, &sink->ready, fd, 0, on_ready, sink);
	if (r < 0)
		return r;
	sink->fd = TAKE_FD(fd);
	sink->own_fd = true;
	return 0;
}

static int sink_open(struct sink *sink)
{
	int r;

	if (strcmp(sink->spec, "-") == 0) {
		sink->fd = STDOUT_FILENO;
	} else {
		sink->fd = open(sink->spec,
				O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK,
				0640);
		if (sink->fd < 0)
			return -errno;
		sink->own_fd = true;
	}
	r = sd_event_add_io(sink->loop, &sink->ready, sink->fd, 0, on_ready, sink);
	return r == -EPERM ? 0 : r; /* what can't be polled is always ready */
}

static int file_write(struct sink *sink, const char *line)
{
	size_t len = strlen(line);
	ssize_t n;

	if (sink->cut && write(sink->fd, "\n", 1) != 1)
		return -errno;
	sink->cut = false;
	n = write(sink->fd, line, len);
	if (n < 0)
		return -errno;
	if ((size_t)n == len)
		return 0;
	sink->cut = true;
	return -ENOSPC;
}

static int sink_deliver(struct event_listener *listener, const json_t *event)
{
	struct sink *sink = (struct sink *)listener;
	_cleanup_free_ char *line = NULL;
	uint64_t now;
	int r;

	if (sink->fd < 0 && sink->is_socket) {
		(void)sd_event_now(sink->loop, CLOCK_MONOTONIC, &now);
		if (now < sink->retry_usec)
			return -ENOTCONN;
		sink->retry_usec = now + RETRY_USEC;
		(void)sink_connect(sink, sink->spec + strlen("unix:"));
	}
	if (sink->fd < 0)
		return -ENOTCONN;
	line = event_line(event);
	if (!line)
		return -ENOMEM;
	if (!sink->ready)
		return file_write(sink, line);
	r = frame_feed(&sink->out, line, strlen(line));
	if (r < 0)
		return r;
	return sink_pump(sink);
}

int sink_new(sd_event *loop, struct event_log *log, const char *spec, struct sink **ret_sink)
{
	struct sink *sink;
	int r;

	sink = calloc(1, sizeof(*sink));
	if (!sink)
		return -ENOMEM;
	sink->listener.deliver = sink_deliver;
	sink->loop = sd_event_ref(loop);
	sink->log = log;
	sink->fd = -1;
	frame_init(&sink->out, QUEUE_MAX);
	event_log_add(log, &sink->listener);

	sink->spec = strdup(spec);
	if (!sink->spec) {
		r = -ENOMEM;
		goto fail;
	}
	sink->is_socket = strncmp(spec, "unix:", strlen("unix:")) == 0;
	if (sink->is_socket) {
		r = sink_connect(sink, spec + strlen("unix:"));
		if (r == -ENOENT || r == -ECONNREFUSED || r == -EAGAIN) {
			log_errno(LOG_WARNING, r, "Event output %s: %m, trying again later", spec);
			r = 0;
		}
	} else {
		r = sink_open(sink);
	}
	if (r < 0)
		goto fail;
	*ret_sink = sink;
	return 0;
fail:
	sink_free(sink);
	return r;
}

void sink_free(struct sink *sink)
{
	if (!sink)
		return;
	if (sink->fd >= 0 && sink->ready)
		(void)sink_flush(sink);
	event_log_remove(sink->log, &sink->listener);
	sink_disconnect(sink);
	sd_event_unref(sink->loop);
	free(sink->spec);
	free(sink);
}
