// SPDX-License-Identifier: GPL-2.0-or-later
/* Probes drivers in processes of their own. */
#include "heartbeat.h"

#include <limits.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>

#include "child.h"
#include "cleanup.h"
#include "liveness.h"
#include "log.h"
#include "rebind.h"
#include "script.h"
#include "trusted.h"

struct heartbeat {
	sd_event *loop;
	sd_event_source *timer;
	struct child *child;
	char *driver, *probe;
	uint32_t interval_ms, limit_ms, misses_max, misses;
	void (*on_miss)(void *ctx, const char *reason);
	void *ctx;
};

/* ---- in the process ---- */

/* The script is run for one device after the other; the group of this process is ended as a whole. */
static int run_script(void *ctx, const char *folder, const char *device)
{
	const struct heartbeat *heartbeat = ctx;
	int status = -1;
	pid_t pid = fork();

	(void)folder;
	if (pid == 0)
		script_exec((char *[]){heartbeat->probe, heartbeat->driver, (char *)device, NULL});
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		return -errno;
	return status == 0 ? 0 : -EIO;
}

static int probe_net(void *ctx, const char *folder, const char *device)
{
	const struct heartbeat *heartbeat = ctx;

	return liveness_check_net(folder, device, heartbeat->limit_ms / 2);
}

static int run(const void *arg)
{
	const struct heartbeat *heartbeat = arg;
	bool net = strcmp(heartbeat->probe, POLICY_HEARTBEAT_NET) == 0;
	int r = rebind_each("/sys", heartbeat->driver, net ? probe_net : run_script,
			    (void *)heartbeat);

	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* ---- in the daemon ---- */

static void on_answer(void *ctx, const struct child_result *result)
{
	struct heartbeat *heartbeat = ctx;

	heartbeat->child = NULL;
	if (!result->late && result->status == 0) {
		heartbeat->misses = 0;
		return;
	}
	/* A second process would hang as well: none is started before the driver was swapped. */
	if (result->stuck)
		(void)sd_event_source_set_enabled(heartbeat->timer, SD_EVENT_OFF);
	else if (++heartbeat->misses < heartbeat->misses_max)
		return;
	heartbeat->misses = 0;
	heartbeat->on_miss(heartbeat->ctx,
			   result->late ? "it does not answer in time" : "its probe fails");
}

static int on_due(sd_event_source *source, uint64_t usec, void *ctx)
{
	struct heartbeat *heartbeat = ctx;
	const char *why = NULL;
	int r = 0;

	(void)usec;
	(void)sd_event_source_set_time_relative(source, heartbeat->interval_ms * UINT64_C(1000));
	(void)sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
	if (heartbeat->child)
		return 0; /* its limit is longer than the interval */
	if (strcmp(heartbeat->probe, POLICY_HEARTBEAT_NET) != 0)
		why = trusted_check(heartbeat->probe, true);
	if (!why)
		r = child_new(heartbeat->loop, run, heartbeat, heartbeat->limit_ms, on_answer,
			      heartbeat, &heartbeat->child);
	if (why)
		log_line(LOG_ERR, "%s is not probed: its policy %s", heartbeat->driver, why);
	else if (r < 0)
		log_errno(LOG_ERR, r, "%s can't be probed: %m", heartbeat->driver);
	return 0;
}

void heartbeat_free(struct heartbeat *heartbeat)
{
	if (!heartbeat)
		return;
	sd_event_source_disable_unref(heartbeat->timer);
	child_free(heartbeat->child);
	free(heartbeat->driver);
	free(heartbeat->probe);
	free(heartbeat);
}

void heartbeat_renew(struct heartbeat *heartbeat)
{
	if (!heartbeat)
		return;
	heartbeat->misses = 0;
	(void)sd_event_source_set_enabled(heartbeat->timer, SD_EVENT_ONESHOT);
}

int heartbeat_new(sd_event *loop, const char *driver, const struct policy *policy,
		  void (*on_miss)(void *ctx, const char *reason), void *ctx,
		  struct heartbeat **ret_heartbeat)
{
	struct heartbeat *heartbeat = calloc(1, sizeof(*heartbeat));
	int r = -ENOMEM;

	if (!heartbeat)
		return r;
	heartbeat->loop = loop;
	heartbeat->driver = strdup(driver);
	heartbeat->probe = strdup(policy->heartbeat);
	heartbeat->interval_ms = policy->heartbeat_ms;
	heartbeat->limit_ms = policy->heartbeat_limit_ms;
	heartbeat->misses_max = policy->heartbeat_misses;
	heartbeat->on_miss = on_miss;
	heartbeat->ctx = ctx;
	if (heartbeat->driver && heartbeat->probe)
		r = sd_event_add_time_relative(loop, &heartbeat->timer, CLOCK_MONOTONIC,
					       heartbeat->interval_ms * UINT64_C(1000), 0, on_due,
					       heartbeat);
	if (r < 0) {
		heartbeat_free(heartbeat);
		return r;
	}
	*ret_heartbeat = heartbeat;
	return 0;
}
