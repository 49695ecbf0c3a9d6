// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Images of loaded modules that are not the installed ones, kept as NAME-CONTENT.ko in a directory.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <sys/stat.h>

#include "image.h"
#include "kept.h"
#include "util.h"

/* FNV-1a: tells the few images of one module apart, no more. */
static uint64_t content_hash(const struct replug_image *image)
{
	uint64_t hash = 0xcbf29ce484222325u;
	size_t size;
	const uint8_t *bytes = replug_image_bytes(image, &size);

	for (size_t i = 0; i < size; i++)
		hash = (hash ^ bytes[i]) * 0x100000001b3u;
	return hash;
}

static int kept_name(const struct replug_image *image, char name[NAME_MAX])
{
	int n = snprintf(name, NAME_MAX, "%s-%016" PRIx64 ".ko", replug_image_name(image),
			 content_hash(image));

	return n < 0 || n >= NAME_MAX ? -ENAMETOOLONG : 0;
}

static bool is_kept_of(const char *file, const char *name)
{
	const char *rest = str_after(file, name);

	return rest && rest[0] == '-' && strlen(rest) == sizeof("-0123456789abcdef.ko") - 1;
}

static int write_all(int fd, const uint8_t *bytes, size_t size)
{
	while (size > 0) {
		ssize_t n = write(fd, bytes, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		bytes += n;
		size -= (size_t)n;
	}
	return 0;
}

int replug_kept_add(const char *dir, const struct replug_image *image)
{
	char name[NAME_MAX], tmp[] = ".new.ko";
	_cleanup_close_ int dirfd = -1, fd = -1;
	const void *bytes;
	size_t size;
	int r;

	r = kept_name(image, name);
	if (r)
		return r;
	if (mkdir(dir, 0700) < 0 && errno != EEXIST)
		return -errno;
	dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dirfd < 0)
		return -errno;
	fd = openat(dirfd, tmp, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	bytes = replug_image_bytes(image, &size);
	r = write_all(fd, bytes, size);
	if (!r && renameat(dirfd, tmp, dirfd, name) < 0)
		r = -errno;
	if (r)
		(void)unlinkat(dirfd, tmp, 0);
	return r;
}

void replug_kept_clean(const char *dir, const char *name, const struct replug_image *except)
{
	_cleanup_closedir_ DIR *d = opendir(dir);
	char excepted[NAME_MAX] = "";
	struct dirent *entry;

	if (!d || (except && kept_name(except, excepted)))
		return;
	while ((entry = readdir(d)))
		if (is_kept_of(entry->d_name, name) && !str_eq(entry->d_name, excepted))
			(void)unlinkat(dirfd(d), entry->d_name, 0);
}

int kept_find(const struct modules *modules, const char *name, struct replug_image **ret_image)
{
	_cleanup_closedir_ DIR *d = NULL;
	struct dirent *entry;

	d = modules->host->kept ? opendir(modules->host->kept) : NULL;
	while (d && (entry = readdir(d))) {
		_cleanup_image_ struct replug_image *image = NULL;
		_cleanup_free_ char *path = NULL;

		if (!is_kept_of(entry->d_name, name))
			continue;
		if (asprintf(&path, "%s/%s", modules->host->kept, entry->d_name) < 0)
			return -ENOMEM;
		if (replug_image_open(path, &image, NULL) ||
		    !str_eq(replug_image_name(image), name) ||
		    !module_is_image(modules, name, image))
			continue;
		*ret_image = TAKE_PTR(image);
		return 0;
	}
	return -ENOENT;
}
