// SPDX-License-Identifier: GPL-2.0-or-later
/* recoverd: starts the daemon, in the foreground or in the background. */
#include <cap-ng.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <systemd/sd-daemon.h>

#include "cleanup.h"
#include "log.h"
#include "manager.h"
#include "options.h"

enum {
	EXIT_USAGE = 2
};

static int ready_fd = -1; /* the parent that waits for a daemon in the background */

/* The daemon leaves the directory it was started in. */
static const char *absolute(const char *path)
{
	char cwd[PATH_MAX], *result;

	if (!path || *path == '/' || !getcwd(cwd, sizeof(cwd)))
		return path;
	return asprintf(&result, "%s/%s", cwd, path) < 0 ? path : result;
}

static const char *absolute_events(const char *events)
{
	const char *socket;
	char *result;

	if (!events || strcmp(events, "-") == 0)
		return events;
	if (strncmp(events, "unix:", strlen("unix:")) != 0)
		return absolute(events);
	socket = absolute(events + strlen("unix:"));
	return asprintf(&result, "unix:%s", socket) < 0 ? events : result;
}

/* Returns in the child with 0. The parent stays until the child is ready or gone, and ends with
 * its status. */
static int go_to_background(void)
{
	char byte;
	int fds[2], status = 0;
	ssize_t n;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return log_errno(LOG_ERR, -errno, "No pipe: %m");
	pid = fork();
	if (pid < 0)
		return log_errno(LOG_ERR, -errno, "No process in the background: %m");
	if (pid == 0) {
		close(fds[0]);
		ready_fd = fds[1];
		(void)setsid();
		return 0;
	}
	close(fds[1]);
	do {
		n = read(fds[0], &byte, 1);
	} while (n < 0 && errno == EINTR);
	if (n == 1)
		_exit(EXIT_SUCCESS);
	/* It has said why not, and ends. */
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	_exit(WIFEXITED(status) && WEXITSTATUS(status) ? WEXITSTATUS(status) : EXIT_FAILURE);
}

/* The terminal is not ours any more. */
static void leave_terminal(const struct options *options)
{
	_cleanup_close_ int null = -1;

	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null < 0)
		return;
	(void)dup2(null, STDIN_FILENO);
	if (!options->events || strcmp(options->events, "-") != 0)
		(void)dup2(null, STDOUT_FILENO);
	(void)dup2(null, STDERR_FILENO);
	log_to(LOG_TO_JOURNAL);
}

static void on_ready(struct manager *manager)
{
	(void)sd_notifyf(false, "READY=1\nSTATUS=Observing\nMAINPID=%d", (int)getpid());
	if (ready_fd < 0)
		return;
	leave_terminal(&manager->options);
	if (write(ready_fd, "R", 1) < 0)
		log_errno(LOG_WARNING, -errno, "Nobody waits for this daemon to be ready: %m");
	closep(&ready_fd);
	ready_fd = -1;
}

static void check_requirements(void)
{
	if (!capng_have_capability(CAPNG_EFFECTIVE, CAP_SYS_MODULE) ||
	    !capng_have_capability(CAPNG_EFFECTIVE, CAP_SYS_ADMIN))
		log_line(LOG_WARNING, "Without CAP_SYS_MODULE and CAP_SYS_ADMIN drivers can be "
				      "watched but not swapped");
}

int main(int argc, char **argv)
{
	struct manager *manager = NULL;
	struct options options;
	int r;

	r = options_parse(argc, argv, &options);
	if (r <= 0)
		return r < 0 ? EXIT_USAGE : EXIT_SUCCESS;
	options.events = absolute_events(options.events);
	options.socket = absolute(options.socket);
	options.runtime_dir = absolute(options.runtime_dir);
	if (options.background && go_to_background() < 0)
		return EXIT_FAILURE;
	if (chdir("/") < 0)
		log_errno(LOG_WARNING, -errno, "The working folder can't be left: %m");

	check_requirements();
	r = manager_new(&options, &manager);
	if (r < 0) {
		log_errno(LOG_ERR, r, "The daemon can't be set up: %m");
		return EXIT_FAILURE;
	}
	manager->on_ready = on_ready;
	r = manager_start(manager);
	if (r >= 0)
		r = manager_run(manager);
	manager_free(manager);
	return r < 0 ? EXIT_FAILURE : r;
}
