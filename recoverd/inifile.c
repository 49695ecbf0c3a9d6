// SPDX-License-Identifier: GPL-2.0-or-later
/* Reads files of sections and keys, knowing in which line it is. */
#include "inifile.h"

#include <dirent.h>
#include <errno.h>
#include <ini.h>
#include <stdarg.h>
#include <string.h>

#include "cleanup.h"

#define FILES_MAX 256

struct inifile {
	const char *path;
	unsigned line;
	int error; /* of reading */
	FILE *stream;
	inifile_key on_key;
	inifile_warn warn;
	void *ctx;
};

const char *const inifile_places[] = {
	"/etc/recoverd", "/run/recoverd", "/usr/local/lib/recoverd", "/usr/lib/recoverd", NULL,
};

void inifile_complain(struct inifile *file, const char *format, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	file->warn(file->ctx, file->path, file->line, text);
}

static int on_key(void *ctx, const char *section, const char *key, const char *value)
{
	struct inifile *file = ctx;

	file->on_key(file, file->ctx, section, key, value);
	return 1;
}

/* The parser does not tell the handler where it is, so lines are counted as it asks for them. A
 * line longer than its buffer would come back as two: it is passed over. */
static char *read_line(char *buf, int size, void *ctx)
{
	struct inifile *file = ctx;
	size_t len;
	int c;

	for (;;) {
		if (!fgets(buf, size, file->stream)) {
			file->error = ferror(file->stream) ? -errno : 0;
			return NULL;
		}
		file->line++;
		len = strlen(buf);
		if (len + 1 < (size_t)size || buf[len - 1] == '\n')
			return buf;
		c = getc(file->stream);
		if (c == EOF)
			return buf;
		while (c != EOF && c != '\n')
			c = getc(file->stream);
		inifile_complain(file, "Line is longer than %d bytes, ignoring", size - 2);
	}
}

int inifile_read(const char *path, inifile_key on_key_, inifile_warn warn, void *ctx)
{
	struct inifile file = {.path = path, .on_key = on_key_, .warn = warn, .ctx = ctx};
	_cleanup_fclose_ FILE *stream = fopen(path, "re");
	int r;

	if (!stream)
		return -errno;
	file.stream = stream;
	r = ini_parse_stream(read_line, &file, on_key, &file);
	if (r > 0) {
		file.line = (unsigned)r;
		inifile_complain(&file, "This is neither a section nor a key, ignoring");
	}
	if (file.error)
		return file.error;
	return r == -2 ? -ENOMEM : 0;
}

/* ---- folders ---- */

struct found {
	char *name, *path;
};

static int compare(const void *a, const void *b)
{
	return strcmp(((const struct found *)a)->name, ((const struct found *)b)->name);
}

static bool ends_so(const char *name, const char *suffix)
{
	size_t length = strlen(name), n = strlen(suffix);

	return name[0] != '.' && length > n && strcmp(name + length - n, suffix) == 0;
}

static int collect(const char *folder, const char *suffix, struct found *list, size_t *n)
{
	_cleanup_closedir_ DIR *dir = opendir(folder);
	struct dirent *entry;
	size_t i;

	if (!dir)
		return errno == ENOENT ? 0 : -errno;
	while ((entry = readdir(dir))) {
		if (!ends_so(entry->d_name, suffix))
			continue;
		for (i = 0; i < *n && strcmp(list[i].name, entry->d_name) != 0; i++)
			;
		if (i < *n)
			continue; /* hidden */
		if (*n == FILES_MAX)
			return -E2BIG;
		list[*n].name = strdup(entry->d_name);
		if (asprintf(&list[*n].path, "%s/%s", folder, entry->d_name) < 0)
			list[*n].path = NULL;
		if (!list[(*n)++].name || !list[*n - 1].path)
			return -ENOMEM;
	}
	return 0;
}

int inifile_each(const char *root, const char *folder, const char *suffix,
		 void (*on_file)(void *ctx, const char *path), void *ctx)
{
	struct found list[FILES_MAX] = {};
	char path[4096];
	size_t n = 0;
	int r = 0;

	for (const char *const *place = inifile_places; *place && r == 0; place++) {
		snprintf(path, sizeof(path), "%s%s/%s", root, *place, folder);
		r = collect(path, suffix, list, &n);
	}
	qsort(list, r < 0 ? 0 : n, sizeof(*list), compare);
	for (size_t i = 0; i < n; i++) {
		if (r == 0)
			on_file(ctx, list[i].path);
		free(list[i].name);
		free(list[i].path);
	}
	return r;
}
