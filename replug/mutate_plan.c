// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Draws plans of faults. What a seed means must never change: not the order of the draws, nor that
 * of the classes, nor that of the variants.
 */
#include <inttypes.h>
#include <string.h>

#include "mutate_print.h"
#include "mutate_random.h"
#include "mutate_sites.h"
#include "util.h"

DEFINE_CLEANUP(struct replug_injection_plan *, replug_injection_plan_free)

/* Those of Nooks, by the names that its table gives them: Source, Destination, Pointer, Interface,
 * Branch, Loop, Text, NOP. */
static const char *const nooks[] = {"src",    "dst",  "ptr",  "interface",
				    "branch", "loop", "text", "nop"};

struct draw {
	const struct replug_sites *sites;
	struct replug_error *err;
	uint64_t random;
	size_t *classes; /* numbers of those to draw from; any may be more than once */
	size_t n_classes;
	bool equal;	/* each class as often as any other, else each site */
	uint64_t total; /* sites, of all these classes */
	bool *used;	/* places */
};

static void draw_end(struct draw *draw)
{
	free(draw->classes);
	free(draw->used);
}

static void injection_end(struct replug_injection *injection)
{
	free(injection->class);
	free(injection->section);
	free(injection->function);
	free(injection->before);
	free(injection->after);
	free(injection->import);
	free(injection->device);
}

void replug_injection_plan_free(struct replug_injection_plan *plan)
{
	if (!plan)
		return;
	for (size_t i = 0; i < plan->n_injections; i++)
		injection_end(&plan->injections[i]);
	free(plan->injections);
	free(plan->driver);
	free(plan->build_id);
	free(plan->kernel);
	free(plan);
}

static int add_class(struct draw *draw, const char *name, size_t length)
{
	for (size_t i = 0; i < n_mutation_classes; i++) {
		const char *is = mutation_classes[i].is.name;

		if (strlen(is) != length || strncmp(is, name, length) != 0)
			continue;
		for (size_t k = 0; k < draw->n_classes; k++)
			if (draw->classes[k] == i)
				return 0;
		draw->classes[draw->n_classes++] = i;
		return 0;
	}
	return replug_fail(draw->err, REPLUG_FAULT_USAGE, -EINVAL,
			   "there is no class of faults \"%.*s\"", (int)(length < 40 ? length : 40),
			   name);
}

static int add_named(struct draw *draw, const char *names)
{
	int r = 0;

	while (!r) {
		size_t n = strcspn(names, ",");

		r = add_class(draw, names, n);
		if (!names[n])
			break;
		names += n + 1;
	}
	return r;
}

static int choose_classes(struct draw *draw, const struct replug_injection_options *options)
{
	draw->classes = calloc(n_mutation_classes, sizeof(*draw->classes));
	if (!draw->classes)
		return -ENOMEM;
	if (options->preset && !str_eq(options->preset, "nooks"))
		return replug_fail(draw->err, REPLUG_FAULT_USAGE, -EINVAL,
				   "there is no preset \"%.40s\", only \"nooks\"", options->preset);
	if (options->preset) {
		draw->equal = true;
		for (size_t i = 0; i < ARRAY_SIZE(nooks); i++)
			(void)add_class(draw, nooks[i], strlen(nooks[i]));
		return 0;
	}
	if (options->classes)
		return add_named(draw, options->classes);
	for (size_t i = 0; i < n_mutation_classes; i++)
		if (mutation_classes[i].is.by_default)
			draw->classes[draw->n_classes++] = i;
	return 0;
}

/* Leaves out classes that have no sites, and counts the others'. */
static int count_sites(struct draw *draw, size_t wanted)
{
	size_t n = 0, distinct = 0;

	draw->used = calloc(draw->sites->n_places + n_mutation_classes, sizeof(*draw->used));
	if (!draw->used)
		return -ENOMEM;
	for (size_t i = 0; i < draw->n_classes; i++) {
		const struct site_list *list = &draw->sites->lists[draw->classes[i]];

		for (size_t k = 0; k < list->n; k++) {
			distinct += !draw->used[list->places[k]];
			draw->used[list->places[k]] = true;
		}
		draw->total += list->n;
		if (list->n)
			draw->classes[n++] = draw->classes[i];
	}
	draw->n_classes = n;
	memset(draw->used, 0, (draw->sites->n_places + n_mutation_classes) * sizeof(*draw->used));
	if (distinct >= wanted)
		return 0;
	replug_fail(draw->err, REPLUG_FAULT_UNSUPPORTED, -EOPNOTSUPP,
		    "%s has %zu places for such faults, %zu are wanted",
		    draw->sites->text->image->name, distinct, wanted);
	return -EOPNOTSUPP;
}

/* One of the sites, and its class. */
static uint32_t draw_place(struct draw *draw, const struct mutation_class **ret_class)
{
	const struct site_list *list = NULL;
	uint64_t index;
	size_t i;

	if (draw->equal) {
		i = random_below(&draw->random, draw->n_classes);
		list = &draw->sites->lists[draw->classes[i]];
		index = random_below(&draw->random, list->n);
	} else {
		index = random_below(&draw->random, draw->total);
		for (i = 0; index >= draw->sites->lists[draw->classes[i]].n; i++)
			index -= draw->sites->lists[draw->classes[i]].n;
		list = &draw->sites->lists[draw->classes[i]];
	}
	*ret_class = &mutation_classes[draw->classes[i]];
	return list->places[index];
}

static unsigned draw_variant(struct draw *draw, const struct mutation *m,
			     const struct mutation_class *class)
{
	unsigned valid[MUTATION_VARIANTS_MAX], n_valid = 0, n = class->variants(m);
	uint8_t new[REPLUG_INSTRUCTION_MAX];
	uint16_t loader;

	for (unsigned i = 0; i < n; i++)
		if (mutation_apply(m, class, i, new, &loader))
			valid[n_valid++] = i;
	return valid[random_below(&draw->random, n_valid)];
}

static int fill_place(struct replug_injection *injection, const struct mutation *m)
{
	const struct text_function *function = &m->section->functions[m->at->function];

	injection->section = strdup(m->section->name);
	injection->function = strdup(function->name);
	injection->offset = m->at->offset;
	injection->function_offset = m->at->offset - function->start;
	return injection->section && injection->function ? 0 : -ENOMEM;
}

static int fill_text(struct draw *draw, struct replug_injection *injection,
		     const struct mutation *m, const struct mutation_class *class)
{
	const struct replug_text *text = m->text;

	injection->variant = draw_variant(draw, m, class);
	injection->length = m->at->length;
	injection->old_loader = mutation_loader_bytes(m);
	if (!mutation_apply(m, class, injection->variant, injection->new, &injection->new_loader))
		return -ENOTRECOVERABLE;
	memcpy(injection->old, m->bytes, m->at->length);
	for (size_t i = 0; i < m->at->length; i++) {
		if (injection->old_loader & 1 << i)
			injection->old[i] = 0;
		if (injection->new_loader & 1 << i)
			injection->new[i] = 0;
	}
	injection->before = text_print(text, m->section, m->at->offset, injection->old,
				       m->at->length, injection->old_loader);
	injection->after = text_print(text, m->section, m->at->offset, injection->new,
				      m->at->length, injection->new_loader);
	return injection->before && injection->after ? fill_place(injection, m) : -ENOMEM;
}

static int fill_call(struct replug_injection *injection, const struct mutation *m)
{
	injection->import = strdup(mutation_failing_call(m, &injection->result));
	return injection->import ? fill_place(injection, m) : -ENOMEM;
}

static int fill(struct draw *draw, struct replug_injection *injection, uint32_t place,
		const struct mutation_class *class)
{
	struct mutation m;

	injection->kind = class->is.kind;
	injection->class = strdup(class->is.name);
	if (!injection->class)
		return -ENOMEM;
	if (injection->kind == REPLUG_INJECT_DEVICE) {
		injection->device = strdup(str_after(class->is.name, DEVICE_CLASS));
		return injection->device ? 0 : -ENOMEM;
	}
	if (!sites_mutation(draw->sites, place, &m))
		return -ENOTRECOVERABLE;
	return injection->kind == REPLUG_INJECT_CALL ? fill_call(injection, &m)
						     : fill_text(draw, injection, &m, class);
}

static int draw_all(struct draw *draw, struct replug_injection_plan *plan, size_t n)
{
	int r = 0;

	/* There are as many places as are wanted, so each fault finds one. */
	while (plan->n_injections < n && !r) {
		struct replug_injection *injection = &plan->injections[plan->n_injections];
		const struct mutation_class *class;
		uint32_t place = draw_place(draw, &class);

		if (draw->used[place])
			continue;
		draw->used[place] = true;
		injection->id = (uint32_t)++plan->n_injections;
		r = fill(draw, injection, place, class);
	}
	return r;
}

int replug_injection_plan_new(const struct replug_sites *sites,
			      const struct replug_injection_options *options,
			      struct replug_injection_plan **ret_plan, struct replug_error *err)
{
	_cleanup_(replug_injection_plan_freep) struct replug_injection_plan *plan = NULL;
	_cleanup_(draw_end) struct draw draw = {
		.sites = sites, .err = err, .random = options->seed};
	int r;

	if (options->n < 1 || options->n > REPLUG_INJECTIONS_MAX ||
	    options->seed > REPLUG_SEED_MAX || (options->preset && options->classes))
		return -EINVAL;
	r = choose_classes(&draw, options);
	if (!r)
		r = count_sites(&draw, options->n);
	if (r)
		return r;
	plan = calloc(1, sizeof(*plan));
	if (!plan)
		return -ENOMEM;
	plan->seed = options->seed;
	plan->driver = strdup(sites->text->image->name);
	plan->build_id = strdup(sites->text->build_id);
	plan->kernel = strdup(sites->text->kernel);
	plan->injections = calloc(options->n, sizeof(*plan->injections));
	if (!plan->driver || !plan->build_id || !plan->kernel || !plan->injections)
		return -ENOMEM;
	r = draw_all(&draw, plan, options->n);
	if (r)
		return r;
	*ret_plan = TAKE_PTR(plan);
	return 0;
}
