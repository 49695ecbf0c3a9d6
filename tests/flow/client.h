/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The end that begins flows, stops them and learns what the server has verified. */
#ifndef FLOW_CLIENT_H
#define FLOW_CLIENT_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "hello.h"
#include "totals.h"

#define CLIENT_FLOWS_MAX 32

struct client_options {
	const char *host;
	uint16_t port;
	enum kind kinds[CLIENT_FLOWS_MAX];
	unsigned int flows;
	uint32_t seconds;
	const char *until; /* or when this file exists; NULL: no such file */
	const char *ready; /* a file made once all flows are up; NULL: none */
	bool has_rate;
	uint64_t rate; /* messages a second of each flow; 0: no limit */
	uint32_t stall_s;
	const volatile sig_atomic_t *stop;
};

struct client_flow {
	enum kind kind;
	bool has_remote; /* the server has told its totals */
	struct totals local, remote;
};

struct client_result {
	uint64_t begin_ns, end_ns; /* CLOCK_MONOTONIC */
	bool control_lost;
	unsigned int flows;
	struct client_flow flow[CLIENT_FLOWS_MAX];
};

/* Negative errno when the flows could not be begun at all, with the reason on stderr. */
int client_run(const struct client_options *options, struct client_result *ret_result);

#endif /* FLOW_CLIENT_H */
