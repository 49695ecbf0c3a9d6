/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A folder of files with known contents on the disk. */
#ifndef TEST_FILES_TREE_H
#define TEST_FILES_TREE_H

#include <stddef.h>
#include <stdint.h>

struct tree {
	const char *path;
	uint64_t seed;
	unsigned files;
	size_t size; /* of each; a multiple of 4096 */
	/* What has been found out: calls that failed, the first of them, and bytes that are other
	 * ones than were written or not there at all. */
	unsigned errors;
	char first_error[256];
	uint64_t corrupt_bytes;
};

/* Makes the folder and its files, and has them on the disk when it returns 0; -1: errors. What is
 * there under their names is replaced. */
int tree_write(struct tree *tree);
/* Reads them from the disk, past the page cache; -1: errors, or corrupt bytes. */
int tree_check(struct tree *tree);
/* Takes away the files and the folder; -1: errors. */
int tree_remove(struct tree *tree);

#endif
