// SPDX-License-Identifier: GPL-2.0-or-later
/* Starts worker processes, listens to them and reaps them. */
#include "worker.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "cleanup.h"
#include "log.h"
#include "varlink_frame.h"

#define WORKER_FD	3
#define DEATH_LIMIT_MS	2000 /* from SIGKILL to the end of a process that is not stuck */
#define LINGER_LIMIT_MS 5000 /* from its result to its end */

struct worker {
	sd_event *loop;
	sd_event_source *io, *timer, *child;
	pid_t pid;
	int fd;
	struct frame_buffer in;
	struct worker_ops ops;
	void *ctx;
	unsigned limit_ms;
	bool killed, garbled, have_result;
	struct replug_result result;
};

/* The process is no longer of interest but had still to be reaped. */
static int on_stray_exit(sd_event_source *source, const siginfo_t *si, void *ctx)
{
	(void)source;
	(void)ctx;
	log_line(LOG_NOTICE, "Worker process %d has ended at last", (int)si->si_pid);
	return 0;
}

static void worker_destroy(struct worker *worker)
{
	sd_event_source_disable_unref(worker->io);
	sd_event_source_disable_unref(worker->timer);
	sd_event_source_disable_unref(worker->child);
	closep(&worker->fd);
	frame_uninit(&worker->in);
	sd_event_unref(worker->loop);
	free(worker);
}

/* Leaves a process that does not end behind, to be reaped whenever it does. */
static void worker_leave(struct worker *worker)
{
	worker->child = sd_event_source_disable_unref(worker->child);
	(void)sd_event_add_child(worker->loop, NULL, worker->pid, WEXITED, on_stray_exit, NULL);
}

void worker_free(struct worker *worker)
{
	if (!worker)
		return;
	if (worker->child) {
		(void)kill(worker->pid, SIGKILL);
		worker_leave(worker);
	}
	worker_destroy(worker);
}

static void worker_done(struct worker *worker, bool lost)
{
	struct worker_ops ops = worker->ops;
	struct replug_result result = worker->result;
	void *ctx = worker->ctx;

	worker_destroy(worker);
	ops.on_done(ctx, &result, lost);
}

__attribute__((format(printf, 2, 3))) static void worker_fail(struct worker *worker,
							      const char *format, ...)
{
	va_list ap;

	worker->result = (struct replug_result){
		.outcome = REPLUG_FAILED,
		.error.fault = REPLUG_FAULT_FAILED,
	};
	va_start(ap, format);
	vsnprintf(worker->result.error.text, sizeof(worker->result.error.text), format, ap);
	va_end(ap);
}

static void worker_kill(struct worker *worker)
{
	worker->killed = true;
	(void)kill(worker->pid, SIGKILL);
	(void)sd_event_source_set_time_relative(worker->timer, DEATH_LIMIT_MS * UINT64_C(1000));
	(void)sd_event_source_set_enabled(worker->timer, SD_EVENT_ONESHOT);
}

void worker_stop(struct worker *worker, const struct replug_error *error)
{
	worker->result = (struct replug_result){.outcome = REPLUG_FAILED, .error = *error};
	worker->have_result = true;
	worker_kill(worker);
}

/* Takes what has come; < 0: nothing it says can be believed any more. */
static int worker_listen(struct worker *worker)
{
	struct worker_message message;
	int r;

	while (!worker->killed) {
		json_auto_t *body = NULL;

		r = frame_next(&worker->in, &body);
		if (r == 0) {
			r = frame_recv(&worker->in, worker->fd);
			if (r <= 0)
				return r == -EMSGSIZE ? r : 0;
			continue;
		}
		if (r > 0)
			r = worker_message_parse(body, &message);
		if (r < 0 || worker->have_result)
			return -EBADMSG;
		if (message.type == WORKER_RESULT) {
			worker->result = message.result;
			worker->have_result = true;
			(void)sd_event_source_set_time_relative(worker->timer,
								LINGER_LIMIT_MS * UINT64_C(1000));
		} else {
			worker->ops.on_message(worker->ctx, &message);
		}
	}
	return 0;
}

static int on_io(sd_event_source *source, int fd, uint32_t events, void *ctx)
{
	struct worker *worker = ctx;

	(void)fd;
	if (worker_listen(worker) < 0) {
		log_line(LOG_ERR, "Worker process %d talks nonsense, ending it", (int)worker->pid);
		worker->garbled = true;
		worker->have_result = false;
		worker_kill(worker);
	}
	if (worker->killed || (events & EPOLLHUP))
		(void)sd_event_source_set_enabled(source, SD_EVENT_OFF);
	return 0;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *ctx)
{
	struct worker *worker = ctx;

	(void)source;
	(void)usec;
	if (!worker->killed) {
		worker_kill(worker);
		return 0;
	}
	if (!worker->have_result)
		worker_fail(worker, "process %d is stuck in the kernel and can't be ended",
			    (int)worker->pid);
	log_line(LOG_ERR, "Worker process %d is stuck in the kernel", (int)worker->pid);
	worker_leave(worker);
	worker_done(worker, !worker->have_result);
	return 0;
}

static int on_exit_of_child(sd_event_source *source, const siginfo_t *si, void *ctx)
{
	struct worker *worker = ctx;

	(void)source;
	/* What it said last may not have been read yet. */
	if (worker_listen(worker) < 0) {
		worker->garbled = true;
		worker->have_result = false;
	}
	if (worker->have_result)
		;
	else if (worker->garbled)
		worker_fail(worker, "the process doing it talked nonsense and was ended");
	else if (worker->killed)
		worker_fail(worker, "it did not end within %u s", worker->limit_ms / 1000);
	else if (si->si_code == CLD_EXITED)
		worker_fail(worker, "the process doing it ended with status %d without a result",
			    si->si_status);
	else
		worker_fail(worker, "the process doing it was ended by SIG%s",
			    sigabbrev_np(si->si_status) ? sigabbrev_np(si->si_status) : "?");
	worker_done(worker, !worker->have_result);
	return 0;
}

/* Between fork and job_run(): nothing of the daemon may be used by accident. */
static void become_worker(int fd, pid_t parent)
{
	static const int ignored[] = {SIGPIPE, SIGINT, SIGTERM, SIGHUP, SIGQUIT};
	sigset_t none;
	int null;

	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
		_exit(EXIT_FAILURE);
	(void)prctl(PR_SET_NAME, "recoverd-worker");

	/* A Ctrl-C meant for the daemon must not cut a swap in two. */
	for (size_t i = 0; i < ARRAY_SIZE(ignored); i++)
		(void)signal(ignored[i], SIG_IGN);
	(void)signal(SIGCHLD, SIG_DFL);
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);

	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null >= 0) {
		(void)dup2(null, STDIN_FILENO);
		(void)dup2(null, STDOUT_FILENO);
	}
	if (fd != WORKER_FD && dup3(fd, WORKER_FD, O_CLOEXEC) < 0)
		_exit(EXIT_FAILURE);
	(void)close_range(WORKER_FD + 1, ~0u, 0);
	(void)unsetenv("NOTIFY_SOCKET");
	(void)unsetenv("WATCHDOG_PID");
	(void)unsetenv("WATCHDOG_USEC");
}

int worker_new(sd_event *loop, const struct job *job, unsigned limit_ms,
	       const struct worker_ops *ops, void *ctx, struct worker **ret_worker)
{
	pid_t parent = getpid();
	struct worker *worker;
	int fds[2], r;

	worker = calloc(1, sizeof(*worker));
	if (!worker)
		return -ENOMEM;
	worker->loop = sd_event_ref(loop);
	worker->ops = *ops;
	worker->ctx = ctx;
	worker->limit_ms = limit_ms;
	worker->fd = -1;
	frame_init(&worker->in, WORKER_MESSAGE_MAX);

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0) {
		r = -errno;
		goto fail;
	}
	worker->fd = fds[0];
	worker->pid = fork();
	if (worker->pid == 0) {
		become_worker(fds[1], parent);
		_exit(job_run(job, WORKER_FD));
	}
	r = worker->pid < 0 ? -errno : 0;
	close(fds[1]);
	if (r < 0)
		goto fail;

	r = sd_event_add_child(loop, &worker->child, worker->pid, WEXITED, on_exit_of_child,
			       worker);
	if (r < 0)
		goto fail_kill;
	r = sd_event_add_io(loop, &worker->io, worker->fd, EPOLLIN, on_io, worker);
	if (r < 0)
		goto fail_kill;
	r = sd_event_add_time_relative(loop, &worker->timer, CLOCK_MONOTONIC,
				       limit_ms * UINT64_C(1000), 0, on_timer, worker);
	if (r < 0)
		goto fail_kill;
	*ret_worker = worker;
	return 0;

fail_kill:
	(void)kill(worker->pid, SIGKILL);
	(void)waitpid(worker->pid, NULL, 0);
fail:
	worker_destroy(worker);
	return r;
}

int worker_go(struct worker *worker)
{
	static const char go[] = "{\"type\":\"go\"}";

	/* The socket is empty in this direction: it takes all of it. */
	if (send(worker->fd, go, sizeof(go), MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)sizeof(go))
		return -EPIPE;
	return 0;
}

pid_t worker_pid(const struct worker *worker)
{
	return worker->pid;
}
