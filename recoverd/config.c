// SPDX-License-Identifier: GPL-2.0-or-later
/* Reads the configuration files of the daemon. */
#include "config.h"

#include <dirent.h>
#include <ini.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "../include/recov_shadow.h"
#include "cleanup.h"
#include "duration.h"
#include "size.h"
#include "text.h"

#define HISTORY_MAX  (64 * 1024)
#define DROP_INS_MAX 256

struct reading {
	struct config *config;
	const char *file;
	unsigned line;
	FILE *stream;
	config_warn warn;
	void *ctx;
};

static const char *const directories[] = {
	"/etc/recoverd",
	"/run/recoverd",
	"/usr/local/lib/recoverd",
	"/usr/lib/recoverd",
};

int config_new(struct config **ret_config)
{
	struct config *config;

	config = calloc(1, sizeof(*config));
	if (!config)
		return -ENOMEM;
	config->history = 1024;
	config->drain_ms = 100;
	config->deadline_ms = 30000;
	config->link_ms = 6000;
	*ret_config = config;
	return 0;
}

void config_free(struct config *config)
{
	if (!config)
		return;
	free(config->output);
	free(config->drivers);
	free(config);
}

static int set_output(struct config *config, const char *value)
{
	char *copy;

	if (*value && *value != '/' && strcmp(value, "-") != 0 &&
	    strncmp(value, "unix:/", strlen("unix:/")) != 0)
		return -EINVAL;
	copy = *value ? strdup(value) : NULL;
	if (*value && !copy)
		return -ENOMEM;
	free(config->output);
	config->output = copy;
	return 0;
}

static int set_history(struct config *config, const char *value)
{
	unsigned long number;
	char *end;

	if (*value < '0' || *value > '9')
		return -EINVAL;
	errno = 0;
	number = strtoul(value, &end, 10);
	if (errno || *end || number == 0 || number > HISTORY_MAX)
		return -EINVAL;
	config->history = (uint32_t)number;
	return 0;
}

static int set_limit(uint32_t *limit, const char *value, uint32_t least, uint32_t most)
{
	uint32_t ms;

	if (duration_parse_ms(value, &ms) < 0 || ms < least || ms > most)
		return -EINVAL;
	*limit = ms;
	return 0;
}

static int set_drain(struct config *config, const char *value)
{
	return set_limit(&config->drain_ms, value, 0, RECOV_DRAIN_MAX_MS);
}

static int set_deadline(struct config *config, const char *value)
{
	return set_limit(&config->deadline_ms, value, 1000, RECOV_DEADLINE_MAX_MS);
}

static int set_link(struct config *config, const char *value)
{
	return set_limit(&config->link_ms, value, 1, RECOV_DEADLINE_MAX_MS);
}

static int set_drivers(struct config *config, const char *value)
{
	_cleanup_free_ char *copy = strdup(value), *checked = strdup(value);
	char *rest = checked;

	if (!copy || !checked)
		return -ENOMEM;
	for (char *name; (name = strsep(&rest, " \t"));) {
		if (*name && !text_is_module_name(name))
			return -EINVAL;
	}
	free(config->drivers);
	config->drivers = TAKE_PTR(copy);
	return 0;
}

static int set_budget(struct config *config, const char *value)
{
	uint64_t bytes = 0;

	if (*value && (size_parse(value, &bytes) < 0 || !bytes))
		return -EINVAL;
	config->memory_budget = bytes;
	return 0;
}

static const struct {
	const char *section, *key;
	int (*set)(struct config *config, const char *value);
} keys[] = {
	{"Events", "Output", set_output},    {"Events", "History", set_history},
	{"Observe", "Drivers", set_drivers}, {"Observe", "MemoryBudget", set_budget},
	{"Swap", "DrainLimit", set_drain},   {"Swap", "Deadline", set_deadline},
	{"Swap", "LinkLimit", set_link},
};

__attribute__((format(printf, 2, 3))) static void warn_line(struct reading *reading,
							    const char *format, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	reading->warn(reading->ctx, reading->file, reading->line, text);
}

static int on_key(void *ctx, const char *section, const char *key, const char *value)
{
	struct reading *reading = ctx;

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		if (strcmp(keys[i].section, section) != 0 || strcmp(keys[i].key, key) != 0)
			continue;
		if (keys[i].set(reading->config, value) < 0)
			warn_line(reading, "%s= can't be \"%.80s\", ignoring", key, value);
		return 1;
	}
	warn_line(reading, "Unknown key %.80s= in section [%.80s], ignoring", key, section);
	return 1;
}

/* The parser does not tell the handler where it is, so lines are counted as it asks for them. A
 * line longer than its buffer would come back as two: it is passed over. */
static char *read_line(char *buf, int size, void *ctx)
{
	struct reading *reading = ctx;
	size_t len;
	int c;

	for (;;) {
		if (!fgets(buf, size, reading->stream))
			return NULL;
		reading->line++;
		len = strlen(buf);
		if (len + 1 < (size_t)size || buf[len - 1] == '\n')
			return buf;
		c = getc(reading->stream);
		if (c == EOF)
			return buf;
		while (c != EOF && c != '\n')
			c = getc(reading->stream);
		warn_line(reading, "Line is longer than %d bytes, ignoring", size - 2);
	}
}

int config_read(struct config *config, const char *file, config_warn warn, void *ctx)
{
	_cleanup_fclose_ FILE *stream = NULL;
	struct reading reading = {.config = config, .file = file, .warn = warn, .ctx = ctx};
	int r;

	stream = fopen(file, "re");
	if (!stream)
		return -errno;
	reading.stream = stream;
	r = ini_parse_stream(read_line, &reading, on_key, &reading);
	if (r > 0) {
		reading.line = (unsigned)r;
		warn_line(&reading, "This is neither a section nor a key, ignoring");
	}
	if (ferror(stream))
		return -EIO;
	return r == -2 ? -ENOMEM : 0;
}

struct drop_in {
	char *name, *path;
};

static int drop_in_compare(const void *a, const void *b)
{
	return strcmp(((const struct drop_in *)a)->name, ((const struct drop_in *)b)->name);
}

static int collect_drop_ins(const char *directory, struct drop_in *list, size_t *n)
{
	_cleanup_closedir_ DIR *dir = NULL;
	struct dirent *entry;
	size_t len, i;

	dir = opendir(directory);
	if (!dir)
		return errno == ENOENT ? 0 : -errno;
	while ((entry = readdir(dir))) {
		len = strlen(entry->d_name);
		if (entry->d_name[0] == '.' || len <= 5 ||
		    strcmp(entry->d_name + len - 5, ".conf") != 0)
			continue;
		for (i = 0; i < *n && strcmp(list[i].name, entry->d_name) != 0; i++)
			;
		if (i < *n)
			continue; /* hidden */
		if (*n == DROP_INS_MAX)
			return -E2BIG;
		list[*n].name = strdup(entry->d_name);
		if (asprintf(&list[*n].path, "%s/%s", directory, entry->d_name) < 0)
			list[*n].path = NULL;
		if (!list[(*n)++].name || !list[*n - 1].path)
			return -ENOMEM;
	}
	return 0;
}

static int load_drop_ins(struct config *config, const char *root, config_warn warn, void *ctx)
{
	struct drop_in list[DROP_INS_MAX] = {};
	char directory[4096];
	size_t n = 0;
	int r = 0, k;

	for (size_t i = 0; i < ARRAY_SIZE(directories) && r == 0; i++) {
		snprintf(directory, sizeof(directory), "%s%s/recoverd.conf.d", root,
			 directories[i]);
		r = collect_drop_ins(directory, list, &n);
	}
	qsort(list, r < 0 ? 0 : n, sizeof(*list), drop_in_compare);
	for (size_t i = 0; i < n; i++) {
		if (r == 0) {
			k = config_read(config, list[i].path, warn, ctx);
			if (k < 0)
				warn(ctx, list[i].path, 0, strerror(-k));
		}
		free(list[i].name);
		free(list[i].path);
	}
	return r;
}

int config_load(struct config *config, const char *root, config_warn warn, void *ctx)
{
	char file[4096];
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(directories); i++) {
		snprintf(file, sizeof(file), "%s%s/recoverd.conf", root, directories[i]);
		r = config_read(config, file, warn, ctx);
		if (r == -ENOENT)
			continue;
		if (r < 0)
			return r;
		break;
	}
	return load_drop_ins(config, root, warn, ctx);
}
