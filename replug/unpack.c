// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Module files as bytes: reading, and decompression by content.
 */
#include <archive.h>
#include <archive_entry.h>
#include <elf.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "unpack.h"
#include "util.h"

#define GROW_FIRST ((size_t)256 << 10)

typedef struct archive archive_t;

static void archive_freep(archive_t **a)
{
	if (*a)
		archive_read_free(*a);
}

struct buffer {
	uint8_t *bytes;
	size_t size, room;
};

static void buffer_free(struct buffer *b)
{
	free(b->bytes);
}

/* Room for at least one more byte, and for no more than one byte above the limit. */
static int buffer_grow(struct buffer *b)
{
	size_t room = b->room ? b->room * 2 : GROW_FIRST;
	uint8_t *bytes;

	if (b->size < b->room)
		return 0;
	if (b->size > REPLUG_IMAGE_MAX)
		return -EFBIG;
	if (room > REPLUG_IMAGE_MAX + 1)
		room = REPLUG_IMAGE_MAX + 1;
	bytes = realloc(b->bytes, room);
	if (!bytes)
		return -ENOMEM;
	b->bytes = bytes;
	b->room = room;
	return 0;
}

static int buffer_give(struct buffer *b, uint8_t **ret_bytes, size_t *ret_size)
{
	uint8_t *exact;

	if (b->size > REPLUG_IMAGE_MAX)
		return -EFBIG;
	/* An image stays in locked memory for the whole of a swap. */
	exact = realloc(b->bytes, b->size ? b->size : 1);
	if (!exact)
		return -ENOMEM;
	b->bytes = NULL;
	*ret_bytes = exact;
	*ret_size = b->size;
	return 0;
}

int replug_read_file(const char *path, uint8_t **ret_bytes, size_t *ret_size)
{
	_cleanup_(buffer_free) struct buffer b = {0};
	_cleanup_close_ int fd = -1;
	struct stat st;

	/* Not to hang on a FIFO. */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &st))
		return -errno;
	if (S_ISDIR(st.st_mode))
		return -EISDIR;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;

	for (;;) {
		ssize_t n;
		int r = buffer_grow(&b);

		if (r)
			return r;
		n = read(fd, b.bytes + b.size, b.room - b.size);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return buffer_give(&b, ret_bytes, ret_size);
		b.size += n;
	}
}

static int archive_error(archive_t *a)
{
	return archive_errno(a) == ENOMEM ? -ENOMEM : -EBADMSG;
}

static int unpack_archive(archive_t *a, struct buffer *b)
{
	struct archive_entry *entry;
	int r;

	/* Empty content is the end of file, not an empty entry. */
	r = archive_read_next_header(a, &entry);
	if (r == ARCHIVE_EOF)
		return 0;
	if (r != ARCHIVE_OK)
		return archive_error(a);

	for (;;) {
		la_ssize_t n;

		r = buffer_grow(b);
		if (r)
			return r;
		n = archive_read_data(a, b->bytes + b->size, b->room - b->size);
		if (n < 0)
			return archive_error(a);
		if (n == 0)
			return 0;
		b->size += n;
	}
}

int replug_unpack(const uint8_t *bytes, size_t size, uint8_t **ret_bytes, size_t *ret_size)
{
	_cleanup_(archive_freep) archive_t *a = NULL;
	_cleanup_(buffer_free) struct buffer b = {0};
	int r;

	if (size > REPLUG_IMAGE_MAX)
		return -EFBIG;
	/* The usual case spared a guess. libarchive also takes no empty content. */
	if (size < SELFMAG || !memcmp(bytes, ELFMAG, SELFMAG)) {
		b.bytes = malloc(size ? size : 1);
		if (!b.bytes)
			return -ENOMEM;
		if (size)
			memcpy(b.bytes, bytes, size);
		b.size = size;
		return buffer_give(&b, ret_bytes, ret_size);
	}

	a = archive_read_new();
	if (!a)
		return -ENOMEM;
	/* What the kernel's modules_install makes. Not archive_read_support_filter_all(): some of
	 * those filters run a program of the content's choice. A filter that would need one on
	 * this machine answers ARCHIVE_WARN. */
	if (archive_read_support_format_raw(a) != ARCHIVE_OK ||
	    archive_read_support_filter_gzip(a) != ARCHIVE_OK ||
	    archive_read_support_filter_xz(a) != ARCHIVE_OK ||
	    archive_read_support_filter_lzma(a) != ARCHIVE_OK ||
	    archive_read_support_filter_zstd(a) != ARCHIVE_OK)
		return -EOPNOTSUPP;
	if (archive_read_open_memory(a, bytes, size) != ARCHIVE_OK)
		return archive_error(a);
	r = unpack_archive(a, &b);
	if (r)
		return r;
	return buffer_give(&b, ret_bytes, ret_size);
}
