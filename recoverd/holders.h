/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who holds a driver, that is, a loaded module: files, mounts, modules, BPF programs and network
 * devices, and what would free each.
 *
 * A holder is {kind, name, detail, pid, comm, object, device, count, pins, uncertain, free}:
 *
 *	kind		"process", "netdev", "mount", "module", "bpf" or "reference"
 *	pins		stands in the way of unloading the module
 *	count		of "reference": how many references of the module nothing here explains
 *	uncertain	null, or what could not be told of it for certain
 *	free		one sentence
 *
 * pid, comm, object (in the kernel's classes) and device (on its bus) are null if there is none.
 */
#ifndef RECOVERD_HOLDERS_H
#define RECOVERD_HOLDERS_H

#include <jansson.h>

#define HOLDERS_MAX 4096 /* that are told of; the rest is counted */

/* Takes over an array of holders. May be called often, so that a scan which is cut off has told
 * what it had found. Negative: stop. */
typedef int (*holders_sink)(void *ctx, json_t *holders);

struct holders_summary {
	long references;       /* of the module, at the end */
	char incomplete[1024]; /* why more may hold it; "" if nothing was left out */
};

/* The machine below root, "" for this one. It may wait for whatever a process or a driver makes it
 * wait for, enters other namespaces and stays in a mount namespace of its own: only for a process
 * that ends after it. -ENOENT: no such module is loaded; -EOPNOTSUPP: it is built in. */
int holders_scan(const char *root, const char *driver, holders_sink sink, void *ctx,
		 struct holders_summary *ret_summary);

#endif
