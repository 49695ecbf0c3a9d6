// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Coverage files: which instructions of a driver were executed, and its code as it was in memory.
 */
#include <string.h>

#include "mutate_json.h"

#define SCHEMA		 "recov.coverage/1"
#define SECTIONS_MAX	 256
#define SECTION_MAX	 ((int64_t)32 << 20)
#define SECTION_NAME_MAX 255

DEFINE_CLEANUP(struct replug_coverage *, replug_coverage_free)

void replug_coverage_free(struct replug_coverage *coverage)
{
	if (!coverage)
		return;
	for (size_t i = 0; i < coverage->n_sections; i++) {
		free(coverage->sections[i].name);
		free(coverage->sections[i].bytes);
		free(coverage->sections[i].executed);
	}
	free(coverage->sections);
	free(coverage->driver);
	free(coverage->build_id);
	free(coverage->kernel);
	free(coverage);
}

static int read_executed(const struct json_file *file, const json_t *executed,
			 struct replug_coverage_section *section)
{
	const json_t *offset;
	size_t i;

	if (!json_is_array(executed))
		return json_file_refuse(file, "%.40s: \"executed\" is missing", section->name);
	section->executed = calloc(json_array_size(executed) + 1, sizeof(*section->executed));
	if (!section->executed)
		return -ENOMEM;
	json_array_foreach(executed, i, offset) {
		int64_t value = json_integer_value(offset);

		if (!json_is_integer(offset) || value < 0 || (uint64_t)value >= section->size ||
		    (i && value <= section->executed[i - 1]))
			return json_file_refuse(file,
						"%.40s: \"executed\" is no ascending list of "
						"offsets in the section",
						section->name);
		section->executed[i] = (uint32_t)value;
	}
	section->n_executed = json_array_size(executed);
	return 0;
}

static int read_section(const struct json_file *file, const json_t *object,
			struct replug_coverage *coverage)
{
	struct replug_coverage_section *section = &coverage->sections[coverage->n_sections++];
	const char *text = json_string_value(json_object_get(object, "text"));
	char where[32];
	int64_t size;
	int r;

	snprintf(where, sizeof(where), "section %zu", coverage->n_sections);
	r = json_file_text(file, object, where, "name", SECTION_NAME_MAX, false, &section->name);
	if (!r)
		r = json_file_number(file, object, where, "size", 1, SECTION_MAX, &size);
	if (r)
		return r;
	for (size_t i = 0; i + 1 < coverage->n_sections; i++)
		if (str_eq(coverage->sections[i].name, section->name))
			return json_file_refuse(file, "it has two sections %.40s", section->name);
	/* The size alone could ask for more memory than the file is worth. */
	if (!text || strlen(text) / 4 * 3 < (size_t)size)
		return json_file_refuse(file, "%.40s: \"text\" is not %lld bytes of base64",
					section->name, (long long)size);
	section->size = (size_t)size;
	section->bytes = malloc(section->size);
	if (!section->bytes)
		return -ENOMEM;
	if (!base64_decode(text, section->bytes, section->size))
		return json_file_refuse(file, "%.40s: \"text\" is not %lld bytes of base64",
					section->name, (long long)size);
	return read_executed(file, json_object_get(object, "executed"), section);
}

int replug_coverage_parse(const char *name, const void *bytes, size_t size,
			  struct replug_coverage **ret_coverage, struct replug_error *err)
{
	_cleanup_(replug_coverage_freep) struct replug_coverage *coverage = NULL;
	json_auto_t *object = NULL;
	const struct json_file file = {name, "coverage file", err};
	const json_t *sections, *section;
	size_t i;
	int r;

	r = json_file_load(&file, bytes, size, SCHEMA, &object);
	if (r)
		return r;
	coverage = calloc(1, sizeof(*coverage));
	if (!coverage)
		return -ENOMEM;
	r = json_file_identity(&file, object, &coverage->driver, &coverage->build_id,
			       &coverage->kernel);
	if (r)
		return r;
	sections = json_object_get(object, "sections");
	if (!json_array_size(sections) || json_array_size(sections) > SECTIONS_MAX)
		return json_file_refuse(&file, "it has no sections, or too many");
	coverage->sections = calloc(json_array_size(sections), sizeof(*coverage->sections));
	if (!coverage->sections)
		return -ENOMEM;
	json_array_foreach(sections, i, section) {
		r = read_section(&file, section, coverage);
		if (r)
			return r;
	}
	*ret_coverage = TAKE_PTR(coverage);
	return 0;
}

int replug_coverage_read(const char *path, struct replug_coverage **ret_coverage,
			 struct replug_error *err)
{
	const struct json_file file = {path, "coverage file", err};
	_cleanup_free_ uint8_t *bytes = NULL;
	size_t size;
	int r = json_file_read(&file, &bytes, &size);

	return r ? r : replug_coverage_parse(path, bytes, size, ret_coverage, err);
}

static json_t *section_json(const struct replug_coverage_section *section)
{
	_cleanup_free_ char *text = base64_encode(section->bytes, section->size);
	json_t *executed = json_array();

	for (size_t i = 0; i < section->n_executed; i++)
		json_array_append_new(executed, json_integer(section->executed[i]));
	return json_pack("{s:s, s:I, s:s, s:o}", "name", section->name, "size",
			 (json_int_t)section->size, "text", text, "executed", executed);
}

char *replug_coverage_format(const struct replug_coverage *coverage)
{
	json_auto_t *object = NULL;
	json_t *sections = json_array();

	for (size_t i = 0; i < coverage->n_sections; i++)
		json_array_append_new(sections, section_json(&coverage->sections[i]));
	object = json_pack("{s:s, s:s, s:s, s:s, s:o}", "schema", SCHEMA, "driver",
			   coverage->driver, "build_id", coverage->build_id, "kernel",
			   coverage->kernel, "sections", sections);
	if (!object || json_array_size(sections) != coverage->n_sections)
		return NULL;
	return json_dumps(object, JSON_COMPACT);
}
