// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Plans of faults as files. In their hex, "??" is a byte that the loader has written.
 */
#include <inttypes.h>
#include <string.h>

#include "mutate_class.h"
#include "mutate_json.h"

#define SCHEMA	"recov.faults/1"
#define UNKNOWN "??"
/* As many instructions as bytes, each with the name of where it leads. */
#define LINE_MOST (REPLUG_INSTRUCTION_MAX * (TEXT_NAME_MAX + 100))

DEFINE_CLEANUP(struct replug_injection_plan *, replug_injection_plan_free)

static const struct mutation_class *find_class(const char *name)
{
	for (size_t i = 0; i < n_mutation_classes; i++)
		if (str_eq(mutation_classes[i].is.name, name))
			return &mutation_classes[i];
	return NULL;
}

static int nibble(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int read_hex(const struct json_file *file, const json_t *object, const char *where,
		    const char *key, uint8_t *bytes, uint16_t *loader, size_t *ret_length)
{
	const char *text = json_string_value(json_object_get(object, key));
	size_t n = text ? strlen(text) : 0;

	if (n == 0 || n % 2 || n > 2 * (size_t)REPLUG_INSTRUCTION_MAX)
		return json_file_refuse(file, "%s: \"%s\" is not 1 to %d bytes of hex", where, key,
					REPLUG_INSTRUCTION_MAX);
	for (size_t i = 0; i < n / 2; i++) {
		int high = nibble(text[2 * i]), low = nibble(text[2 * i + 1]);

		if (!strncmp(text + 2 * i, UNKNOWN, 2))
			*loader |= 1 << i;
		else if (high < 0 || low < 0)
			return json_file_refuse(file, "%s: \"%s\" is not lower-case hex", where,
						key);
		else
			bytes[i] = (uint8_t)(high << 4 | low);
	}
	*ret_length = n / 2;
	return 0;
}

static int read_place(const struct json_file *file, const json_t *object, const char *where,
		      struct replug_injection *injection)
{
	int64_t offset = 0, function_offset = 0;
	int r = json_file_text(file, object, where, "section", TEXT_NAME_MAX, false,
			       &injection->section);

	if (!r)
		r = json_file_text(file, object, where, "function", TEXT_NAME_MAX, false,
				   &injection->function);
	if (!r)
		r = json_file_number(file, object, where, "offset", 0, INT32_MAX, &offset);
	if (!r)
		r = json_file_number(file, object, where, "function_offset", 0, offset,
				     &function_offset);
	injection->offset = (uint32_t)offset;
	injection->function_offset = (uint32_t)function_offset;
	return r;
}

static int read_text(const struct json_file *file, const json_t *object, const char *where,
		     struct replug_injection *injection)
{
	size_t length = 0, new_length = 0;
	int64_t variant = 0;
	int r = read_place(file, object, where, injection);

	if (!r)
		r = json_file_number(file, object, where, "variant", 0, MUTATION_VARIANTS_MAX,
				     &variant);
	if (!r)
		r = read_hex(file, object, where, "old", injection->old, &injection->old_loader,
			     &length);
	if (!r)
		r = read_hex(file, object, where, "new", injection->new, &injection->new_loader,
			     &new_length);
	if (!r)
		r = json_file_text(file, object, where, "before", LINE_MOST, true,
				   &injection->before);
	if (!r)
		r = json_file_text(file, object, where, "after", LINE_MOST, true,
				   &injection->after);
	if (r)
		return r;
	if (length != new_length)
		return json_file_refuse(file, "%s: \"old\" and \"new\" differ in length", where);
	if (injection->new[0] == INT3 && !(injection->new_loader & 1))
		return json_file_refuse(file, "%s: \"new\" begins with a breakpoint", where);
	if (injection->new_loader & ~injection->old_loader)
		return json_file_refuse(
			file, "%s: \"new\" has an unknown byte that \"old\" has not", where);
	if (injection->new_loader == injection->old_loader &&
	    !memcmp(injection->old, injection->new, length))
		return json_file_refuse(file, "%s: \"old\" and \"new\" are the same", where);
	injection->variant = (uint32_t)variant;
	injection->length = (uint8_t)length;
	return 0;
}

static int read_call(const struct json_file *file, const json_t *object, const char *where,
		     struct replug_injection *injection)
{
	int r = read_place(file, object, where, injection);

	if (!r)
		r = json_file_text(file, object, where, "import", TEXT_NAME_MAX, false,
				   &injection->import);
	if (!r)
		r = json_file_number(file, object, where, "result", INT32_MIN, 0,
				     &injection->result);
	return r;
}

static int read_device(const struct json_file *file, const json_t *object, const char *where,
		       struct replug_injection *injection)
{
	int r = json_file_text(file, object, where, "device", TEXT_NAME_MAX, false,
			       &injection->device);

	if (!r && !str_eq(injection->device, str_after(injection->class, DEVICE_CLASS)))
		return json_file_refuse(file, "%s: \"device\" is not that of its class", where);
	return r;
}

static bool overlap(const struct replug_injection *a, const struct replug_injection *b)
{
	if (a->kind != b->kind)
		return false;
	switch (a->kind) {
	case REPLUG_INJECT_TEXT:
		return str_eq(a->section, b->section) && a->offset < b->offset + b->length &&
		       b->offset < a->offset + a->length;
	case REPLUG_INJECT_CALL:
		return str_eq(a->function, b->function) && str_eq(a->import, b->import);
	default:
		return str_eq(a->device, b->device);
	}
}

static int read_injection(const struct json_file *file, const json_t *object,
			  struct replug_injection_plan *plan)
{
	struct replug_injection *injection = &plan->injections[plan->n_injections++];
	const struct mutation_class *class;
	char where[32];
	int64_t id;
	int r;

	snprintf(where, sizeof(where), "fault %zu", plan->n_injections);
	r = json_file_number(file, object, where, "id", (int64_t)plan->n_injections,
			     (int64_t)plan->n_injections, &id);
	if (!r)
		r = json_file_text(file, object, where, "class", TEXT_NAME_MAX, false,
				   &injection->class);
	if (r)
		return r;
	class = find_class(injection->class);
	if (!class)
		return json_file_refuse(file, "%s: there is no class of faults \"%.40s\"", where,
					injection->class);
	injection->id = (uint32_t)id;
	injection->kind = class->is.kind;
	if (injection->kind == REPLUG_INJECT_TEXT)
		r = read_text(file, object, where, injection);
	else if (injection->kind == REPLUG_INJECT_CALL)
		r = read_call(file, object, where, injection);
	else
		r = read_device(file, object, where, injection);
	for (size_t i = 0; i + 1 < plan->n_injections && !r; i++)
		if (overlap(&plan->injections[i], injection))
			return json_file_refuse(file, "%s overlaps fault %zu", where, i + 1);
	return r;
}

int replug_injection_plan_parse(const char *name, const void *bytes, size_t size,
				struct replug_injection_plan **ret_plan, struct replug_error *err)
{
	_cleanup_(replug_injection_plan_freep) struct replug_injection_plan *plan = NULL;
	const struct json_file file = {name, "plan of faults", err};
	json_auto_t *object = NULL;
	const json_t *faults, *fault;
	int64_t seed = 0;
	size_t i;
	int r;

	r = json_file_load(&file, bytes, size, SCHEMA, &object);
	if (r)
		return r;
	plan = calloc(1, sizeof(*plan));
	if (!plan)
		return -ENOMEM;
	r = json_file_identity(&file, object, &plan->driver, &plan->build_id, &plan->kernel);
	if (!r)
		r = json_file_number(&file, object, NULL, "seed", 0, (int64_t)REPLUG_SEED_MAX,
				     &seed);
	if (r)
		return r;
	plan->seed = (uint64_t)seed;
	faults = json_object_get(object, "faults");
	if (!json_array_size(faults) || json_array_size(faults) > REPLUG_INJECTIONS_MAX)
		return json_file_refuse(&file, "it has no faults, or more than %d",
					REPLUG_INJECTIONS_MAX);
	plan->injections = calloc(json_array_size(faults), sizeof(*plan->injections));
	if (!plan->injections)
		return -ENOMEM;
	json_array_foreach(faults, i, fault) {
		r = read_injection(&file, fault, plan);
		if (r)
			return r;
	}
	*ret_plan = TAKE_PTR(plan);
	return 0;
}

int replug_injection_plan_read(const char *path, struct replug_injection_plan **ret_plan,
			       struct replug_error *err)
{
	const struct json_file file = {path, "plan of faults", err};
	_cleanup_free_ uint8_t *bytes = NULL;
	size_t size;
	int r = json_file_read(&file, &bytes, &size);

	return r ? r : replug_injection_plan_parse(path, bytes, size, ret_plan, err);
}

static json_t *hex(const uint8_t *bytes, uint16_t loader, size_t length)
{
	char text[2 * REPLUG_INSTRUCTION_MAX + 1] = "";

	for (size_t i = 0; i < length; i++)
		if (loader & 1 << i)
			strcpy(text + 2 * i, UNKNOWN);
		else
			snprintf(text + 2 * i, 3, "%02x", bytes[i]);
	return json_string(text);
}

static json_t *injection_json(const struct replug_injection *injection)
{
	json_int_t id = injection->id, offset = injection->offset;
	json_int_t function_offset = injection->function_offset;

	switch (injection->kind) {
	case REPLUG_INJECT_TEXT:
		return json_pack(
			"{s:I, s:s, s:I, s:s, s:I, s:s, s:I, s:o, s:o, s:s, s:s}", "id", id,
			"section", injection->section, "offset", offset, "class", injection->class,
			"variant", (json_int_t)injection->variant, "function", injection->function,
			"function_offset", function_offset, "old",
			hex(injection->old, injection->old_loader, injection->length), "new",
			hex(injection->new, injection->new_loader, injection->length), "before",
			injection->before, "after", injection->after);
	case REPLUG_INJECT_CALL:
		return json_pack("{s:I, s:s, s:I, s:s, s:s, s:I, s:s, s:I}", "id", id, "section",
				 injection->section, "offset", offset, "class", injection->class,
				 "function", injection->function, "function_offset",
				 function_offset, "import", injection->import, "result",
				 (json_int_t)injection->result);
	default:
		return json_pack("{s:I, s:s, s:s}", "id", id, "class", injection->class, "device",
				 injection->device);
	}
}

char *replug_injection_plan_format(const struct replug_injection_plan *plan)
{
	json_auto_t *object = NULL;
	json_t *faults = json_array();

	for (size_t i = 0; i < plan->n_injections; i++)
		json_array_append_new(faults, injection_json(&plan->injections[i]));
	object = json_pack("{s:s, s:s, s:s, s:s, s:I, s:o}", "schema", SCHEMA, "driver",
			   plan->driver, "build_id", plan->build_id, "kernel", plan->kernel, "seed",
			   (json_int_t)plan->seed, "faults", faults);
	if (!object || json_array_size(faults) != plan->n_injections)
		return NULL;
	return json_dumps(object, JSON_COMPACT);
}

/* An armed image has the same code at the same offsets, and all bits of its build id the other way
 * round. */
static bool is_armed_twin(const char *build_id, const char *other)
{
	if (strlen(build_id) != strlen(other))
		return false;
	for (size_t i = 0; build_id[i]; i++)
		if ((nibble(build_id[i]) ^ nibble(other[i])) != 0xf)
			return false;
	return true;
}

int replug_injection_plan_check(const struct replug_injection_plan *plan, const char *driver,
				const char *build_id, struct replug_error *err)
{
	if (!str_eq(plan->driver, driver))
		return replug_fail(err, REPLUG_FAULT_USAGE, -ESTALE,
				   "the plan is for %s, not for %s", plan->driver, driver);
	if (!str_eq(plan->build_id, build_id) && !is_armed_twin(plan->build_id, build_id))
		return replug_fail(err, REPLUG_FAULT_USAGE, -ESTALE,
				   "the plan is for another build of %s", driver);
	return 0;
}

bool replug_injection_bytes(const struct replug_injection *injection, const uint8_t *memory,
			    uint8_t old[REPLUG_INSTRUCTION_MAX],
			    uint8_t new[REPLUG_INSTRUCTION_MAX])
{
	for (size_t i = 0; i < injection->length; i++) {
		if (!(injection->old_loader & 1 << i) && injection->old[i] != memory[i])
			return false;
		old[i] = memory[i];
		new[i] = injection->new_loader & 1 << i ? memory[i] : injection->new[i];
	}
	return true;
}
