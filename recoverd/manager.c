// SPDX-License-Identifier: GPL-2.0-or-later
/* The daemon itself: puts its parts together, starts and stops them. */
#include "manager.h"

#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>

#include "attempt.h"
#include "cleanup.h"
#include "control.h"
#include "faults.h"
#include "interruption.h"
#include "inventory.h"
#include "lock.h"
#include "log.h"
#include "observation.h"
#include "probe.h"
#include "programs.h"
#include "query.h"
#include "recovery.h"
#include "report.h"
#include "text.h"
#include "version.h"

#define FLUSH_LIMIT_MS 1000

static const struct varlink_identity identity = {
	.vendor = "recoverd",
	.product = "recoverd",
	.version = RECOVERD_VERSION,
	.url = "man:recoverd(8)",
};

static const struct varlink_interface *const interfaces[] = {&control_interface, NULL};

static void on_config_warning(void *ctx, const char *file, unsigned line, const char *text)
{
	(void)ctx;
	if (line)
		log_line(LOG_WARNING, "%s:%u: %s", file, line, text);
	else
		log_line(LOG_WARNING, "%s: %s", file, text);
}

static int load_config(struct config **ret_config)
{
	struct config *config;
	int r;

	r = config_new(&config);
	if (r < 0)
		return r;
	r = config_load(config, "", on_config_warning, NULL);
	if (r < 0) {
		config_free(config);
		return r;
	}
	*ret_config = config;
	return 0;
}

int manager_new(const struct options *options, struct manager **ret_manager)
{
	struct manager *manager;

	manager = calloc(1, sizeof(*manager));
	if (!manager)
		return -ENOMEM;
	manager->options = *options;
	manager->lock_fd = -1;
	manager->keep_watching = true; /* whatever else ends it */
	clock_gettime(CLOCK_REALTIME, &manager->started);
	if (options->socket)
		manager->socket_path = strdup(options->socket);
	else if (asprintf(&manager->socket_path, "%s/%s", options->runtime_dir,
			  CONTROL_SOCKET_NAME) < 0)
		manager->socket_path = NULL;
	if (asprintf(&manager->intent_path, "%s/swap.json", options->runtime_dir) < 0)
		manager->intent_path = NULL;
	if (asprintf(&manager->kept_dir, "%s/images", options->runtime_dir) < 0)
		manager->kept_dir = NULL;
	if (!manager->socket_path || !manager->intent_path || !manager->kept_dir) {
		manager_free(manager);
		return -ENOMEM;
	}
	*ret_manager = manager;
	return 0;
}

void manager_free(struct manager *manager)
{
	if (!manager)
		return;
	if (manager->server)
		varlink_server_flush(manager->server, FLUSH_LIMIT_MS);
	varlink_server_free(manager->server);
	query_drop_all(manager);
	attempt_drop_all(manager);
	interruption_free(manager->interruption);
	faults_free(manager->faults);
	recovery_free(manager->recovery);
	observation_free(manager->observation, manager->keep_watching);
	sink_free(manager->sink);
	event_log_free(manager->events);
	driver_set_uninit(&manager->drivers);
	intent_free(manager->intent);
	json_decref(manager->look);
	config_free(manager->config);
	sd_event_unref(manager->loop);
	if (manager->lock_fd >= 0 && ftruncate(manager->lock_fd, 0) < 0)
		log_errno(LOG_DEBUG, -errno, "The lock can't be emptied: %m");
	closep(&manager->lock_fd);
	free(manager->boot_id);
	free(manager->socket_path);
	free(manager->intent_path);
	free(manager->kept_dir);
	free(manager);
}

static int read_boot_id(char **ret_boot_id)
{
	_cleanup_fclose_ FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");
	char line[64];

	if (!file || !fgets(line, sizeof(line), file))
		return errno ? -errno : -EIO;
	line[strcspn(line, "\n")] = '\0';
	*ret_boot_id = strdup(line);
	return *ret_boot_id ? 0 : -ENOMEM;
}

static int take_lock(struct manager *manager)
{
	_cleanup_free_ char *path = NULL;

	if (mkdir(manager->options.runtime_dir, 0755) < 0 && errno != EEXIST)
		return log_errno(LOG_ERR, -errno, "%s can't be made: %m",
				 manager->options.runtime_dir);
	if (asprintf(&path, "%s/lock", manager->options.runtime_dir) < 0)
		return -ENOMEM;
	manager->lock_fd = lock_take(path);
	return manager->lock_fd < 0 ? manager->lock_fd : 0;
}

/* ---- signals ---- */

static int on_stop(sd_event_source *source, const struct signalfd_siginfo *si, void *ctx)
{
	struct manager *manager = ctx;
	const char *name = si->ssi_signo == SIGTERM  ? "SIGTERM"
			   : si->ssi_signo == SIGINT ? "SIGINT"
						     : "SIGUSR1";

	(void)source;
	manager->keep_watching = si->ssi_signo == SIGUSR1;
	if (!manager->stopping) {
		manager->stopping = true;
		manager->stop_reason = name;
		(void)sd_notify(false, "STOPPING=1");
		if (manager->swap)
			log_line(LOG_NOTICE,
				 "Stopping when the swap under way has ended; %s again "
				 "leaves it to the kernel",
				 name);
		manager_idle(manager);
	} else {
		(void)sd_event_exit(manager->loop, 0);
	}
	return 0;
}

static const char *output_of(const struct manager *manager)
{
	return manager->options.events ? manager->options.events : manager->config->output;
}

/* Opens the event output anew: a rotated file, or another one than before. */
static int open_sink(struct manager *manager)
{
	const char *output = output_of(manager);
	struct sink *sink = NULL;
	int r;

	if (output) {
		r = sink_new(manager->loop, manager->events, output, &sink);
		if (r < 0)
			return log_errno(LOG_ERR, r, "Event output %s can't be opened: %m", output);
	}
	sink_free(manager->sink);
	manager->sink = sink;
	return 0;
}

static int on_reload(sd_event_source *source, const struct signalfd_siginfo *si, void *ctx)
{
	struct manager *manager = ctx;
	struct config *config;
	uint64_t now;
	int r;

	(void)source;
	(void)si;
	(void)sd_event_now(manager->loop, CLOCK_MONOTONIC, &now);
	(void)sd_notifyf(false, "RELOADING=1\nMONOTONIC_USEC=%llu", (unsigned long long)now);
	r = load_config(&config);
	if (r < 0) {
		log_errno(LOG_ERR, r, "The configuration can't be read, keeping the old one: %m");
	} else {
		config_free(manager->config);
		manager->config = config;
		(void)event_log_resize(manager->events, config->history);
		(void)open_sink(manager);
		recovery_reload(manager->recovery);
		report_daemon_reloaded(manager->events);
	}
	(void)sd_notify(false, "READY=1");
	return 0;
}

static int start_loop(struct manager *manager)
{
	sigset_t mask;
	int r;

	sigemptyset(&mask);
	sigaddset(&mask, SIGTERM);
	sigaddset(&mask, SIGINT);
	sigaddset(&mask, SIGUSR1);
	sigaddset(&mask, SIGHUP);
	sigaddset(&mask, SIGCHLD);
	if (sigprocmask(SIG_BLOCK, &mask, NULL) < 0)
		return -errno;
	(void)signal(SIGPIPE, SIG_IGN);

	r = sd_event_default(&manager->loop);
	if (r >= 0)
		r = sd_event_add_signal(manager->loop, NULL, SIGTERM, on_stop, manager);
	if (r >= 0)
		r = sd_event_add_signal(manager->loop, NULL, SIGINT, on_stop, manager);
	if (r >= 0)
		r = sd_event_add_signal(manager->loop, NULL, SIGUSR1, on_stop, manager);
	if (r >= 0)
		r = sd_event_add_signal(manager->loop, NULL, SIGHUP, on_reload, manager);
	if (r >= 0)
		r = sd_event_set_watchdog(manager->loop, true);
	return r < 0 ? log_errno(LOG_ERR, r, "The event loop can't be set up: %m") : 0;
}

/* ---- what an earlier daemon has left ---- */

static void read_intent(struct manager *manager, bool *ret_damaged)
{
	_cleanup_free_ char *aside = NULL;
	char why[256] = "";
	int r;

	r = intent_read(manager->intent_path, &manager->intent, why, sizeof(why));
	if (r == -ENOENT)
		return;
	if (r == -EBADMSG) {
		log_line(LOG_ERR, "%s is damaged: %s", manager->intent_path, why);
		if (asprintf(&aside, "%s.bad", manager->intent_path) < 0 ||
		    rename(manager->intent_path, aside) < 0)
			(void)intent_remove(manager->intent_path);
		*ret_damaged = true;
	} else if (r < 0) {
		log_errno(LOG_ERR, r, "%s can't be read: %m", manager->intent_path);
	} else if (strcmp(manager->intent->boot_id, manager->boot_id) != 0) {
		log_line(LOG_INFO, "%s is of another boot, ignoring", manager->intent_path);
		manager_drop_intent(manager);
	}
}

/* A damaged intent was ours all the same; the kernel still knows the driver, if it matters. */
static void replace_intent(struct manager *manager, const char *driver)
{
	_cleanup_free_ char *stamp = event_timestamp(&manager->started);
	struct timespec real;
	uint64_t mono_ns;

	event_system_clock.now(NULL, &real, &mono_ns);
	if (stamp)
		(void)intent_new(driver, NULL, manager->boot_id, stamp, mono_ns, NULL,
				 &manager->intent);
}

static void begin_interruption(struct manager *manager, bool damaged)
{
	const char *driver = json_string_value(json_object_get(manager->look, "driver"));
	const char *state = json_string_value(json_object_get(manager->look, "swap_state"));
	bool orphan = state && strcmp(state, "none") != 0 && driver && *driver &&
		      json_integer_value(json_object_get(manager->look, "owner_pid")) == 0;

	if (manager->intent) {
		interruption_begin(manager, manager->intent->driver,
				   "the daemon was killed in the middle of it");
	} else if (orphan) {
		if (damaged)
			replace_intent(manager, driver);
		interruption_begin(manager, driver, "the kernel holds a swap without an owner");
	}
}

static void become_ready(struct manager *manager)
{
	if (!manager->ready)
		manager->on_ready(manager);
	manager->ready = true;
}

static void on_configured(void *ctx, const struct replug_error *error)
{
	struct manager *manager = ctx;

	if (error)
		log_line(LOG_WARNING, "%s", error->text);
	if (--manager->n_configured == 0)
		become_ready(manager);
}

static void watch_configured(struct manager *manager)
{
	_cleanup_free_ char *names = NULL;
	uint64_t budget = manager->config->memory_budget;
	unsigned groups = budget ? 1U << PROGRAMS_MEMORY : 0;
	struct watch *watch; /* until the daemon ends */
	char *rest;
	int r;

	if (manager->config->drivers)
		names = strdup(manager->config->drivers);
	rest = names;
	for (char *name; (name = strsep(&rest, " \t"));) {
		if (!*name)
			continue;
		r = observation_watch(manager, name, groups, on_configured, manager, &watch);
		if (r < 0) {
			log_errno(LOG_WARNING, r, "%s can't be watched: %m", name);
			continue;
		}
		observation_set_budget(watch, budget);
		manager->n_configured++;
	}
	observation_start(manager);
}

static void on_first_look(struct manager *manager, void *ctx, json_t *answers,
			  const struct replug_result *result)
{
	bool damaged = ctx != NULL;

	(void)answers;
	if (!manager->look)
		report_shadow_missing(manager->events, result->error.text);
	watch_configured(manager);
	/* Users that wait for an interrupted swap do not wait for that. */
	if (!manager->n_configured || manager->intent)
		become_ready(manager);
	if (!manager->stopping)
		begin_interruption(manager, damaged);
}

int manager_start(struct manager *manager)
{
	bool damaged = false;
	json_auto_t *devices = NULL;
	int r;

	r = load_config(&manager->config);
	if (r < 0)
		return log_errno(LOG_ERR, r, "The configuration can't be read: %m");
	r = read_boot_id(&manager->boot_id);
	if (r < 0)
		return log_errno(LOG_ERR, r, "The boot id can't be read: %m");
	r = take_lock(manager);
	if (r < 0)
		return r;
	/* Of a daemon that was killed; those for sound are its programs'. */
	probe_set_free(probe_set_find("inside"));
	r = start_loop(manager);
	if (r < 0)
		return r;
	r = event_log_new(&event_system_clock, manager->boot_id, manager->config->history,
			  &manager->events);
	if (r < 0)
		return log_errno(LOG_ERR, r, "The event log can't be made: %m");
	r = open_sink(manager);
	if (r < 0)
		return r;

	r = observation_new(manager);
	if (r < 0)
		return log_errno(LOG_ERR, r, "Watching can't be set up: %m");
	r = recovery_new(manager, &manager->recovery);
	if (r >= 0)
		r = faults_new(manager, &manager->faults);
	if (r < 0)
		return log_errno(LOG_ERR, r, "Faults can't be heard of: %m");

	report_daemon_started(manager->events, RECOVERD_VERSION, getpid());
	read_intent(manager, &damaged);
	if (inventory_scan(SYSFS, &devices) >= 0)
		manager_saw(manager, devices);
	faults_check(manager->faults);
	recovery_check(manager->recovery);

	r = varlink_server_new(manager->loop, &identity, interfaces, manager, &manager->server);
	if (r >= 0)
		r = varlink_server_listen(manager->server, manager->socket_path);
	if (r < 0)
		return log_errno(LOG_ERR, r, "Control socket %s can't be opened: %m",
				 manager->socket_path);
	r = query_look(manager, on_first_look, damaged ? manager : NULL);
	if (r < 0)
		return log_errno(LOG_ERR, r, "No worker process can be started: %m");
	return 0;
}

int manager_run(struct manager *manager)
{
	int r = sd_event_loop(manager->loop);

	report_daemon_stopped(manager->events,
			      manager->stop_reason ? manager->stop_reason : "internal error");
	return r;
}

/* ---- what the parts tell each other ---- */

bool manager_has_shadow(const struct manager *manager)
{
	return json_is_true(json_object_get(manager->look, "present"));
}

/* The kernel has ended by itself what nobody here has begun. */
static void settle_orphans(struct manager *manager)
{
	const char *state = json_string_value(json_object_get(manager->look, "swap_state"));

	if (manager->intent || manager->interruption || !state || strcmp(state, "none") != 0)
		return;
	for (size_t i = 0; i < manager->drivers.n; i++) {
		if (manager->drivers.list[i]->state == DRIVER_INTERRUPTED)
			(void)driver_feed(manager->drivers.list[i], DRIVER_SERVES);
	}
}

void manager_looked(struct manager *manager, json_t *look)
{
	bool first = !manager->look, had = manager_has_shadow(manager), has;

	if (!look)
		return;
	json_decref(manager->look);
	manager->look = json_incref(look);
	has = manager_has_shadow(manager);
	if (has && !had)
		report_shadow_loaded(manager->events,
				     (unsigned)json_integer_value(json_object_get(look, "abi")),
				     (unsigned)json_integer_value(json_object_get(look, "swaps")));
	else if (!has && (had || first))
		report_shadow_missing(manager->events,
				      json_string_value(json_object_get(look, "reason")));
	settle_orphans(manager);
}

void manager_saw(struct manager *manager, const json_t *devices)
{
	struct driver *driver;
	json_t *device;
	size_t i;

	for (i = 0; i < manager->drivers.n; i++)
		manager->drivers.list[i]->devices = 0;
	json_array_foreach((json_t *)devices, i, device) {
		const char *name = json_string_value(json_object_get(device, "driver"));

		if (json_is_true(json_object_get(device, "built_in")) ||
		    !text_is_module_name(name) ||
		    driver_set_get(&manager->drivers, name, &driver) < 0)
			continue;
		driver->devices++;
		(void)driver_feed(driver, DRIVER_SEEN);
	}

	if (!manager->intent || manager->swap || manager->interruption)
		return;
	/* One that had failed serves again: somebody has put it back by hand. */
	driver = driver_set_find(&manager->drivers, manager->intent->driver);
	if (driver && driver->state == DRIVER_LIVE && driver->has_last)
		manager_drop_intent(manager);
}

void manager_drop_intent(struct manager *manager)
{
	int r;

	r = intent_remove(manager->intent_path);
	if (r < 0)
		log_errno(LOG_WARNING, r, "%s can't be removed: %m", manager->intent_path);
	intent_free(manager->intent);
	manager->intent = NULL;
	interruption_free(manager->interruption);
}

void manager_idle(struct manager *manager)
{
	if (manager->stopping && !manager->swap)
		(void)sd_event_exit(manager->loop, 0);
}
