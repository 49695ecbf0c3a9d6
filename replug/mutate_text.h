/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the files that plan faults know of an image's text.
 */
#ifndef REPLUG_MUTATE_TEXT_H
#define REPLUG_MUTATE_TEXT_H

#include <capstone/capstone.h>

#include "elfview.h"
#include "error.h"
#include "image.h"
#include "mutate.h"

#define TEXT_NAME_MAX 511 /* KSYM_NAME_LEN of the kernel, without its NUL */

#define TEXT_KEPT   1 /* the kernel patches this byte, or knows the place */
#define TEXT_LOADER 2 /* this byte's value depends on where things were loaded */

struct text_function {
	const char *name;
	uint32_t start, end; /* offsets in the section */
};

struct text_instruction {
	uint32_t offset;
	uint32_t function; /* index in the section's */
	uint8_t length;
	bool kept; /* is not to be changed */
};

struct text_reloc {
	const char *symbol; /* or the name of its section, if it has none */
	uint32_t offset, type;
	int64_t addend;
	uint16_t section; /* of the symbol; SHN_UNDEF: it is an import */
};

struct text_section {
	const char *name;
	size_t index;	/* in the file */
	uint8_t *bytes; /* with the relocations applied that do not depend on addresses */
	uint8_t *marks; /* TEXT_*, of each byte */
	size_t size;
	struct text_function *functions; /* ascending, not overlapping */
	size_t n_functions;
	struct text_instruction *instructions; /* ascending, as the next two */
	size_t n_instructions;
	struct text_reloc *relocs;
	size_t n_relocs;
	uint32_t *offsets; /* of the instructions that are not kept */
};

struct replug_text {
	const struct replug_image *image;
	struct replug_error *err; /* while it is being made */
	struct elf_view view;
	csh cs;
	cs_insn *insn;
	struct text_section *sections;
	struct replug_text_section *public;
	size_t n_sections;
	char build_id[2 * REPLUG_BUILD_ID_MAX + 1];
	char kernel[REPLUG_NAME_MAX];
};

/* Says in text->err why there can be no plan; returns -EOPNOTSUPP. */
int text_refuse(const struct replug_text *text, const char *fmt, ...) _printf_(2, 3);
/* Can it stand in a plan, as a name? */
bool text_is_name(const char *name);
/* NULL: no code of that section is looked at. */
struct text_section *text_find_section(const struct replug_text *text, size_t index);
/* The instruction that begins there, or NULL. */
const struct text_instruction *text_find_instruction(const struct text_section *section,
						     uint32_t offset);
/* The first relocation in [from, to), or NULL. */
const struct text_reloc *text_find_reloc(const struct text_section *section, uint32_t from,
					 uint32_t to);

/* mutate_relocs.c: fills in relocs, marks what the loader will write and applies the others. */
int text_read_relocs(struct replug_text *text);
/* mutate_kept.c: marks what has to be left alone. */
int text_mark_kept(struct replug_text *text);

#endif /* REPLUG_MUTATE_TEXT_H */
