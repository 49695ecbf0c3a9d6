// SPDX-License-Identifier: GPL-2.0-or-later
/* Reads faults from a session of the shadow module, and publishes them. */
#include "faults.h"

#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>

#include "../include/recov_shadow.h"
#include "arming.h"
#include "cleanup.h"
#include "log.h"
#include "manager.h"
#include "recovery.h"
#include "report_fault.h"
#include "report_file.h"

struct faults {
	struct manager *manager;
	sd_event_source *source; /* NULL: no driver is armed */
	uint64_t seq;		 /* of the next one in this session */
	uint64_t last_ns;	 /* the latest that was told */
	uint64_t before_ns;	 /* those until then were told in earlier sessions */
};

int faults_new(struct manager *manager, struct faults **ret_faults)
{
	struct faults *faults = calloc(1, sizeof(*faults));

	if (!faults)
		return -ENOMEM;
	faults->manager = manager;
	*ret_faults = faults;
	return 0;
}

void faults_free(struct faults *faults)
{
	if (!faults)
		return;
	sd_event_source_disable_unref(faults->source);
	free(faults);
}

/* A text from the kernel that fills its array has no end. */
static void terminate(struct recov_fault *fault)
{
	fault->comm[sizeof(fault->comm) - 1] = '\0';
	fault->driver[sizeof(fault->driver) - 1] = '\0';
	fault->site[sizeof(fault->site) - 1] = '\0';
	fault->entry[sizeof(fault->entry) - 1] = '\0';
	fault->service[sizeof(fault->service) - 1] = '\0';
}

/* Does the driver fail all calls? The kernel knows. */
static bool has_failed(int fd, const char *driver)
{
	struct recov_armed armed = {};

	snprintf(armed.driver, sizeof(armed.driver), "%s", driver);
	return ioctl(fd, RECOV_IOC_ARMED, &armed) == 0 && armed.failed;
}

/* Brings what is known of a driver up to that. In the middle of a swap it may be either way. */
static void look_at(struct faults *faults, int fd, const char *name, uint64_t ns,
		    const char *report)
{
	struct driver *driver;

	if (!has_failed(fd, name) || driver_set_get(&faults->manager->drivers, name, &driver) < 0 ||
	    driver->state != DRIVER_LIVE)
		return;
	if (driver_feed(driver, DRIVER_FAULTS) >= 0)
		recovery_fault(faults->manager->recovery, driver->name, ns, report);
}

static void on_fault(struct faults *faults, int fd, struct recov_fault *fault)
{
	struct manager *manager = faults->manager;
	_cleanup_free_ char *report = NULL;
	json_auto_t *outlook = NULL;
	struct driver *driver;
	json_t *fields;

	/* Two CPUs' may come in another order than their times. */
	if (fault->time_ns <= faults->before_ns)
		return;
	if (fault->time_ns > faults->last_ns)
		faults->last_ns = fault->time_ns;
	terminate(fault);
	fields = report_fault_fields(fault);
	outlook = recovery_outlook(manager->recovery, fault->driver);
	report = report_file_write(manager, fault->driver, fields, outlook);
	if (driver_set_get(&manager->drivers, fault->driver, &driver) >= 0)
		driver_note_fault(driver, fields, report);
	report_fault_caught(manager->events, fields, report);
	look_at(faults, fd, fault->driver, fault->time_ns, report);
}

static int on_readable(sd_event_source *source, int fd, uint32_t revents, void *ctx)
{
	struct faults *faults = ctx;
	struct recov_fault fault;

	(void)revents;
	for (;;) {
		fault = (struct recov_fault){.seq = faults->seq};
		if (ioctl(fd, RECOV_IOC_FAULT, &fault) == 0) {
			faults->seq = fault.seq + 1;
			on_fault(faults, fd, &fault);
		} else if (errno == EOVERFLOW && fault.seq > faults->seq) {
			log_line(LOG_WARNING, "%llu faults of drivers came too fast to be told",
				 (unsigned long long)(fault.seq - faults->seq));
			faults->seq = fault.seq;
		} else if (errno == EAGAIN) {
			return 0;
		} else {
			log_errno(LOG_ERR, -errno, "Faults of drivers can't be heard of: %m");
			return sd_event_source_set_enabled(source, SD_EVENT_OFF);
		}
	}
}

/* fd -1: only tells whether there are any. */
static bool look_at_armed(struct faults *faults, int fd)
{
	_cleanup_closedir_ DIR *dir = opendir(ARMING_HOLDERS);
	bool any = false;

	for (const struct dirent *entry; dir && (entry = readdir(dir));) {
		if (entry->d_name[0] == '.')
			continue;
		any = true;
		if (fd >= 0)
			look_at(faults, fd, entry->d_name, faults->last_ns, NULL);
	}
	return any;
}

static int listen_to_shadow(struct faults *faults)
{
	_cleanup_close_ int fd = open(RECOV_SHADOW_PATH, O_RDWR | O_CLOEXEC);
	int r;

	if (fd < 0)
		return -errno;
	r = sd_event_add_io(faults->manager->loop, &faults->source, fd, EPOLLPRI, on_readable,
			    faults);
	if (r >= 0)
		r = sd_event_source_set_io_fd_own(faults->source, true);
	if (r < 0)
		return r;
	(void)TAKE_FD(fd);
	faults->seq = 1;
	faults->before_ns = faults->last_ns;
	return 0;
}

void faults_check(struct faults *faults)
{
	int fd, r;

	if (!look_at_armed(faults, -1)) {
		faults->source = sd_event_source_disable_unref(faults->source);
		return;
	}
	r = faults->source ? 0 : listen_to_shadow(faults);
	if (r < 0) {
		log_errno(LOG_ERR, r, "Faults of drivers can't be heard of: %m");
		return;
	}
	fd = sd_event_source_get_io_fd(faults->source);
	(void)on_readable(faults->source, fd, 0, faults);
	(void)look_at_armed(faults, fd);
}
