/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the verbs of recovctl share: the command line and the exit codes. */
#ifndef RECOVCTL_CLI_H
#define RECOVCTL_CLI_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

enum {
	EXIT_DONE = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
	EXIT_UNREACHABLE = 3,
	EXIT_UNSUPPORTED = 4,
	EXIT_REFUSED = 5,
};

struct cli {
	const char *socket;
	bool json, legend, color;
	bool terminal; /* standard output is one */
	bool check, dry_run, follow;
	bool from_load, memory, dma_maps, packets, events;
	const char *inside; /* NULL: not asked for */
	const char *to;
	uint64_t budget; /* bytes; 0: none */
	bool has_drain, untrusted;
	uint32_t drain_ms;
	const char *image, *coverage, *classes, *preset, *out; /* NULL: not given */
	bool has_seed;
	uint64_t seed, faults;
	uint32_t for_ms, wait_ms;   /* 0: not given */
	uint64_t hits;		    /* 0: no limit */
	uint64_t first_call, calls; /* 0: from the first on, all */
	bool port;
	char **operands;
	int n_operands;
};

int verb_status(const struct cli *cli);
int verb_devices(const struct cli *cli);
int verb_holders(const struct cli *cli);
int verb_inject_apply(const struct cli *cli);
int verb_inject_classes(const struct cli *cli);
int verb_inject_cover(const struct cli *cli);
int verb_inject_plan(const struct cli *cli);
int verb_inject_status(const struct cli *cli);
int verb_inject_undo(const struct cli *cli);
int verb_leaks(const struct cli *cli);
int verb_objects(const struct cli *cli);
int verb_replug(const struct cli *cli);
int verb_arm(const struct cli *cli);
int verb_disarm(const struct cli *cli);
int verb_recover(const struct cli *cli);
int verb_policy(const struct cli *cli);
int verb_requests(const struct cli *cli);
int verb_trace(const struct cli *cli);
int verb_events(const struct cli *cli);

/* "recovctl: ..." on standard error, fit for a terminal. */
__attribute__((format(printf, 1, 2))) void complain(const char *format, ...);

#endif
