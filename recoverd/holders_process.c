// SPDX-License-Identifier: GPL-2.0-or-later
/* Finds processes that have a driver's devices open or mapped, or other things that are looked for. */
#include <ctype.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "cleanup.h"
#include "holders_device.h"
#include "holders_scan.h"

#define USES_MAX     16 /* devices of the driver that one process has open and are told apart */
#define FILES_MAX    256
#define MAPPINGS_MAX 1000000

/* A device that a process has open. */
struct use {
	const struct device *device;
	char fds[64];
	unsigned n, own; /* descriptors, and open files that no process before it had */
};

/* An open file, as one descriptor of it. */
struct open_file {
	const struct device *device;
	pid_t pid;
	int fd;
};

/* A process and a device that it was already told to have open. */
struct told {
	pid_t pid;
	const struct device *device;
};

struct process_scan {
	struct scan *scan;
	struct open_file files[FILES_MAX];
	size_t n_files;
	struct told *told;
	size_t n_told;
	unsigned unseen; /* processes whose files may not be seen */

	pid_t pid; /* being looked at */
	char comm[64];
	struct use uses[USES_MAX];
	size_t n_uses;
};

/* ---- what others look for ---- */

int scan_watch(struct scan *scan, enum watch_type type, uint64_t id, const struct holder *holder)
{
	struct watch *watches, *watch;
	const char **texts[] = {NULL, NULL, NULL, NULL, NULL, NULL};

	watches = reallocarray(scan->watches, scan->n_watches + 1, sizeof(*watches));
	if (!watches)
		return -ENOMEM;
	scan->watches = watches;
	watch = &watches[scan->n_watches++];
	*watch = (struct watch){.type = type, .id = id, .holder = *holder};
	texts[0] = &watch->holder.name;
	texts[1] = &watch->holder.detail;
	texts[2] = &watch->holder.object;
	texts[3] = &watch->holder.device;
	texts[4] = &watch->holder.uncertain;
	texts[5] = &watch->holder.free;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		/* What has no memory is not told; what must be there is "". */
		if (*texts[i])
			*texts[i] = strdup(*texts[i]);
	}
	return watch->holder.name && watch->holder.free ? 0 : -ENOMEM;
}

void scan_forget_watches(struct scan *scan)
{
	for (size_t i = 0; i < scan->n_watches; i++) {
		struct holder *holder = &scan->watches[i].holder;

		free((char *)holder->name);
		free((char *)holder->detail);
		free((char *)holder->object);
		free((char *)holder->device);
		free((char *)holder->uncertain);
		free((char *)holder->free);
	}
	free(scan->watches);
	scan->watches = NULL;
	scan->n_watches = 0;
}

static int add_watched(struct process_scan *processes, enum watch_type type, uint64_t id)
{
	struct scan *scan = processes->scan;
	int r = 0;

	for (size_t i = 0; r >= 0 && i < scan->n_watches; i++) {
		struct watch *watch = &scan->watches[i];
		struct holder holder = watch->holder;

		if (watch->type != type || watch->id != id)
			continue;
		if (watch->seen)
			holder.references = 0;
		watch->seen = true;
		holder.pid = processes->pid;
		holder.comm = processes->comm;
		r = scan_add(scan, &holder);
	}
	return r;
}

static int add_unseen_watches(struct scan *scan)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < scan->n_watches; i++) {
		if (!scan->watches[i].seen)
			r = scan_add(scan, &scan->watches[i].holder);
	}
	return r;
}

/* "link_id:\t12" and "prog_id:\t34" */
static int add_bpf_fd(struct process_scan *processes, const char *fd)
{
	_cleanup_fclose_ FILE *file = NULL;
	unsigned long long id;
	bool is_link = false;
	char line[256];
	int r = 0;

	file = scan_open(processes->scan, "/proc/%d/fdinfo/%s", (int)processes->pid, fd);
	while (r >= 0 && file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "link_id: %llu", &id) == 1) {
			is_link = true;
			r = add_watched(processes, WATCH_BPF_LINK, id);
		} else if (!is_link && sscanf(line, "prog_id: %llu", &id) == 1) {
			r = add_watched(processes, WATCH_BPF_PROG, id);
		}
	}
	return r;
}

/* ---- processes ---- */

int scan_process_name(const struct scan *scan, pid_t pid, char ret_comm[64])
{
	ret_comm[0] = '\0';
	return scan_line(scan, ret_comm, 64, "/proc/%d/comm", (int)pid);
}

int scan_each_process(struct scan *scan, int (*each)(struct scan *scan, pid_t pid, void *ctx),
		      void *ctx)
{
	_cleanup_closedir_ DIR *proc = NULL;
	char path[PATH_MAX], *end;
	const struct dirent *entry;
	unsigned long pid;
	int r = 0;

	if (scan_path(scan, path, "/proc") < 0 || !(proc = opendir(path))) {
		scan_incomplete(scan, "the processes can't be listed");
		return 0;
	}
	while (r >= 0 && (entry = readdir(proc))) {
		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		pid = strtoul(entry->d_name, &end, 10);
		if (*end == '\0' && pid <= INT_MAX)
			r = each(scan, (pid_t)pid, ctx);
	}
	return r;
}

/* Descriptors that were inherited, or sent, are of the same open file and take no reference. */
static bool is_new_file(struct process_scan *processes, const struct device *device, int fd)
{
	pid_t pid = processes->pid;

	for (size_t i = 0; processes->scan->live && i < processes->n_files; i++) {
		const struct open_file *file = &processes->files[i];

		if (file->device == device &&
		    syscall(SYS_kcmp, file->pid, pid, KCMP_FILE, file->fd, fd) == 0)
			return false;
	}
	if (processes->n_files < FILES_MAX)
		processes->files[processes->n_files++] = (struct open_file){device, pid, fd};
	return true;
}

static void note_use(struct process_scan *processes, const struct device *device, const char *fd)
{
	struct use *use = processes->uses;
	size_t i;

	for (i = 0; i < processes->n_uses && use[i].device != device; i++)
		;
	if (i == USES_MAX)
		return;
	if (i == processes->n_uses) {
		use[i] = (struct use){.device = device};
		processes->n_uses++;
	}
	if (is_new_file(processes, device, atoi(fd)))
		use[i].own++;
	if (use[i].n++ < 8)
		scan_append(use[i].fds, sizeof(use[i].fds), "%s%s", use[i].n > 1 ? ", " : "", fd);
	else if (use[i].n == 9)
		scan_append(use[i].fds, sizeof(use[i].fds), ", ...");
}

/* Looks at what is open without touching it: statx does not ask a file server that may be gone. */
static int look_at_fd(struct process_scan *processes, int folder, const char *fd)
{
	struct scan *scan = processes->scan;
	const struct device *device = NULL;
	char target[64];
	struct statx st;
	ssize_t n;

	if (statx(folder, fd, AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT, STATX_TYPE | STATX_INO, &st) <
	    0)
		return 0;
	if (S_ISCHR(st.stx_mode) || S_ISBLK(st.stx_mode)) {
		device = device_find(scan, S_ISCHR(st.stx_mode) ? DEVICE_CHAR : DEVICE_BLOCK,
				     st.stx_rdev_major, st.stx_rdev_minor);
		if (device)
			note_use(processes, device, fd);
	} else if (S_ISSOCK(st.stx_mode) && scan->n_watches) {
		return add_watched(processes, WATCH_SOCKET, st.stx_ino);
	} else if ((st.stx_mode & S_IFMT) == 0 && scan->n_watches) {
		n = readlinkat(folder, fd, target, sizeof(target) - 1);
		target[n > 0 ? n : 0] = '\0';
		if (strncmp(target, "anon_inode:bpf", strlen("anon_inode:bpf")) == 0)
			return add_bpf_fd(processes, fd);
	}
	return 0;
}

static int add_use(struct process_scan *processes, const struct device *device, const char *detail,
		   unsigned files)
{
	char name[160], how[400];
	struct told *told;

	snprintf(name, sizeof(name), "/dev/%s", device->name[0] ? device->name : device->object);
	if (!device->name[0] && !device->object[0])
		snprintf(name, sizeof(name), "%s %u:%u",
			 device->type == DEVICE_CHAR ? "char" : "block", device->major,
			 device->minor);
	snprintf(how, sizeof(how), "end process %d, or have it close %s", (int)processes->pid,
		 name);
	told = reallocarray(processes->told, processes->n_told + 1, sizeof(*told));
	if (!told)
		return -ENOMEM;
	processes->told = told;
	told[processes->n_told++] = (struct told){processes->pid, device};
	return scan_add(processes->scan, &(struct holder){.kind = "process",
							  .name = name,
							  .detail = detail,
							  .pid = processes->pid,
							  .comm = processes->comm,
							  .object = device->object,
							  .device = device->on,
							  .uncertain = device->uncertain,
							  .pins = device->pins,
							  .references = files * device->references,
							  .free = how});
}

static bool is_told(const struct process_scan *processes, const struct device *device)
{
	for (size_t i = processes->n_told; i-- > 0;) {
		if (processes->told[i].pid == processes->pid && processes->told[i].device == device)
			return true;
	}
	return false;
}

static int look_at_files(struct scan *scan, pid_t pid, void *ctx)
{
	struct process_scan *processes = ctx;
	_cleanup_closedir_ DIR *folder = NULL;
	const struct dirent *entry;
	char path[PATH_MAX], detail[160];
	int r = 0;

	if (scan_path(scan, path, "/proc/%d/fd", (int)pid) < 0)
		return 0;
	folder = opendir(path);
	if (!folder) {
		/* Else it has ended in the meantime. */
		if (errno == EACCES || errno == EPERM)
			processes->unseen++;
		return 0;
	}
	processes->pid = pid;
	processes->n_uses = 0;
	(void)scan_process_name(scan, pid, processes->comm);
	while (r >= 0 && (entry = readdir(folder))) {
		if (isdigit((unsigned char)entry->d_name[0]))
			r = look_at_fd(processes, dirfd(folder), entry->d_name);
	}
	for (size_t i = 0; r >= 0 && i < processes->n_uses; i++) {
		const struct use *use = &processes->uses[i];

		snprintf(detail, sizeof(detail), "open as %s%s", use->fds,
			 use->own ? "" : ", shared with another process");
		r = add_use(processes, use->device, detail, use->own);
	}
	return r;
}

/* ---- mappings ---- */

/* A device that is mapped stays open when its descriptor is closed. */
static const struct device *mapped_device(struct scan *scan, pid_t pid, unsigned long from,
					  unsigned long to)
{
	char path[PATH_MAX];
	struct statx st;

	if (scan_path(scan, path, "/proc/%d/map_files/%lx-%lx", (int)pid, from, to) < 0 ||
	    statx(AT_FDCWD, path, AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT, STATX_TYPE, &st) < 0 ||
	    (!S_ISCHR(st.stx_mode) && !S_ISBLK(st.stx_mode)))
		return NULL;
	return device_find(scan, S_ISCHR(st.stx_mode) ? DEVICE_CHAR : DEVICE_BLOCK,
			   st.stx_rdev_major, st.stx_rdev_minor);
}

static int look_at_mappings(struct scan *scan, pid_t pid, void *ctx)
{
	struct process_scan *processes = ctx;
	_cleanup_fclose_ FILE *maps = scan_open(scan, "/proc/%d/maps", (int)pid);
	unsigned long from, to, inode, last_inode = 0;
	unsigned major, minor, last_major = 0, last_minor = 0, n = 0;
	_cleanup_free_ char *line = NULL;
	const struct device *device;
	size_t size = 0;
	int r = 0;

	processes->pid = pid;
	processes->comm[0] = '\0';
	while (r >= 0 && maps && n++ < MAPPINGS_MAX && getline(&line, &size, maps) > 0) {
		if (sscanf(line, "%lx-%lx %*s %*x %x:%x %lu", &from, &to, &major, &minor, &inode) !=
			    5 ||
		    inode == 0)
			continue;
		/* One file is mapped in several pieces. */
		if (inode == last_inode && major == last_major && minor == last_minor)
			continue;
		last_inode = inode;
		last_major = major;
		last_minor = minor;
		device = mapped_device(scan, pid, from, to);
		if (!device || is_told(processes, device))
			continue;
		(void)scan_process_name(scan, pid, processes->comm);
		r = add_use(processes, device, "mapped, without a descriptor", 1);
	}
	if (n > MAPPINGS_MAX)
		scan_incomplete(scan, "process %d has more than %d mappings", (int)pid,
				MAPPINGS_MAX);
	return r;
}

int holders_processes(struct scan *scan)
{
	_cleanup_free_ struct process_scan *processes = calloc(1, sizeof(*processes));
	int r;

	if (!processes)
		return -ENOMEM;
	processes->scan = scan;
	r = scan_each_process(scan, look_at_files, processes);
	if (r >= 0)
		r = add_unseen_watches(scan);
	if (processes->unseen)
		scan_incomplete(scan, "the files of %u processes may not be seen",
				processes->unseen);
	/* What is found by now is handed out: a process that is stuck may block its mappings. */
	if (r >= 0)
		r = scan_flush(scan);
	if (r >= 0)
		r = scan_each_process(scan, look_at_mappings, processes);
	free(processes->told);
	return r;
}
