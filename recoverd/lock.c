// SPDX-License-Identifier: GPL-2.0-or-later
/* One daemon a machine. */
#include "lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#include "cleanup.h"
#include "log.h"

#define RETRY_MS	100
#define GRACE_MS	1000 /* until a process that was killed is seen to be ending */
#define ENDING_LIMIT_MS 30000

#define PF_EXITING 0x4 /* include/linux/sched.h, the same since 2.6 */

static pid_t owner_of(int fd)
{
	char text[32] = "";

	if (pread(fd, text, sizeof(text) - 1, 0) < 0)
		return 0;
	return (pid_t)strtol(text, NULL, 10);
}

/* Also when it is gone, or 0: one that starts or stops has not or no longer written its id. */
static bool is_ending(pid_t pid)
{
	_cleanup_fclose_ FILE *stat = NULL;
	unsigned flags = PF_EXITING;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	stat = fopen(path, "re");
	if (stat && fscanf(stat, "%*d (%*[^)]) %*c %*d %*d %*d %*d %*d %u", &flags) != 1)
		return false;
	return flags & PF_EXITING;
}

/* 0, -EALREADY or another error. */
static int lock_when_free(int fd)
{
	for (int waited_ms = 0;; waited_ms += RETRY_MS) {
		if (flock(fd, LOCK_EX | LOCK_NB) == 0)
			return 0;
		if (errno != EWOULDBLOCK)
			return -errno;
		if (waited_ms >= ENDING_LIMIT_MS ||
		    (waited_ms >= GRACE_MS && !is_ending(owner_of(fd))))
			return -EALREADY;
		(void)usleep(RETRY_MS * 1000);
	}
}

int lock_take(const char *path)
{
	_cleanup_close_ int fd = -1;
	char pid[32];
	int n, r;

	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return log_errno(LOG_ERR, -errno, "%s can't be opened: %m", path);
	r = lock_when_free(fd);
	if (r == -EALREADY)
		return log_errno(LOG_ERR, r, "Another recoverd is running, process %d",
				 (int)owner_of(fd));
	if (r < 0)
		return log_errno(LOG_ERR, r, "%s can't be locked: %m", path);
	n = snprintf(pid, sizeof(pid), "%d\n", (int)getpid());
	if (ftruncate(fd, 0) < 0 || pwrite(fd, pid, (size_t)n, 0) != n)
		return log_errno(LOG_ERR, -EIO, "%s can't be written", path);
	return TAKE_FD(fd);
}
