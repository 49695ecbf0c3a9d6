/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The serving end of all flows. */
#ifndef FLOW_SERVER_H
#define FLOW_SERVER_H

#include <signal.h>
#include <stdint.h>

/* Serves until *stop is set; returns 0 or a negative errno. Says on stderr that it listens. */
int server_run(uint16_t port, const volatile sig_atomic_t *stop);

#endif /* FLOW_SERVER_H */
