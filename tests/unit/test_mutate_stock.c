// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Plans for stock modules, where scripts/kernels has put some: of every seed each fault is what its
 * class says, and touches nothing that the kernel patches.
 */
#include <errno.h>
#include <ftw.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include "image.h"
#include "mutate_fixture.h"
#include "mutate_text.h"

#define SEEDS 200

/* A line a build: its id, and what its first seeds come to. */
#define GOLDEN	     "tests/unit/golden/seeds.txt"
#define GOLDEN_SEEDS 50

/* nftw(3) has no argument for this. */
static struct {
	const char *name;
	char *path;
} wanted;

static int note_file(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	const char *name = path + ftw->base;

	if (type != FTW_F || strncmp(name, wanted.name, strlen(wanted.name)) != 0 || wanted.path)
		return 0;
	wanted.path = strdup(path);
	return 0;
}

/* A stock module, and what must not be touched in it: told by the sections themselves, with the
 * lengths that the kernel's sources give. */
struct module {
	struct replug_image *image;
	struct replug_text *text;
	struct replug_sites *sites;
	struct elf_view view;
	uint8_t **forbidden, **relocated; /* of each section, its bytes */
	csh cs;
};

static const struct {
	const char *section;
	size_t entry, length;
} patched[] = {
	{"__mcount_loc", 8, 5},	 {".return_sites", 4, 5},      {".retpoline_sites", 4, 5},
	{"__jump_table", 16, 2}, {".static_call_sites", 8, 5}, {".smp_locks", 4, 1},
	{"__bug_table", 12, 2},	 {"__ex_table", 12, 1},	       {".ibt_endbr_seal", 4, 4},
};

static size_t forbid(struct module *m, size_t relas, size_t entry, size_t length)
{
	size_t n = 0;

	for (size_t i = 0; i < elf_view_n_relas(&m->view, relas); i++) {
		size_t section, symbol;
		uint64_t at, value;

		assert_true(elf_view_rela(&m->view, relas, i, &at, &symbol));
		if (at % entry || !elf_view_rela_target(&m->view, relas, i, &section, &value))
			continue;
		assert_true(value + length <= m->view.sections[section].size);
		memset(m->forbidden[section] + value, 1, length);
		n++;
	}
	return n;
}

static uint8_t **alloc_maps(const struct module *m)
{
	uint8_t **maps = calloc(m->view.n_sections, sizeof(*maps));

	assert_non_null(maps);
	for (size_t i = 0; i < m->view.n_sections; i++) {
		maps[i] = calloc(1, m->view.sections[i].size + 8);
		assert_non_null(maps[i]);
	}
	return maps;
}

static void free_maps(const struct module *m, uint8_t **maps)
{
	for (size_t i = 0; i < m->view.n_sections; i++)
		free(maps[i]);
	free(maps);
}

static void note_relocs(struct module *m)
{
	m->relocated = alloc_maps(m);
	for (size_t i = 0; i < m->view.n_sections; i++)
		for (size_t k = 0; k < elf_view_n_relas(&m->view, i); k++) {
			struct elf_relocation relocation;

			assert_true(elf_view_relocation(&m->view, i, k, &relocation));
			memset(m->relocated[m->view.sections[i].info] + relocation.offset, 1,
			       relocation.type == R_X86_64_64 ? 8 : 4);
		}
}

static void forbid_all(struct module *m)
{
	size_t n = 0;

	m->forbidden = alloc_maps(m);
	for (size_t i = 0; i < ARRAY_SIZE(patched); i++) {
		char name[64];
		size_t relas;

		snprintf(name, sizeof(name), ".rela%s", patched[i].section);
		if (elf_view_section(&m->view, name, &relas))
			n += forbid(m, relas, patched[i].entry, patched[i].length);
	}
	assert_true(n > 100);
}

static bool open_module(const char *kernel, const char *name, struct module *m)
{
	struct replug_error error = {0};
	const char *reason;
	char path[64];

	*m = (struct module){0};
	snprintf(path, sizeof(path), "build/kernels/%s/modules/kernel", kernel);
	wanted.name = name;
	wanted.path = NULL;
	(void)nftw(path, note_file, 16, FTW_PHYS);
	if (!wanted.path)
		return false;
	if (replug_image_open(wanted.path, &m->image, &error) ||
	    replug_text_new(m->image, false, &m->text, &error) ||
	    replug_sites_new(m->text, NULL, &m->sites, &error))
		fail_msg("%s", error.text);
	free(wanted.path);
	assert_int_equal(elf_view_open(m->image->bytes, m->image->elf_size, &m->view, &reason), 0);
	assert_int_equal(cs_open(CS_ARCH_X86, CS_MODE_64, &m->cs), CS_ERR_OK);
	forbid_all(m);
	note_relocs(m);
	return true;
}

static void close_module(struct module *m)
{
	free_maps(m, m->forbidden);
	free_maps(m, m->relocated);
	cs_close(&m->cs);
	elf_view_close(&m->view);
	replug_sites_free(m->sites);
	replug_text_free(m->text);
	replug_image_free(m->image);
}

/* Every function is known, from its first byte to its last. */
static void check_text(const struct module *m)
{
	for (size_t i = 0; i < m->text->n_sections; i++) {
		const struct text_section *section = &m->text->sections[i];
		size_t functions = 0;

		for (size_t k = 0; k < section->n_instructions; k++) {
			const struct text_instruction *insn = &section->instructions[k];
			const struct text_function *f = &section->functions[insn->function];
			uint32_t end = insn->offset + insn->length;

			functions += insn->offset == f->start;
			if (k + 1 < section->n_instructions && insn[1].function == insn->function)
				assert_int_equal(insn[1].offset, end);
			else
				assert_int_equal(f->end, end);
		}
		assert_int_equal(functions, section->n_functions);
	}
}

/* What was there is in the file, but for relocations; what the loader writes is one. */
static void check_old(const struct module *m, size_t section, const struct replug_injection *fault)
{
	for (size_t i = 0; i < fault->length; i++) {
		if (m->relocated[section][fault->offset + i])
			continue;
		assert_int_equal(fault->old[i], m->view.sections[section].data[fault->offset + i]);
		assert_false(fault->old_loader & 1 << i);
	}
}

static void check_fault(const struct module *m, const struct replug_injection *fault)
{
	const struct elf_section *section;
	cs_insn *insn = NULL;
	size_t index, n;

	assert_int_equal(fault->kind, REPLUG_INJECT_TEXT);
	section = elf_view_section(&m->view, fault->section, &index);
	assert_non_null(section);
	assert_true(fault->offset + fault->length <= section->size);
	for (size_t i = 0; i < fault->length; i++)
		assert_false(m->forbidden[index][fault->offset + i]);
	assert_memory_not_equal(fault->old, fault->new, fault->length);
	assert_true(*fault->before && *fault->after);
	check_old(m, index, fault);

	n = cs_disasm(m->cs, fault->old, fault->length, 0, 0, &insn);
	assert_int_equal(n, 1);
	assert_int_equal(insn->size, fault->length);
	cs_free(insn, n);
	if (str_eq(fault->class, "text"))
		return;
	n = cs_disasm(m->cs, fault->new, fault->length, 0, 0, &insn);
	if (n != 1 || insn->size != fault->length)
		fail_msg("%s: %s+%#x: \"%s\" is no instruction", m->image->name, fault->function,
			 fault->function_offset, fault->after);
	cs_free(insn, n);
}

static void check_plan(const struct module *m, struct replug_injection_options options)
{
	struct replug_injection_plan *plan = NULL, *again = NULL;
	struct replug_error error = {0};
	char *text, *text_again;

	if (replug_injection_plan_new(m->sites, &options, &plan, &error))
		fail_msg("%s", error.text);
	assert_int_equal(plan->n_injections, options.n);
	for (size_t i = 0; i < plan->n_injections; i++) {
		const struct replug_injection *a = &plan->injections[i];

		check_fault(m, a);
		for (size_t k = 0; k < i; k++) {
			const struct replug_injection *b = &plan->injections[k];

			if (str_eq(a->section, b->section))
				assert_true(a->offset + a->length <= b->offset ||
					    b->offset + b->length <= a->offset);
		}
	}
	text = replug_injection_plan_format(plan);
	if (replug_injection_plan_parse("plan", text, strlen(text), &again, &error))
		fail_msg("%s", error.text);
	text_again = replug_injection_plan_format(again);
	assert_string_equal(text, text_again);
	free(text);
	free(text_again);
	replug_injection_plan_free(plan);
	replug_injection_plan_free(again);
}

/* FNV-1a */
static uint64_t hash_text(uint64_t hash, const char *text)
{
	for (; *text; text++)
		hash = (hash ^ (uint8_t)*text) * UINT64_C(0x100000001b3);
	return hash;
}

static uint64_t hash_plans(const struct module *m)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	for (uint64_t seed = 1; seed <= GOLDEN_SEEDS; seed++) {
		const struct replug_injection_options options[] = {
			{.seed = seed, .n = 5},
			{.seed = seed, .n = 5, .preset = "nooks"},
			{.seed = seed, .n = 1, .classes = "leak,alloc,nolock,nounlock,override"},
		};

		for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
			struct replug_injection_plan *plan = NULL;
			char *text;

			assert_int_equal(
				replug_injection_plan_new(m->sites, &options[i], &plan, NULL), 0);
			text = replug_injection_plan_format(plan);
			hash = hash_text(hash, text);
			free(text);
			replug_injection_plan_free(plan);
		}
	}
	return hash;
}

/* Whatever is added to the classes: campaigns are told by their seeds. */
static void check_seeds(const struct module *m)
{
	const char *id = replug_text_build_id(m->text);
	FILE *golden = fopen(GOLDEN, "r");
	char line[256], known[64];
	uint64_t before, hash;

	assert_non_null(golden);
	while (fgets(line, sizeof(line), golden)) {
		if (sscanf(line, "%63s %" SCNx64, known, &before) != 2 || !str_eq(known, id))
			continue;
		fclose(golden);
		hash = hash_plans(m);
		if (hash != before)
			fail_msg("seeds of %s, build %s, mean something else than before: "
				 "%016" PRIx64 ", not %016" PRIx64,
				 m->image->name, id, hash, before);
		return;
	}
	fclose(golden);
	print_message("%s of build %s is not in " GOLDEN ": %016" PRIx64 "\n", m->image->name, id,
		      hash_plans(m));
}

static void check_module(const char *kernel, const char *name)
{
	const struct replug_injection_class *class;
	struct module m;

	if (!open_module(kernel, name, &m)) {
		print_message("no %s of kernel %s\n", name, kernel);
		skip();
		return;
	}
	check_text(&m);
	check_seeds(&m);
	for (uint64_t seed = 0; seed < SEEDS; seed++) {
		check_plan(&m, (struct replug_injection_options){.seed = seed, .n = 5});
		check_plan(&m, (struct replug_injection_options){
				       .seed = seed, .n = 5, .preset = "nooks"});
	}
	/* Each class by itself has what a mistake of that kind needs, in every one of these. */
	for (size_t i = 0; (class = replug_injection_class(i)); i++) {
		assert_true(replug_sites_count(m.sites, i) > 0);
		if (class->kind != REPLUG_INJECT_TEXT)
			continue;
		for (uint64_t seed = 0; seed < SEEDS; seed++)
			check_plan(&m, (struct replug_injection_options){
					       .seed = seed, .n = 1, .classes = class->name});
	}
	close_module(&m);
}

static void assert_same_code(const struct text_section *stock, const struct text_section *armed)
{
	assert_string_equal(stock->name, armed->name);
	assert_int_equal(stock->size, armed->size);
	assert_int_equal(stock->n_instructions, armed->n_instructions);
	for (size_t i = 0; i < stock->n_instructions; i++) {
		assert_int_equal(stock->instructions[i].offset, armed->instructions[i].offset);
		assert_int_equal(stock->instructions[i].kept, armed->instructions[i].kept);
	}
	for (size_t i = 0; i < stock->size; i++) {
		assert_int_equal(stock->marks[i], armed->marks[i]);
		if (!(stock->marks[i] & TEXT_LOADER))
			assert_int_equal(stock->bytes[i], armed->bytes[i]);
	}
}

/* So that what was planned for the one can be planted into the other. */
static void check_armed(const char *kernel, const char *name)
{
	static const uint32_t twin_crcs[REPLUG_ARM_TWINS];
	struct replug_arm_options options = {.twin_crcs = twin_crcs};
	struct replug_injection_plan *plan = NULL;
	struct replug_image *armed = NULL;
	struct replug_text *text = NULL;
	struct replug_error error = {0};
	struct module m;
	char path[64];

	snprintf(path, sizeof(path), "build/kernels/%s/headers/vmlinux", kernel);
	options.types = btf__parse(path, NULL);
	if (!options.types || !open_module(kernel, name, &m)) {
		print_message("no %s or types of kernel %s\n", name, kernel);
		btf__free(options.types);
		skip();
		return;
	}
	if (replug_image_arm(m.image, &options, &armed, &error) ||
	    replug_text_new(armed, false, &text, &error))
		fail_msg("%s", error.text);
	assert_int_equal(m.text->n_sections, text->n_sections);
	for (size_t i = 0; i < text->n_sections; i++)
		assert_same_code(&m.text->sections[i], &text->sections[i]);
	assert_int_equal(replug_injection_plan_new(m.sites,
						   &(struct replug_injection_options){.n = 1},
						   &plan, &error),
			 0);
	assert_int_equal(replug_injection_plan_check(plan, replug_text_driver(text),
						     replug_text_build_id(text), &error),
			 0);
	replug_injection_plan_free(plan);
	replug_text_free(text);
	replug_image_free(armed);
	close_module(&m);
	btf__free(options.types);
}

static void test_armed_images_have_the_same_code(void **state)
{
	check_armed("6.1", "e1000.ko");
	check_armed("6.1", "pcnet32.ko");
	check_armed("6.1", "virtio_net.ko");
	check_armed("6.1", "8139cp.ko");
	check_armed("6.12", "e1000.ko");
	check_armed("6.12", "pcnet32.ko");
	check_armed("6.12", "virtio_net.ko");
	check_armed("6.12", "8139cp.ko");
}

#define TEST(name, kernel, file)                                                                   \
	static void name(void **state)                                                             \
	{                                                                                          \
		check_module(kernel, file);                                                        \
	}

TEST(test_e1000_of_6_1, "6.1", "e1000.ko")
TEST(test_pcnet32_of_6_1, "6.1", "pcnet32.ko")
TEST(test_virtio_net_of_6_1, "6.1", "virtio_net.ko")
TEST(test_8139cp_of_6_1, "6.1", "8139cp.ko")
TEST(test_e1000_of_6_12, "6.12", "e1000.ko")
TEST(test_pcnet32_of_6_12, "6.12", "pcnet32.ko")
TEST(test_virtio_net_of_6_12, "6.12", "virtio_net.ko")
TEST(test_8139cp_of_6_12, "6.12", "8139cp.ko")

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_e1000_of_6_1),
		cmocka_unit_test(test_pcnet32_of_6_1),
		cmocka_unit_test(test_virtio_net_of_6_1),
		cmocka_unit_test(test_8139cp_of_6_1),
		cmocka_unit_test(test_e1000_of_6_12),
		cmocka_unit_test(test_pcnet32_of_6_12),
		cmocka_unit_test(test_virtio_net_of_6_12),
		cmocka_unit_test(test_8139cp_of_6_12),
		cmocka_unit_test(test_armed_images_have_the_same_code),
	};

	libbpf_set_print(NULL);
	return cmocka_run_group_tests_name("mutate_stock", tests, NULL, NULL);
}
