/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files of sections and keys, and the folders of several places in which they lie. */
#ifndef RECOVERD_INIFILE_H
#define RECOVERD_INIFILE_H

#include <stdbool.h>

/* What is wrong with a line; line 0: with the file. */
typedef void (*inifile_warn)(void *ctx, const char *file, unsigned line, const char *text);

struct inifile;

/* Complains about the line that is being read. */
__attribute__((format(printf, 2, 3))) void inifile_complain(struct inifile *file,
							    const char *format, ...);

typedef void (*inifile_key)(struct inifile *file, void *ctx, const char *section, const char *key,
			    const char *value);

/* Hands over each key of a file, with ctx, which warn gets, too. Lines that are no keys are told and
 * passed over. -errno; -ENOENT: there is no file. */
int inifile_read(const char *path, inifile_key on_key, inifile_warn warn, void *ctx);

/* The configuration folders, in the order in which they count; ends with NULL. */
extern const char *const inifile_places[];

/* Hands over each file of that folder in all places whose name ends so, in the order of their names:
 * a name in an earlier place hides the same name in a later one. root: "" or where the places are
 * looked for. -errno; -E2BIG: there are too many. */
int inifile_each(const char *root, const char *folder, const char *suffix,
		 void (*on_file)(void *ctx, const char *path), void *ctx);

#endif
