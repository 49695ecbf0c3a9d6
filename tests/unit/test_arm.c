// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Arming: which references lead to thunks, and what the image has in it afterwards.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "arm_fixture.h"

/* ---- References ---- */

static void test_a_pointer_leads_to_a_thunk_and_that_to_its_tap(void **state)
{
	static const uint8_t thunk[16] = {0xf3, 0x0f, 0x1e, 0xfa, 0x4c, 0x8d, 0x1d, [11] = 0xe9};
	const uint8_t *thunks;
	struct driver d;
	struct pair pair;
	uint64_t first, second;
	size_t size = 0;

	driver_begin(&d, "");
	put(&d, "some_helper", "i:i");
	first = put_taken(&d, "some_open", "i:pp");
	second = put_taken(&d, "some_close", "v:p");
	pair_open_driver(&pair, &d);

	assert_int_equal(count_taps(&pair), 2);
	assert_ref(&pair, ".rodata", first, "some_open.tap+0");
	assert_ref(&pair, ".rodata", second, "some_close.tap+0");
	thunks = replug_image_section(pair.armed, RECOV_THUNKS_SECTION, &size);
	assert_int_equal(size, 32);
	assert_memory_equal(thunks, thunk, 16);
	assert_memory_equal(thunks + 16, thunk, 16);
	assert_ref(&pair, RECOV_THUNKS_SECTION, 7, "recov_taps-4");
	assert_ref(&pair, RECOV_THUNKS_SECTION, 12, "recov_tap_enter-4");
	assert_ref(&pair, RECOV_THUNKS_SECTION, 16 + 7, "recov_taps+28");
	assert_ref(&pair, RECOV_TAPS_SECTION, 0, "some_open+0");
	assert_ref(&pair, RECOV_TAPS_SECTION, 32, "some_close+0");
	assert_string_equal(pair.left.text, "");
	pair_close(&pair);
}

static const struct form {
	const char *name;
	uint8_t code[16];
	size_t at; /* of what is relocated */
	uint32_t type;
	int bias;
	bool taken;
} forms[] = {
	{"mov to a register", {0x48, 0xc7, 0xc7}, 3, R_X86_64_32S, 0, true},
	{"mov to a new register", {0x49, 0xc7, 0xc7}, 3, R_X86_64_32S, 0, true},
	{"mov to memory", {0x48, 0xc7, 0x03}, 3, R_X86_64_32S, 0, true},
	{"mov to memory 8", {0x48, 0xc7, 0x43, 0x08}, 4, R_X86_64_32S, 0, true},
	{"mov to memory 32", {0x48, 0xc7, 0x83, 0, 1, 0, 0}, 7, R_X86_64_32S, 0, true},
	{"mov to the stack", {0x48, 0xc7, 0x04, 0x24}, 4, R_X86_64_32S, 0, true},
	{"mov to the stack 8", {0x48, 0xc7, 0x44, 0x24, 8}, 5, R_X86_64_32S, 0, true},
	{"mov to an index 32", {0x48, 0xc7, 0x84, 0xc3, 0, 1, 0, 0}, 8, R_X86_64_32S, 0, true},
	{"mov to data", {0x48, 0xc7, 0x05, 0, 0, 0, 0}, 7, R_X86_64_32S, 0, true},
	{"mov to a CPU's", {0x65, 0x48, 0xc7, 0x04, 0x25, 4, 0, 0, 0}, 9, R_X86_64_32S, 0, true},
	{"cmp of rax", {0x48, 0x3d}, 2, R_X86_64_32S, 0, true},
	{"cmp of a register", {0x48, 0x81, 0xfa}, 3, R_X86_64_32S, 0, true},
	{"cmp of memory", {0x48, 0x81, 0x7f, 0x10}, 4, R_X86_64_32S, 0, true},
	{"push", {0x68}, 1, R_X86_64_32S, 0, true},
	{"lea", {0x48, 0x8d, 0x35}, 3, R_X86_64_PC32, -4, true},
	{"lea to a new register", {0x4c, 0x8d, 0x15}, 3, R_X86_64_PC32, -4, true},
	{"movabs", {0x48, 0xb8}, 2, R_X86_64_64, 0, true},
	{"movabs to a new register", {0x49, 0xbc}, 2, R_X86_64_64, 0, true},
	{"call", {0xe8}, 1, R_X86_64_PLT32, -4, false},
	{"call without a table", {0xe8}, 1, R_X86_64_PC32, -4, false},
	{"jmp", {0xe9}, 1, R_X86_64_PLT32, -4, false},
	{"conditional jump", {0x0f, 0x84}, 2, R_X86_64_PC32, -4, false},
	{"mov of a place within", {0x48, 0xc7, 0xc7}, 3, R_X86_64_32S, 4, false},
	{"lea of a place within", {0x48, 0x8d, 0x35}, 3, R_X86_64_PC32, 0, false},
};

/* Once by the function's own symbol, and once by that of its section. */
static void test_every_form_of_taking_an_address_is_known(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(forms) * 2; i++) {
		const struct form *form = &forms[i / 2];
		bool by_section = i % 2;
		uint64_t target, at;
		char wanted[64];
		int addend;
		struct driver d;
		struct pair pair;

		driver_begin(&d, "");
		put_taken(&d, "other", "v:p");
		target = put(&d, "target", "i:p");
		at = put_in(&d, d.text, "user", "v:p", form->code, sizeof(form->code)) + form->at;
		addend = form->bias + (by_section ? (int)target : 0);
		elf_builder_rela_addend(&d.b, d.text, at,
					by_section ? d.text_symbol : d.text_symbol + 3, form->type,
					addend);
		if (form->taken)
			snprintf(wanted, sizeof(wanted), "target.tap%+d", form->bias);
		else
			snprintf(wanted, sizeof(wanted), "%s%+d", by_section ? ".text" : "target",
				 addend);
		pair_open_driver(&pair, &d);
		if (!str_eq(ref_at(&pair, ".text", at), wanted))
			fail_msg("%s: %s, not %s", form->name, ref_at(&pair, ".text", at), wanted);
		assert_int_equal(count_taps(&pair), form->taken ? 2 : 1);
		pair_close(&pair);
	}
}

static void test_pointers_into_a_function_stay(void **state)
{
	struct driver d;
	struct pair pair;
	uint64_t at;

	driver_begin(&d, "");
	put_taken(&d, "some_open", "i:pp");
	at = point_at(&d, 4);
	pair_open_driver(&pair, &d);
	assert_ref(&pair, ".rodata", at, ".text+4");
	pair_close(&pair);
}

static void test_exported_functions_have_thunks(void **state)
{
	struct driver d;
	struct pair pair;
	size_t exports;
	uint64_t target;

	driver_begin(&d, "");
	target = put(&d, "some_export", "i:p");
	elf_builder_export(&d.b, "some_export", 1);
	exports = elf_builder_section(&d.b, "__ksymtab", SHT_PROGBITS, SHF_ALLOC, NULL, 0);
	elf_builder_rela_addend(&d.b, exports, 0, d.text_symbol, R_X86_64_PC32, (int64_t)target);
	/* The name. */
	elf_builder_rela_addend(&d.b, exports, 4, d.rodata_symbol, R_X86_64_PC32, 0);
	pair_open_driver(&pair, &d);
	assert_ref(&pair, "__ksymtab", 0, "some_export.tap+0");
	assert_ref(&pair, "__ksymtab", 4, ".rodata+0");
	pair_close(&pair);
}

static void test_notes_of_places_in_the_text_stay(void **state)
{
	static const char *const names[] = {"__mcount_loc", "__patchable_function_entries",
					    "__jump_table", ".ibt_endbr_seal",
					    ".call_sites",  "_kprobe_blacklist"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct driver d;
		struct pair pair;
		uint64_t target;
		size_t section;

		driver_begin(&d, "");
		put_taken(&d, "some_open", "i:pp");
		target = put(&d, "some_close", "v:p");
		section = elf_builder_section(&d.b, names[i], SHT_PROGBITS, SHF_ALLOC, NULL, 8);
		elf_builder_rela_addend(&d.b, section, 0, d.text_symbol, R_X86_64_64,
					(int64_t)target);
		pair_open_driver(&pair, &d);
		assert_ref(&pair, names[i], 0, ".text+16");
		assert_int_equal(count_taps(&pair), 1);
		pair_close(&pair);
	}
}

static void test_parts_and_static_calls_have_no_thunks(void **state)
{
	struct driver d;
	struct pair pair;
	uint64_t part, pad;
	size_t calls;

	driver_begin(&d, "");
	put_taken(&d, "some_open", "i:pp");
	part = put_taken(&d, "some_open.cold", NULL);
	pad = put_taken(&d, "__pfx_some_close", NULL);
	calls = elf_builder_section(&d.b, ".static_call.text", SHT_PROGBITS,
				    SHF_ALLOC | SHF_EXECINSTR, NULL, 0);
	put_in(&d, calls, "__SCT__some", "i:pp", "\xe9\0\0\0\0", 5);
	elf_bytes_add(&d.b.contents[d.rodata], NULL, 8);
	elf_builder_rela_addend(&d.b, d.rodata, 24, d.text_symbol + 4, R_X86_64_64, 0);
	pair_open_driver(&pair, &d);
	assert_int_equal(count_taps(&pair), 1);
	assert_ref(&pair, ".rodata", part, ".text+16");
	assert_ref(&pair, ".rodata", pad, ".text+32");
	assert_string_equal(pair.left.text, "");
	pair_close(&pair);
}

static void test_functions_of_init_and_exit_are_known_by_name(void **state)
{
	struct driver d;
	struct pair pair;
	size_t init, module;
	uint64_t at;

	driver_begin(&d, "");
	init = elf_builder_section(&d.b, ".init.text", SHT_PROGBITS, SHF_ALLOC | SHF_EXECINSTR,
				   NULL, 0);
	at = put_in(&d, init, "some_init", "i:", "\xc3", 1);
	module = elf_builder_section(&d.b, ".gnu.linkonce.this_module", SHT_PROGBITS,
				     SHF_ALLOC | SHF_WRITE, NULL, 0);
	put(&d, "some_helper", "v:");
	elf_builder_rela_addend(
		&d.b, module, 0,
		elf_builder_symbol(&d.b, "init_module", STB_GLOBAL, STT_FUNC, init, at, 1),
		R_X86_64_64, 0);
	elf_builder_rela_addend(
		&d.b, module, 8,
		elf_builder_symbol(&d.b, "cleanup_module", STB_GLOBAL, STT_FUNC, d.text, 0, 5),
		R_X86_64_64, 0);
	pair_open_driver(&pair, &d);
	assert_int_equal(count_taps(&pair), 2);
	assert_ref(&pair, ".gnu.linkonce.this_module", 0, "some_init.tap+0");
	assert_ref(&pair, ".gnu.linkonce.this_module", 8, "some_helper.tap+0");
	assert_int_equal(tap_of(&pair, "some_init")->kind, RECOV_TAP_INIT);
	assert_int_equal(tap_of(&pair, "some_init")->answer, RECOV_TAP_ERROR);
	assert_int_equal(tap_of(&pair, "some_helper")->kind, RECOV_TAP_EXIT);
	pair_close(&pair);
}

/* ---- The rest of the image ---- */

static void test_symbols_are_renumbered(void **state)
{
	struct elf_symbol symbol;
	struct driver d;
	struct pair pair;
	size_t symtab;
	uint64_t call;

	driver_begin(&d, "");
	put_taken(&d, "some_open", "i:pp");
	call = put_in(&d, d.text, "some_user", "v:", "\xe8\0\0\0\0\xc3", 6) + 1;
	elf_builder_import(&d.b, "first", 1);
	elf_builder_import(&d.b, "second", 2);
	elf_builder_rela(&d.b, d.text, call, elf_builder_first_global(&d.b) + 1, R_X86_64_PLT32);
	pair_open_driver(&pair, &d);
	assert_ref(&pair, ".text", call, "recov_stubs-4");
	assert_ref(&pair, RECOV_THUNKS_SECTION, ARM_THUNK_SIZE + ARM_STUB_JMP, "second-4");

	symtab =
		((const Elf64_Shdr *)(pair.armed->bytes +
				      ((Elf64_Ehdr *)pair.armed->bytes)->e_shoff))[pair.view.symtab]
			.sh_info;
	for (size_t i = 0; i < pair.view.n_symbols; i++) {
		assert_true(elf_view_symbol(&pair.view, i, &symbol));
		assert_int_equal(symbol.bind == STB_LOCAL, i < symtab);
	}
	pair_close(&pair);
}

static void test_groups_keep_their_symbol(void **state)
{
	uint32_t members[2] = {GRP_COMDAT, 1};
	struct elf_symbol symbol;
	struct driver d;
	struct pair pair;
	size_t group;

	driver_begin(&d, "");
	put_taken(&d, "some_open", "i:pp");
	group = elf_builder_section(&d.b, ".group", SHT_GROUP, 0, members, sizeof(members));
	d.b.headers[group].sh_info =
		elf_builder_symbol(&d.b, "signature", STB_GLOBAL, STT_NOTYPE, SHN_UNDEF, 0, 0);
	pair_open_driver(&pair, &d);
	assert_true(elf_view_symbol(&pair.view, pair.view.sections[group].info, &symbol));
	assert_string_equal(symbol.name, "signature");
	pair_close(&pair);
}

static void test_the_helper_is_a_dependency(void **state)
{
	static const struct {
		const char *before;
		const char *after[4];
	} cases[] = {
		{"", {"recov_shadow"}},
		{"mii", {"mii", "recov_shadow"}},
		{"mii,other-one", {"mii", "other_one", "recov_shadow"}},
		{"recov_shadow,mii", {"recov_shadow", "mii"}},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *const *depends;
		struct driver d;
		struct pair pair;

		driver_begin(&d, cases[i].before);
		put_taken(&d, "some_open", "i:pp");
		pair_open_driver(&pair, &d);
		depends = replug_image_depends(pair.armed);
		for (size_t k = 0; cases[i].after[k]; k++)
			assert_string_equal(depends[k], cases[i].after[k]);
		assert_string_equal(replug_image_vermagic(pair.armed), ELF_BUILDER_VERMAGIC);
		assert_string_equal(replug_image_name(pair.armed), "some");
		pair_close(&pair);
	}
}

/* Changes one letter of the first such bytes in the file. */
static void spoil(struct elf_bytes *file, const char *bytes)
{
	uint8_t *found = memmem(file->data, file->size, bytes, strlen(bytes));

	assert_non_null(found);
	found[strlen(bytes) - 1]--;
}

static void test_an_image_may_say_nothing_of_dependencies(void **state)
{
	struct elf_bytes file;
	struct driver d;
	struct pair pair;

	driver_begin(&d, "");
	put_taken(&d, "some_open", "i:pp");
	file = driver_file(&d);
	spoil(&file, "depends");
	pair_open(&pair, file);
	assert_string_equal(replug_image_depends(pair.armed)[0], "recov_shadow");
	pair_close(&pair);
}

static void test_an_image_may_have_no_versions(void **state)
{
	const struct replug_symbol *imports;
	struct elf_bytes file;
	struct driver d;
	struct pair pair;
	size_t n;

	driver_begin(&d, "");
	put_taken(&d, "some_open", "i:pp");
	file = driver_file(&d);
	spoil(&file, "__versions");
	pair_open(&pair, file);
	imports = replug_image_imports(pair.armed, &n);
	assert_int_equal(n, 1);
	assert_string_equal(imports[0].name, "recov_tap_enter");
	assert_false(imports[0].has_crc);
	pair_close(&pair);
}

static void test_symbols_of_module_information_move_with_it(void **state)
{
	static const char key[] = "license=GPL";
	struct elf_symbol symbol;
	struct driver d;
	struct pair pair;
	const char *modinfo;
	size_t section, size;

	driver_begin(&d, "mii");
	section = elf_builder_section(&d.b, ".modinfo", SHT_PROGBITS, SHF_ALLOC, NULL, 0);
	elf_builder_symbol(&d.b, "license", STB_LOCAL, STT_OBJECT, section, 0, 12);
	elf_builder_symbol(&d.b, "depends", STB_LOCAL, STT_OBJECT, section, sizeof(key), 12);
	elf_builder_symbol(&d.b, "name", STB_LOCAL, STT_OBJECT, section, sizeof(key) + 12, 10);
	put_taken(&d, "some_open", "i:pp");
	pair_open_driver(&pair, &d);
	modinfo = replug_image_section(pair.armed, ".modinfo", &size);
	assert_true(find_symbol(&pair.view, "license", &symbol));
	assert_string_equal(modinfo + symbol.value, "license=GPL");
	assert_true(find_symbol(&pair.view, "depends", &symbol));
	assert_string_equal(modinfo + symbol.value, "depends=mii,recov_shadow");
	assert_int_equal(symbol.size, sizeof("depends=mii,recov_shadow"));
	assert_true(find_symbol(&pair.view, "name", &symbol));
	assert_string_equal(modinfo + symbol.value, "name=some");
	pair_close(&pair);
}

static uint32_t crc_of(const struct pair *pair, const char *name)
{
	const struct replug_symbol *symbol =
		replug_symbol_find(pair->armed->imports, pair->armed->n_imports, name);

	return symbol && symbol->has_crc ? symbol->crc : 0;
}

static void test_locks_lead_to_their_twins(void **state)
{
	struct driver d;
	struct pair pair;
	uint64_t at;

	driver_begin(&d, "");
	at = put_in(&d, d.text, "some_open", "i:pp", "\xe8\0\0\0\0\xe8\0\0\0\0", 10);
	point_at(&d, at);
	elf_builder_import(&d.b, "mutex_lock", 1);
	elf_builder_import(&d.b, "mutex_lock_of_another_kind", 2);
	elf_builder_import(&d.b, "mutex_trylock", 3); /* of which the shadow has none here */
	elf_builder_rela(&d.b, d.text, at + 1, elf_builder_first_global(&d.b), R_X86_64_PLT32);
	elf_builder_rela(&d.b, d.text, at + 6, elf_builder_first_global(&d.b) + 1, R_X86_64_PLT32);
	pair_open_driver(&pair, &d);

	assert_ref(&pair, ".text", at + 1, "recov_stubs-4");
	assert_ref(&pair, ".text", at + 6, "recov_stubs+28");
	assert_ref(&pair, RECOV_THUNKS_SECTION, ARM_THUNK_SIZE + ARM_STUB_JMP,
		   "recov_twin_mutex_lock-4");
	assert_ref(&pair, RECOV_THUNKS_SECTION, ARM_THUNK_SIZE + ARM_STUB_SIZE + ARM_STUB_JMP,
		   "mutex_lock_of_another_kind-4");
	assert_int_equal(crc_of(&pair, "recov_twin_mutex_lock"), CRC_TWIN + 28);
	assert_int_equal(crc_of(&pair, "mutex_lock_of_another_kind"), 2);
	assert_int_equal(crc_of(&pair, "mutex_lock"), 0);
	assert_int_equal(crc_of(&pair, "mutex_trylock"), 3);
	pair_close(&pair);
}

static void test_without_twins_locks_stay(void **state)
{
	const struct replug_arm_options options = {.export_crcs = {CRC}};
	struct replug_error error = {0};
	struct driver d;
	struct pair pair = {0};
	struct elf_bytes file;

	driver_begin(&d, "");
	put_taken(&d, "some_open", "i:pp");
	elf_builder_import(&d.b, "mutex_lock", 1);
	file = driver_file(&d);
	pair.image = parse_good(&file);
	assert_int_equal(replug_image_arm(pair.image, &options, &pair.armed, &error), 0);
	assert_int_equal(crc_of(&pair, "mutex_lock"), 1);
	replug_image_free(pair.armed);
	replug_image_free(pair.image);
}

/* Each import has one stub, whoever calls it. */
static void test_calls_of_imports_go_by_stubs(void **state)
{
	struct driver d;
	struct pair pair;
	uint64_t at;

	driver_begin(&d, "");
	at = put_in(&d, d.text, "some_open", "i:pp", "\xe8\0\0\0\0\xe9\0\0\0\0\x0f\x84\0\0\0\0",
		    16);
	point_at(&d, at);
	elf_builder_import(&d.b, "kmalloc", 1);
	elf_builder_rela(&d.b, d.text, at + 1, elf_builder_first_global(&d.b), R_X86_64_PLT32);
	elf_builder_rela(&d.b, d.text, at + 6, elf_builder_first_global(&d.b), R_X86_64_PLT32);
	elf_builder_rela(&d.b, d.text, at + 12, elf_builder_first_global(&d.b), R_X86_64_PLT32);
	pair_open_driver(&pair, &d);

	assert_ref(&pair, ".text", at + 1, "recov_stubs-4");
	assert_ref(&pair, ".text", at + 6, "recov_stubs-4");
	assert_ref(&pair, ".text", at + 12, "recov_stubs-4");
	assert_ref(&pair, RECOV_THUNKS_SECTION, ARM_THUNK_SIZE + ARM_STUB_CMP,
		   "recov_tap_stacks-4");
	assert_ref(&pair, RECOV_THUNKS_SECTION, ARM_THUNK_SIZE + ARM_STUB_JB, "recov_tap_lost-4");
	assert_ref(&pair, RECOV_THUNKS_SECTION, ARM_THUNK_SIZE + ARM_STUB_JMP, "kmalloc-4");
	assert_int_equal(crc_of(&pair, "recov_tap_stacks"), CRC_STACKS);
	assert_int_equal(crc_of(&pair, "recov_tap_lost"), CRC_LOST);
	pair_close(&pair);
}

static void test_what_the_kernel_patches_is_called_as_it_was(void **state)
{
	static const char *const imports[] = {"__fentry__", "__x86_return_thunk",
					      "__x86_indirect_thunk_rax", "__SCT__might_resched"};
	struct driver d;
	struct pair pair;
	char ref[64];
	uint64_t at;

	for (size_t i = 0; i < ARRAY_SIZE(imports); i++) {
		driver_begin(&d, "");
		at = put_in(&d, d.text, "some_open", "i:pp", "\xe8\0\0\0\0", 5);
		point_at(&d, at);
		elf_builder_import(&d.b, imports[i], 1);
		elf_builder_rela(&d.b, d.text, at + 1, elf_builder_first_global(&d.b),
				 R_X86_64_PLT32);
		pair_open_driver(&pair, &d);
		snprintf(ref, sizeof(ref), "%s-4", imports[i]);
		assert_ref(&pair, ".text", at + 1, ref);
		assert_int_equal(crc_of(&pair, "recov_tap_stacks"), 0);
		pair_close(&pair);
	}
}

static void test_only_what_thunks_jump_to_is_imported(void **state)
{
	struct driver d;
	struct pair pair;

	driver_begin(&d, "");
	put_taken(&d, "some_open", "i:pp");
	pair_open_driver(&pair, &d);
	assert_int_equal(crc_of(&pair, "recov_tap_enter"), CRC);
	assert_int_equal(crc_of(&pair, "recov_tap_enter_stack"), 0);
	assert_int_equal(crc_of(&pair, "module_layout"), 0x1000);
	pair_close(&pair);

	driver_begin(&d, "");
	put_taken(&d, "some_xfer", "i:pppppppp");
	pair_open_driver(&pair, &d);
	assert_ref(&pair, RECOV_THUNKS_SECTION, 12, "recov_tap_enter_stack-4");
	assert_int_equal(crc_of(&pair, "recov_tap_enter"), 0);
	assert_int_equal(crc_of(&pair, "recov_tap_enter_stack"), CRC_STACK);
	pair_close(&pair);

	driver_begin(&d, "");
	put_taken(&d, "some_interrupt", "e:ip");
	pair_open_driver(&pair, &d);
	assert_ref(&pair, RECOV_THUNKS_SECTION, 12, "recov_tap_enter_balanced-4");
	assert_int_equal(crc_of(&pair, "recov_tap_enter"), 0);
	assert_int_equal(crc_of(&pair, "recov_tap_enter_balanced"), CRC_BALANCED);
	pair_close(&pair);
}

static void test_the_signature_is_gone(void **state)
{
	struct elf_bytes file;
	struct driver d;
	struct pair pair;

	driver_begin(&d, "");
	put_taken(&d, "some_open", "i:pp");
	file = driver_file(&d);
	elf_bytes_sign(&file, 100);
	pair_open(&pair, file);
	assert_true(replug_image_signed(pair.image));
	assert_false(replug_image_signed(pair.armed));
	pair_close(&pair);
}

/* ---- Unwinding ---- */

static void put_orc(struct driver *d, const char *entry, size_t n_ips)
{
	size_t entries =
		elf_builder_section(&d->b, ".orc_unwind", SHT_PROGBITS, SHF_ALLOC, NULL, 0);
	size_t ips = elf_builder_section(&d->b, ".orc_unwind_ip", SHT_PROGBITS, SHF_ALLOC, NULL, 0);

	elf_bytes_add(&d->b.contents[entries], entry, 6);
	elf_bytes_add(&d->b.contents[ips], NULL, n_ips * 4);
	elf_builder_rela_addend(&d->b, ips, 0, d->text_symbol, R_X86_64_PC32, 0);
}

static void test_thunks_can_be_unwound(void **state)
{
	static const char *const entries[] = {"\x08\0\0\0\x05\0", "\x08\0\0\0\x05\x02"};

	for (size_t i = 0; i < ARRAY_SIZE(entries); i++) {
		const uint8_t *now;
		struct driver d;
		struct pair pair;
		size_t size = 0;

		driver_begin(&d, "");
		put_taken(&d, "some_open", "i:pp");
		put_taken(&d, "some_close", "i:pp");
		put_orc(&d, entries[i], 1);
		pair_open_driver(&pair, &d);
		now = replug_image_section(pair.armed, ".orc_unwind", &size);
		assert_int_equal(size, 18);
		assert_memory_equal(now + 6, entries[i], 6);
		assert_memory_equal(now + 12, "\0\0\0\0\0\0", 6);
		assert_ref(&pair, ".orc_unwind_ip", 4, "some_open.tap+0");
		assert_ref(&pair, ".orc_unwind_ip", 8, "some_open.tap+32");
		pair_close(&pair);
	}
}

static void test_unknown_unwind_tables_are_refused(void **state)
{
	struct driver d;

	driver_begin(&d, "");
	put_taken(&d, "some_open", "i:pp");
	put_orc(&d, "\x10\0\0\0\x06\0", 1);
	assert_not_armed(driver_file(&d), "unknown format");

	driver_begin(&d, "");
	put_taken(&d, "some_open", "i:pp");
	put_orc(&d, "\x08\0\0\0\x05\0", 2);
	assert_not_armed(driver_file(&d), "do not fit together");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_pointer_leads_to_a_thunk_and_that_to_its_tap),
		cmocka_unit_test(test_every_form_of_taking_an_address_is_known),
		cmocka_unit_test(test_pointers_into_a_function_stay),
		cmocka_unit_test(test_exported_functions_have_thunks),
		cmocka_unit_test(test_notes_of_places_in_the_text_stay),
		cmocka_unit_test(test_parts_and_static_calls_have_no_thunks),
		cmocka_unit_test(test_functions_of_init_and_exit_are_known_by_name),
		cmocka_unit_test(test_symbols_are_renumbered),
		cmocka_unit_test(test_groups_keep_their_symbol),
		cmocka_unit_test(test_the_helper_is_a_dependency),
		cmocka_unit_test(test_an_image_may_say_nothing_of_dependencies),
		cmocka_unit_test(test_an_image_may_have_no_versions),
		cmocka_unit_test(test_symbols_of_module_information_move_with_it),
		cmocka_unit_test(test_locks_lead_to_their_twins),
		cmocka_unit_test(test_without_twins_locks_stay),
		cmocka_unit_test(test_calls_of_imports_go_by_stubs),
		cmocka_unit_test(test_what_the_kernel_patches_is_called_as_it_was),
		cmocka_unit_test(test_only_what_thunks_jump_to_is_imported),
		cmocka_unit_test(test_the_signature_is_gone),
		cmocka_unit_test(test_thunks_can_be_unwound),
		cmocka_unit_test(test_unknown_unwind_tables_are_refused),
	};

	return cmocka_run_group_tests_name("arm", tests, NULL, NULL);
}
