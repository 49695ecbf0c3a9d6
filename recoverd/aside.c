// SPDX-License-Identifier: GPL-2.0-or-later
/* Forks processes that outlive the daemon. */
#include "aside.h"

#include <fcntl.h>
#include <stdbool.h>
#include <sys/select.h>
#include <sys/wait.h>

#include "cleanup.h"

static bool is_among(int fd, const int *fds, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (fds[i] == fd)
			return true;
	}
	return false;
}

static void wait_for_end_of(int fd)
{
	char byte;

	while (read(fd, &byte, 1) < 0 && errno == EINTR)
		;
}

int aside_new(const int *fds, size_t n, void (*work)(void *ctx), void *ctx)
{
	int ends[2], status = EXIT_FAILURE;
	pid_t pid, grandchild;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	pid = fork();
	if (pid == 0) {
		grandchild = fork();
		if (grandchild != 0)
			_exit(grandchild < 0 ? EXIT_FAILURE : EXIT_SUCCESS);
		/* The daemon's lock and its clients, for example, are not kept. */
		for (int fd = STDERR_FILENO + 1; fd < FD_SETSIZE; fd++) {
			if (fd != ends[0] && !is_among(fd, fds, n))
				(void)close(fd);
		}
		(void)setsid();
		wait_for_end_of(ends[0]);
		work(ctx);
		_exit(EXIT_SUCCESS);
	}
	(void)close(ends[0]);
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (status == EXIT_SUCCESS)
		return ends[1];
	(void)close(ends[1]);
	return -EAGAIN;
}
