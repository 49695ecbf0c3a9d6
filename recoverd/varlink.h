/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A Varlink server: connections and dispatch, no policy.
 *
 * A connection carries one call at a time; calls sent ahead wait in its buffer. A handler answers
 * at once or keeps a reference to the call and answers later; when the client goes away first, the
 * call stays valid, its replies go nowhere and its on_close is called.
 */
#ifndef RECOVERD_VARLINK_H
#define RECOVERD_VARLINK_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

#define VARLINK_MESSAGE_MAX (1024 * 1024)     /* bytes a client may send as one call */
#define VARLINK_STREAM_MAX  (256 * 1024)      /* unread bytes above which streams drop replies */
#define VARLINK_QUEUE_MAX   (8 * 1024 * 1024) /* unread bytes of all replies to one client */
#define VARLINK_CLIENTS_MAX 64

struct varlink_call;
struct varlink_server;

struct varlink_method {
	const char *name;
	/* 0, or a negative errno to close the connection without an answer. */
	int (*handle)(struct varlink_call *call, json_t *parameters, void *ctx);
};

struct varlink_interface {
	const char *name;
	const char *description;
	const struct varlink_method *methods; /* ends with a NULL name */
};

struct varlink_identity {
	const char *vendor, *product, *version, *url;
};

/* The arrays stay the caller's and must outlive the server. interfaces ends with NULL;
 * org.varlink.service is always there. */
int varlink_server_new(sd_event *event, const struct varlink_identity *identity,
		       const struct varlink_interface *const *interfaces, void *ctx,
		       struct varlink_server **ret_server);
void varlink_server_free(struct varlink_server *server);

/* Binds a socket with mode 0600 in place of a stale one; the caller made sure that no other
 * server is alive. */
int varlink_server_listen(struct varlink_server *server, const char *path);
/* Takes over a connected socket; closes it on failure. */
int varlink_server_adopt(struct varlink_server *server, int fd);
unsigned varlink_server_clients(const struct varlink_server *server);
/* No further connection is accepted, none is dropped. */
void varlink_server_close(struct varlink_server *server);
/* Blocks until every client has got its replies, for at most limit_ms. */
void varlink_server_flush(struct varlink_server *server, unsigned limit_ms);

struct varlink_call *varlink_call_ref(struct varlink_call *call);
void varlink_call_unref(struct varlink_call *call);
uid_t varlink_call_uid(const struct varlink_call *call);
pid_t varlink_call_pid(const struct varlink_call *call);
bool varlink_call_more(const struct varlink_call *call); /* asked for several replies */
bool varlink_call_alive(const struct varlink_call *call);
void varlink_call_on_close(struct varlink_call *call, void (*on_close)(void *ctx), void *ctx);

/* Both take over parameters (NULL: none, or no memory for them). A reply that continues needs a
 * call with more; -ENOBUFS: the client reads too slowly, this one was dropped. */
int varlink_reply(struct varlink_call *call, json_t *parameters, bool continues);
int varlink_error(struct varlink_call *call, const char *error, json_t *parameters);
int varlink_error_parameter(struct varlink_call *call, const char *parameter);

/* Takes parameters apart. An unknown, missing or mistyped one is answered with InvalidParameter
 * and -EINVAL returned. What is absent leaves its output untouched. Strings stay the message's. */
struct varlink_parameter {
	const char *name;
	enum {
		VARLINK_STRING,
		VARLINK_BOOL,
		VARLINK_INT
	} type;
	bool required;
	int64_t least, most; /* of VARLINK_INT */
	void *ret;	     /* const char **, bool *, int64_t * */
};
int varlink_parameters(struct varlink_call *call, const json_t *parameters,
		       const struct varlink_parameter *table, size_t n);

#endif
