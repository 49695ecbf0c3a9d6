// SPDX-License-Identifier: GPL-2.0-or-later
/* Does a worker process's work and tells the daemon about it. */
#include "job.h"

#include <poll.h>
#include <stdarg.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>

#include "arming.h"
#include "cleanup.h"
#include "holders.h"
#include "modload.h"
#include "programs.h"
#include "shadow.h"
#include "text.h"
#include "varlink_frame.h"
#include "worker_message.h"

#define OWNER_LIMIT_MS	10000 /* for the worker of a killed daemon to be gone */
#define RETURN_LIMIT_MS 15000 /* for a device to be back after its driver was loaded */
#define POLL_MS		50

static void plan_freep(struct replug_plan **plan)
{
	replug_plan_free(*plan);
}

/* Sends all of a message. wait false: rather drop it than wait for the daemon. */
static int tell(int fd, json_t *message_taken, bool wait)
{
	json_auto_t *message = message_taken;
	_cleanup_free_ char *text = NULL;
	size_t size, sent = 0;
	ssize_t n;

	text = message ? json_dumps(message, JSON_COMPACT) : NULL;
	if (!text)
		return -ENOMEM;
	size = strlen(text) + 1;
	if (size > WORKER_MESSAGE_MAX)
		return -EMSGSIZE;
	while (sent < size) {
		/* Half a message would garble the next one: what was begun is ended. */
		n = send(fd, text + sent, size - sent,
			 MSG_NOSIGNAL | (wait || sent ? 0 : MSG_DONTWAIT));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		sent += (size_t)n;
	}
	return 0;
}

static int tell_result(int fd, const struct replug_result *result)
{
	return tell(fd, worker_message_result(result), true);
}

/* outcome: REPLUG_REFUSED while nothing was touched. */
static int tell_error(int fd, enum replug_outcome outcome, const struct replug_error *error)
{
	struct replug_result result = {.outcome = outcome, .error = *error};

	if (result.error.fault == REPLUG_FAULT_NONE)
		result.error.fault = REPLUG_FAULT_FAILED;
	if (!result.error.text[0])
		snprintf(result.error.text, sizeof(result.error.text),
			 "it failed without a reason");
	return tell_result(fd, &result);
}

static void on_progress(void *ctx, enum replug_phase phase, bool rollback, bool done, uint64_t ns)
{
	(void)tell(*(int *)ctx, worker_message_phase(phase, rollback, done, ns), false);
}

static struct replug_options job_options(const struct job *job, int *fd)
{
	return (struct replug_options){
		.drain_ms = job->drain_ms,
		.deadline_ms = job->deadline_ms,
		.link_ms = job->link_ms,
		.untrusted = job->untrusted,
		.leave_out = job->leave_out,
		.leave_out_of = job->leave_out_of,
		.progress = on_progress,
		.ctx = fd,
	};
}

static json_t *look_message(bool present, const struct replug_error *error,
			    const struct recov_info *info, json_t *devices)
{
	return json_pack("{s:s, s:b, s:o, s:I, s:I, s:s, s:I, s:I, s:o, s:o}", "type", "look",
			 "present", present, "reason", text_json(error->text), "abi",
			 (json_int_t)info->abi, "swaps", (json_int_t)info->swaps, "swap_state",
			 shadow_swap_state_name(info->swap_state), "owner_pid",
			 (json_int_t)info->owner_pid, "deadline_left_ns",
			 (json_int_t)(info->deadline_left_ns & INT64_MAX), "driver",
			 text_json(info->driver), "swap_devices", devices ? devices : json_array());
}

static int job_look(int fd)
{
	_cleanup_close_ int shadow = -1;
	struct replug_error error = {};
	struct recov_info info = {};
	json_t *devices = NULL;
	int r;

	r = shadow_open(&shadow, &error);
	if (r >= 0)
		r = shadow_info(shadow, &info);
	if (r >= 0 && info.swap_state != RECOV_SWAP_NONE)
		(void)shadow_swap_devices(shadow, &devices);
	r = tell(fd, look_message(r >= 0, &error, &info, devices), true);
	if (r < 0)
		return r;
	return tell_result(fd, &(struct replug_result){.outcome = REPLUG_SUCCESS});
}

static int job_match(const struct job *job, int fd)
{
	_cleanup_close_ int shadow = -1;
	struct replug_error error = {};
	struct replug_host host;
	int storage, r;

	r = shadow_open(&shadow, &error);
	if (r < 0)
		return tell_error(fd, REPLUG_REFUSED, &error);
	replug_host_init(&host, shadow, &storage);
	for (const char *const *driver = job->drivers; *driver; driver++) {
		_cleanup_free_ struct replug_device *devices = NULL;
		struct replug_error why = {};
		size_t n = 0;

		r = host.devices(host.ctx, *driver, &devices, &n);
		if (r < 0) {
			why.fault = REPLUG_FAULT_UNSUPPORTED;
			snprintf(why.text, sizeof(why.text), "the shadow can't tell: %s",
				 strerror(-r));
		}
		r = tell(fd, worker_message_match(*driver, &why, devices, r < 0 ? 0 : n), true);
		if (r < 0)
			return r;
	}
	return tell_result(fd, &(struct replug_result){.outcome = REPLUG_SUCCESS});
}

/* Until the daemon has written down what is about to be done. */
static int wait_for_go(int fd)
{
	static const char expected[] = "{\"type\":\"go\"}";
	char buf[sizeof(expected)] = "";
	size_t got = 0;
	ssize_t n;

	while (got < sizeof(buf)) {
		n = recv(fd, buf + got, sizeof(buf) - got, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -ECONNRESET;
		got += (size_t)n;
	}
	return memcmp(buf, expected, sizeof(expected)) == 0 ? 0 : -EPROTO;
}

static bool is_kept(const struct job *job)
{
	return job->image || job->target == TARGET_ARMED || job->target == TARGET_LOADED;
}

/* What is loaded in the end is kept, unless it is the installed image, so that the next swap has a
 * way back. */
static int keep_new_image(const struct job *job, const struct replug_plan *plan,
			  struct replug_error *error)
{
	size_t n;
	const struct replug_image *image = replug_plan_modules(plan, &n)[0].new_image;
	int r;

	r = is_kept(job) ? replug_kept_add(job->kept_dir, image) : 0;
	if (r < 0) {
		error->fault = REPLUG_FAULT_FAILED;
		snprintf(error->text, sizeof(error->text), "%s can't be kept in %s: %s",
			 replug_image_path(image), job->kept_dir, strerror(-r));
	}
	return r;
}

static void clean_kept_images(const struct job *job, const struct replug_plan *plan,
			      enum replug_outcome outcome)
{
	size_t n;
	const struct replug_module *module = replug_plan_modules(plan, &n);

	if (outcome == REPLUG_SUCCESS)
		replug_kept_clean(job->kept_dir, module->name,
				  is_kept(job) ? module->new_image : NULL);
	else if (outcome != REPLUG_FAILED)
		replug_kept_clean(job->kept_dir, module->name, module->old_image);
}

/* Users wait for this process; whoever is told of its progress can wait for it, too. */
static void hurry(void)
{
	(void)setpriority(PRIO_PROCESS, 0, -20);
}

static int make_plan(const struct job *job, const struct replug_host *host,
		     struct replug_plan **ret_plan, struct replug_error *error)
{
	const struct replug_target target = {
		.image = job->image,
		.loaded = job->target == TARGET_LOADED,
		.parameters = job->parameters,
		.without_devices = job->without_devices,
		.untrusted = job->untrusted && job->kind == JOB_SWAP,
	};
	const struct replug_module *modules;
	size_t n;
	int r;

	if (job->target == TARGET_ARMED ||
	    (job->target == TARGET_ALIKE && arming_is_armed(job->driver)))
		return arming_plan(host, job->driver, &target, ret_plan, error);
	r = replug_plan_target(host, job->driver, &target, ret_plan, error);
	if (r < 0 || job->target != TARGET_DISARMED)
		return r;
	modules = replug_plan_modules(*ret_plan, &n);
	if (replug_image_armed(modules[0].old_image))
		return 0;
	error->fault = REPLUG_FAULT_REFUSED;
	snprintf(error->text, sizeof(error->text), "%s is not armed", modules[0].name);
	return -EALREADY;
}

static int job_swap(const struct job *job, int fd)
{
	_cleanup_(plan_freep) struct replug_plan *plan = NULL;
	struct replug_options options = job_options(job, &fd);
	_cleanup_close_ int shadow = -1;
	struct replug_result result = {};
	struct replug_error error = {};
	struct replug_host host;
	int storage, r;

	r = shadow_open(&shadow, &error);
	if (r < 0)
		return tell_error(fd, REPLUG_REFUSED, &error);
	replug_host_init(&host, shadow, &storage);
	host.kept = job->kept_dir;
	r = make_plan(job, &host, &plan, &error);
	if (r < 0)
		return tell_error(fd, REPLUG_REFUSED, &error);
	r = tell(fd, worker_message_plan(plan), true);
	if (r < 0)
		return r;
	if (job->kind == JOB_PLAN)
		return tell_result(fd, &result);

	r = wait_for_go(fd);
	if (r < 0)
		return r;
	r = keep_new_image(job, plan, &error);
	if (r < 0)
		return tell_error(fd, REPLUG_REFUSED, &error);
	hurry();
	r = replug_swap_run(plan, shadow, &options, &result);
	if (r < 0) {
		error.fault = REPLUG_FAULT_FAILED;
		snprintf(error.text, sizeof(error.text), "the swap was not begun: %s",
			 strerror(-r));
		return tell_error(fd, REPLUG_REFUSED, &error);
	}
	r = tell_result(fd, &result);
	clean_kept_images(job, plan, result.outcome);
	return r;
}

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static int failed(struct replug_error *error, int r, const char *text)
{
	error->fault = REPLUG_FAULT_FAILED;
	snprintf(error->text, sizeof(error->text), "%s", text);
	return r;
}

/* The owner dies with its daemon, but a driver call it is in has to return first. */
static int wait_for_owner(int shadow, const char *driver, struct replug_error *error)
{
	uint64_t end = now_ms() + OWNER_LIMIT_MS;
	struct recov_info info;
	int r;

	for (;;) {
		r = shadow_info(shadow, &info);
		if (r < 0)
			return failed(error, r, "the shadow module does not answer");
		if (info.swap_state == RECOV_SWAP_NONE)
			return 0;
		if (!text_same_module(info.driver, driver)) {
			error->fault = REPLUG_FAULT_FAILED;
			snprintf(error->text, sizeof(error->text),
				 "the swap that the kernel holds is of %.64s", info.driver);
			return -EBUSY;
		}
		if (info.owner_pid == 0)
			return 0;
		if (now_ms() >= end)
			break;
		(void)poll(NULL, 0, POLL_MS);
	}
	error->fault = REPLUG_FAULT_FAILED;
	snprintf(error->text, sizeof(error->text),
		 "process %u still owns the swap and does not end", info.owner_pid);
	return -EBUSY;
}

/* Without a plan the installed driver is loaded by its name; the kernel does the rest by itself
 * when it binds a kept device. */
static int finish_by_name(const struct job *job, int fd, int shadow)
{
	struct replug_result result = {.outcome = REPLUG_SUCCESS};
	uint64_t end = now_ms() + RETURN_LIMIT_MS;
	struct replug_error error = {};
	struct recov_info info;
	int r;

	r = modload(job->driver, &error);
	if (r < 0)
		return tell_error(fd, REPLUG_FAILED, &error);
	while (shadow >= 0) {
		r = shadow_info(shadow, &info);
		if (r < 0 || info.swap_state == RECOV_SWAP_NONE)
			break;
		if (now_ms() >= end) {
			failed(&error, 0, "the driver was loaded but its device did not return");
			return tell_error(fd, REPLUG_FAILED, &error);
		}
		(void)poll(NULL, 0, POLL_MS);
	}
	return tell_result(fd, &result);
}

static int job_finish(const struct job *job, int fd)
{
	_cleanup_(plan_freep) struct replug_plan *plan = NULL;
	struct replug_options options = job_options(job, &fd);
	const struct intent *intent = job->intent;
	_cleanup_close_ int shadow = -1;
	struct replug_result result = {};
	struct replug_error error = {};
	int r;

	/* Without the shadow nothing is kept any more, but the driver should be back all the same. */
	r = shadow_open(&shadow, &error);
	if (r < 0 || !intent->n_modules)
		return finish_by_name(job, fd, shadow);
	r = wait_for_owner(shadow, intent->driver, &error);
	if (r < 0)
		return tell_error(fd, REPLUG_FAILED, &error);
	r = replug_plan_restore(intent->driver, intent->modules, intent->n_modules, &plan, &error);
	if (r < 0)
		return tell_error(fd, REPLUG_FAILED, &error);
	hurry();
	r = replug_swap_finish(plan, shadow, job->undo, &options, &result);
	if (r < 0) {
		failed(&error, r, "the interrupted swap can't be taken over");
		return tell_error(fd, REPLUG_FAILED, &error);
	}
	return tell_result(fd, &result);
}

static int tell_holders(void *ctx, json_t *holders)
{
	return tell(*(int *)ctx, worker_message_holders(holders, NULL), true);
}

static int job_holders(const struct job *job, int fd)
{
	struct holders_summary summary;
	struct replug_error error = {};
	int r;

	r = holders_scan("", job->driver, tell_holders, &fd, &summary);
	if (r < 0) {
		error.fault = r == -ENOENT	 ? REPLUG_FAULT_USAGE
			      : r == -EOPNOTSUPP ? REPLUG_FAULT_REFUSED
						 : REPLUG_FAULT_FAILED;
		snprintf(error.text, sizeof(error.text), "the holders of %.64s can't be listed: %s",
			 job->driver, strerror(-r));
		return tell_error(fd, REPLUG_REFUSED, &error);
	}
	r = tell(fd, worker_message_holders(json_array(), &summary), true);
	if (r < 0)
		return r;
	return tell_result(fd, &(struct replug_result){.outcome = REPLUG_SUCCESS});
}

static int job_programs(const struct job *job, int fd)
{
	struct replug_error error = {};

	if (job->kind == JOB_UNLOAD_PROGRAMS)
		programs_unload(job->group);
	else if (programs_load(job->group, &error) < 0)
		return tell_error(fd, REPLUG_FAILED, &error);
	return tell_result(fd, &(struct replug_result){.outcome = REPLUG_SUCCESS});
}

int job_run(const struct job *job, int fd)
{
	int r = -EINVAL;

	switch (job->kind) {
	case JOB_LOOK:
		r = job_look(fd);
		break;
	case JOB_MATCH:
		r = job_match(job, fd);
		break;
	case JOB_PLAN:
	case JOB_SWAP:
		r = job_swap(job, fd);
		break;
	case JOB_FINISH:
		r = job_finish(job, fd);
		break;
	case JOB_HOLDERS:
		r = job_holders(job, fd);
		break;
	case JOB_LOAD_PROGRAMS:
	case JOB_UNLOAD_PROGRAMS:
		r = job_programs(job, fd);
		break;
	}
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
