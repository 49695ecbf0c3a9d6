// SPDX-License-Identifier: GPL-2.0-or-later
/* Framing of the Varlink protocol, shared by daemon, client and worker processes. */
#include "varlink_frame.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "cleanup.h"

#define CHUNK 4096

void frame_init(struct frame_buffer *buffer, size_t limit)
{
	*buffer = (struct frame_buffer){.limit = limit};
}

void frame_uninit(struct frame_buffer *buffer)
{
	free(buffer->data);
	*buffer = (struct frame_buffer){.limit = buffer->limit};
}

/* Makes room for at least one more byte, at best for want; returns how many fit. */
static int frame_room(struct frame_buffer *buffer, size_t want, size_t *ret_room)
{
	size_t used = buffer->end - buffer->start, size;
	char *data;

	if (used >= buffer->limit)
		return -EMSGSIZE;
	if (want > buffer->limit - used)
		want = buffer->limit - used;

	if (buffer->start && buffer->size - buffer->end < want) {
		memmove(buffer->data, buffer->data + buffer->start, used);
		buffer->start = 0;
		buffer->end = used;
	}
	if (buffer->size - buffer->end < want) {
		for (size = buffer->size ? buffer->size : CHUNK; size - buffer->end < want;)
			size *= 2;
		data = realloc(buffer->data, size);
		if (!data)
			return -ENOMEM;
		buffer->data = data;
		buffer->size = size;
	}
	*ret_room = want;
	return 0;
}

void frame_drop(struct frame_buffer *buffer, size_t n)
{
	buffer->start += n;
	buffer->scanned = 0;
	if (buffer->start < buffer->end)
		return;
	buffer->start = buffer->end = 0;
	if (buffer->size > 16 * CHUNK) { /* a rare big message need not be paid for ever after */
		free(buffer->data);
		buffer->data = NULL;
		buffer->size = 0;
	}
}

int frame_recv(struct frame_buffer *buffer, int fd)
{
	size_t room;
	ssize_t n;
	int r;

	r = frame_room(buffer, CHUNK, &room);
	if (r < 0)
		return r;
	do {
		n = recv(fd, buffer->data + buffer->end, room, MSG_DONTWAIT);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EWOULDBLOCK ? -EAGAIN : -errno;
	buffer->end += (size_t)n;
	return n > 0;
}

int frame_feed(struct frame_buffer *buffer, const void *bytes, size_t size)
{
	size_t room;
	int r;

	if (size > buffer->limit - (buffer->end - buffer->start))
		return -EMSGSIZE;
	if (!size)
		return 0;
	r = frame_room(buffer, size, &room);
	if (r < 0)
		return r;
	memcpy(buffer->data + buffer->end, bytes, size);
	buffer->end += size;
	return 0;
}

static char *frame_end(struct frame_buffer *buffer)
{
	size_t used = buffer->end - buffer->start;
	char *nul = NULL;

	if (used > buffer->scanned)
		nul = memchr(buffer->data + buffer->start + buffer->scanned, 0,
			     used - buffer->scanned);
	if (!nul)
		buffer->scanned = used;
	return nul;
}

bool frame_waiting(struct frame_buffer *buffer)
{
	return frame_end(buffer) != NULL;
}

int frame_next(struct frame_buffer *buffer, json_t **ret_message)
{
	json_t *message;
	size_t len;
	char *nul;

	nul = frame_end(buffer);
	if (!nul)
		return 0;
	len = (size_t)(nul - (buffer->data + buffer->start));
	message = json_loadb(buffer->data + buffer->start, len, JSON_REJECT_DUPLICATES, NULL);
	frame_drop(buffer, len + 1);
	if (!json_is_object(message)) {
		json_decref(message);
		return -EBADMSG;
	}
	*ret_message = message;
	return 1;
}

int frame_put(struct frame_buffer *buffer, const json_t *message, size_t most)
{
	_cleanup_free_ char *text = NULL;
	size_t len;

	text = json_dumps(message, JSON_COMPACT);
	if (!text)
		return -ENOMEM;
	len = strlen(text) + 1;
	if (most > buffer->limit)
		most = buffer->limit;
	if (len > most || buffer->end - buffer->start > most - len)
		return -ENOBUFS;
	return frame_feed(buffer, text, len);
}

int frame_send(struct frame_buffer *buffer, int fd)
{
	ssize_t n;

	while (buffer->start < buffer->end) {
		n = send(fd, buffer->data + buffer->start, buffer->end - buffer->start,
			 MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EWOULDBLOCK ? -EAGAIN : -errno;
		frame_drop(buffer, (size_t)n);
	}
	return 0;
}
