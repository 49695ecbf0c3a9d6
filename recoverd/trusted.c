// SPDX-License-Identifier: GPL-2.0-or-later
/* Looks at who could have written a file. */
#include "trusted.h"

#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "cleanup.h"

static bool is_roots(const struct stat *st)
{
	return st->st_uid == 0 && !(st->st_mode & (S_IWGRP | S_IWOTH));
}

static const char *check_folders(const char *path)
{
	char real[PATH_MAX];
	bool own = true; /* the file's */
	struct stat st;

	if (!realpath(path, real))
		return "names a file that is not there";
	for (char *slash; (slash = strrchr(real, '/'));) {
		*slash = '\0';
		if (stat(slash == real ? "/" : real, &st) < 0)
			return "names a file that is not there";
		/* In a sticky one nobody replaces what is root's. */
		if (!is_roots(&st) && (own || st.st_uid != 0 || !(st.st_mode & S_ISVTX)))
			return "names a file in a folder that others than root may write to";
		own = false;
		if (slash == real)
			break;
	}
	return NULL;
}

const char *trusted_check(const char *path, bool executable)
{
	struct stat st;

	if (path[0] != '/' || strlen(path) >= PATH_MAX)
		return "names a file without its full path";
	if (lstat(path, &st) < 0)
		return "names a file that is not there";
	if (!S_ISREG(st.st_mode))
		return "names what is no regular file";
	if (st.st_uid != 0)
		return "names a file that is not owned by root";
	if (!is_roots(&st))
		return "names a file that others than root may write to";
	if (executable && !(st.st_mode & S_IXUSR))
		return "names a script that is not executable";
	return check_folders(path);
}
