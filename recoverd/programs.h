/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The BPF programs of this build in the kernel: loaded and attached by a group, and pinned below
 * /sys/fs/bpf/recoverd, a folder for each build. What is pinned goes on without the daemon; one
 * that is started again finds it there, with all that was seen meanwhile.
 *
 *   <build>/map_objects ...       the maps (include/recov_observe.h), made by the first group
 *   <build>/program_watch ...     what the daemon runs itself
 *   <build>/base/on_probe ...     the links of a group; the folder is there when all are attached
 */
#ifndef RECOVERD_PROGRAMS_H
#define RECOVERD_PROGRAMS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "../replug/replug.h"

enum program_group {
	PROGRAMS_BASE,
	PROGRAMS_TIMERS,     /* timers, armed and called */
	PROGRAMS_INTERRUPTS, /* each call of an interrupt's handler */
	PROGRAMS_MEMORY,     /* slab memory */
	PROGRAMS_CACHES,     /* what of it comes from caches that drivers name */
	PROGRAMS_DMA_MAPS,   /* mappings of single buffers */
	PROGRAMS_PACKETS,    /* polls and transmissions */
	PROGRAMS_SOUND,	     /* sound cards and what is asked of them */
	PROGRAMS_GROUPS,
};

/* Loads, attaches and pins the programs of a group that is not there; what other builds or an end
 * halfway have left is removed first. It takes seconds and tens of MB: for a process of its own.
 * What can't be attached is logged and left out. -errno with the sentence in err. */
int programs_load(enum program_group group, struct replug_error *err);
bool programs_are_loaded(enum program_group group);
/* Detaches a group, PROGRAMS_GROUPS for none, and removes what others have left. It takes a tenth
 * of a second for each program: for a process of its own. */
void programs_unload(enum program_group group);
/* Detaches all and lets go of the maps, in the background. */
void programs_remove(void);

/* New descriptor of a pinned map or program, or -errno. */
int programs_open(const char *what);
/* Calls made to programs that the kernel left out since the same program ran on the CPU, of the
 * groups that are loaded: {"on_kmalloc": 9, ...}, without those that missed none. */
json_t *programs_skipped(void);

#endif
