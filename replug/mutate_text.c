// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Takes the code of an image apart: sections, functions, instructions.
 *
 * Decoding starts at each function's symbol. Where the kernel changes code as it loads a module, it
 * keeps whole instructions' places, so that what begins where can be told from the file.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "arm.h"
#include "mutate_text.h"

/* Real drivers' code is far smaller; it bounds the memory that a hostile file can ask for. */
#define TEXT_SIZE_MAX ((size_t)32 << 20)

#define ENDBR64 "\xf3\x0f\x1e\xfa"

/* Memory that is gone when the module has been loaded, trampolines, and where a breakpoint cannot
 * be survived. */
static const char *const left_out[] = {
	".init.text",	 ".altinstr_replacement", ".static_call.text",
	".noinstr.text", ".kprobes.text",	  ".entry.text",
	".cpuidle.text", RECOV_THUNKS_SECTION,	  ".altinstr_aux",
};

int text_refuse(const struct replug_text *text, const char *fmt, ...)
{
	char why[192];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	return replug_fail(text->err, REPLUG_FAULT_UNSUPPORTED, -EOPNOTSUPP,
			   "no faults can be planned for %s: %s", text->image->name, why);
}

bool text_is_name(const char *name)
{
	size_t n = strlen(name);

	for (size_t i = 0; i < n; i++)
		if (name[i] <= ' ' || name[i] > '~' || name[i] == '/')
			return false;
	return n > 0 && n <= TEXT_NAME_MAX;
}

static bool is_looked_at(const struct elf_section *section, bool with_exit)
{
	if (!(section->flags & SHF_ALLOC) || !(section->flags & SHF_EXECINSTR) || !section->data ||
	    !section->size)
		return false;
	if (str_eq(section->name, ".exit.text"))
		return with_exit;
	for (size_t i = 0; i < ARRAY_SIZE(left_out); i++)
		if (str_eq(section->name, left_out[i]))
			return false;
	return true;
}

static int add_section(struct replug_text *text, size_t index)
{
	const struct elf_section *from = &text->view.sections[index];
	struct text_section *section = &text->sections[text->n_sections++];

	*section = (struct text_section){.name = from->name, .index = index, .size = from->size};
	section->bytes = malloc(section->size);
	section->marks = calloc(1, section->size);
	if (!section->bytes || !section->marks)
		return -ENOMEM;
	memcpy(section->bytes, from->data, section->size);
	return 0;
}

static int find_sections(struct replug_text *text, bool with_exit)
{
	size_t total = 0;
	int r = 0;

	text->sections = calloc(text->view.n_sections, sizeof(*text->sections));
	if (!text->sections)
		return -ENOMEM;
	for (size_t i = 1; i < text->view.n_sections && !r; i++) {
		if (!is_looked_at(&text->view.sections[i], with_exit))
			continue;
		if (!text_is_name(text->view.sections[i].name))
			return text_refuse(text, "section %zu has an impossible name", i);
		if (text->view.sections[i].size > TEXT_SIZE_MAX - total)
			return text_refuse(text, "its code is too large");
		total += text->view.sections[i].size;
		r = add_section(text, i);
	}
	return r;
}

struct text_section *text_find_section(const struct replug_text *text, size_t index)
{
	for (size_t i = 0; i < text->n_sections; i++)
		if (text->sections[i].index == index)
			return &text->sections[i];
	return NULL;
}

static int compare_functions(const void *a, const void *b)
{
	const struct text_function *x = a, *y = b;

	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	if (x->end != y->end)
		return x->end > y->end ? -1 : 1;
	return strcmp(x->name, y->name);
}

/* Of functions that begin at the same place the longest is left, and each ends where the next one
 * begins. */
static void leave_distinct(struct text_section *section)
{
	struct text_function *functions = section->functions;
	size_t n = 0;

	qsort(functions, section->n_functions, sizeof(*functions), compare_functions);
	for (size_t i = 0; i < section->n_functions; i++) {
		if (n && functions[n - 1].start == functions[i].start)
			continue;
		if (n && functions[n - 1].end > functions[i].start)
			functions[n - 1].end = functions[i].start;
		functions[n++] = functions[i];
	}
	section->n_functions = n;
}

/* The section that a function's code is in, or NULL: it is no function, or its code is left out. */
static struct text_section *section_of(const struct replug_text *text,
				       const struct elf_symbol *symbol)
{
	struct text_section *section;

	if (symbol->type != STT_FUNC || symbol->section == SHN_UNDEF ||
	    symbol->section >= text->view.n_sections || !symbol->size ||
	    !text_is_name(symbol->name) || str_after(symbol->name, "__pfx_") ||
	    str_after(symbol->name, "__cfi_"))
		return NULL;
	section = text_find_section(text, symbol->section);
	if (!section || symbol->value >= section->size ||
	    symbol->size > section->size - symbol->value)
		return NULL;
	return section;
}

static int find_functions(struct replug_text *text)
{
	size_t total = 0;

	for (size_t pass = 0; pass < 2; pass++) {
		for (size_t i = 1; i < text->view.n_symbols; i++) {
			struct text_section *section;
			struct elf_symbol symbol;

			if (!elf_view_symbol(&text->view, i, &symbol))
				continue;
			section = section_of(text, &symbol);
			if (!section)
				continue;
			if (pass)
				section->functions[section->n_functions] = (struct text_function){
					symbol.name, (uint32_t)symbol.value,
					(uint32_t)(symbol.value + symbol.size)};
			section->n_functions++;
		}
		for (size_t i = 0; i < text->n_sections && pass == 0; i++) {
			struct text_section *section = &text->sections[i];

			total += section->n_functions;
			section->functions =
				calloc(section->n_functions + 1, sizeof(*section->functions));
			if (!section->functions)
				return -ENOMEM;
			section->n_functions = 0;
		}
	}
	for (size_t i = 0; i < text->n_sections; i++)
		leave_distinct(&text->sections[i]);
	return total ? 0 : text_refuse(text, "it has no symbols of its functions");
}

static bool is_kept(const struct text_section *section, const cs_insn *insn)
{
	/* Where a jump through a pointer leads, nothing else may be. */
	if (insn->size == sizeof(ENDBR64) - 1 && !memcmp(insn->bytes, ENDBR64, insn->size))
		return true;
	for (size_t i = 0; i < insn->size; i++)
		if (section->marks[insn->address + i] & TEXT_KEPT)
			return true;
	return false;
}

/* What follows bytes that are no instruction is left out: it is not known where any begins. */
static void decode(struct replug_text *text, struct text_section *section, size_t function)
{
	const struct text_function *f = &section->functions[function];
	const uint8_t *code = section->bytes + f->start;
	uint64_t address = f->start;
	size_t left = f->end - f->start;

	while (left && cs_disasm_iter(text->cs, &code, &left, &address, text->insn))
		section->instructions[section->n_instructions++] = (struct text_instruction){
			.offset = (uint32_t)text->insn->address,
			.function = (uint32_t)function,
			.length = (uint8_t)text->insn->size,
			.kept = is_kept(section, text->insn),
		};
}

static int find_instructions(struct replug_text *text, struct text_section *section)
{
	size_t room = 1, n = 0;

	for (size_t i = 0; i < section->n_functions; i++)
		room += section->functions[i].end - section->functions[i].start;
	section->instructions = calloc(room, sizeof(*section->instructions));
	if (!section->instructions)
		return -ENOMEM;
	for (size_t i = 0; i < section->n_functions; i++)
		decode(text, section, i);

	section->offsets = calloc(section->n_instructions + 1, sizeof(*section->offsets));
	if (!section->offsets)
		return -ENOMEM;
	for (size_t i = 0; i < section->n_instructions; i++)
		if (!section->instructions[i].kept)
			section->offsets[n++] = section->instructions[i].offset;
	text->public[section - text->sections] = (struct replug_text_section){
		.name = section->name,
		.size = section->size,
		.offsets = section->offsets,
		.n_offsets = n,
	};
	return 0;
}

const struct text_instruction *text_find_instruction(const struct text_section *section,
						     uint32_t offset)
{
	size_t low = 0, high = section->n_instructions;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (section->instructions[middle].offset < offset)
			low = middle + 1;
		else
			high = middle;
	}
	return low < section->n_instructions && section->instructions[low].offset == offset
		       ? &section->instructions[low]
		       : NULL;
}

/* What says which build this is. */
static int read_identity(struct replug_text *text)
{
	size_t size, n = strcspn(replug_image_vermagic(text->image), " ");
	const uint8_t *id = replug_image_build_id(text->image, &size);

	if (!id || size <= ARM_NOTE_HEAD || size - ARM_NOTE_HEAD > REPLUG_BUILD_ID_MAX)
		return text_refuse(text, "it has no build id");
	id += ARM_NOTE_HEAD;
	size -= ARM_NOTE_HEAD;
	for (size_t i = 0; i < size; i++)
		snprintf(text->build_id + 2 * i, 3, "%02x", id[i]);
	if (n >= sizeof(text->kernel))
		return text_refuse(text, "its vermagic is too long");
	memcpy(text->kernel, replug_image_vermagic(text->image), n);
	if (!text_is_name(text->kernel) || !text_is_name(text->image->name))
		return text_refuse(text, "its name or its vermagic is damaged");
	return 0;
}

static int open_decoder(struct replug_text *text)
{
	if (cs_open(CS_ARCH_X86, CS_MODE_64, &text->cs) != CS_ERR_OK)
		return -ENOMEM;
	if (cs_option(text->cs, CS_OPT_DETAIL, CS_OPT_ON) != CS_ERR_OK)
		return -ENOSYS;
	text->insn = cs_malloc(text->cs);
	return text->insn ? 0 : -ENOMEM;
}

static int take_apart(struct replug_text *text, bool with_exit)
{
	const char *reason;
	int r = elf_view_open(text->image->bytes, text->image->elf_size, &text->view, &reason);

	if (r)
		return r == -ENOEXEC ? text_refuse(text, "it %s", reason) : r;
	r = read_identity(text);
	if (!r)
		r = open_decoder(text);
	if (!r)
		r = find_sections(text, with_exit);
	if (!r)
		r = find_functions(text);
	if (!r)
		r = text_read_relocs(text);
	if (!r)
		r = text_mark_kept(text);
	if (r)
		return r;
	text->public = calloc(text->n_sections + 1, sizeof(*text->public));
	if (!text->public)
		return -ENOMEM;
	for (size_t i = 0; i < text->n_sections && !r; i++)
		r = find_instructions(text, &text->sections[i]);
	return r;
}

int replug_text_new(const struct replug_image *image, bool with_exit, struct replug_text **ret_text,
		    struct replug_error *err)
{
	struct replug_text *text = calloc(1, sizeof(*text));
	int r;

	if (!text)
		return -ENOMEM;
	text->image = image;
	text->err = err;
	r = take_apart(text, with_exit);
	if (r) {
		replug_text_free(text);
		return r;
	}
	text->err = NULL;
	*ret_text = text;
	return 0;
}

void replug_text_free(struct replug_text *text)
{
	if (!text)
		return;
	for (size_t i = 0; i < text->n_sections; i++) {
		struct text_section *section = &text->sections[i];

		free(section->bytes);
		free(section->marks);
		free(section->functions);
		free(section->instructions);
		free(section->relocs);
		free(section->offsets);
	}
	free(text->sections);
	free(text->public);
	if (text->insn)
		cs_free(text->insn, 1);
	if (text->cs)
		cs_close(&text->cs);
	elf_view_close(&text->view);
	free(text);
}

const char *replug_text_driver(const struct replug_text *text)
{
	return text->image->name;
}

const char *replug_text_build_id(const struct replug_text *text)
{
	return text->build_id;
}

const char *replug_text_kernel(const struct replug_text *text)
{
	return text->kernel;
}

const struct replug_text_section *replug_text_sections(const struct replug_text *text,
						       size_t *ret_n)
{
	*ret_n = text->n_sections;
	return text->public;
}
