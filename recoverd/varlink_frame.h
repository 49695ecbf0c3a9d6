/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Framing of the Varlink protocol: JSON objects with a NUL byte after each, over a stream socket.
 *
 * One struct frame_buffer is one direction of one connection. It never holds more than its limit,
 * so a peer can make us keep neither an endless message nor replies it does not read.
 */
#ifndef RECOVERD_VARLINK_FRAME_H
#define RECOVERD_VARLINK_FRAME_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct frame_buffer {
	char *data;
	size_t start, end; /* the bytes not used yet */
	size_t scanned;	   /* of them, how many are known to hold no NUL */
	size_t size;	   /* allocated */
	size_t limit;	   /* bytes, framing included */
};

void frame_init(struct frame_buffer *buffer, size_t limit);
void frame_uninit(struct frame_buffer *buffer);

/* In: one recv(2) without waiting. 1: got some, 0: end of file, -EAGAIN: nothing there,
 * -EMSGSIZE: the limit is reached without a whole message. */
int frame_recv(struct frame_buffer *buffer, int fd);
/* The same from memory. */
int frame_feed(struct frame_buffer *buffer, const void *bytes, size_t size);
/* Takes the next message. 1: *ret_message is an object, 0: none complete yet, -EBADMSG: not a JSON
 * object, or one with a key twice; the message is consumed. */
int frame_next(struct frame_buffer *buffer, json_t **ret_message);
/* n bytes at the start are done with. */
void frame_drop(struct frame_buffer *buffer, size_t n);
/* A whole message, good or bad, waits to be taken. */
bool frame_waiting(struct frame_buffer *buffer);

/* Out: adds a message. -ENOBUFS: would go over most (which is at most the limit); nothing added. */
int frame_put(struct frame_buffer *buffer, const json_t *message, size_t most);
/* Out: one pass of send(2) without waiting. 0: all sent, -EAGAIN: some are left, else the error. */
int frame_send(struct frame_buffer *buffer, int fd);

#endif
