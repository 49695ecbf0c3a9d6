// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Checks the thunks and taps of an armed image, and that nothing takes the address of a function any
 * more that has them.
 */
#include <inttypes.h>
#include <string.h>

#include "arm_check.h"

/* ---- Functions, thunks and taps ---- */

static int compare_places(const void *a, const void *b)
{
	const struct check_place *x = a, *y = b;

	if (x->section != y->section)
		return x->section < y->section ? -1 : 1;
	return (x->value > y->value) - (x->value < y->value);
}

static bool is_code(const struct elf_view *view, size_t section)
{
	const uint64_t wanted = SHF_ALLOC | SHF_EXECINSTR;

	return section != SHN_UNDEF && section < view->n_sections &&
	       (view->sections[section].flags & wanted) == wanted;
}

static int find_places(struct arm_check *c)
{
	size_t n = 0;

	c->places = calloc(c->old.n_symbols + 1, sizeof(*c->places));
	if (!c->places)
		return -ENOMEM;
	for (size_t i = 0; i < c->old.n_symbols; i++) {
		struct elf_symbol s;

		if (elf_view_symbol(&c->old, i, &s) && s.type == STT_FUNC && *s.name &&
		    is_code(&c->old, s.section) && !arm_is_part(s.name) &&
		    !str_eq(c->old.sections[s.section].name, ".static_call.text") &&
		    s.value < c->old.sections[s.section].size)
			c->places[n++] =
				(struct check_place){s.section, s.value, s.name, SIZE_MAX, false};
	}
	qsort(c->places, n, sizeof(*c->places), compare_places);
	c->n_places = n;
	return 0;
}

static struct check_place *find_place(const struct arm_check *c, size_t section, uint64_t value)
{
	const struct check_place key = {.section = section, .value = value};
	size_t low = 0, high = c->n_places;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (compare_places(&c->places[middle], &key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low < c->n_places && !compare_places(&c->places[low], &key) ? &c->places[low] : NULL;
}

static int check_thunk(const struct arm_check *c, size_t tap)
{
	static const uint8_t bytes[] = {0xf3, 0x0f, 0x1e, 0xfa, 0x4c, 0x8d, 0x1d, 0,
					0,    0,    0,	  0xe9, 0,    0,    0,	  0};
	const uint64_t at = tap * sizeof(bytes);
	const char *enter = replug_arm_exports[arm_enter(&c->records[tap])];
	struct elf_relocation relocation;
	struct elf_symbol s;

	if (memcmp(c->new.sections[c->thunks].data + at, bytes, sizeof(bytes)))
		return arm_check_fail(c, "thunk %zu holds other code", tap);
	if (!arm_check_read(c, c->thunks_rela, tap * 2, R_X86_64_PC32, at + 7, &relocation, &s) ||
	    s.section != c->taps ||
	    s.value + (uint64_t)relocation.addend + 4 != tap * sizeof(struct recov_tap))
		return arm_check_fail(c, "thunk %zu does not lead to its tap", tap);
	if (!arm_check_read(c, c->thunks_rela, tap * 2 + 1, R_X86_64_PLT32, at + 12, &relocation,
			    &s) ||
	    s.section != SHN_UNDEF || !str_eq(s.name, enter) || relocation.addend != -4)
		return arm_check_fail(c, "thunk %zu does not jump to %s", tap, enter);
	return 0;
}

static int check_tap(const struct arm_check *c, size_t tap)
{
	const struct recov_tap *record = &c->records[tap];
	struct elf_relocation relocation;
	struct elf_symbol s, thunk;
	struct check_place *place;

	if (record->function || record->reserved || record->kernel[0] || record->kernel[1] ||
	    record->answer > RECOV_TAP_UNSUPPORTED || record->kind > RECOV_TAP_VIRTIO ||
	    record->stack_words > RECOV_TAP_STACK_MAX)
		return arm_check_fail(c, "tap %zu holds something else", tap);
	if (!arm_check_read(c, c->taps_rela, tap, R_X86_64_64, tap * sizeof(*record), &relocation,
			    &s) ||
	    relocation.addend || s.type != STT_FUNC)
		return arm_check_fail(c, "tap %zu does not lead to a function", tap);
	place = find_place(c, s.section, s.value);
	if (!place)
		return arm_check_fail(c, "tap %zu does not lead to a function", tap);
	if (place->tap != SIZE_MAX)
		return arm_check_fail(c, "two taps lead to one function");
	place->tap = tap;

	/* One of the function's names is the thunk's. */
	if (!elf_view_symbol(&c->new, c->first_global + tap, &thunk))
		return arm_check_fail(c, "a local symbol is missing");
	for (; place < c->places + c->n_places && place->section == s.section &&
	       place->value == s.value;
	     place++) {
		const char *suffix = str_after(thunk.name, place->name);

		if (suffix && str_eq(suffix, ARM_TAP_SUFFIX))
			return 0;
	}
	return arm_check_fail(c, "symbol %.60s leads to another function", thunk.name);
}

static int check_taps(const struct arm_check *c)
{
	int r = 0;

	if (elf_view_n_relas(&c->new, c->thunks_rela) != c->n_taps * 2 + c->n_stubs * 3 ||
	    elf_view_n_relas(&c->new, c->taps_rela) != c->n_taps)
		return arm_check_fail(c, "the number of the thunks' relocations");
	for (size_t tap = 0; tap < c->n_taps && !r; tap++) {
		r = check_thunk(c, tap);
		if (!r)
			r = check_tap(c, tap);
	}
	return r;
}

/* ---- Stubs ---- */

/* The old number of the import that the stub leads to; SIZE_MAX: it is none. */
static size_t stub_import(const struct arm_check *c, size_t stub)
{
	static const uint8_t bytes[ARM_STUB_SIZE] = {
		0x48, 0x3b, 0x25, 0,	0,    0,    0,	  0x0f, 0x82, 0,    0,
		0,    0,    0xe9, 0,	0,    0,    0,	  0x90, 0x90, 0x90, 0x90,
		0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90};
	const uint64_t at = c->n_taps * ARM_THUNK_SIZE + stub * sizeof(bytes);
	const size_t first = c->n_taps * 2 + stub * 3;
	struct elf_relocation cmp, jb, jmp;
	struct elf_symbol s;

	if (stub >= c->n_stubs ||
	    memcmp(c->new.sections[c->thunks].data + at, bytes, sizeof(bytes)))
		return SIZE_MAX;
	if (!arm_check_read(c, c->thunks_rela, first, R_X86_64_PC32, at + 3, &cmp, &s) ||
	    cmp.addend != -4 || s.section != SHN_UNDEF ||
	    !str_eq(s.name, replug_arm_exports[REPLUG_ARM_STACKS]))
		return SIZE_MAX;
	if (!arm_check_read(c, c->thunks_rela, first + 1, R_X86_64_PLT32, at + 9, &jb, &s) ||
	    jb.addend != -4 || s.section != SHN_UNDEF ||
	    !str_eq(s.name, replug_arm_exports[REPLUG_ARM_LOST]))
		return SIZE_MAX;
	if (!arm_check_read(c, c->thunks_rela, first + 2, R_X86_64_PLT32, at + 14, &jmp, &s) ||
	    jmp.addend != -4 || s.section != SHN_UNDEF || jmp.symbol < c->n_inserted)
		return SIZE_MAX;
	return jmp.symbol - c->n_inserted;
}

static bool calls_stub(const struct arm_check *c, const struct elf_relocation *a,
		       const struct elf_relocation *b)
{
	uint64_t at = (uint64_t)b->addend + 4;

	return b->symbol == c->first_global + c->n_taps + 1 && at % ARM_STUB_SIZE == 0 &&
	       stub_import(c, at / ARM_STUB_SIZE) == a->symbol;
}

/* ---- References ---- */

/* call, jmp and conditional jumps, by the opcode before their displacement. */
static bool jumps(const struct elf_section *text, uint64_t at)
{
	uint8_t last = at ? text->data[at - 1] : 0;

	return last == 0xe8 || last == 0xe9 ||
	       ((last >= 0x80 && last <= 0x8f) && at > 1 && text->data[at - 2] == 0x0f);
}

/* The function whose address an old relocation takes, NULL if it does not, and how far from its
 * start the relocation counts. */
static struct check_place *taken_by(const struct arm_check *c, size_t relas,
				    const struct elf_relocation *relocation, int64_t *ret_bias)
{
	const struct elf_section *to = &c->old.sections[c->old.sections[relas].info];
	enum arm_section kind = arm_section_kind(to->name, to->flags);
	bool relative = kind == ARM_SECTION_TEXT &&
			(relocation->type == R_X86_64_PC32 || relocation->type == R_X86_64_PLT32);
	struct elf_symbol s;

	if (kind == ARM_SECTION_SITES || kind == ARM_SECTION_OTHER ||
	    relocation->type == R_X86_64_NONE || relocation->offset >= to->size ||
	    !elf_view_symbol(&c->old, relocation->symbol, &s) || !is_code(&c->old, s.section))
		return NULL;
	if (relative && jumps(to, relocation->offset))
		return NULL;
	*ret_bias = relative ? -4 : 0;
	return find_place(c, s.section,
			  s.value + (uint64_t)relocation->addend - (uint64_t)*ret_bias);
}

static int check_relocation(const struct arm_check *c, size_t relas, size_t i)
{
	const struct elf_section *to = &c->old.sections[c->old.sections[relas].info];
	struct elf_relocation a, b;
	struct check_place *place;
	struct elf_symbol s;
	int64_t bias = 0;

	if (!elf_view_relocation(&c->old, relas, i, &a) ||
	    !elf_view_relocation(&c->new, relas, i, &b) || a.offset != b.offset || a.type != b.type)
		return arm_check_fail(c, "relocation %zu of %.40s has changed", i, to->name);
	if (arm_is_call(&c->old, to, &a))
		return calls_stub(c, &a, &b)
			       ? 0
			       : arm_check_fail(c, "%.40s+%#" PRIx64 " calls something else",
						to->name, a.offset);
	place = taken_by(c, relas, &a, &bias);
	if (!place || place->tap == SIZE_MAX) {
		if (place)
			place->taken = true;
		if (b.symbol != arm_check_number(c, a.symbol) || b.addend != a.addend)
			return arm_check_fail(c, "%.40s+%#" PRIx64 " refers to something else",
					      to->name, a.offset);
		return 0;
	}
	if (!elf_view_symbol(&c->new, b.symbol, &s) || s.section != c->thunks ||
	    s.value + (uint64_t)b.addend - (uint64_t)bias != place->tap * ARM_THUNK_SIZE)
		return arm_check_fail(c,
				      "%.40s+%#" PRIx64 " does not refer to the function's thunk",
				      to->name, a.offset);
	return 0;
}

/* The table of places to unwind from may have two more than before. */
static int check_relocations(const struct arm_check *c)
{
	int r = 0;

	for (size_t i = 1; i < c->old.n_sections && !r; i++) {
		size_t n = elf_view_n_relas(&c->old, i), now = elf_view_n_relas(&c->new, i);
		bool grows = str_eq(c->old.sections[i].name, ".rela.orc_unwind_ip");

		if (now != n && !(grows && now == n + 2))
			r = arm_check_fail(c, "the number of relocations in %.40s",
					   c->old.sections[i].name);
		for (size_t k = 0; k < n && !r; k++)
			r = check_relocation(c, i, k);
	}
	return r;
}

static int check_left(const struct arm_check *c, size_t n_left)
{
	size_t n = 0;

	for (size_t i = 0; i < c->n_places; i++)
		n += c->places[i].taken;
	return n == n_left ? 0 : arm_check_fail(c, "%zu functions have no tap, not %zu", n, n_left);
}

int arm_check_refs(struct arm_check *c, size_t n_left)
{
	int r = find_places(c);

	if (!r)
		r = check_taps(c);
	for (size_t stub = 0; stub < c->n_stubs && !r; stub++)
		if (stub_import(c, stub) == SIZE_MAX)
			r = arm_check_fail(c, "stub %zu holds other code", stub);
	if (!r)
		r = check_relocations(c);
	return r ? r : check_left(c, n_left);
}
