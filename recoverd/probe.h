/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Probes on functions of modules: kprobe events of tracefs, each with a BPF program on it.
 *
 * The modules need not be loaded. A probe arms itself when its module is, before the first
 * instruction of its init is run, and does so again with each load. It holds no reference on the
 * module. A program runs on all CPUs, and has bpf_get_func_ip() and bpf_get_attach_cookie().
 */
#ifndef RECOVERD_PROBE_H
#define RECOVERD_PROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../replug/replug.h"

/* Events that come and go together. */
struct probe_set;

struct probe {
	const char *name; /* of the event in its set: letters, digits and '_', at most 16 */
	bool returns;	  /* when the functions return, not when they are entered */
	const char *const *functions; /* "MODULE:FUNCTION" */
	size_t n_functions;
	int program; /* of the type kprobe; stays the caller's */
	uint64_t cookie;
};

/* use: what for, as part of the events' names. -errno with the sentence in err: without tracefs
 * REPLUG_FAULT_UNSUPPORTED. */
int probe_set_new(const char *use, struct probe_set **ret_set, struct replug_error *err);
/* Adds an event. Functions that cannot be probed are left out: which are in is in taken[], unless
 * it is NULL. -ENOENT: none is. Blocks for about a millisecond a function. */
int probe_set_add(struct probe_set *set, const struct probe *probe, bool *taken);
/* How often the functions of an event were called, those left out excluded, in the order in which
 * they were given; how many of calls[] were filled in, or -errno. */
int probe_set_calls(const struct probe_set *set, const char *name, uint64_t *calls, size_t n);
/* Pins the events' links in a folder of a BPF file system, by their names; what could be pinned is
 * no longer the set's, and goes on until it is unlinked. -errno. */
int probe_set_pin(struct probe_set *set, const char *folder);

/* The events there are now of any process for that use, or NULL. */
struct probe_set *probe_set_find(const char *use);

/* Detaches and removes the events, for which the kernel takes some milliseconds a function. Only
 * for events that nobody wants: what somebody else has attached to an event with several functions
 * is left with one of them. Waits that long for what is still attached: the kernel lets go of a link
 * some time after its pin is unlinked. */
void probe_set_remove(const struct probe_set *set, unsigned patience_ms);
/* The same by a child process, and frees the set: returns at once. */
void probe_set_free(struct probe_set *set);
/* Only frees the set. */
void probe_set_forget(struct probe_set *set);

#endif
