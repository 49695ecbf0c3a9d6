/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The shadow module as the daemon's worker processes see it. Every call may wait for a lock that a
 * hung driver holds, so none of it is for the daemon's main loop.
 */
#ifndef RECOVERD_SHADOW_H
#define RECOVERD_SHADOW_H

#include <jansson.h>

#include "../include/recov_shadow.h"
#include "../replug/replug.h"

/* A new session; loads the module if it is not there yet. */
int shadow_open(int *ret_fd, struct replug_error *err);
int shadow_info(int fd, struct recov_info *ret_info);

const char *shadow_swap_state_name(unsigned state);
/* The devices of the machine's swap: [{bus, name, object, class, state, error, reason}]. */
int shadow_swap_devices(int fd, json_t **ret_devices);

#endif
