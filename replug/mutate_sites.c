// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Finds where each class of faults has something to change, among all instructions or those that
 * were executed.
 */
#include <string.h>

#include "mutate_sites.h"
#include "util.h"

DEFINE_CLEANUP(struct replug_sites *, replug_sites_free)

void replug_sites_free(struct replug_sites *sites)
{
	if (!sites)
		return;
	for (size_t i = 0; i < n_mutation_classes && sites->lists; i++)
		free(sites->lists[i].places);
	free(sites->lists);
	if (sites->other)
		cs_free(sites->other, 1);
	free(sites);
}

size_t replug_sites_count(const struct replug_sites *sites, size_t class)
{
	return class < n_mutation_classes ? sites->lists[class].n : 0;
}

bool sites_mutation(const struct replug_sites *sites, uint32_t place, struct mutation *ret)
{
	const struct replug_text *text = sites->text;

	for (size_t i = 0; i < text->n_sections; i++) {
		const struct text_section *section = &text->sections[i];

		if (place >= section->n_instructions) {
			place -= section->n_instructions;
			continue;
		}
		*ret = (struct mutation){.text = text,
					 .section = section,
					 .at = &section->instructions[place],
					 .insn = text->insn,
					 .other = sites->other};
		return mutation_decode(ret);
	}
	return false;
}

static int add_place(struct site_list *list, size_t place)
{
	if (list->n == list->room) {
		size_t room = list->room ? list->room * 2 : 64;
		void *places = reallocarray(list->places, room, sizeof(*list->places));

		if (!places)
			return -ENOMEM;
		list->places = places;
		list->room = room;
	}
	list->places[list->n++] = (uint32_t)place;
	return 0;
}

/* An override is of all calls of the import by the function: one is enough. */
static bool is_overridden(const struct replug_sites *sites, const struct site_list *list,
			  const struct mutation *m)
{
	const struct text_reloc *reloc =
		text_find_reloc(m->section, m->at->offset, m->at->offset + m->at->length);

	for (size_t i = list->n; i-- > 0;) {
		const struct text_reloc *earlier;
		struct mutation other;

		if (!sites_mutation(sites, list->places[i], &other) ||
		    other.section != m->section || other.at->function != m->at->function)
			return false;
		earlier = text_find_reloc(m->section, other.at->offset,
					  other.at->offset + other.at->length);
		if (str_eq(earlier->symbol, reloc->symbol))
			return true;
	}
	return false;
}

static bool has_variant(const struct mutation *m, const struct mutation_class *class)
{
	uint8_t new[REPLUG_INSTRUCTION_MAX];
	uint16_t loader;
	unsigned n;

	if (!class->variants)
		return false;
	n = class->variants(m);
	if (!class->change)
		return n > 0;
	for (unsigned i = 0; i < n; i++)
		if (mutation_apply(m, class, i, new, &loader))
			return true;
	return false;
}

static int look_at(struct replug_sites *sites, size_t place)
{
	struct mutation m;
	int r = 0;

	if (!sites_mutation(sites, (uint32_t)place, &m))
		return 0;
	for (size_t i = 0; i < n_mutation_classes && !r; i++) {
		struct site_list *list = &sites->lists[i];

		if (!has_variant(&m, &mutation_classes[i]))
			continue;
		if (mutation_classes[i].is.kind == REPLUG_INJECT_CALL) {
			bool known = is_overridden(sites, list, &m);

			/* That has decoded other instructions. */
			if (!sites_mutation(sites, (uint32_t)place, &m))
				return 0;
			if (known)
				continue;
		}
		r = add_place(list, place);
	}
	return r;
}

/* What the kernel has changed in memory it may change again. */
static bool is_as_in_file(const struct text_section *section, const struct text_instruction *at,
			  const uint8_t *live)
{
	for (uint32_t i = at->offset; i < at->offset + at->length; i++)
		if (!(section->marks[i] & TEXT_LOADER) && section->bytes[i] != live[i])
			return false;
	return true;
}

static int look_at_all(struct replug_sites *sites)
{
	const struct replug_text *text = sites->text;
	size_t place = 0;
	int r = 0;

	for (size_t i = 0; i < text->n_sections; i++)
		for (size_t k = 0; k < text->sections[i].n_instructions && !r; k++, place++)
			if (!text->sections[i].instructions[k].kept)
				r = look_at(sites, place);
	return r;
}

static int refuse_coverage(const struct replug_text *text, struct replug_error *err,
			   const char *why)
{
	return replug_fail(err, REPLUG_FAULT_USAGE, -EBADMSG, "the coverage is not of this %s: %s",
			   text->image->name, why);
}

/* base: the place of the section's first instruction. */
static int look_at_covered(struct replug_sites *sites, const struct text_section *section,
			   size_t base, const struct replug_coverage_section *covered,
			   struct replug_error *err)
{
	int r = 0;

	if (covered->size != section->size)
		return refuse_coverage(sites->text, err, "a section has another size");
	for (size_t i = 0; i < covered->n_executed && !r; i++) {
		const struct text_instruction *at =
			text_find_instruction(section, covered->executed[i]);

		if (!at)
			return refuse_coverage(sites->text, err,
					       "no instruction begins where one was executed");
		if (!at->kept && is_as_in_file(section, at, covered->bytes))
			r = look_at(sites, base + (size_t)(at - section->instructions));
	}
	return r;
}

static const struct replug_coverage_section *find_covered(const struct replug_coverage *coverage,
							  const char *name)
{
	for (size_t i = 0; i < coverage->n_sections; i++)
		if (str_eq(coverage->sections[i].name, name))
			return &coverage->sections[i];
	return NULL;
}

static int look_at_coverage(struct replug_sites *sites, const struct replug_coverage *coverage,
			    struct replug_error *err)
{
	const struct replug_text *text = sites->text;
	size_t base = 0, found = 0;
	int r = 0;

	if (!str_eq(coverage->driver, text->image->name))
		return refuse_coverage(text, err, "it is of another driver");
	if (!str_eq(coverage->build_id, text->build_id))
		return refuse_coverage(text, err, "it is of another build");
	for (size_t i = 0; i < text->n_sections && !r; i++) {
		const struct text_section *section = &text->sections[i];
		const struct replug_coverage_section *covered =
			find_covered(coverage, section->name);

		if (covered) {
			r = look_at_covered(sites, section, base, covered, err);
			found++;
		}
		base += section->n_instructions;
	}
	if (!r && found != coverage->n_sections)
		return refuse_coverage(text, err, "it has a section that the driver has not");
	return r;
}

/* Faults of devices are made through the command register of a PCI device. */
static bool is_pci(const struct replug_image *image)
{
	for (const char *const *alias = replug_image_aliases(image); *alias; alias++)
		if (str_after(*alias, "pci:") || str_after(*alias, "virtio:"))
			return true;
	return false;
}

static int add_devices(struct replug_sites *sites)
{
	int r = 0;

	if (!is_pci(sites->text->image))
		return 0;
	for (size_t i = 0; i < n_mutation_classes && !r; i++)
		if (mutation_classes[i].is.kind == REPLUG_INJECT_DEVICE)
			r = add_place(&sites->lists[i], sites->n_places + i);
	return r;
}

int replug_sites_new(struct replug_text *text, const struct replug_coverage *coverage,
		     struct replug_sites **ret_sites, struct replug_error *err)
{
	_cleanup_(replug_sites_freep) struct replug_sites *sites = calloc(1, sizeof(*sites));
	int r;

	if (!sites)
		return -ENOMEM;
	sites->text = text;
	sites->lists = calloc(n_mutation_classes, sizeof(*sites->lists));
	sites->other = cs_malloc(text->cs);
	if (!sites->lists || !sites->other)
		return -ENOMEM;
	for (size_t i = 0; i < text->n_sections; i++)
		sites->n_places += text->sections[i].n_instructions;
	r = coverage ? look_at_coverage(sites, coverage, err) : look_at_all(sites);
	if (!r)
		r = add_devices(sites);
	if (r)
		return r;
	*ret_sites = TAKE_PTR(sites);
	return 0;
}
