/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Answers Trace, Objects, Requests and Leaks. */
#ifndef RECOVERD_CONTROL_OBSERVE_H
#define RECOVERD_CONTROL_OBSERVE_H

#include <jansson.h>

#include "varlink.h"

int control_trace(struct varlink_call *call, json_t *parameters, void *ctx);
int control_objects(struct varlink_call *call, json_t *parameters, void *ctx);
int control_requests(struct varlink_call *call, json_t *parameters, void *ctx);
int control_leaks(struct varlink_call *call, json_t *parameters, void *ctx);

#endif
