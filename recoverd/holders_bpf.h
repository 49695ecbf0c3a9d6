/* SPDX-License-Identifier: GPL-2.0-or-later */
/* BPF programs that are attached to a driver. */
#ifndef RECOVERD_HOLDERS_BPF_H
#define RECOVERD_HOLDERS_BPF_H

#include "holders_scan.h"

/* The XDP programs of a network device of the namespace that the caller is in. */
int holders_bpf_xdp(struct scan *scan, const char *name, int ifindex, const char *on,
		    const char *where);

#endif
