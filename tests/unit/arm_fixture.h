/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Builds modules whose functions' addresses are taken, with types, and looks into what arming has
 * made of them.
 */
#ifndef ARM_FIXTURE_H
#define ARM_FIXTURE_H

/* cmocka.h and what it wants before it come first. */
#include <bpf/btf.h>
#include <stdio.h>

#include "arm.h"
#include "image_fixture.h"

#define CRC	     0x0badcafe
#define CRC_BALANCED 0xba1a9ced
#define CRC_STACK    0x5afec0de
#define CRC_STACKS   0x57ac57ac
#define CRC_LOST     0x00105700
#define EXPORT_CRCS                                                                                \
	{                                                                                          \
		[REPLUG_ARM_ENTER] = CRC, [REPLUG_ARM_ENTER_BALANCED] = CRC_BALANCED,              \
		[REPLUG_ARM_ENTER_STACK] = CRC_STACK, [REPLUG_ARM_STACKS] = CRC_STACKS,            \
		[REPLUG_ARM_LOST] = CRC_LOST                                                       \
	}
#define CRC_TWIN 0x70000000 /* of the first twin */

static const uint32_t twin_crcs[REPLUG_ARM_TWINS] = {CRC_TWIN, [28] = CRC_TWIN + 28};

/* An image in the making. Local symbols have to be added before global ones. */
struct driver {
	struct elf_builder b;
	struct btf *types;
	size_t text, rodata;		   /* sections */
	size_t text_symbol, rodata_symbol; /* of the sections */
	int integer, type[128];		   /* numbers of types; by letter, see proto() */
};

static inline void add_types(struct driver *d)
{
	struct btf *t = d->types;
	int i = btf__add_int(t, "int", 4, BTF_INT_SIGNED);
	int s64 = btf__add_int(t, "long int", 8, BTF_INT_SIGNED);

	d->integer = i;
	d->type['i'] = btf__add_typedef(t, "s32", btf__add_const(t, i));
	d->type['l'] = s64;
	d->type['h'] = btf__add_int(t, "short int", 2, BTF_INT_SIGNED);
	d->type['u'] = btf__add_int(t, "unsigned int", 4, 0);
	d->type['b'] = btf__add_int(t, "_Bool", 1, BTF_INT_BOOL);
	d->type['q'] = btf__add_int(t, "__int128", 16, BTF_INT_SIGNED);
	d->type['f'] = btf__add_float(t, "double", 8);
	d->type['p'] = btf__add_ptr(t, 0);
	d->type['e'] = btf__add_typedef(t, "irqreturn_t", btf__add_enum(t, "irqreturn", 4));
	d->type['x'] = btf__add_enum(t, "netdev_tx", 4);
	d->type['k'] = btf__add_ptr(t, btf__add_fwd(t, "sk_buff", BTF_FWD_STRUCT));
	d->type['d'] = btf__add_ptr(t, btf__add_struct(t, "net_device", 8));
	d->type['n'] = btf__add_ptr(t, btf__add_struct(t, "napi_struct", 8));
	d->type['t'] = btf__add_ptr(t, btf__add_struct(t, "timer_list", 8));
	d->type['w'] = btf__add_ptr(t, btf__add_struct(t, "work_struct", 8));
	d->type['S'] = btf__add_ptr(t, btf__add_struct(t, "net_device_stats", 8));
	d->type['I'] = btf__add_ptr(t, btf__add_struct(t, "netdev_phys_item_id", 8));
	d->type['c'] = btf__add_ptr(t, btf__add_int(t, "char", 1, BTF_INT_SIGNED));
	d->type['z'] = btf__add_int(t, "long unsigned int", 8, 0);
	d->type['o'] = btf__add_struct(t, "one", 4);
	btf__add_field(t, "a", i, 0, 0);
	d->type['s'] = btf__add_struct(t, "sixteen", 16);
	btf__add_field(t, "a", s64, 0, 0);
	btf__add_field(t, "b", i, 64, 0);
	d->type['L'] = btf__add_struct(t, "large", 24);
	d->type['F'] = btf__add_struct(t, "floating", 8);
	btf__add_field(t, "a", d->type['f'], 0, 0);
	d->type['P'] = btf__add_struct(t, "packed", 9);
	btf__add_field(t, "a", d->type['b'], 0, 0);
	btf__add_field(t, "b", s64, 8, 0);
	d->type['E'] = btf__add_struct(t, "empty", 0);
}

static inline void driver_begin(struct driver *d, const char *depends)
{
	*d = (struct driver){.types = btf__new_empty()};
	assert_non_null(d->types);
	add_types(d);
	elf_builder_module(&d->b, "some", depends);
	d->text = elf_builder_section(&d->b, ".text", SHT_PROGBITS, SHF_ALLOC | SHF_EXECINSTR, NULL,
				      0);
	d->rodata = elf_builder_section(&d->b, ".rodata", SHT_PROGBITS, SHF_ALLOC, NULL, 0);
	d->text_symbol = elf_builder_symbol(&d->b, "", STB_LOCAL, STT_SECTION, d->text, 0, 0);
	d->rodata_symbol = elf_builder_symbol(&d->b, "", STB_LOCAL, STT_SECTION, d->rodata, 0, 0);
}

/* What a function answers, a colon, and its arguments, a letter each: see add_types(). */
static inline int proto(struct driver *d, const char *letters)
{
	int id = btf__add_func_proto(d->types, letters[0] == 'v' ? 0 : d->type[(int)letters[0]]);

	assert_int_equal(letters[1], ':');
	for (letters += 2; *letters; letters++)
		btf__add_func_param(d->types, *letters == '.' ? "" : "a",
				    *letters == '.' ? 0 : d->type[(int)*letters]);
	return id;
}

/* A function at the end of the section and where it begins there. letters NULL: it has no type. */
static inline uint64_t put_in(struct driver *d, size_t section, const char *name,
			      const char *letters, const void *code, size_t size)
{
	struct elf_bytes *text = &d->b.contents[section];
	uint64_t at;

	elf_bytes_align(text, 16);
	at = text->size;
	elf_bytes_add(text, code, size);
	elf_builder_symbol(&d->b, name, STB_LOCAL, STT_FUNC, section, at, size);
	if (letters)
		assert_true(btf__add_func(d->types, name, BTF_FUNC_STATIC, proto(d, letters)) > 0);
	return at;
}

static inline uint64_t put(struct driver *d, const char *name, const char *letters)
{
	return put_in(d, d->text, name, letters, "\xf3\x0f\x1e\xfa\xc3", 5);
}

/* A pointer to .text + at, at the end of .rodata. Where it is. */
static inline uint64_t point_at(struct driver *d, uint64_t at)
{
	uint64_t offset = d->b.contents[d->rodata].size;

	elf_bytes_add(&d->b.contents[d->rodata], NULL, 8);
	elf_builder_rela_addend(&d->b, d->rodata, offset, d->text_symbol, R_X86_64_64, (int64_t)at);
	return offset;
}

/* A function that something points at. */
static inline uint64_t put_taken(struct driver *d, const char *name, const char *letters)
{
	return point_at(d, put(d, name, letters));
}

static inline struct elf_bytes driver_file(struct driver *d)
{
	const void *types;
	__u32 size;

	types = btf__raw_data(d->types, &size);
	assert_non_null(types);
	elf_builder_section(&d->b, ".BTF", SHT_PROGBITS, 0, types, size);
	btf__free(d->types);
	return elf_builder_finish(&d->b);
}

/* ---- Arming ---- */

struct left_alone {
	char text[1024]; /* "NAME: REASON\n" of each */
};

static inline void note_left_alone(void *ctx, const char *function, const char *reason)
{
	struct left_alone *left = ctx;
	size_t n = strlen(left->text);

	snprintf(left->text + n, sizeof(left->text) - n, "%s: %s\n", function, reason);
}

static inline struct replug_image *try_to_arm(const struct replug_image *image,
					      struct left_alone *left, struct replug_error *error)
{
	const struct replug_arm_options options = {
		.export_crcs = EXPORT_CRCS,
		.twin_crcs = twin_crcs,
		.left_alone = left ? note_left_alone : NULL,
		.ctx = left,
	};
	struct replug_image *armed = NULL;
	int r = replug_image_arm(image, &options, &armed, error);

	if (r) {
		assert_null(armed);
		assert_true(error->fault != REPLUG_FAULT_NONE && error->text[0]);
	}
	return armed;
}

/* An image and what it was armed to. */
struct pair {
	struct replug_image *image, *armed;
	struct elf_view view; /* of armed */
	struct left_alone left;
};

static inline void pair_open(struct pair *pair, struct elf_bytes file)
{
	struct replug_error error = {0};
	const char *reason = "";

	*pair = (struct pair){.image = parse_good(&file)};
	pair->armed = try_to_arm(pair->image, &pair->left, &error);
	if (!pair->armed) {
		fail_msg("%s", error.text);
		return;
	}
	if (elf_view_open(pair->armed->bytes, pair->armed->size, &pair->view, &reason))
		fail_msg("%s", reason);
}

static inline void pair_close(struct pair *pair)
{
	elf_view_close(&pair->view);
	replug_image_free(pair->armed);
	replug_image_free(pair->image);
}

static inline void pair_open_driver(struct pair *pair, struct driver *d)
{
	pair_open(pair, driver_file(d));
}

static inline void assert_not_armed(struct elf_bytes file, const char *reason)
{
	struct replug_image *image = parse_good(&file);
	struct replug_error error = {0};

	if (try_to_arm(image, NULL, &error))
		fail_msg("armed, although \"%s\"", reason);
	assert_int_equal(error.fault, REPLUG_FAULT_REFUSED);
	if (!strstr(error.text, reason))
		fail_msg("\"%s\" does not say \"%s\"", error.text, reason);
	replug_image_free(image);
}

/* ---- Looking into what came out ---- */

/* "SYMBOL+ADDEND" of the relocation at that place, SECTION for a symbol that is one; "" if none. */
static inline const char *ref_at(const struct pair *pair, const char *section, uint64_t offset)
{
	static char text[160];
	const struct elf_view *view = &pair->view;
	char name[80];
	size_t relas;

	text[0] = '\0';
	snprintf(name, sizeof(name), ".rela%s", section);
	if (!elf_view_section(view, name, &relas))
		return text;
	for (size_t i = 0; i < elf_view_n_relas(view, relas); i++) {
		struct elf_relocation relocation;
		struct elf_symbol symbol;

		assert_true(elf_view_relocation(view, relas, i, &relocation));
		assert_true(elf_view_symbol(view, relocation.symbol, &symbol));
		if (relocation.offset != offset)
			continue;
		snprintf(text, sizeof(text), "%s%+lld",
			 *symbol.name ? symbol.name : view->sections[symbol.section].name,
			 (long long)relocation.addend);
	}
	return text;
}

#define assert_ref(pair, section, offset, wanted)                                                  \
	assert_string_equal(ref_at(pair, section, offset), wanted)

static inline bool find_symbol(const struct elf_view *view, const char *name,
			       struct elf_symbol *ret_symbol)
{
	*ret_symbol = (struct elf_symbol){0};
	for (size_t i = 1; i < view->n_symbols; i++)
		if (elf_view_symbol(view, i, ret_symbol) && str_eq(ret_symbol->name, name))
			return true;
	return false;
}

static inline size_t count_taps(const struct pair *pair)
{
	size_t size = 0;

	assert_non_null(replug_image_section(pair->armed, RECOV_TAPS_SECTION, &size));
	return size / sizeof(struct recov_tap);
}

/* NULL: the function has no tap. */
static inline const struct recov_tap *tap_of(const struct pair *pair, const char *function)
{
	const struct recov_tap *taps;
	struct elf_symbol symbol;
	char name[80];
	size_t size;

	snprintf(name, sizeof(name), "%s.tap", function);
	if (!find_symbol(&pair->view, name, &symbol))
		return NULL;
	taps = replug_image_section(pair->armed, RECOV_TAPS_SECTION, &size);
	assert_true(symbol.value / 16 < size / sizeof(*taps));
	return &taps[symbol.value / 16];
}

#endif /* ARM_FIXTURE_H */
