// SPDX-License-Identifier: GPL-2.0-or-later
/* Writes report files and removes the oldest ones. */
#include "report_file.h"

#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>

#include "arming.h"
#include "cleanup.h"
#include "event.h"
#include "log.h"
#include "manager.h"
#include "observation.h"
#include "text.h"

#define REPORT_SCHEMA "recov.report/1"
#define NOTE_HEADER   16 /* of an ELF note, with the name "GNU" */
#define STATE_DIR     "/var/lib/recoverd"

static json_t *build_id(const char *driver, bool armed)
{
	_cleanup_fclose_ FILE *file = NULL;
	char path[160], text[2 * 64 + 1] = "";
	uint8_t note[NOTE_HEADER + 64];
	size_t size;

	snprintf(path, sizeof(path), SYSFS "/module/%s/notes/.note.gnu.build-id", driver);
	file = fopen(path, "re");
	size = file ? fread(note, 1, sizeof(note), file) : 0;
	if (size <= NOTE_HEADER)
		return json_null();
	/* Arming has turned all its bits. */
	for (size_t i = NOTE_HEADER; i < size; i++)
		sprintf(text + 2 * (i - NOTE_HEADER), "%02x", armed ? note[i] ^ 0xff : note[i]);
	return json_string(text);
}

static json_t *image_json(const char *driver)
{
	bool armed = arming_is_armed(driver);
	char path[160], srcversion[64] = "";
	_cleanup_fclose_ FILE *file = NULL;

	snprintf(path, sizeof(path), SYSFS "/module/%s/srcversion", driver);
	file = fopen(path, "re");
	if (!file || !fgets(srcversion, sizeof(srcversion), file))
		srcversion[0] = '\0';
	srcversion[strcspn(srcversion, "\n")] = '\0';
	return json_pack("{s:o, s:o, s:b}", "build_id", build_id(driver, armed), "srcversion",
			 text_json(srcversion), "armed", armed);
}

/* What recovctl objects and requests would show. */
static json_t *evidence_json(struct manager *manager, const char *driver)
{
	if (!observation_watches(manager, driver))
		return json_null();
	return json_pack(
		"{s:o, s:o, s:o, s:o, s:o}", "watch", observation_watch_json(manager, driver),
		"objects", observation_objects(manager, driver), "requests",
		observation_requests(manager, driver), "entries",
		observation_entries(manager, driver), "missed", observation_missed(manager));
}

static json_t *report_json(struct manager *manager, const char *driver, const char *stamp,
			   const json_t *event, const json_t *treatment)
{
	struct utsname uts;

	uname(&uts);
	return json_pack("{s:s, s:s, s:s, s:o, s:s, s:o, s:O, s:O?, s:o}", "schema", REPORT_SCHEMA,
			 "ts", stamp, "boot_id", manager->boot_id, "driver", text_json(driver),
			 "kernel", uts.release, "image", image_json(driver), "event", event,
			 "treatment", treatment, "evidence", evidence_json(manager, driver));
}

static int is_report(const struct dirent *entry)
{
	size_t length = strlen(entry->d_name);

	return length > 5 && strcmp(entry->d_name + length - 5, ".json") == 0;
}

/* By their times, which their names end with. */
static int by_age(const struct dirent **a, const struct dirent **b)
{
	const char *x = strchr((*a)->d_name, '-'), *y = strchr((*b)->d_name, '-');

	return strcmp(x ? x : "", y ? y : "");
}

static void remove_oldest(int dir)
{
	struct dirent **list = NULL;
	int n = scandirat(dir, ".", &list, is_report, by_age);

	for (int i = 0; i < n; i++) {
		if (i + REPORTS_KEPT < n)
			(void)unlinkat(dir, list[i]->d_name, 0);
		free(list[i]);
	}
	free(list);
}

/* Not synced: the disk may be behind the driver that has faulted, and the daemon does not wait for
 * it. */
static int write_file(int dir, const char *name, const json_t *report)
{
	static const char tmp[] = ".new";
	int fd = openat(dir, tmp, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	FILE *file = fd < 0 ? NULL : fdopen(fd, "w");
	int r;

	if (!file) {
		r = -errno;
		closep(&fd);
		return r;
	}
	r = json_dumpf(report, file, JSON_INDENT(1)) < 0 ? -EIO : 0;
	if (fclose(file) != 0 && r == 0)
		r = -errno;
	if (r == 0 && renameat(dir, tmp, dir, name) < 0)
		r = -errno;
	if (r < 0)
		(void)unlinkat(dir, tmp, 0);
	return r;
}

static int open_folder(void)
{
	int fd;

	(void)mkdir(STATE_DIR, 0755);
	(void)mkdir(REPORTS_DIR, 0700);
	fd = open(REPORTS_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

char *report_file_write(struct manager *manager, const char *driver, const json_t *event,
			const json_t *treatment)
{
	static unsigned number; /* tells those of one second apart */
	_cleanup_free_ char *path = NULL, *stamp = NULL;
	json_auto_t *report = NULL;
	_cleanup_close_ int dir = -1;
	struct timespec real;
	char second[32];
	uint64_t mono_ns;
	struct tm tm;
	int r;

	event_system_clock.now(NULL, &real, &mono_ns);
	stamp = event_timestamp(&real);
	if (!stamp || !gmtime_r(&real.tv_sec, &tm) ||
	    !strftime(second, sizeof(second), "%Y%m%dT%H%M%SZ", &tm) ||
	    asprintf(&path, REPORTS_DIR "/%s-%s-%04u.json", driver, second, ++number % 10000) < 0)
		return NULL;
	dir = open_folder();
	report = dir < 0 ? NULL : report_json(manager, driver, stamp, event, treatment);
	r = dir < 0 ? dir : report ? write_file(dir, strrchr(path, '/') + 1, report) : -ENOMEM;
	if (r < 0) {
		log_errno(LOG_ERR, r, "%s can't be written: %m", path);
		return NULL;
	}
	remove_oldest(dir);
	return TAKE_PTR(path);
}
