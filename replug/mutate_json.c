// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Reading JSON files that somebody else may have written, with an error that names the place.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "mutate_json.h"
#include "unpack.h"

#define DRIVER_MAX 55 /* MODULE_NAME_LEN of the kernel, without its NUL */

int json_file_refuse(const struct json_file *file, const char *fmt, ...)
{
	char why[160];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	replug_fail(file->err, REPLUG_FAULT_USAGE, -EBADMSG, "%s is no usable %s: %s",
		    replug_path_tail(file->name), file->kind, why);
	return -EBADMSG;
}

int json_file_read(const struct json_file *file, uint8_t **ret_bytes, size_t *ret_size)
{
	int r = replug_read_file(file->name, ret_bytes, ret_size);
	const char *name = replug_path_tail(file->name);

	switch (r) {
	case 0:
		return 0;
	case -ENOENT:
	case -ENOTDIR:
		return replug_fail(file->err, REPLUG_FAULT_USAGE, r, "there is no file %s", name);
	case -EISDIR:
		return json_file_refuse(file, "it is a directory");
	case -EINVAL:
		return json_file_refuse(file, "it is no regular file");
	case -EFBIG:
		return json_file_refuse(file, "it is larger than %zu MiB", REPLUG_IMAGE_MAX >> 20);
	default:
		return replug_fail(file->err, REPLUG_FAULT_FAILED, r, "cannot read %s: %s", name,
				   strerror(-r));
	}
}

int json_file_load(const struct json_file *file, const void *bytes, size_t size, const char *schema,
		   json_t **ret_object)
{
	json_auto_t *object = NULL;
	json_error_t error;
	const char *is;

	object = json_loadb(bytes, size, JSON_REJECT_DUPLICATES, &error);
	if (!object && json_error_code(&error) == json_error_out_of_memory)
		return -ENOMEM;
	/* In the middle of a word the parser complains of the word. */
	if (!object && (json_error_code(&error) == json_error_premature_end_of_input ||
			(error.position >= 0 && (size_t)error.position >= size)))
		return json_file_refuse(file, "it is cut short");
	if (!object)
		return json_file_refuse(file, "it is no JSON (line %d, column %d)", error.line,
					error.column);
	is = json_string_value(json_object_get(object, "schema"));
	if (!is)
		return json_file_refuse(file, "it has no schema");
	if (!str_eq(is, schema))
		return json_file_refuse(file, "its schema is %.40s, not %s", is, schema);
	*ret_object = TAKE_PTR(object);
	return 0;
}

static bool is_text(const char *s, size_t most, bool spaces)
{
	size_t n = strlen(s);

	for (size_t i = 0; i < n; i++)
		if (s[i] < ' ' || s[i] > '~' || (!spaces && (s[i] == ' ' || s[i] == '/')))
			return false;
	return n > 0 && n <= most;
}

int json_file_text(const struct json_file *file, const json_t *object, const char *where,
		   const char *key, size_t most, bool spaces, char **ret_text)
{
	const char *text = json_string_value(json_object_get(object, key));
	char *copy;

	if (!text || !is_text(text, most, spaces))
		return json_file_refuse(file, "%s%s\"%s\" is %s", where ? where : "",
					where ? ": " : "", key,
					json_object_get(object, key) ? "no such text" : "missing");
	copy = strdup(text);
	if (!copy)
		return -ENOMEM;
	*ret_text = copy;
	return 0;
}

int json_file_number(const struct json_file *file, const json_t *object, const char *where,
		     const char *key, int64_t min, int64_t max, int64_t *ret_number)
{
	const json_t *number = json_object_get(object, key);
	int64_t value = json_integer_value(number);

	if (!json_is_integer(number) || value < min || value > max)
		return json_file_refuse(
			file, "%s%s\"%s\" is not a whole number of %" PRId64 " to %" PRId64,
			where ? where : "", where ? ": " : "", key, min, max);
	*ret_number = value;
	return 0;
}

static int read_build_id(const struct json_file *file, const json_t *object, char **ret_build_id)
{
	const char *text = json_string_value(json_object_get(object, "build_id"));
	size_t n = text ? strlen(text) : 0;
	char *copy;

	if (n == 0 || n % 2 || n > 2 * (size_t)REPLUG_BUILD_ID_MAX ||
	    strspn(text, "0123456789abcdef") != n)
		return json_file_refuse(file, "\"build_id\" is not lower-case hex");
	copy = strdup(text);
	if (!copy)
		return -ENOMEM;
	*ret_build_id = copy;
	return 0;
}

int json_file_identity(const struct json_file *file, const json_t *object, char **ret_driver,
		       char **ret_build_id, char **ret_kernel)
{
	_cleanup_free_ char *driver = NULL, *build_id = NULL, *kernel = NULL;
	int r = json_file_text(file, object, NULL, "driver", DRIVER_MAX, false, &driver);

	if (!r)
		r = read_build_id(file, object, &build_id);
	if (!r)
		r = json_file_text(file, object, NULL, "kernel", REPLUG_NAME_MAX - 1, false,
				   &kernel);
	if (r)
		return r;
	*ret_driver = TAKE_PTR(driver);
	*ret_build_id = TAKE_PTR(build_id);
	*ret_kernel = TAKE_PTR(kernel);
	return 0;
}

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

char *base64_encode(const uint8_t *bytes, size_t size)
{
	char *text = malloc((size + 2) / 3 * 4 + 1), *to = text;

	if (!text)
		return NULL;
	for (size_t i = 0; i < size; i += 3) {
		size_t n = size - i < 3 ? size - i : 3;
		uint32_t group = (uint32_t)bytes[i] << 16;

		if (n > 1)
			group |= (uint32_t)bytes[i + 1] << 8;
		if (n > 2)
			group |= bytes[i + 2];
		*to++ = digits[group >> 18];
		*to++ = digits[(group >> 12) & 63];
		*to++ = n > 1 ? digits[(group >> 6) & 63] : '=';
		*to++ = n > 2 ? digits[group & 63] : '=';
	}
	*to = '\0';
	return text;
}

bool base64_decode(const char *text, uint8_t *bytes, size_t size)
{
	if (strlen(text) != (size + 2) / 3 * 4)
		return false;
	for (size_t i = 0; i < size; i += 3, text += 4) {
		size_t n = size - i < 3 ? size - i : 3;
		uint32_t group = 0;

		for (size_t k = 0; k < 4; k++) {
			const char *digit = strchr(digits, text[k]);

			if (k > n ? text[k] != '=' : !digit)
				return false;
			group = group << 6 | (k > n ? 0 : (uint32_t)(digit - digits));
		}
		for (size_t k = 0; k < n; k++)
			bytes[i + k] = (uint8_t)(group >> (16 - 8 * k));
		/* One way only to write the same bytes. */
		if (n < 3 && group & (0xffffffu >> (8 * n)))
			return false;
	}
	return true;
}
