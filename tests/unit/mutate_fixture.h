/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Builds drivers out of given instructions, for tests of what can be changed in them.
 */
#ifndef MUTATE_FIXTURE_H
#define MUTATE_FIXTURE_H

/* cmocka.h and what it wants before it come first. */
#include "image_fixture.h"
#include "mutate.h"

#define BUILD_ID     "0123456789"
#define BUILD_ID_HEX "3031323334353637383900000000000000000000"

/* A relocation in a piece of code. */
struct piece_reloc {
	size_t at;
	const char *symbol; /* an import */
	uint32_t type;
};

static inline size_t unhex(const char *hex, uint8_t *bytes)
{
	size_t n = 0;

	for (; *hex; hex++) {
		unsigned value;

		if (*hex == ' ')
			continue;
		assert_int_equal(sscanf(hex, "%2x", &value), 1);
		bytes[n++] = (uint8_t)value;
		hex++;
	}
	return n;
}

static inline void driver_begin(struct elf_builder *b)
{
	elf_builder_module(b, "some", "");
	elf_builder_modinfo(b, "alias", "pci:v00001022d00002001sv*");
	elf_builder_build_id(b, BUILD_ID);
}

/* A function of that code; where in the section it begins. */
static inline size_t driver_function(struct elf_builder *b, const char *section, const char *name,
				     const char *hex)
{
	size_t text =
		elf_builder_section(b, section, SHT_PROGBITS, SHF_ALLOC | SHF_EXECINSTR, NULL, 0);
	size_t at = b->contents[text].size, size;
	uint8_t bytes[1024];

	size = unhex(hex, bytes);
	elf_bytes_add(&b->contents[text], bytes, size);
	elf_builder_symbol(b, name, STB_LOCAL, STT_FUNC, text, at, size);
	return at;
}

static inline void driver_reloc(struct elf_builder *b, size_t at, const char *import, uint32_t type)
{
	size_t text =
		elf_builder_section(b, ".text", SHT_PROGBITS, SHF_ALLOC | SHF_EXECINSTR, NULL, 0);
	size_t symbol = elf_builder_symbol(b, import, STB_GLOBAL, STT_NOTYPE, SHN_UNDEF, 0, 0);

	elf_builder_rela(b, text, at, symbol, type);
}

/* One function, some_poll, in .text. */
static inline struct elf_bytes build_driver(const char *hex, const struct piece_reloc *relocs,
					    size_t n_relocs)
{
	struct elf_builder b;

	driver_begin(&b);
	driver_function(&b, ".text", "some_poll", hex);
	for (size_t i = 0; i < n_relocs; i++)
		driver_reloc(&b, relocs[i].at, relocs[i].symbol, relocs[i].type);
	return elf_builder_finish(&b);
}

/* An image taken apart. */
struct taken {
	struct replug_image *image;
	struct replug_text *text;
};

static inline struct taken take(struct elf_bytes file, bool with_exit)
{
	struct taken taken = {.image = parse_good(&file)};
	struct replug_error error = {0};

	if (replug_text_new(taken.image, with_exit, &taken.text, &error))
		fail_msg("%s", error.text);
	return taken;
}

static inline void give_back(struct taken *taken)
{
	replug_text_free(taken->text);
	replug_image_free(taken->image);
}

/* A driver with something for most classes. */
static inline struct elf_bytes build_faultable(void)
{
	static const char code[] = "55"		    /* 0 push rbp */
				   "4889fd"	    /* 1 mov rbp, rdi */
				   "31db"	    /* 4 xor ebx, ebx */
				   "e800000000"	    /* 6 call _raw_spin_lock */
				   "be20000000"	    /* b mov esi, 0x20 */
				   "488b7810"	    /* 10 mov rdi, [rax + 0x10] */
				   "e800000000"	    /* 14 call __kmalloc */
				   "4885c0"	    /* 19 test rax, rax */
				   "740c"	    /* 1c je 2a */
				   "48894308"	    /* 1e mov [rbx + 8], rax */
				   "83c301"	    /* 22 add ebx, 1 */
				   "83fb08"	    /* 25 cmp ebx, 8 */
				   "7ce1"	    /* 28 jl b */
				   "48c7c700000000" /* 2a mov rdi, offset jiffies */
				   "48890500000000" /* 31 mov [rip + kept_here], rax */
				   "e800000000"	    /* 38 call kfree */
				   "e800000000"	    /* 3d call _raw_spin_unlock */
				   "5d"		    /* 42 pop rbp */
				   "c3";	    /* 43 ret */
	static const struct piece_reloc relocs[] = {
		{0x07, "_raw_spin_lock", R_X86_64_PLT32},
		{0x15, "__kmalloc", R_X86_64_PLT32},
		{0x2d, "jiffies", R_X86_64_32S},
		{0x34, "kept_here", R_X86_64_PC32},
		{0x39, "kfree", R_X86_64_PLT32},
		{0x3e, "_raw_spin_unlock", R_X86_64_PLT32},
	};

	return build_driver(code, relocs, sizeof(relocs) / sizeof(relocs[0]));
}

#endif /* MUTATE_FIXTURE_H */
