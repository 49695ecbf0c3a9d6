// SPDX-License-Identifier: GPL-2.0-or-later
/* What was applied to a driver, kept in a file for undo and status: the kernel knows addresses only. */
#include <dirent.h>
#include <string.h>
#include <sys/stat.h>

#include "inject_live.h"

#define RUN_DIR	   "/run/recoverd"
#define RECORD_DIR RUN_DIR "/inject"
#define SUFFIX	   ".json"

static char *path_of(const char *driver)
{
	char *path;

	return asprintf(&path, RECORD_DIR "/%s" SUFFIX, driver) < 0 ? NULL : path;
}

void inject_record_free(struct inject_record *record)
{
	if (!record)
		return;
	replug_injection_plan_free(record->plan);
	free(record->order);
	free(record->devices);
	free(record);
}

static json_t *record_json(const struct inject_record *record)
{
	_cleanup_free_ char *plan = replug_injection_plan_format(record->plan);
	json_t *order = json_array(), *devices = json_array();

	for (size_t i = 0; i < record->n_order; i++)
		json_array_append_new(order, json_integer((json_int_t)record->order[i]));
	for (size_t i = 0; i < record->n_devices; i++)
		json_array_append_new(
			devices, json_pack("{s:s, s:i, s:i, s:b}", "name", record->devices[i].name,
					   "id", record->devices[i].id, "bit",
					   record->devices[i].bit, "was", record->devices[i].was));
	return json_pack("{s:s, s:I, s:o, s:o}", "plan", plan ? plan : "", "began_ns",
			 (json_int_t)record->began_ns, "order", order, "devices", devices);
}

int inject_record_save(const struct inject_record *record)
{
	_cleanup_free_ char *path = path_of(record->plan->driver);
	_cleanup_free_ char *line = NULL;
	json_auto_t *json = record_json(record);

	line = json_dumps(json, JSON_COMPACT);
	if (!path || !line)
		return inject_fail(&(struct replug_error){}, -ENOMEM);
	(void)mkdir(RUN_DIR, 0755);
	(void)mkdir(RECORD_DIR, 0700);
	return inject_write(path, line);
}

static bool parse_order(const json_t *json, struct inject_record *record)
{
	const json_t *value;
	size_t i;

	record->order = calloc(json_array_size(json) + 1, sizeof(*record->order));
	if (!record->order)
		return false;
	json_array_foreach(json, i, value) {
		json_int_t index = json_integer_value(value);

		if (index < 0 || (size_t)index >= record->plan->n_injections)
			return false;
		record->order[record->n_order++] = (size_t)index;
	}
	return true;
}

static bool parse_devices(const json_t *json, struct inject_record *record)
{
	json_t *value;
	size_t i;

	record->devices = calloc(json_array_size(json) + 1, sizeof(*record->devices));
	if (!record->devices)
		return false;
	json_array_foreach(json, i, value) {
		struct inject_device *device = &record->devices[i];
		const char *name;
		int id, bit, was;

		if (json_unpack(value, "{s:s, s:i, s:i, s:b}", "name", &name, "id", &id, "bit",
				&bit, "was", &was) < 0 ||
		    strlen(name) >= sizeof(device->name) || strchr(name, '/'))
			return false;
		memccpy(device->name, name, '\0', sizeof(device->name));
		device->id = (uint32_t)id;
		device->bit = (uint16_t)bit;
		device->was = was;
		record->n_devices++;
	}
	return true;
}

int inject_record_load(const char *driver, struct inject_record **ret_record)
{
	_cleanup_(inject_record_freep) struct inject_record *record = calloc(1, sizeof(*record));
	const json_t *order = NULL, *devices = NULL;
	_cleanup_free_ char *path = path_of(driver);
	struct replug_error err = {};
	json_auto_t *json = NULL;
	json_int_t began_ns;
	const char *plan;

	if (!record || !path)
		return -ENOMEM;
	json = json_load_file(path, JSON_REJECT_DUPLICATES, NULL);
	if (!json || json_unpack(json, "{s:s, s:I, s:o, s:o}", "plan", &plan, "began_ns", &began_ns,
				 "order", &order, "devices", &devices) < 0)
		return -ENOENT;
	record->began_ns = (uint64_t)began_ns;
	if (replug_injection_plan_parse(path, plan, strlen(plan), &record->plan, &err) < 0 ||
	    !parse_order(order, record) || !parse_devices(devices, record))
		return -ENOENT;
	*ret_record = TAKE_PTR(record);
	return 0;
}

void inject_record_remove(const char *driver)
{
	_cleanup_free_ char *path = path_of(driver);

	if (path)
		(void)unlink(path);
}

void inject_record_names_free(char ***names)
{
	for (size_t i = 0; *names && (*names)[i]; i++)
		free((*names)[i]);
	free(*names);
}

static bool add_name(char ***names, size_t *n, const char *file)
{
	size_t length = strlen(file) - strlen(SUFFIX);
	char **more = reallocarray(*names, *n + 2, sizeof(*more));

	if (!more)
		return false;
	*names = more;
	more[*n] = strndup(file, length);
	more[*n + 1] = NULL;
	return more[(*n)++];
}

char **inject_record_names(void)
{
	_cleanup_(inject_record_names_free) char **names = calloc(1, sizeof(*names));
	_cleanup_closedir_ DIR *dir = opendir(RECORD_DIR);
	const struct dirent *entry;
	size_t n = 0;

	while (names && dir && (entry = readdir(dir))) {
		size_t length = strlen(entry->d_name);

		if (length <= strlen(SUFFIX) ||
		    strcmp(entry->d_name + length - strlen(SUFFIX), SUFFIX) != 0)
			continue;
		if (!add_name(&names, &n, entry->d_name))
			return NULL;
	}
	return TAKE_PTR(names);
}
