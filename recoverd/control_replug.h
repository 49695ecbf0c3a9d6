/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The one method of io.recoverd.Control that acts. */
#ifndef RECOVERD_CONTROL_REPLUG_H
#define RECOVERD_CONTROL_REPLUG_H

#include "varlink.h"

int control_replug(struct varlink_call *call, json_t *parameters, void *ctx);
/* Answers with what went wrong in the daemon itself. */
int control_fail(struct varlink_call *call, int r);

#endif
