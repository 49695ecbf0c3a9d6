/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The daemon's command line. */
#ifndef RECOVERD_OPTIONS_H
#define RECOVERD_OPTIONS_H

#include <stdbool.h>
#include <stdio.h>

#define OPTIONS_RUNTIME_DIR "/run/recoverd"
#define CONTROL_SOCKET_NAME "io.recoverd.Control"

struct options {
	const char *runtime_dir; /* lock, intent */
	const char *socket;	 /* NULL: in runtime_dir */
	const char *events;	 /* NULL: as configured */
	bool background;
};

/* 1: go on; 0: what was asked for is printed; -EINVAL: usage, the sentence is on stderr. */
int options_parse(int argc, char **argv, struct options *ret_options);

#endif
