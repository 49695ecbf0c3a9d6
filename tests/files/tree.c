// SPDX-License-Identifier: GPL-2.0-or-later
/* Writes a folder of files, reads them back from the disk, and compares. */
#include "tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "awake.h"
#include "pattern.h"

/* Requests to a disk that take longer have been lost, and idle time may be skipped again. */
#define WAIT_MS 200

/* For O_DIRECT. */
static _Alignas(4096) unsigned char block[1 << 16];

static int failed(struct tree *tree, const char *what, const char *path)
{
	if (!tree->errors++)
		snprintf(tree->first_error, sizeof(tree->first_error), "%s %s: %s", what, path,
			 strerror(errno));
	return -1;
}

/* Counts the failure, if it is one; what was waited for has come. */
static int checked(struct tree *tree, long result, const char *what, const char *path)
{
	awake_go_on();
	return result < 0 ? failed(tree, what, path) : 0;
}

/* A long name with capitals and spaces, of which FAT makes entries of several kinds. */
static void name_of(char path[PATH_MAX], const struct tree *tree, unsigned file, const char *suffix)
{
	snprintf(path, PATH_MAX, "%s/A File of many Words, the %u. of them%s", tree->path, file,
		 suffix);
}

static uint64_t seed_of(const struct tree *tree, unsigned file, size_t at)
{
	return (tree->seed << 16) + ((uint64_t)file << 8) + at / sizeof(block);
}

static size_t part_at(const struct tree *tree, size_t at)
{
	return tree->size - at < sizeof(block) ? tree->size - at : sizeof(block);
}

static int write_content(struct tree *tree, int fd, unsigned file, const char *path)
{
	for (size_t at = 0; at < tree->size; at += sizeof(block)) {
		size_t part = part_at(tree, at);
		ssize_t n;

		pattern_fill(block, part, seed_of(tree, file, at));
		n = write(fd, block, part);
		if (n >= 0 && (size_t)n != part) {
			errno = ENOSPC;
			n = -1;
		}
		if (checked(tree, n, "write", path) < 0)
			return -1;
	}
	return checked(tree, fsync(fd), "fsync", path);
}

/* Under another name first, as editors do. */
static int write_file(struct tree *tree, unsigned file)
{
	char path[PATH_MAX], new[PATH_MAX];
	int fd, r;

	name_of(path, tree, file, ".text");
	name_of(new, tree, file, ".new");
	fd = open(new, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (checked(tree, fd, "create", new) < 0)
		return -1;
	r = write_content(tree, fd, file, new);
	if (checked(tree, close(fd), "close", new) < 0)
		r = -1;
	if (r == 0)
		r = checked(tree, rename(new, path), "rename", new);
	return r;
}

static int sync_folder(struct tree *tree)
{
	int fd = open(tree->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), r;

	if (checked(tree, fd, "open", tree->path) < 0)
		return -1;
	r = checked(tree, fsync(fd), "fsync", tree->path);
	if (r == 0)
		r = checked(tree, syncfs(fd), "syncfs", tree->path);
	close(fd);
	return r;
}

int tree_write(struct tree *tree)
{
	int r;

	awake_begin(WAIT_MS);
	r = mkdir(tree->path, 0700);
	if (r < 0 && errno == EEXIST)
		r = 0;
	r = checked(tree, r, "mkdir", tree->path);
	for (unsigned i = 0; i < tree->files && r == 0; i++)
		r = write_file(tree, i);
	if (r == 0)
		r = sync_folder(tree);
	awake_end();
	return r;
}

static int read_content(struct tree *tree, int fd, unsigned file, const char *path)
{
	for (size_t at = 0; at < tree->size; at += sizeof(block)) {
		size_t part = part_at(tree, at);
		ssize_t n;

		/* Who reads nothing is not to find what was there before. */
		memset(block, 0xa5, part);
		n = read(fd, block, part);
		if (checked(tree, n, "read", path) < 0)
			return -1;
		tree->corrupt_bytes += pattern_differs(block, part, seed_of(tree, file, at));
	}
	return 0;
}

static int check_file(struct tree *tree, unsigned file)
{
	char path[PATH_MAX];
	struct stat st;
	int fd, r;

	name_of(path, tree, file, ".text");
	fd = open(path, O_RDONLY | O_DIRECT | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		tree->corrupt_bytes += tree->size;
	if (checked(tree, fd, "open", path) < 0)
		return -1;
	r = checked(tree, fstat(fd, &st), "stat", path);
	if (r == 0 && st.st_size > (off_t)tree->size)
		tree->corrupt_bytes += (uint64_t)st.st_size - tree->size;
	if (r == 0)
		r = read_content(tree, fd, file, path);
	close(fd);
	return r;
}

/* Does the folder list its files, and nothing else? */
static int check_list(struct tree *tree)
{
	DIR *dir = opendir(tree->path);
	unsigned n = 0;

	if (checked(tree, dir ? 0 : -1, "open", tree->path) < 0)
		return -1;
	errno = 0;
	for (const struct dirent *entry; (entry = readdir(dir));)
		n += entry->d_name[0] != '.';
	if (!errno && n != tree->files)
		errno = EUCLEAN;
	n = (unsigned)errno;
	closedir(dir);
	errno = (int)n;
	return checked(tree, errno ? -1 : 0, "list", tree->path);
}

int tree_check(struct tree *tree)
{
	uint64_t corrupt = tree->corrupt_bytes;
	int r = 0;

	awake_begin(WAIT_MS);
	r = check_list(tree);
	for (unsigned i = 0; i < tree->files; i++) {
		if (check_file(tree, i) < 0)
			r = -1;
	}
	awake_end();
	return tree->corrupt_bytes == corrupt ? r : -1;
}

int tree_remove(struct tree *tree)
{
	char path[PATH_MAX];
	int r = 0;

	awake_begin(WAIT_MS);
	for (unsigned i = 0; i < tree->files; i++) {
		/* Of a write that failed. */
		name_of(path, tree, i, ".new");
		(void)unlink(path);
		name_of(path, tree, i, ".text");
		if (checked(tree, unlink(path), "unlink", path) < 0)
			r = -1;
	}
	if (checked(tree, rmdir(tree->path), "rmdir", tree->path) < 0)
		r = -1;
	awake_end();
	return r;
}
