/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What reading coverages and plans has in common.
 */
#ifndef REPLUG_MUTATE_JSON_H
#define REPLUG_MUTATE_JSON_H

#include <jansson.h>

#include "error.h"
#include "mutate.h"
#include "util.h"

/* A file being read: its name, and what it should be ("coverage file"), for the error. */
struct json_file {
	const char *name, *kind;
	struct replug_error *err;
};

/* Says in err what is wrong with the file; returns -EBADMSG. */
int json_file_refuse(const struct json_file *file, const char *fmt, ...) _printf_(2, 3);
/* The bytes of a file, malloc'ed. */
int json_file_read(const struct json_file *file, uint8_t **ret_bytes, size_t *ret_size);
/* The object that the bytes are, of that schema. */
int json_file_load(const struct json_file *file, const void *bytes, size_t size, const char *schema,
		   json_t **ret_object);
/* A member that is text of 1 to most printable characters; without spaces it is a name, which has no
 * slash either: drivers' and sections' become parts of paths. where: in the file, as "fault 2", or
 * NULL. *ret_text is malloc'ed. */
int json_file_text(const struct json_file *file, const json_t *object, const char *where,
		   const char *key, size_t most, bool spaces, char **ret_text);
/* A member that is a whole number of min to max. */
int json_file_number(const struct json_file *file, const json_t *object, const char *where,
		     const char *key, int64_t min, int64_t max, int64_t *ret_number);
/* The members that say which build of which driver it is about; malloc'ed. */
int json_file_identity(const struct json_file *file, const json_t *object, char **ret_driver,
		       char **ret_build_id, char **ret_kernel);

/* Bytes that take 4 characters for 3. The text is malloc'ed. */
char *base64_encode(const uint8_t *bytes, size_t size);
/* False: it is not exactly size bytes. */
bool base64_decode(const char *text, uint8_t *bytes, size_t size);

#endif /* REPLUG_MUTATE_JSON_H */
