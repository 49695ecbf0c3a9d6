/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Getting a module file's bytes: reading it, and undoing its compression.
 */
#ifndef REPLUG_UNPACK_H
#define REPLUG_UNPACK_H

#include <stddef.h>
#include <stdint.h>

#define REPLUG_IMAGE_MAX ((size_t)256 << 20)

/* The whole regular file. As open(2), or -EISDIR, -EINVAL: no regular file, -EFBIG. */
int replug_read_file(const char *path, uint8_t **ret_bytes, size_t *ret_size);
/* A copy of the bytes, decompressed if they are gzip, xz, lzma or zstd. -EBADMSG: damaged,
 * -EFBIG: more than REPLUG_IMAGE_MAX. */
int replug_unpack(const uint8_t *bytes, size_t size, uint8_t **ret_bytes, size_t *ret_size);

#endif /* REPLUG_UNPACK_H */
