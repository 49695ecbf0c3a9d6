/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A place the event stream is written to: a file, standard output or a listening UNIX socket. */
#ifndef RECOVERD_SINK_H
#define RECOVERD_SINK_H

#include <systemd/sd-event.h>

#include "event.h"

struct sink;

/* spec: a path, "-" or "unix:PATH". A socket nobody listens on yet is no error: it is tried again
 * as events come. */
int sink_new(sd_event *loop, struct event_log *log, const char *spec, struct sink **ret_sink);
void sink_free(struct sink *sink);

#endif
