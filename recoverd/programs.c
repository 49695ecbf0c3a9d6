// SPDX-License-Identifier: GPL-2.0-or-later
/* Loads, attaches and pins the BPF programs. */
#include "programs.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "../include/recov_observe.h"
#include "aside.h"
#include "cleanup.h"
#include "log.h"
#include "obstacle.h"
#include "probe.h"
#include "recov.skel.h"
#include "sound.h"

#define BPFFS	     "/sys/fs/bpf"
#define PINS	     BPFFS "/recoverd"
#define PIN_LEN	     256
#define DATA	     ".data." /* before the name of a section of variables */
#define PART	     "_part"  /* behind the name of a group while it is made */
#define PINS_MAX     512
#define GROUP_DEEP   2	   /* folders below a build's */
#define UNPIN_MS     10000 /* until the kernel has let go of what was pinned, at most */
#define OWN_UNPIN_MS 1000  /* likewise, where the daemon itself waits */

static const char *const group_names[PROGRAMS_GROUPS] = {
	[PROGRAMS_BASE] = "base",
	[PROGRAMS_TIMERS] = "timers",
	[PROGRAMS_INTERRUPTS] = "interrupts",
	[PROGRAMS_MEMORY] = "memory",
	[PROGRAMS_CACHES] = "caches",
	[PROGRAMS_DMA_MAPS] = "dma_maps",
	[PROGRAMS_PACKETS] = "packets",
	[PROGRAMS_SOUND] = "sound",
};

/* Those of no row are in the base. What begins something, an object's life or a transmission, is
 * attached last and detached first: nothing begins while nobody sees it end. */
static const struct grouped {
	const char *program;
	enum program_group group;
	bool begins;
} grouped[] = {
	{"on_timer_start", PROGRAMS_TIMERS, true},  {"on_timer_cancel", PROGRAMS_TIMERS, false},
	{"on_timer", PROGRAMS_TIMERS, false},	    {"on_timer_done", PROGRAMS_TIMERS, false},
	{"on_irq", PROGRAMS_INTERRUPTS, true},	    {"on_irq_done", PROGRAMS_INTERRUPTS, false},
	{"on_kmalloc", PROGRAMS_MEMORY, true},	    {"on_kfree", PROGRAMS_MEMORY, false},
	{"on_kfree_rcu", PROGRAMS_MEMORY, false},   {"on_cache_alloc", PROGRAMS_CACHES, true},
	{"on_cache_free", PROGRAMS_CACHES, false},  {"on_dma_map", PROGRAMS_DMA_MAPS, true},
	{"on_dma_unmap", PROGRAMS_DMA_MAPS, false}, {"on_poll", PROGRAMS_PACKETS, false},
	{"on_xmit", PROGRAMS_PACKETS, true},	    {"on_xmit_done", PROGRAMS_PACKETS, false},
};

static const struct grouped *grouping(const char *program)
{
	for (size_t i = 0; i < ARRAY_SIZE(grouped); i++) {
		if (strcmp(grouped[i].program, program) == 0)
			return &grouped[i];
	}
	return NULL;
}

static bool begins(const char *program)
{
	const struct grouped *row = grouping(program);

	return row && row->begins;
}

/* Run by the daemon, or by its clocks, and attached to nothing. */
static bool is_called(const struct bpf_program *program)
{
	const char *section = bpf_program__section_name(program);

	return strcmp(section, "syscall") == 0 || strcmp(section, "perf_event") == 0;
}

/* Those for sound, which are attached by the probes of sound.c. */
static bool is_probe(const struct bpf_program *program)
{
	return strcmp(bpf_program__section_name(program), "kprobe") == 0;
}

static bool is_in(const struct bpf_program *program, enum program_group group)
{
	const struct grouped *row = grouping(bpf_program__name(program));

	if (is_probe(program))
		return group == PROGRAMS_SOUND;
	return (row ? row->group : PROGRAMS_BASE) == group;
}

/* ---- pins ---- */

/* Of the programs' bytes (FNV-1a): programs of another build would read the maps wrongly. */
static const char *build_name(void)
{
	static char name[24];
	uint64_t hash = 0xcbf29ce484222325;
	const unsigned char *bytes;
	size_t size;

	if (*name)
		return name;
	bytes = recov__elf_bytes(&size);
	for (size_t i = 0; i < size; i++)
		hash = (hash ^ bytes[i]) * 0x100000001b3;
	snprintf(name, sizeof(name), "%016llx", (unsigned long long)hash);
	return name;
}

__attribute__((format(printf, 2, 3))) static void pin_path(char path[PIN_LEN], const char *format,
							   ...)
{
	int n = snprintf(path, PIN_LEN, PINS "/%s/", build_name());
	va_list ap;

	va_start(ap, format);
	vsnprintf(path + n, PIN_LEN - (size_t)n, format, ap);
	va_end(ap);
}

/* Removes a folder of pins; folders in it down to so many levels, and first what begins something.
 * Unless somebody has it open, what was pinned is detached, by some kernels before unlink(2)
 * returns, by others soon after. */
static void remove_pins(const char *path, int levels)
{
	for (int last = 0; last < 2; last++) {
		_cleanup_closedir_ DIR *dir = opendir(path);

		for (const struct dirent *entry; dir && (entry = readdir(dir));) {
			char inner[PIN_LEN + NAME_MAX + 1];

			if (entry->d_name[0] == '.' || (!last && !begins(entry->d_name)))
				continue;
			snprintf(inner, sizeof(inner), "%s/%s", path, entry->d_name);
			if (unlink(inner) < 0 && levels)
				remove_pins(inner, levels - 1);
		}
	}
	(void)rmdir(path);
}

/* Everything that is not this build's, and groups that were not completed. Waits that long for what
 * the kernel lets go of later. */
static void remove_leftovers(unsigned patience_ms)
{
	_cleanup_closedir_ DIR *dir = opendir(PINS);
	struct probe_set *probes;
	char path[PIN_LEN];

	for (const struct dirent *entry; dir && (entry = readdir(dir));) {
		if (entry->d_name[0] == '.' || strcmp(entry->d_name, build_name()) == 0)
			continue;
		snprintf(path, sizeof(path), PINS "/%.64s", entry->d_name);
		remove_pins(path, GROUP_DEEP);
	}
	for (unsigned i = 0; i < PROGRAMS_GROUPS; i++) {
		pin_path(path, "%s" PART, group_names[i]);
		remove_pins(path, 0);
	}
	/* An event with several functions would lose all but one of them, attached or not. */
	if (programs_are_loaded(PROGRAMS_SOUND))
		return;
	probes = probe_set_find(SOUND_PROBES);
	probe_set_remove(probes, patience_ms);
	probe_set_forget(probes);
}

/* Where others than root may make files in the bpffs, what is there may be a trap. */
static bool pins_are_ours(void)
{
	struct stat pins;

	return lstat(PINS, &pins) == 0 && S_ISDIR(pins.st_mode) && pins.st_uid == geteuid() &&
	       !(pins.st_mode & (S_IWGRP | S_IWOTH));
}

static int make_pins(void)
{
	struct statfs fs;
	char path[PIN_LEN];

	if (statfs(BPFFS, &fs) < 0)
		return -errno;
	if (fs.f_type != BPF_FS_MAGIC &&
	    mount("bpf", BPFFS, "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700") < 0)
		return -errno;
	pin_path(path, "%s", "");
	if (mkdir(PINS, 0700) < 0 && errno != EEXIST)
		return -errno;
	if (!pins_are_ours())
		return -EEXIST;
	return mkdir(path, 0700) < 0 && errno != EEXIST ? -errno : 0;
}

int programs_open(const char *what)
{
	char path[PIN_LEN];
	int fd;

	pin_path(path, "%s", what);
	fd = bpf_obj_get(path);
	return fd < 0 ? -errno : fd;
}

bool programs_are_loaded(enum program_group group)
{
	char path[PIN_LEN];

	pin_path(path, "%s", group_names[group]);
	return pins_are_ours() && access(path, F_OK) == 0;
}

void programs_unload(enum program_group group)
{
	char path[PIN_LEN], part[PIN_LEN];

	if (!pins_are_ours())
		return;
	if (group < PROGRAMS_GROUPS) {
		pin_path(path, "%s", group_names[group]);
		pin_path(part, "%s" PART, group_names[group]);
		(void)rename(path, part);
	}
	remove_leftovers(group == PROGRAMS_SOUND ? UNPIN_MS : 0);
}

/* Opens what is pinned in a folder; the number of descriptors there are then. */
static size_t open_pins(const char *path, int levels, int *fds, size_t n)
{
	_cleanup_closedir_ DIR *dir = opendir(path);

	for (const struct dirent *entry; dir && (entry = readdir(dir));) {
		char inner[PIN_LEN + NAME_MAX + 1];

		if (entry->d_name[0] == '.' || n == PINS_MAX)
			continue;
		snprintf(inner, sizeof(inner), "%s/%s", path, entry->d_name);
		if (entry->d_type == DT_DIR && levels)
			n = open_pins(inner, levels - 1, fds, n);
		else if (entry->d_type != DT_DIR && (fds[n] = bpf_obj_get(inner)) >= 0)
			n++;
	}
	return n;
}

struct pinned {
	const int *fds;
	size_t n;
	const struct probe_set *probes;
	unsigned patience_ms;
};

static void close_pinned(void *ctx)
{
	const struct pinned *pinned = ctx;

	for (size_t i = 0; i < pinned->n; i++)
		(void)close(pinned->fds[i]);
	probe_set_remove(pinned->probes, pinned->patience_ms);
}

/* The kernel waits for a grace period with each program that it detaches, which adds up to seconds
 * for whoever is the last to have it open. */
static void let_go(const int *fds, size_t n, const struct probe_set *probes)
{
	struct pinned pinned = {.fds = fds, .n = n, .probes = probes, .patience_ms = UNPIN_MS};
	_cleanup_close_ int aside = -1;

	if (!n && !probes)
		return;
	aside = aside_new(fds, n, close_pinned, &pinned);
	if (aside >= 0)
		pinned.probes = NULL;
	else
		pinned.patience_ms = OWN_UNPIN_MS;
	close_pinned(&pinned);
}

void programs_remove(void)
{
	char path[PIN_LEN], gone[PIN_LEN];
	struct probe_set *probes;
	int fds[PINS_MAX];
	size_t n;

	if (!pins_are_ours())
		return;
	/* At once: half of it must not be taken for all. */
	pin_path(path, "%s", "");
	snprintf(gone, sizeof(gone), PINS "/%s_gone", build_name());
	(void)rename(path, gone);
	n = open_pins(PINS, GROUP_DEEP + 1, fds, 0);
	remove_pins(PINS, GROUP_DEEP + 1);
	probes = probe_set_find(SOUND_PROBES);
	let_go(fds, n, probes);
	probe_set_forget(probes);
}

json_t *programs_skipped(void)
{
	json_t *skipped = json_object();

	for (unsigned i = 0; i < PROGRAMS_GROUPS; i++) {
		_cleanup_closedir_ DIR *dir = NULL;
		char path[PIN_LEN];

		pin_path(path, "%s", group_names[i]);
		dir = opendir(path);
		for (const struct dirent *entry; dir && (entry = readdir(dir));) {
			char link_path[PIN_LEN + NAME_MAX + 1];
			struct bpf_link_info link = {};
			struct bpf_prog_info program = {};
			__u32 size = sizeof(link), program_size = sizeof(program);
			_cleanup_close_ int link_fd = -1, fd = -1;

			snprintf(link_path, sizeof(link_path), "%s/%s", path, entry->d_name);
			link_fd = entry->d_name[0] == '.' ? -1 : bpf_obj_get(link_path);
			if (link_fd < 0 || bpf_obj_get_info_by_fd(link_fd, &link, &size) < 0)
				continue;
			fd = bpf_prog_get_fd_by_id(link.prog_id);
			if (fd >= 0 && bpf_obj_get_info_by_fd(fd, &program, &program_size) == 0 &&
			    program.recursion_misses)
				json_object_set_new(
					skipped, entry->d_name,
					json_integer((json_int_t)program.recursion_misses));
		}
	}
	return skipped;
}

/* ---- loading ---- */

static int on_libbpf(enum libbpf_print_level level, const char *format, va_list ap)
{
	char line[512];

	if (level != LIBBPF_WARN)
		return 0;
	vsnprintf(line, sizeof(line), format, ap);
	line[strcspn(line, "\n")] = '\0';
	return log_line(LOG_DEBUG, "%s", line), 0;
}

/* Of the group, and only those whose function this kernel has: kernels differ. */
static int choose_programs(struct recov *bpf, enum program_group group)
{
	struct bpf_program *program;
	struct btf *kernel;

	kernel = btf__load_vmlinux_btf();
	if (!kernel)
		return -errno;
	bpf_object__for_each_program(program, bpf->obj)
	{
		const char *section = bpf_program__section_name(program);
		const char *function = strchr(section, '/');
		bool is_there = true;

		if (function &&
		    (strncmp(section, "fentry/", 7) == 0 || strncmp(section, "fexit/", 6) == 0))
			is_there = btf__find_by_name_kind(kernel, function + 1, BTF_KIND_FUNC) >= 0;
		(void)bpf_program__set_autoload(program, is_there && is_in(program, group));
	}
	btf__free(kernel);
	return 0;
}

/* The groups have their maps together, by these pins. */
static int pin_maps(struct recov *bpf)
{
	struct bpf_map *map;
	char path[PIN_LEN];

	bpf_object__for_each_map(map, bpf->obj)
	{
		const char *name = bpf_map__name(map);

		if (bpf_map__is_internal(map)) {
			if (strcmp(name, DATA "state") != 0 && strcmp(name, DATA "slabs") != 0)
				continue; /* each group's own */
			name += strlen(DATA);
		}
		pin_path(path, "map_%s", name);
		if (bpf_map__set_pin_path(map, path) < 0)
			return -errno;
	}
	return 0;
}

static int attach_one(struct bpf_program *program, const char *folder)
{
	struct bpf_link *link = bpf_program__attach(program);
	char path[PIN_LEN + NAME_MAX + 1];
	int r;

	if (!link)
		return log_errno(LOG_WARNING, -errno, "No program at %s: %m",
				 bpf_program__section_name(program));
	snprintf(path, sizeof(path), "%s/%s", folder, bpf_program__name(program));
	r = bpf_link__pin(link, path);
	if (r < 0)
		log_errno(LOG_WARNING, r, "No pin for the program at %s: %m",
			  bpf_program__section_name(program));
	bpf_link__destroy(link);
	return r;
}

/* Drivers are worth watching without their sound, too. */
static void attach_sound(struct recov *bpf, const char *folder)
{
	struct replug_error err = {};

	/* Programs that do not know where the fields are stay out. */
	if (!bpf->data_sound->sound.card_size)
		return;
	if (sound_attach(bpf->obj, folder, &err) < 0)
		log_line(LOG_WARNING, "Sound drivers are watched in part: %s", err.text);
}

/* What could not be attached has been told; the rest is worth having. */
static int attach(struct recov *bpf, enum program_group group)
{
	char part[PIN_LEN], path[PIN_LEN];
	struct bpf_program *program;

	pin_path(part, "%s" PART, group_names[group]);
	if (mkdir(part, 0700) < 0)
		return -errno;
	for (int last = 0; last < 2; last++) {
		bpf_object__for_each_program(program, bpf->obj)
		{
			if (!bpf_program__autoload(program) || is_called(program) ||
			    is_probe(program) || begins(bpf_program__name(program)) != last)
				continue;
			(void)attach_one(program, part);
		}
	}
	if (group == PROGRAMS_SOUND)
		attach_sound(bpf, part);
	pin_path(path, "%s", group_names[group]);
	return rename(part, path) < 0 ? -errno : 0;
}

static int pin_called(struct recov *bpf)
{
	struct bpf_program *program;
	char path[PIN_LEN];
	int r;

	bpf_object__for_each_program(program, bpf->obj)
	{
		if (!bpf_program__autoload(program) || !is_called(program))
			continue;
		pin_path(path, "program_%s", bpf_program__name(program));
		(void)unlink(path);
		r = bpf_program__pin(program, path);
		if (r < 0)
			return r;
	}
	return 0;
}

static void recov_freep(struct recov **bpf)
{
	recov__destroy(*bpf);
}

int programs_load(enum program_group group, struct replug_error *err)
{
	_cleanup_(recov_freep) struct recov *bpf = NULL;
	const struct rlimit unlimited = {RLIM_INFINITY, RLIM_INFINITY};
	struct replug_error why = {};
	int r;

	r = obstacle_find(err);
	if (r < 0)
		return r;
	r = make_pins();
	if (r == -EEXIST) {
		err->fault = REPLUG_FAULT_REFUSED;
		snprintf(err->text, sizeof(err->text),
			 "drivers cannot be watched: " PINS " is somebody else's");
		return r;
	}
	if (r < 0)
		return obstacle_explain(err, r == -ENOENT ? -EOPNOTSUPP : r,
					"drivers cannot be watched");
	remove_leftovers(0);
	if (programs_are_loaded(group))
		return 0;
	/* Kernels before 5.11 count maps; what is refused here is refused again by the load. */
	(void)setrlimit(RLIMIT_MEMLOCK, &unlimited);
	libbpf_set_print(on_libbpf);
	bpf = recov__open();
	if (!bpf)
		return obstacle_explain(err, -errno, "the BPF programs cannot be opened");
	r = choose_programs(bpf, group);
	if (r < 0)
		return obstacle_explain(err, r, "drivers cannot be watched");
	if (group == PROGRAMS_SOUND && sound_fields(&bpf->data_sound->sound, &why) < 0)
		log_line(LOG_WARNING, "Sound drivers are watched in part: %s", why.text);
	r = pin_maps(bpf);
	if (r >= 0)
		r = recov__load(bpf);
	if (r < 0)
		return obstacle_explain(err, r, "the BPF programs cannot be loaded");
	r = pin_called(bpf);
	if (r >= 0)
		r = attach(bpf, group);
	if (r < 0)
		return obstacle_explain(err, r, "the BPF programs cannot be pinned");
	return 0;
}
