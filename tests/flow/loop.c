// SPDX-License-Identifier: GPL-2.0-or-later
/* What waits for sockets, and the clock: see loop.h. */
#include <errno.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "loop.h"

int loop_new(void)
{
	int loop = epoll_create1(EPOLL_CLOEXEC);

	return loop < 0 ? -errno : loop;
}

int loop_add(int loop, struct watch *watch)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = watch};

	watch->reading = true;
	watch->writing = false;
	return epoll_ctl(loop, EPOLL_CTL_ADD, watch->fd, &event) < 0 ? -errno : 0;
}

void loop_want(int loop, struct watch *watch, bool reading, bool writing)
{
	struct epoll_event event = {.data.ptr = watch};

	if (watch->fd < 0 || (watch->reading == reading && watch->writing == writing))
		return;
	watch->reading = reading;
	watch->writing = writing;
	if (reading)
		event.events |= EPOLLIN;
	if (writing)
		event.events |= EPOLLOUT;
	(void)epoll_ctl(loop, EPOLL_CTL_MOD, watch->fd, &event);
}

void loop_remove(int loop, struct watch *watch)
{
	if (watch->fd < 0)
		return;
	(void)epoll_ctl(loop, EPOLL_CTL_DEL, watch->fd, NULL);
	close(watch->fd);
	watch->fd = -1;
}

int loop_run(int loop, int timeout_ms)
{
	struct epoll_event events[16];
	int n, i;

	n = epoll_wait(loop, events, 16, timeout_ms);
	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	for (i = 0; i < n; i++) {
		struct watch *watch = events[i].data.ptr;

		if (watch->fd >= 0)
			watch->ready(watch, events[i].events);
	}
	return 0;
}

uint64_t clock_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000ull + (uint64_t)now.tv_nsec;
}
