// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Which bytes of an image's code are to be left alone: those that the kernel patches when it loads
 * the module or later, and those that it knows by their place. The image's tables of them tell.
 */
#include <inttypes.h>
#include <string.h>

#include "arm.h"
#include "mutate_text.h"

enum form {
	FORM_NOTHING,	   /* tells of places that may be changed nevertheless */
	FORM_PLACES,	   /* whatever it refers to */
	FORM_JUMPS,	   /* struct jump_entry: the first of two places; the other is the target */
	FORM_ALTERNATIVES, /* struct alt_instr: its last two bytes are lengths, the place's first */
	FORM_PARAVIRT,	   /* struct paravirt_patch_site: its length is behind a byte */
};

#define JUMP_SIZE	16
#define PARAVIRT_SIZE	16
#define PARAVIRT_LENGTH 9

/* Of a table not in here whatever it refers to is left alone, if nothing is known of it at all. */
static const struct {
	const char *section;
	enum form form;
} tables[] = {
	{"__mcount_loc", FORM_PLACES},
	{".return_sites", FORM_PLACES},
	{".retpoline_sites", FORM_PLACES},
	{".static_call_sites", FORM_PLACES},
	{".smp_locks", FORM_PLACES},
	{"__bug_table", FORM_PLACES},
	{"__ex_table", FORM_PLACES},
	{".ibt_endbr_seal", FORM_PLACES},
	{"__patchable_function_entries", FORM_PLACES},
	{"__jump_table", FORM_JUMPS},
	{".altinstructions", FORM_ALTERNATIVES},
	{".parainstructions", FORM_PARAVIRT},
	{RECOV_TAPS_SECTION, FORM_NOTHING},
};

static enum form form_of(const struct elf_section *section)
{
	for (size_t i = 0; i < ARRAY_SIZE(tables); i++)
		if (str_eq(section->name, tables[i].section))
			return tables[i].form;
	return arm_section_kind(section->name, section->flags) == ARM_SECTION_UNKNOWN
		       ? FORM_PLACES
		       : FORM_NOTHING;
}

struct table {
	const struct elf_section *section;
	size_t relas; /* the section of its relocations */
	size_t n;
	enum form form;
	size_t entry; /* bytes; 0: each place is one */
};

static int measure(const struct replug_text *text, struct table *table)
{
	switch (table->form) {
	case FORM_JUMPS:
		table->entry = JUMP_SIZE;
		break;
	case FORM_PARAVIRT:
		table->entry = PARAVIRT_SIZE;
		break;
	case FORM_ALTERNATIVES:
		/* Its size differs between kernels; each has two places. */
		table->entry = table->section->size / (table->n / 2 ? table->n / 2 : 1);
		if (table->entry < 12 || table->n % 2)
			table->entry = SIZE_MAX;
		break;
	default:
		return 0;
	}
	if (table->section->size % table->entry)
		return text_refuse(text, "its section %.40s is of an unknown form",
				   table->section->name);
	return 0;
}

/* How many bytes there are to leave alone; 0: none. Without a length of its own it is the
 * instruction there, and any byte of that does. */
static size_t length_of(const struct table *table, uint64_t at)
{
	const uint8_t *entry;

	if (!table->entry)
		return 1;
	if (at % table->entry || at >= table->section->size)
		return 0;
	entry = table->section->data + at;
	switch (table->form) {
	case FORM_ALTERNATIVES:
		return entry[table->entry - 2];
	case FORM_PARAVIRT:
		return entry[PARAVIRT_LENGTH];
	default:
		return 1;
	}
}

static int mark_places(struct replug_text *text, const struct table *table)
{
	for (size_t i = 0; i < table->n; i++) {
		struct text_section *section;
		struct elf_relocation relocation;
		uint64_t value;
		size_t index, length;

		if (!elf_view_relocation(&text->view, table->relas, i, &relocation))
			return text_refuse(text, "relocation %zu of %.40s is damaged", i,
					   table->section->name);
		if (!elf_view_rela_target(&text->view, table->relas, i, &index, &value))
			continue;
		section = text_find_section(text, index);
		length = length_of(table, relocation.offset);
		if (!section || !length)
			continue;
		if (value > section->size || length > section->size - value)
			return text_refuse(text, "%.40s+%#" PRIx64 " refers to code outside of %s",
					   table->section->name, relocation.offset, section->name);
		for (size_t k = 0; k < length; k++)
			section->marks[value + k] |= TEXT_KEPT;
	}
	return 0;
}

int text_mark_kept(struct replug_text *text)
{
	int r = 0;

	for (size_t i = 1; i < text->view.n_sections && !r; i++) {
		struct table table = {.relas = i, .n = elf_view_n_relas(&text->view, i)};

		if (!table.n)
			continue;
		table.section = &text->view.sections[text->view.sections[i].info];
		table.form = form_of(table.section);
		if (table.form == FORM_NOTHING)
			continue;
		if (!table.section->data)
			return text_refuse(text, "its section %.40s is damaged",
					   table.section->name);
		r = measure(text, &table);
		if (!r)
			r = mark_places(text, &table);
	}
	return r;
}
