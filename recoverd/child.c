// SPDX-License-Identifier: GPL-2.0-or-later
/* Starts processes with a time limit, listens to them and ends them. */
#include "child.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "cleanup.h"
#include "log.h"

#define TERM_LIMIT_USEC	 (1000 * UINT64_C(1000)) /* from SIGTERM to SIGKILL */
#define DEATH_LIMIT_USEC (2000 * UINT64_C(1000)) /* from SIGKILL to the end, if it is not stuck */

struct child {
	sd_event *loop;
	sd_event_source *io, *timer, *exit;
	pid_t pid;
	size_t length;
	int signal; /* the last that was sent; 0: none */
	struct child_result result;
	void (*done)(void *ctx, const struct child_result *result);
	void *ctx;
};

static void child_destroy(struct child *child)
{
	sd_event_source_disable_unref(child->io);
	sd_event_source_disable_unref(child->timer);
	sd_event_source_disable_unref(child->exit);
	sd_event_unref(child->loop);
	free(child);
}

static int on_stray_exit(sd_event_source *source, const siginfo_t *si, void *ctx)
{
	(void)source;
	(void)ctx;
	log_line(LOG_DEBUG, "Process %d has ended at last", (int)si->si_pid);
	return 0;
}

static void child_leave(struct child *child)
{
	child->exit = sd_event_source_disable_unref(child->exit);
	(void)sd_event_add_child(child->loop, NULL, child->pid, WEXITED, on_stray_exit, NULL);
}

void child_free(struct child *child)
{
	if (!child)
		return;
	(void)kill(-child->pid, SIGKILL);
	child_leave(child);
	child_destroy(child);
}

static void child_done(struct child *child)
{
	void (*done)(void *ctx, const struct child_result *result) = child->done;
	struct child_result result = child->result;
	void *ctx = child->ctx;

	child_destroy(child);
	done(ctx, &result);
}

/* Takes what has come; what does not fit is dropped. */
static void child_listen(struct child *child, int fd)
{
	char *said = child->result.said, rest[512];
	size_t room;
	ssize_t n;

	do {
		room = sizeof(child->result.said) - 1 - child->length;
		n = read(fd, room ? said + child->length : rest, room ? room : sizeof(rest));
		if (n > 0 && room)
			child->length += (size_t)n;
	} while (n > 0 || (n < 0 && errno == EINTR));
}

static int on_io(sd_event_source *source, int fd, uint32_t events, void *ctx)
{
	child_listen(ctx, fd);
	if (events & EPOLLHUP)
		(void)sd_event_source_set_enabled(source, SD_EVENT_OFF);
	return 0;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *ctx)
{
	struct child *child = ctx;

	(void)usec;
	child->result.late = true;
	if (child->signal == SIGKILL) {
		log_line(LOG_ERR, "Process %d is stuck in the kernel", (int)child->pid);
		child->result.status = -1;
		child->result.stuck = true;
		child_leave(child);
		child_done(child);
		return 0;
	}
	child->signal = child->signal ? SIGKILL : SIGTERM;
	(void)kill(-child->pid, child->signal);
	(void)sd_event_source_set_time_relative(
		source, child->signal == SIGTERM ? TERM_LIMIT_USEC : DEATH_LIMIT_USEC);
	return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

static int on_exit_of_child(sd_event_source *source, const siginfo_t *si, void *ctx)
{
	struct child *child = ctx;

	(void)source;
	/* It is not reaped yet, so that the number of its group is still its own. */
	(void)kill(-child->pid, SIGKILL);
	child_listen(child, sd_event_source_get_io_fd(child->io));
	child->result.status = si->si_code == CLD_EXITED ? si->si_status : -1;
	child_done(child);
	return 0;
}

/* Between fork and its work: nothing of the daemon may be used by accident. */
static void become_child(int out, pid_t parent)
{
	static const int stopped[] = {SIGPIPE, SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGCHLD, SIGUSR1};
	sigset_t none;
	int null;

	if (setpgid(0, 0) < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
		_exit(EXIT_FAILURE);
	for (size_t i = 0; i < ARRAY_SIZE(stopped); i++)
		(void)signal(stopped[i], SIG_DFL);
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0)
		_exit(EXIT_FAILURE);
	(void)close_range(STDERR_FILENO + 1, ~0u, 0);
	(void)unsetenv("NOTIFY_SOCKET");
	(void)unsetenv("WATCHDOG_PID");
	(void)unsetenv("WATCHDOG_USEC");
}

static int child_follow(struct child *child, int *out, unsigned limit_ms)
{
	int r;

	r = sd_event_add_io(child->loop, &child->io, *out, EPOLLIN, on_io, child);
	if (r < 0)
		return r;
	r = sd_event_source_set_io_fd_own(child->io, true);
	if (r < 0)
		return r;
	(void)TAKE_FD(*out);
	r = sd_event_add_time_relative(child->loop, &child->timer, CLOCK_MONOTONIC,
				       limit_ms * UINT64_C(1000), 0, on_timer, child);
	if (r < 0)
		return r;
	return sd_event_add_child(child->loop, &child->exit, child->pid, WEXITED, on_exit_of_child,
				  child);
}

int child_new(sd_event *loop, int (*run)(const void *arg), const void *arg, unsigned limit_ms,
	      void (*done)(void *ctx, const struct child_result *result), void *ctx,
	      struct child **ret_child)
{
	_cleanup_close_ int in = -1, out = -1;
	pid_t parent = getpid();
	struct child *child;
	int fds[2], r;

	if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0)
		return -errno;
	in = fds[0];
	out = fds[1];
	child = calloc(1, sizeof(*child));
	if (!child)
		return -ENOMEM;
	child->loop = sd_event_ref(loop);
	child->done = done;
	child->ctx = ctx;
	child->pid = fork();
	if (child->pid == 0) {
		/* Whoever writes there knows nothing of pipes that are full. */
		(void)fcntl(out, F_SETFL, 0);
		become_child(out, parent);
		_exit(run(arg));
	}
	if (child->pid < 0) {
		r = -errno;
		child_destroy(child);
		return r;
	}
	(void)setpgid(child->pid, child->pid);
	r = child_follow(child, &in, limit_ms);
	if (r < 0) {
		(void)kill(-child->pid, SIGKILL);
		(void)waitpid(child->pid, NULL, 0);
		child_destroy(child);
		return r;
	}
	*ret_child = child;
	return 0;
}
