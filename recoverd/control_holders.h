/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The method of io.recoverd.Control that tells who holds a driver. */
#ifndef RECOVERD_CONTROL_HOLDERS_H
#define RECOVERD_CONTROL_HOLDERS_H

#include "varlink.h"

int control_holders(struct varlink_call *call, json_t *parameters, void *ctx);

#endif
