/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the parts of a scan for holders share. */
#ifndef RECOVERD_HOLDERS_SCAN_H
#define RECOVERD_HOLDERS_SCAN_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "holders.h"

struct device_table;
struct watch;

struct scan {
	const char *root, *driver;
	bool live; /* this machine, not a picture of one */
	holders_sink sink;
	void *ctx;
	json_t *batch;
	size_t batch_size;
	unsigned n, dropped;
	unsigned long explained; /* references, at most */
	struct device_table *devices;
	struct watch *watches;
	size_t n_watches;
	struct holders_summary *summary;
};

/* Texts may be NULL, but for kind, name and free. */
struct holder {
	const char *kind, *name, *detail, *comm, *object, *device, *uncertain, *free;
	pid_t pid;	     /* 0: none */
	unsigned references; /* of the module, that it explains at most */
	unsigned count;
	bool pins;
};

/* -ENAMETOOLONG instead of a path that is cut off. */
__attribute__((format(printf, 3, 4))) int
scan_path(const struct scan *scan, char ret_path[PATH_MAX], const char *format, ...);
/* NULL if it can't be read. */
__attribute__((format(printf, 2, 3))) FILE *scan_open(const struct scan *scan, const char *format,
						      ...);
/* The first line of a small file, without its end. */
__attribute__((format(printf, 4, 5))) int scan_line(const struct scan *scan, char *ret_line,
						    size_t size, const char *format, ...);
/* Undoes the octal escapes of the kernel's tables in place. */
void scan_unescape(char *text);
/* Fit to be an argument in a shell: quoted if need be. Cut off if it is too long. */
char *scan_quote(const char *text, char *ret_quoted, size_t size);
/* snprintf behind what is there. */
__attribute__((format(printf, 3, 4))) void scan_append(char *text, size_t size, const char *format,
						       ...);

int scan_add(struct scan *scan, const struct holder *holder);
/* Hands out what was found so far. */
int scan_flush(struct scan *scan);
/* Something could not be looked into. */
__attribute__((format(printf, 2, 3))) void scan_incomplete(struct scan *scan, const char *format,
							   ...);

/* ---- what only a process can show to be held: holders_process.c ---- */

enum watch_type {
	WATCH_SOCKET, /* by inode */
	WATCH_BPF_LINK,
	WATCH_BPF_PROG,
};

struct watch {
	enum watch_type type;
	uint64_t id;
	struct holder holder;
	bool seen;
};

/* The holder is copied; once for every process that has it, the process is added. */
int scan_watch(struct scan *scan, enum watch_type type, uint64_t id, const struct holder *holder);
void scan_forget_watches(struct scan *scan);
int scan_process_name(const struct scan *scan, pid_t pid, char ret_comm[64]);
/* Calls for each process; what it returns below 0 ends it. */
int scan_each_process(struct scan *scan, int (*each)(struct scan *scan, pid_t pid, void *ctx),
		      void *ctx);

/* ---- parts; negative only if the scan can't go on ---- */

int holders_modules(struct scan *scan);
int holders_mounts(struct scan *scan);
int holders_net(struct scan *scan);
int holders_bpf(struct scan *scan);
int holders_processes(struct scan *scan);

#endif
