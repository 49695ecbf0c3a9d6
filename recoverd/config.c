// SPDX-License-Identifier: GPL-2.0-or-later
/* Reads the configuration files of the daemon. */
#include "config.h"

#include <string.h>

#include "../include/recov_shadow.h"
#include "cleanup.h"
#include "duration.h"
#include "inifile.h"
#include "size.h"
#include "text.h"

#define HISTORY_MAX (64 * 1024)

struct reading {
	struct config *config;
	config_warn warn;
	void *ctx;
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

static void on_warning(void *ctx, const char *file, unsigned line, const char *text)
{
	struct reading *reading = ctx;

	reading->warn(reading->ctx, file, line, text);
}

static void on_key(struct inifile *file, void *ctx, const char *section, const char *key,
		   const char *value)
{
	struct reading *reading = ctx;

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		if (strcmp(keys[i].section, section) != 0 || strcmp(keys[i].key, key) != 0)
			continue;
		if (keys[i].set(reading->config, value) < 0)
			inifile_complain(file, "%s= can't be \"%.80s\", ignoring", key, value);
		return;
	}
	inifile_complain(file, "Unknown key %.80s= in section [%.80s], ignoring", key, section);
}

int config_read(struct config *config, const char *file, config_warn warn, void *ctx)
{
	struct reading reading = {.config = config, .warn = warn, .ctx = ctx};

	return inifile_read(file, on_key, on_warning, &reading);
}

static void on_drop_in(void *ctx, const char *path)
{
	struct reading *reading = ctx;
	int r = config_read(reading->config, path, reading->warn, reading->ctx);

	if (r < 0)
		reading->warn(reading->ctx, path, 0, strerror(-r));
}

int config_load(struct config *config, const char *root, config_warn warn, void *ctx)
{
	struct reading reading = {.config = config, .warn = warn, .ctx = ctx};
	char file[4096];
	int r;

	for (const char *const *place = inifile_places; *place; place++) {
		snprintf(file, sizeof(file), "%s%s/recoverd.conf", root, *place);
		r = config_read(config, file, warn, ctx);
		if (r == -ENOENT)
			continue;
		if (r < 0)
			return r;
		break;
	}
	return inifile_each(root, "recoverd.conf.d", ".conf", on_drop_in, &reading);
}
