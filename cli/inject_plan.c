// SPDX-License-Identifier: GPL-2.0-or-later
/* recovctl inject classes, plan: says what faults a driver has places for, and draws some. */
#include <inttypes.h>
#include <string.h>

#include "../recoverd/cleanup.h"
#include "inject.h"
#include "output.h"

/* A driver's module file taken apart. */
struct target {
	struct replug_image *image;
	struct replug_text *text;
	struct replug_sites *sites;
};

static void target_end(struct target *target)
{
	replug_sites_free(target->sites);
	replug_text_free(target->text);
	replug_image_free(target->image);
}

static void coverage_freep(struct replug_coverage **coverage)
{
	replug_coverage_free(*coverage);
}

static void plan_freep(struct replug_injection_plan **plan)
{
	replug_injection_plan_free(*plan);
}

static bool covers_exit(const struct replug_coverage *coverage)
{
	for (size_t i = 0; coverage && i < coverage->n_sections; i++)
		if (strcmp(coverage->sections[i].name, ".exit.text") == 0)
			return true;
	return false;
}

/* 0, or the exit code after a sentence. */
static int open_target(const struct cli *cli, struct target *target)
{
	_cleanup_(coverage_freep) struct replug_coverage *coverage = NULL;
	struct replug_error error = {};
	int r = 0;

	if (cli->coverage)
		r = replug_coverage_read(cli->coverage, &coverage, &error);
	if (!r)
		r = replug_image_open(cli->image, &target->image, &error);
	if (!r)
		r = replug_text_new(target->image, covers_exit(coverage), &target->text, &error);
	if (!r)
		r = replug_sites_new(target->text, coverage, &target->sites, &error);
	return r ? inject_fail(&error, r) : 0;
}

static json_t *classes_json(const struct target *target)
{
	static const char *const kinds[] = {
		[REPLUG_INJECT_TEXT] = "text",
		[REPLUG_INJECT_CALL] = "call",
		[REPLUG_INJECT_DEVICE] = "device",
	};
	const struct replug_injection_class *class;
	json_t *classes = json_array();

	for (size_t i = 0; (class = replug_injection_class(i)); i++)
		json_array_append_new(classes,
				      json_pack("{s:s, s:s, s:I, s:s, s:s, s:b}", "class",
						class->name, "kind", kinds[class->kind], "sites",
						(json_int_t)replug_sites_count(target->sites, i),
						"also", class->also, "what", class->what,
						"by_default", class->by_default));
	return json_pack("{s:s, s:s, s:s, s:s, s:o}", "schema", "recov.fault-classes/1", "driver",
			 replug_text_driver(target->text), "build_id",
			 replug_text_build_id(target->text), "kernel",
			 replug_text_kernel(target->text), "classes", classes);
}

int verb_inject_classes(const struct cli *cli)
{
	_cleanup_(target_end) struct target target = {};
	_cleanup_(table_uninit) struct table table = {};
	const struct replug_injection_class *class;
	int r = open_target(cli, &target);

	if (r)
		return r;
	if (cli->json) {
		json_auto_t *object = classes_json(&target);

		say_json(object);
		return EXIT_DONE;
	}
	table_add(&table, 4, (const char *[]){"CLASS", "SITES", "WHAT", "ALSO"}, NULL);
	for (size_t i = 0; (class = replug_injection_class(i)); i++) {
		char count[24];

		snprintf(count, sizeof(count), "%zu", replug_sites_count(target.sites, i));
		table_add(&table, 4, (const char *[]){class->name, count, class->what, class->also},
			  NULL);
	}
	table_say(cli, &table);
	return EXIT_DONE;
}

static void add_fault(struct table *table, const struct replug_injection *fault)
{
	char id[16], place[600], after[64];

	snprintf(id, sizeof(id), "%" PRIu32, fault->id);
	snprintf(place, sizeof(place), "%s+%#" PRIx32, fault->function ? fault->function : "",
		 fault->function_offset);
	snprintf(after, sizeof(after), "returns %" PRId64, fault->result);
	switch (fault->kind) {
	case REPLUG_INJECT_TEXT:
		table_add(table, 5,
			  (const char *[]){id, fault->class, place, fault->before, fault->after},
			  NULL);
		break;
	case REPLUG_INJECT_CALL:
		table_add(table, 5,
			  (const char *[]){id, fault->class, fault->function, fault->import, after},
			  NULL);
		break;
	case REPLUG_INJECT_DEVICE:
		table_add(table, 5, (const char *[]){id, fault->class, "", "", ""}, NULL);
		break;
	}
}

static void say_faults(const struct cli *cli, const struct replug_injection_plan *plan)
{
	_cleanup_(table_uninit) struct table table = {};

	table_add(&table, 5, (const char *[]){"ID", "CLASS", "PLACE", "BEFORE", "AFTER"}, NULL);
	for (size_t i = 0; i < plan->n_injections; i++)
		add_fault(&table, &plan->injections[i]);
	table_say(cli, &table);
}

int verb_inject_plan(const struct cli *cli)
{
	const struct replug_injection_options options = {.seed = cli->seed,
							 .n = cli->faults,
							 .classes = cli->classes,
							 .preset = cli->preset};
	_cleanup_(plan_freep) struct replug_injection_plan *plan = NULL;
	_cleanup_(target_end) struct target target = {};
	_cleanup_free_ char *line = NULL;
	struct replug_error error = {};
	int r;

	if (!cli->has_seed) {
		complain("inject plan needs --seed");
		return EXIT_USAGE;
	}
	if (cli->classes && cli->preset) {
		complain("--class and --preset exclude each other");
		return EXIT_USAGE;
	}
	r = open_target(cli, &target);
	if (r)
		return r;
	r = replug_injection_plan_new(target.sites, &options, &plan, &error);
	if (r)
		return inject_fail(&error, r);
	line = replug_injection_plan_format(plan);
	if (!line)
		return inject_fail(&error, -ENOMEM);
	if (cli->out) {
		r = inject_write(cli->out, line);
		if (r)
			return r;
	}
	if (cli->json)
		puts(line);
	else
		say_faults(cli, plan);
	return EXIT_DONE;
}
