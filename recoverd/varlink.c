// SPDX-License-Identifier: GPL-2.0-or-later
/* The Varlink server: accepts connections, dispatches calls, queues replies. */
#include "varlink.h"

#include <string.h>
#include <sys/epoll.h>
#include <sys/poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>

#include "cleanup.h"
#include "varlink_frame.h"
#include "varlink_service.h"

struct varlink_link {
	struct varlink_server *server;
	struct varlink_link *next;
	int fd;
	sd_event_source *io, *again;
	struct frame_buffer in, out;
	struct varlink_call *call; /* being answered; NULL: none */
	struct ucred peer;
	bool eof; /* the client sends no more, but may still read */
};

struct varlink_call {
	unsigned refs;
	struct varlink_link *link; /* NULL: client gone, or answered */
	json_t *message;
	struct ucred peer;
	bool more, oneway;
	void (*on_close)(void *ctx);
	void *on_close_ctx;
};

struct varlink_server {
	sd_event *event;
	sd_event_source *accept;
	int fd;
	char *path;
	struct varlink_link *links;
	unsigned n_links;
	const struct varlink_identity *identity;
	const struct varlink_interface *const *interfaces;
	void *ctx;
};

struct varlink_call *varlink_call_ref(struct varlink_call *call)
{
	call->refs++;
	return call;
}

void varlink_call_unref(struct varlink_call *call)
{
	if (!call || --call->refs)
		return;
	json_decref(call->message);
	free(call);
}

static void varlink_call_unrefp(struct varlink_call **call)
{
	varlink_call_unref(*call);
}

uid_t varlink_call_uid(const struct varlink_call *call)
{
	return call->peer.uid;
}

pid_t varlink_call_pid(const struct varlink_call *call)
{
	return call->peer.pid;
}

bool varlink_call_more(const struct varlink_call *call)
{
	return call->more && !call->oneway;
}

bool varlink_call_alive(const struct varlink_call *call)
{
	return call->link != NULL;
}

void varlink_call_on_close(struct varlink_call *call, void (*on_close)(void *ctx), void *ctx)
{
	call->on_close = on_close;
	call->on_close_ctx = ctx;
}

static void link_close(struct varlink_link *link)
{
	struct varlink_server *server = link->server;
	struct varlink_call *call = link->call;

	for (struct varlink_link **p = &server->links; *p; p = &(*p)->next) {
		if (*p == link) {
			*p = link->next;
			server->n_links--;
			break;
		}
	}
	sd_event_source_disable_unref(link->io);
	sd_event_source_disable_unref(link->again);
	closep(&link->fd);
	frame_uninit(&link->in);
	frame_uninit(&link->out);
	free(link);

	if (call) {
		call->link = NULL;
		if (call->on_close)
			call->on_close(call->on_close_ctx);
		varlink_call_unref(call);
	}
}

/* Everything is answered and read, and no more will be asked. */
static bool link_is_done(struct varlink_link *link)
{
	return link->eof && !link->call && link->out.start == link->out.end &&
	       !frame_waiting(&link->in);
}

/* What to be woken for. While a whole call waits to be taken up no more is read. */
static void link_watch(struct varlink_link *link)
{
	uint32_t events = 0;
	bool ahead;

	if (!link->eof && !frame_waiting(&link->in))
		events |= EPOLLIN;
	if (link->out.start < link->out.end)
		events |= EPOLLOUT;
	(void)sd_event_source_set_io_events(link->io, events);
	/* Calls that came ahead are taken up from the loop, not from inside a handler. */
	ahead = !link->call && frame_waiting(&link->in);
	(void)sd_event_source_set_enabled(
		link->again, ahead || link_is_done(link) ? SD_EVENT_ONESHOT : SD_EVENT_OFF);
}

/* The call has had its last reply. */
static void call_finished(struct varlink_call *call)
{
	struct varlink_link *link = call->link;

	if (!link)
		return;
	call->link = NULL;
	link->call = NULL;
	link_watch(link);
	varlink_call_unref(call);
}

static int link_put(struct varlink_link *link, const json_t *reply, size_t most)
{
	int r;

	r = frame_put(&link->out, reply, most);
	if (r < 0)
		return r;
	r = frame_send(&link->out, link->fd);
	if (r == 0 || r == -EAGAIN)
		r = 0;
	else
		link->out.start = link->out.end = 0; /* gone; EPOLLHUP will tell the loop */
	link_watch(link);
	return r;
}

/* Takes over parameters. */
static int call_answer(struct varlink_call *call, const char *error, json_t *parameters,
		       bool continues)
{
	json_auto_t *reply = NULL;
	struct varlink_link *link = call->link;
	int r;

	if (!parameters)
		parameters = json_object();
	reply = json_pack("{s:o}", "parameters", parameters);
	if (!link)
		return -ENOTCONN;
	if (call->oneway) {
		if (!continues)
			call_finished(call);
		return 0;
	}
	if (!reply)
		return -ENOMEM;
	if (error)
		json_object_set_new(reply, "error", json_string(error));
	if (continues)
		json_object_set_new(reply, "continues", json_true());

	r = link_put(link, reply, continues ? VARLINK_STREAM_MAX : VARLINK_QUEUE_MAX);
	if (continues)
		return r;
	if (r < 0) {
		/* An answer that can't be given must not look like one that is late. */
		link->eof = true;
		link->in.start = link->in.end = 0;
		(void)shutdown(link->fd, SHUT_RDWR);
	}
	call_finished(call);
	return r;
}

int varlink_reply(struct varlink_call *call, json_t *parameters, bool continues)
{
	return call_answer(call, NULL, parameters, continues);
}

int varlink_error(struct varlink_call *call, const char *error, json_t *parameters)
{
	return call_answer(call, error, parameters, false);
}

int varlink_error_parameter(struct varlink_call *call, const char *parameter)
{
	return varlink_error(call, "org.varlink.service.InvalidParameter",
			     json_pack("{s:s}", "parameter", parameter));
}

static int parameter_get(const struct varlink_parameter *parameter, const json_t *value)
{
	json_int_t number;

	switch (parameter->type) {
	case VARLINK_STRING:
		if (!json_is_string(value))
			return -EINVAL;
		*(const char **)parameter->ret = json_string_value(value);
		return 0;
	case VARLINK_BOOL:
		if (!json_is_boolean(value))
			return -EINVAL;
		*(bool *)parameter->ret = json_is_true(value);
		return 0;
	case VARLINK_INT:
		number = json_integer_value(value);
		if (!json_is_integer(value) || number < parameter->least ||
		    number > parameter->most)
			return -EINVAL;
		*(int64_t *)parameter->ret = number;
		return 0;
	}
	return -EINVAL;
}

int varlink_parameters(struct varlink_call *call, const json_t *parameters,
		       const struct varlink_parameter *table, size_t n)
{
	const json_t *value;
	const char *key;
	size_t i;

	json_object_foreach((json_t *)parameters, key, value) {
		for (i = 0; i < n && strcmp(table[i].name, key) != 0; i++)
			;
		/* The protocol's "absent" may be written as null. */
		if (i == n || (!json_is_null(value) && parameter_get(&table[i], value) < 0)) {
			varlink_error_parameter(call, key);
			return -EINVAL;
		}
	}
	for (i = 0; i < n; i++) {
		value = json_object_get(parameters, table[i].name);
		if (table[i].required && (!value || json_is_null(value))) {
			varlink_error_parameter(call, table[i].name);
			return -EINVAL;
		}
	}
	return 0;
}

static const struct varlink_interface *server_interface(const struct varlink_server *server,
							const char *name, size_t len)
{
	const struct varlink_interface *const *interface;

	for (interface = server->interfaces; *interface; interface++) {
		if (strlen((*interface)->name) == len && memcmp((*interface)->name, name, len) == 0)
			return *interface;
	}
	return NULL;
}

static int call_dispatch(struct varlink_server *server, struct varlink_call *call,
			 const char *method, json_t *parameters)
{
	const struct varlink_interface *interface;
	const struct varlink_method *m;
	const char *dot = strrchr(method, '.');

	if (!dot)
		return varlink_error_parameter(call, "method");
	if (strncmp(method, VARLINK_SERVICE ".", strlen(VARLINK_SERVICE) + 1) == 0)
		return varlink_service_handle(call, dot + 1, parameters, server->identity,
					      server->interfaces);
	interface = server_interface(server, method, (size_t)(dot - method));
	if (!interface)
		return varlink_error(
			call, "org.varlink.service.InterfaceNotFound",
			json_pack("{s:s%}", "interface", method, (size_t)(dot - method)));
	for (m = interface->methods; m->name; m++) {
		if (strcmp(m->name, dot + 1) == 0)
			return m->handle(call, parameters, server->ctx);
	}
	return varlink_error(call, "org.varlink.service.MethodNotFound",
			     json_pack("{s:s}", "method", method));
}

/* Takes up one message. < 0: not to be talked to any longer. */
static int link_take(struct varlink_link *link)
{
	_cleanup_(varlink_call_unrefp) struct varlink_call *call = NULL;
	json_auto_t *message = NULL, *none = NULL;
	json_t *parameters = NULL;
	const char *method = NULL;
	int more = 0, oneway = 0, upgrade = 0, r;

	r = frame_next(&link->in, &message);
	if (r <= 0)
		return r;

	call = calloc(1, sizeof(*call));
	if (!call)
		return -ENOMEM;
	call->refs = 2; /* ours and the link's */
	call->peer = link->peer;
	call->link = link;
	link->call = call;

	if (json_unpack_ex(message, NULL, JSON_STRICT, "{s:s, s?o, s?b, s?b, s?b}", "method",
			   &method, "parameters", &parameters, "more", &more, "oneway", &oneway,
			   "upgrade", &upgrade) < 0 ||
	    (more && oneway) || upgrade)
		return varlink_error_parameter(call, "method");
	call->message = TAKE_PTR(message);
	call->more = more;
	call->oneway = oneway;
	if (!parameters || json_is_null(parameters))
		parameters = none = json_object();
	if (!json_is_object(parameters))
		return varlink_error_parameter(call, "parameters");

	r = call_dispatch(link->server, call, method, parameters);
	/* A client that is gone or slow is no reason to be harsh with it. */
	return r == -ENOTCONN || r == -ENOBUFS ? 0 : r;
}

static int on_again(sd_event_source *source, void *ctx)
{
	struct varlink_link *link = ctx;

	(void)source;
	if ((!link->call && link_take(link) < 0) || link_is_done(link))
		link_close(link);
	else
		link_watch(link);
	return 0;
}

static int on_io(sd_event_source *source, int fd, uint32_t events, void *ctx)
{
	struct varlink_link *link = ctx;
	int r;

	(void)source;
	if (events & EPOLLIN) {
		r = frame_recv(&link->in, fd);
		if (r == 0)
			link->eof = true;
		else if (r < 0 && r != -EAGAIN)
			goto close;
	}
	if (events & (EPOLLHUP | EPOLLERR)) {
		/* Nobody is left to read an answer, but what was asked before may need none. */
		while (!link->eof && frame_recv(&link->in, fd) > 0)
			;
		while (!link->call && frame_waiting(&link->in) && link_take(link) >= 0)
			;
		goto close;
	}
	if (events & EPOLLOUT) {
		r = frame_send(&link->out, fd);
		if (r < 0 && r != -EAGAIN)
			goto close;
	}
	if (link_is_done(link))
		goto close;
	link_watch(link);
	return 0;
close:
	link_close(link);
	return 0;
}

int varlink_server_adopt(struct varlink_server *server, int fd_taken)
{
	_cleanup_close_ int fd = fd_taken;
	struct varlink_link *link;
	socklen_t len = sizeof(struct ucred);
	int r;

	if (server->n_links >= VARLINK_CLIENTS_MAX)
		return -EUSERS;
	link = calloc(1, sizeof(*link));
	if (!link)
		return -ENOMEM;
	link->server = server;
	link->fd = -1;
	frame_init(&link->in, VARLINK_MESSAGE_MAX);
	frame_init(&link->out, VARLINK_QUEUE_MAX);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &link->peer, &len) < 0) {
		r = -errno;
		goto fail;
	}
	r = sd_event_add_io(server->event, &link->io, fd, EPOLLIN, on_io, link);
	if (r < 0)
		goto fail;
	r = sd_event_add_defer(server->event, &link->again, on_again, link);
	if (r < 0)
		goto fail;
	(void)sd_event_source_set_enabled(link->again, SD_EVENT_OFF);
	link->fd = TAKE_FD(fd);
	link->next = server->links;
	server->links = link;
	server->n_links++;
	return 0;
fail:
	sd_event_source_disable_unref(link->again);
	sd_event_source_disable_unref(link->io);
	free(link);
	return r;
}

static int on_accept(sd_event_source *source, int fd, uint32_t events, void *ctx)
{
	struct varlink_server *server = ctx;
	int client;

	(void)source;
	(void)events;
	client = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (client >= 0)
		(void)varlink_server_adopt(server, client);
	/* Without descriptors left the loop would spin here; a short rest lets clients leave. */
	else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM)
		(void)poll(NULL, 0, 50);
	return 0;
}

int varlink_server_listen(struct varlink_server *server, const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	_cleanup_close_ int fd = -1;
	mode_t mask;
	int r;

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	strcpy(address.sun_path, path);

	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (unlink(path) < 0 && errno != ENOENT)
		return -errno;
	mask = umask(0177);
	r = bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ? -errno : 0;
	umask(mask);
	if (r < 0)
		return r;
	server->path = strdup(path);
	if (!server->path) {
		unlink(path);
		return -ENOMEM;
	}
	if (listen(fd, SOMAXCONN) < 0)
		return -errno;
	r = sd_event_add_io(server->event, &server->accept, fd, EPOLLIN, on_accept, server);
	if (r < 0)
		return r;
	server->fd = TAKE_FD(fd);
	return 0;
}

int varlink_server_new(sd_event *event, const struct varlink_identity *identity,
		       const struct varlink_interface *const *interfaces, void *ctx,
		       struct varlink_server **ret_server)
{
	struct varlink_server *server;

	server = calloc(1, sizeof(*server));
	if (!server)
		return -ENOMEM;
	server->event = sd_event_ref(event);
	server->fd = -1;
	server->identity = identity;
	server->interfaces = interfaces;
	server->ctx = ctx;
	*ret_server = server;
	return 0;
}

void varlink_server_close(struct varlink_server *server)
{
	server->accept = sd_event_source_disable_unref(server->accept);
	closep(&server->fd);
	server->fd = -1;
	if (server->path)
		unlink(server->path);
	free(server->path);
	server->path = NULL;
}

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

void varlink_server_flush(struct varlink_server *server, unsigned limit_ms)
{
	uint64_t end = now_ms() + limit_ms, now;
	struct pollfd p;

	for (struct varlink_link *link = server->links; link; link = link->next) {
		while (frame_send(&link->out, link->fd) == -EAGAIN) {
			now = now_ms();
			if (now >= end)
				return;
			p = (struct pollfd){.fd = link->fd, .events = POLLOUT};
			(void)poll(&p, 1, (int)(end - now));
		}
	}
}

void varlink_server_free(struct varlink_server *server)
{
	if (!server)
		return;
	varlink_server_close(server);
	while (server->links)
		link_close(server->links);
	sd_event_unref(server->event);
	free(server);
}

unsigned varlink_server_clients(const struct varlink_server *server)
{
	return server->n_links;
}
