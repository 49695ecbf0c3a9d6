// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Fuzzes the planning of faults: module images, and what is read as a plan or a coverage. A libFuzzer
 * target, best begun with a folder of modules, plans and coverages.
 */
#include <stdlib.h>
#include <string.h>

#include "mutate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_error(const struct replug_error *error)
{
	if (error->fault == REPLUG_FAULT_NONE || !error->text[0])
		abort();
}

/* A plan, however it came about, can be written and read again. */
static void write_plan(const struct replug_injection_plan *plan)
{
	struct replug_injection_plan *again = NULL;
	char *text = replug_injection_plan_format(plan);

	if (!text || replug_injection_plan_parse("again", text, strlen(text), &again, NULL))
		abort();
	replug_injection_plan_free(again);
	free(text);
}

static void read_plan(const void *data, size_t size)
{
	struct replug_injection_plan *plan = NULL;
	struct replug_error error = {0};

	if (replug_injection_plan_parse("fuzz.json", data, size, &plan, &error)) {
		check_error(&error);
		return;
	}
	write_plan(plan);
	replug_injection_plan_free(plan);
}

static void read_coverage(const void *data, size_t size)
{
	struct replug_coverage *coverage = NULL, *again = NULL;
	struct replug_error error = {0};
	char *text;

	if (replug_coverage_parse("fuzz.json", data, size, &coverage, &error)) {
		check_error(&error);
		return;
	}
	text = replug_coverage_format(coverage);
	if (!text || replug_coverage_parse("again", text, strlen(text), &again, &error))
		abort();
	replug_coverage_free(again);
	replug_coverage_free(coverage);
	free(text);
}

static void draw(struct replug_text *text)
{
	const struct replug_injection_options options[] = {
		{.seed = 1, .n = 5},
		{.seed = 1, .n = 5, .preset = "nooks"},
		{.seed = 1, .n = 1, .classes = "override"},
	};
	struct replug_sites *sites = NULL;

	if (replug_sites_new(text, NULL, &sites, NULL))
		abort();
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		struct replug_injection_plan *plan = NULL;
		struct replug_error error = {0};

		if (replug_injection_plan_new(sites, &options[i], &plan, &error)) {
			check_error(&error);
			continue;
		}
		write_plan(plan);
		replug_injection_plan_free(plan);
	}
	replug_sites_free(sites);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct replug_image *image = NULL;
	struct replug_text *text = NULL;
	struct replug_error error = {0};

	read_plan(data, size);
	read_coverage(data, size);
	if (replug_image_parse("fuzz.ko", data, size, &image, &error))
		return 0;
	if (replug_text_new(image, true, &text, &error))
		check_error(&error);
	else
		draw(text);
	replug_text_free(text);
	replug_image_free(image);
	return 0;
}
