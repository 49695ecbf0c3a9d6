// SPDX-License-Identifier: GPL-2.0-or-later
/* Finds file systems, swap areas and devices that stand on the block devices of a driver. */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "cleanup.h"
#include "holders_device.h"
#include "holders_scan.h"

#define BLOCKS_MAX     4096
#define NAMESPACES_MAX 256

/* A block device of the driver, or one that stands on such. */
struct block {
	char name[64];
	unsigned major, minor;
	bool direct, pins;
	char through[64]; /* what it stands on; "" if direct */
	char on[128];	  /* the driver's device below all of it */
	const char *uncertain;
};

struct mount_scan {
	struct scan *scan;
	struct block *blocks;
	size_t n;
	/* (device, mount point) already told of, as hashes */
	uint64_t *told;
	size_t n_told;
	ino_t namespaces[NAMESPACES_MAX];
	size_t n_namespaces;
};

static struct block *find_block(const struct mount_scan *mounts, unsigned major, unsigned minor)
{
	for (size_t i = 0; i < mounts->n; i++) {
		if (mounts->blocks[i].major == major && mounts->blocks[i].minor == minor)
			return &mounts->blocks[i];
	}
	return NULL;
}

static int add_block(struct mount_scan *mounts, const struct block *block)
{
	struct block *blocks;

	if (mounts->n >= BLOCKS_MAX || find_block(mounts, block->major, block->minor))
		return 0;
	blocks = reallocarray(mounts->blocks, mounts->n + 1, sizeof(*blocks));
	if (!blocks)
		return -ENOMEM;
	mounts->blocks = blocks;
	blocks[mounts->n++] = *block;
	return 0;
}

static int read_number(const struct scan *scan, const char *block, unsigned *ret_major,
		       unsigned *ret_minor)
{
	char line[32];
	int r;

	r = scan_line(scan, line, sizeof(line), "/sys/class/block/%s/dev", block);
	if (r < 0)
		return r;
	return sscanf(line, "%u:%u", ret_major, ret_minor) == 2 ? 0 : -EINVAL;
}

static int add_direct(struct mount_scan *mounts)
{
	struct scan *scan = mounts->scan;
	struct dirent **entries = NULL;
	const struct device *device;
	char path[PATH_MAX];
	int n, r;

	r = scan_path(scan, path, "/sys/class/block");
	n = r < 0 ? 0 : scandir(path, &entries, NULL, alphasort);
	for (int i = 0; i < n; i++) {
		struct block block = {.direct = true};

		if (r >= 0 && entries[i]->d_name[0] != '.' &&
		    read_number(scan, entries[i]->d_name, &block.major, &block.minor) >= 0) {
			device = device_find(scan, DEVICE_BLOCK, block.major, block.minor);
			if (device) {
				snprintf(block.name, sizeof(block.name), "%.63s",
					 entries[i]->d_name);
				snprintf(block.on, sizeof(block.on), "%s", device->on);
				block.pins = device->pins;
				block.uncertain = device->uncertain;
				r = add_block(mounts, &block);
			}
		}
		free(entries[i]);
	}
	free(entries);
	return r;
}

/* What every holder here has in common; texts are the caller's. */
static struct holder on_block(const struct block *block, bool first)
{
	return (struct holder){
		.kind = "mount",
		.object = block->name,
		.device = block->on,
		.uncertain = block->uncertain,
		.pins = block->pins,
		.references = first && block->direct && block->pins ? 1 : 0,
	};
}

/* block may move while others are added. */
static int add_stacked(struct mount_scan *mounts, const struct block *lower_moving,
		       const char *name, bool opens, struct holder *holder)
{
	struct block lower = *lower_moving;
	struct block upper = {.pins = lower.pins, .uncertain = lower.uncertain};

	snprintf(upper.name, sizeof(upper.name), "%.63s", name);
	strcpy(upper.through, lower.name);
	strcpy(upper.on, lower.on);
	holder->kind = "mount";
	holder->object = upper.name;
	holder->device = lower.on;
	holder->uncertain = lower.uncertain;
	holder->pins = lower.pins;
	holder->references = opens && lower.direct && lower.pins ? 1 : 0;
	if (scan_add(mounts->scan, holder) < 0)
		return -ENOMEM;
	if (read_number(mounts->scan, upper.name, &upper.major, &upper.minor) < 0)
		return 0;
	return add_block(mounts, &upper);
}

static int add_upper(struct mount_scan *mounts, const struct block *lower, const char *name)
{
	char title[160], detail[256], how[640], dm[128], quoted[520];
	struct holder holder = {.name = title, .detail = detail, .free = how};

	if (scan_line(mounts->scan, dm, sizeof(dm), "/sys/class/block/%s/dm/name", name) >= 0) {
		snprintf(title, sizeof(title), "/dev/mapper/%s", dm);
		snprintf(detail, sizeof(detail), "device-mapper device %.63s on /dev/%s", name,
			 lower->name);
		snprintf(how, sizeof(how), "dmsetup remove %s, once nothing uses it",
			 scan_quote(dm, quoted, sizeof(quoted)));
	} else if (strncmp(name, "md", 2) == 0) {
		snprintf(title, sizeof(title), "/dev/%.63s", name);
		snprintf(detail, sizeof(detail), "RAID array with /dev/%s", lower->name);
		snprintf(how, sizeof(how),
			 "mdadm --stop /dev/%.63s, once nothing uses it, or fail and remove "
			 "/dev/%s from it",
			 name, lower->name);
	} else {
		snprintf(title, sizeof(title), "/dev/%.63s", name);
		snprintf(detail, sizeof(detail), "stands on /dev/%s", lower->name);
		snprintf(how, sizeof(how), "stop /dev/%.63s, once nothing uses it", name);
	}
	return add_stacked(mounts, lower, name, true, &holder);
}

static int add_uppers(struct mount_scan *mounts, size_t index)
{
	struct dirent **entries = NULL;
	char path[PATH_MAX];
	int n, r;

	r = scan_path(mounts->scan, path, "/sys/class/block/%s/holders",
		      mounts->blocks[index].name);
	n = r < 0 ? 0 : scandir(path, &entries, NULL, alphasort);
	for (int i = 0; i < n; i++) {
		if (r >= 0 && entries[i]->d_name[0] != '.')
			r = add_upper(mounts, &mounts->blocks[index], entries[i]->d_name);
		free(entries[i]);
	}
	free(entries);
	return r;
}

/* The block device that a path names; *ret_inside: it names a file on that device. */
static struct block *block_of_path(const struct mount_scan *mounts, const char *path,
				   bool *ret_inside)
{
	char full[PATH_MAX];
	struct statx st;
	struct block *block;

	*ret_inside = false;
	if (scan_path(mounts->scan, full, "%s", path) >= 0 &&
	    statx(AT_FDCWD, full, AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT, STATX_TYPE, &st) == 0) {
		if (S_ISBLK(st.stx_mode))
			return find_block(mounts, st.stx_rdev_major, st.stx_rdev_minor);
		*ret_inside = true;
		block = find_block(mounts, st.stx_dev_major, st.stx_dev_minor);
		if (block)
			return block;
		*ret_inside = false;
	}
	/* A node that is not there by now, or never was in this namespace. */
	for (size_t i = 0; strncmp(path, "/dev/", 5) == 0 && i < mounts->n; i++) {
		if (strcmp(mounts->blocks[i].name, path + 5) == 0)
			return &mounts->blocks[i];
	}
	return NULL;
}

static int add_loop(struct mount_scan *mounts, const char *name, size_t index)
{
	char backing[PATH_MAX], title[80], detail[PATH_MAX + 64], how[128];
	struct holder holder = {.name = title, .detail = detail, .free = how};
	struct block *lower;
	bool inside;

	if (scan_line(mounts->scan, backing, sizeof(backing),
		      "/sys/class/block/%s/loop/backing_file", name) < 0)
		return 0;
	lower = block_of_path(mounts, backing, &inside);
	if (!lower || lower != &mounts->blocks[index])
		return 0;
	snprintf(title, sizeof(title), "/dev/%.63s", name);
	snprintf(detail, sizeof(detail),
		 inside ? "loop device on the file %s" : "loop device on %s", backing);
	snprintf(how, sizeof(how), "losetup -d /dev/%.63s, once nothing uses it", name);
	return add_stacked(mounts, lower, name, !inside, &holder);
}

static int add_loops(struct mount_scan *mounts, size_t index)
{
	struct dirent **entries = NULL;
	char path[PATH_MAX];
	int n, r;

	r = scan_path(mounts->scan, path, "/sys/class/block");
	n = r < 0 ? 0 : scandir(path, &entries, NULL, alphasort);
	for (int i = 0; i < n; i++) {
		if (r >= 0 && strncmp(entries[i]->d_name, "loop", 4) == 0)
			r = add_loop(mounts, entries[i]->d_name, index);
		free(entries[i]);
	}
	free(entries);
	return r;
}

/* ---- what is mounted ---- */

static uint64_t hash_mount(unsigned major, unsigned minor, const char *point)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325) ^ ((uint64_t)major << 32 | minor);

	for (; *point; point++)
		hash = (hash ^ (unsigned char)*point) * UINT64_C(0x100000001b3);
	return hash;
}

/* Another namespace has its own copy of nearly every mount, which goes with the original. */
static bool is_told(struct mount_scan *mounts, uint64_t hash)
{
	uint64_t *told;

	for (size_t i = 0; i < mounts->n_told; i++) {
		if (mounts->told[i] == hash)
			return true;
	}
	told = reallocarray(mounts->told, mounts->n_told + 1, sizeof(*told));
	if (told) {
		mounts->told = told;
		told[mounts->n_told++] = hash;
	}
	return false;
}

static int add_mount(struct mount_scan *mounts, const struct block *block, const char *point,
		     const char *type, pid_t pid)
{
	char detail[256], how[PATH_MAX + 128], quoted[PATH_MAX], comm[64] = "";
	struct holder holder;
	bool first;

	if (is_told(mounts, hash_mount(block->major, block->minor, point)))
		return 0;
	first = !is_told(mounts, hash_mount(block->major, block->minor, ""));
	holder = on_block(block, first);
	holder.name = point;
	holder.detail = detail;
	holder.free = how;
	snprintf(detail, sizeof(detail), "%s on /dev/%s", type, block->name);
	if (block->through[0])
		scan_append(detail, sizeof(detail), ", which stands on /dev/%s", block->through);
	snprintf(how, sizeof(how), "umount %s", scan_quote(point, quoted, sizeof(quoted)));
	if (pid) {
		(void)scan_process_name(mounts->scan, pid, comm);
		holder.pid = pid;
		holder.comm = comm;
		scan_append(detail, sizeof(detail), ", in a mount namespace of its own");
		scan_append(how, sizeof(how), " in the mount namespace of process %d, or end it",
			    (int)pid);
	}
	return scan_add(mounts->scan, &holder);
}

/* pid: 0 for the first process's namespace, whose mounts need no process to be reached. */
static int add_mount_line(struct mount_scan *mounts, char *line, pid_t pid)
{
	char *point, *rest, *type, *source, *end;
	unsigned major, minor;
	struct block *block;
	bool inside;
	int at = 0;

	/* id parent major:minor root point options [optional...] - type source options */
	if (sscanf(line, "%*u %*u %u:%u %*s %n", &major, &minor, &at) != 2 || !at)
		return 0;
	point = line + at;
	rest = strstr(point, " - ");
	end = strchr(point, ' ');
	if (!rest || !end)
		return 0;
	*end = '\0';
	type = rest + 3;
	source = strchr(type, ' ');
	if (!source)
		return 0;
	*source++ = '\0';
	source[strcspn(source, " \n")] = '\0';
	block = find_block(mounts, major, minor);
	if (!block && major == 0 && strncmp(source, "/dev/", 5) == 0) {
		/* Those of several devices have a number of their own. */
		scan_unescape(source);
		block = block_of_path(mounts, source, &inside);
		if (block && inside)
			block = NULL;
	}
	if (!block)
		return 0;
	scan_unescape(point);
	return add_mount(mounts, block, point, type, pid);
}

static int add_mounts_of(struct mount_scan *mounts, const char *process, pid_t pid)
{
	_cleanup_fclose_ FILE *file = scan_open(mounts->scan, "/proc/%s/mountinfo", process);
	_cleanup_free_ char *line = NULL;
	size_t size = 0;
	int r = 0;

	while (r >= 0 && file && getline(&line, &size, file) > 0)
		r = add_mount_line(mounts, line, pid);
	return r;
}

static int add_namespace(struct scan *scan, pid_t pid, void *ctx)
{
	struct mount_scan *mounts = ctx;
	char path[PATH_MAX], process[16];
	struct stat st;

	if (scan_path(scan, path, "/proc/%d/ns/mnt", (int)pid) < 0 || stat(path, &st) < 0)
		return 0;
	for (size_t i = 0; i < mounts->n_namespaces; i++) {
		if (mounts->namespaces[i] == st.st_ino)
			return 0;
	}
	if (mounts->n_namespaces == NAMESPACES_MAX)
		return 0;
	mounts->namespaces[mounts->n_namespaces++] = st.st_ino;
	if (pid == 1)
		return 0;
	snprintf(process, sizeof(process), "%d", (int)pid);
	return add_mounts_of(mounts, process, pid);
}

static int add_all_mounts(struct mount_scan *mounts)
{
	char path[PATH_MAX];
	struct stat st;
	int r;

	r = add_mounts_of(mounts, "1", 0);
	if (r < 0)
		return r;
	if (scan_path(mounts->scan, path, "/proc/1/ns/mnt") >= 0 && stat(path, &st) == 0)
		mounts->namespaces[mounts->n_namespaces++] = st.st_ino;
	r = scan_each_process(mounts->scan, add_namespace, mounts);
	if (r >= 0 && mounts->n_namespaces == NAMESPACES_MAX)
		scan_incomplete(mounts->scan, "there are more mount namespaces than %d",
				NAMESPACES_MAX);
	return r;
}

static int add_swaps(struct mount_scan *mounts)
{
	_cleanup_fclose_ FILE *file = scan_open(mounts->scan, "/proc/swaps");
	char detail[256], how[PATH_MAX + 64], quoted[PATH_MAX], path[1024], line[2048];
	struct holder holder;
	struct block *block;
	bool inside;
	int r = 0;

	while (r >= 0 && file && fgets(line, sizeof(line), file)) {
		if (line[0] != '/' || sscanf(line, "%1023s", path) != 1)
			continue;
		scan_unescape(path);
		block = block_of_path(mounts, path, &inside);
		if (!block)
			continue;
		holder = on_block(block, !inside);
		holder.name = path;
		holder.detail = detail;
		holder.free = how;
		snprintf(detail, sizeof(detail),
			 inside ? "swap file on /dev/%s" : "swap area, /dev/%s", block->name);
		snprintf(how, sizeof(how), "swapoff %s", scan_quote(path, quoted, sizeof(quoted)));
		r = scan_add(mounts->scan, &holder);
	}
	return r;
}

int holders_mounts(struct scan *scan)
{
	struct mount_scan mounts = {.scan = scan};
	int r;

	r = add_direct(&mounts);
	/* What stands on something is looked at in its turn. */
	for (size_t i = 0; r >= 0 && i < mounts.n; i++) {
		r = add_uppers(&mounts, i);
		if (r >= 0)
			r = add_loops(&mounts, i);
	}
	if (r >= 0 && mounts.n)
		r = add_all_mounts(&mounts);
	if (r >= 0 && mounts.n)
		r = add_swaps(&mounts);
	free(mounts.blocks);
	free(mounts.told);
	return r;
}
