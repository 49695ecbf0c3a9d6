// SPDX-License-Identifier: GPL-2.0-or-later
/* Calls the daemon over its control socket. */
#include "client.h"

#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "../recoverd/cleanup.h"
#include "../recoverd/varlink_frame.h"

#define INTERFACE "io.recoverd.Control"
#define REPLY_MAX (16 * 1024 * 1024)
#define CALL_MAX  (1024 * 1024) /* what the daemon takes */

struct client {
	int fd;
	struct frame_buffer in, out;
};

void client_free(struct client *client)
{
	if (!client)
		return;
	closep(&client->fd);
	frame_uninit(&client->in);
	frame_uninit(&client->out);
	free(client);
}

int client_open(const struct cli *cli, struct client **ret_client)
{
	_cleanup_(client_freep) struct client *client = NULL;
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	if (strlen(cli->socket) >= sizeof(address.sun_path)) {
		complain("the path of the socket is too long");
		return EXIT_USAGE;
	}
	strcpy(address.sun_path, cli->socket);
	client = calloc(1, sizeof(*client));
	if (!client) {
		complain("out of memory");
		return EXIT_FAILED;
	}
	frame_init(&client->in, REPLY_MAX);
	frame_init(&client->out, CALL_MAX);
	client->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (client->fd < 0) {
		complain("no socket: %m");
		return EXIT_FAILED;
	}
	if (connect(client->fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		if (errno == EACCES || errno == EPERM) {
			complain("not permitted to talk to the daemon at %s; are you root?",
				 cli->socket);
			return EXIT_REFUSED;
		}
		complain("the daemon can't be reached at %s: %m; is recoverd running?",
			 cli->socket);
		return EXIT_UNREACHABLE;
	}
	*ret_client = TAKE_PTR(client);
	return 0;
}

static int client_lost(const char *what)
{
	complain("%s", what);
	return EXIT_UNREACHABLE;
}

int client_call(struct client *client, const char *method, json_t *parameters, bool more)
{
	json_auto_t *call = NULL;
	struct pollfd p = {.fd = client->fd, .events = POLLOUT};
	int r;

	call = json_pack("{s:s+, s:o}", "method", INTERFACE ".", method, "parameters", parameters);
	if (!call) {
		complain("what is asked for can't be said in UTF-8");
		return EXIT_USAGE;
	}
	if (more)
		json_object_set_new(call, "more", json_true());
	r = frame_put(&client->out, call, CALL_MAX);
	if (r < 0) {
		complain("the request is too long");
		return EXIT_USAGE;
	}
	while ((r = frame_send(&client->out, client->fd)) == -EAGAIN) {
		if (poll(&p, 1, CLIENT_PATIENCE_MS) == 0)
			return client_lost("the daemon does not listen");
	}
	return r < 0 ? client_lost("the daemon has hung up") : 0;
}

/* What an error reply means to the user, and its exit code. */
static int client_error(const char *error, const json_t *parameters)
{
	const char *name = strrchr(error, '.');
	const char *detail;

	name = name ? name + 1 : error;
	if (strcmp(name, "NoSuchDriver") == 0) {
		detail = json_string_value(json_object_get(parameters, "driver"));
		complain("no driver %s is loaded", detail ? detail : "of this name");
		return EXIT_USAGE;
	}
	if (strcmp(name, "NoSuchFunction") == 0) {
		detail = json_string_value(json_object_get(parameters, "driver"));
		complain("%s has no function %s that can be probed", detail ? detail : "the driver",
			 json_string_value(json_object_get(parameters, "functions")));
		return EXIT_USAGE;
	}
	if (strcmp(name, "BuiltIn") == 0) {
		detail = json_string_value(json_object_get(parameters, "driver"));
		complain("%s is built into the kernel and can't be taken out",
			 detail ? detail : "it");
		return EXIT_REFUSED;
	}
	if (strcmp(name, "NotWatched") == 0) {
		detail = json_string_value(json_object_get(parameters, "driver"));
		complain("%s is not watched: name it in [Observe] Drivers= of recoverd.conf, or "
			 "trace it meanwhile",
			 detail ? detail : "the driver");
		return EXIT_FAILED;
	}
	if (strcmp(name, "Unsupported") == 0 || strcmp(name, "Refused") == 0) {
		detail = json_string_value(json_object_get(parameters, "reason"));
		complain("%s", detail ? detail : error);
		return name[0] == 'U' ? EXIT_UNSUPPORTED : EXIT_REFUSED;
	}
	if (strcmp(name, "PermissionDenied") == 0) {
		complain("the daemon does not permit this to you");
		return EXIT_REFUSED;
	}
	if (strcmp(name, "Busy") == 0) {
		complain("the daemon is asked too much at a time; try again");
		return EXIT_FAILED;
	}
	if (strcmp(name, "InvalidParameter") == 0) {
		detail = json_string_value(json_object_get(parameters, "parameter"));
		complain("the daemon does not accept the value of \"%s\"", detail ? detail : "");
		return EXIT_USAGE;
	}
	if (strcmp(name, "MethodNotFound") == 0 || strcmp(name, "InterfaceNotFound") == 0) {
		complain("this daemon can't do that; it is of another version");
		return EXIT_UNSUPPORTED;
	}
	detail = json_string_value(json_object_get(parameters, "reason"));
	complain("the daemon failed: %s", detail ? detail : error);
	return EXIT_FAILED;
}

static int client_open_reply(json_t *reply, json_t **ret_parameters, bool *ret_continues)
{
	json_t *parameters = NULL;
	const char *error = NULL;
	int continues = 0;

	if (json_unpack_ex(reply, NULL, 0, "{s?o, s?s, s?b}", "parameters", &parameters, "error",
			   &error, "continues", &continues) < 0 ||
	    (parameters && !json_is_object(parameters)))
		return client_lost("what answers at the socket is not recoverd");
	if (error)
		return client_error(error, parameters);
	*ret_parameters = parameters ? json_incref(parameters) : json_object();
	*ret_continues = continues;
	return 0;
}

int client_reply(struct client *client, int patience_ms, json_t **ret_parameters,
		 bool *ret_continues)
{
	struct pollfd p = {.fd = client->fd, .events = POLLIN};
	json_auto_t *reply = NULL;
	int r;

	for (;;) {
		r = frame_next(&client->in, &reply);
		if (r > 0)
			return client_open_reply(reply, ret_parameters, ret_continues);
		if (r < 0)
			return client_lost("what answers at the socket is not recoverd");
		r = poll(&p, 1, patience_ms);
		if (r < 0 && errno == EINTR)
			return -EINTR;
		if (r == 0)
			return client_lost("the daemon does not answer");
		r = frame_recv(&client->in, client->fd);
		if (r == 0)
			return client_lost("the daemon has hung up");
		if (r < 0 && r != -EAGAIN) {
			complain("the daemon can't be read: %s", strerror(-r));
			return EXIT_UNREACHABLE;
		}
	}
}

int client_ask(const struct cli *cli, const char *method, json_t *parameters_taken,
	       json_t **ret_parameters)
{
	_cleanup_(client_freep) struct client *client = NULL;
	json_auto_t *parameters = parameters_taken;
	bool continues;
	int r;

	r = client_open(cli, &client);
	if (r)
		return r;
	r = client_call(client, method, TAKE_PTR(parameters), false);
	if (r)
		return r;
	r = client_reply(client, CLIENT_PATIENCE_MS, ret_parameters, &continues);
	return r == -EINTR ? EXIT_FAILED : r;
}
