/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A client of the daemon's control socket. */
#ifndef RECOVCTL_CLIENT_H
#define RECOVCTL_CLIENT_H

#include <jansson.h>
#include <stdbool.h>

#include "cli.h"

#define CLIENT_PATIENCE_MS 30000 /* for what the daemon answers at once if it is well */

struct client;

/* Says why it can't. 0, or the exit code. */
int client_open(const struct cli *cli, struct client **ret_client);
void client_free(struct client *client);

/* Takes over parameters. method: without the interface's name. 0, or the exit code. */
int client_call(struct client *client, const char *method, json_t *parameters, bool more);
/* Waits for a reply, for patience_ms or for ever (-1). 0, or the exit code for what went wrong or
 * for the error that the daemon replied with, having said it. *ret_continues: more will come.
 * -EINTR: a signal came. */
int client_reply(struct client *client, int patience_ms, json_t **ret_parameters,
		 bool *ret_continues);
/* All of it, for methods with one reply. */
int client_ask(const struct cli *cli, const char *method, json_t *parameters,
	       json_t **ret_parameters);

static inline void client_freep(struct client **client)
{
	client_free(*client);
}

#endif
