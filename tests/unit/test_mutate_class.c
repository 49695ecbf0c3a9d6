// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What each class of faults makes of single instructions.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "mutate_fixture.h"
#include "mutate_sites.h"

#define CALL_OF(name)                                                                              \
	{                                                                                          \
		1, name, R_X86_64_PLT32                                                            \
	}

/* What comes out of the instruction at at (or the first) by each of its variants: "0:6690 3:6691". */
struct piece {
	const char *class, *code;
	size_t at;
	struct piece_reloc reloc; /* symbol NULL: none */
	const char *becomes;
};

static const struct mutation_class *class_named(const char *name)
{
	for (size_t i = 0; i < n_mutation_classes; i++)
		if (str_eq(mutation_classes[i].is.name, name))
			return &mutation_classes[i];
	fail_msg("no class %s", name);
	return NULL;
}

static void print_variants(const struct mutation *m, const struct mutation_class *class, char *out)
{
	unsigned n = class->variants(m);

	*out = '\0';
	for (unsigned i = 0; i < n; i++) {
		uint8_t new[REPLUG_INSTRUCTION_MAX];
		uint16_t loader;

		if (!mutation_apply(m, class, i, new, &loader))
			continue;
		out += sprintf(out, "%s%u:", i && out[-1] ? " " : "", i);
		for (size_t k = 0; k < m->at->length; k++)
			out += loader & 1 << k ? sprintf(out, "??") : sprintf(out, "%02x", new[k]);
	}
}

static void assert_becomes(const struct piece *piece)
{
	struct taken taken =
		take(build_driver(piece->code, &piece->reloc, piece->reloc.symbol != NULL), false);
	struct replug_sites *sites = NULL;
	char found[4096] = "";
	struct mutation m;
	uint32_t place = 0;

	assert_int_equal(replug_sites_new(taken.text, NULL, &sites, NULL), 0);
	do
		assert_true(sites_mutation(sites, place++, &m));
	while (m.at->offset < piece->at);
	assert_int_equal(m.at->offset, piece->at);
	/* One character before, so that what is first is told from what follows. */
	print_variants(&m, class_named(piece->class), found + 1);
	if (strcmp(found + 1, piece->becomes) != 0)
		fail_msg("%s of %s becomes \"%s\", not \"%s\"", piece->class, piece->code,
			 found + 1, piece->becomes);
	replug_sites_free(sites);
	give_back(&taken);
}

#define assert_all_become(pieces)                                                                  \
	for (size_t i_ = 0; i_ < ARRAY_SIZE(pieces); i_++)                                         \
	assert_becomes(&(pieces)[i_])

static void test_init_drops_first_values(void **state)
{
	static const struct piece pieces[] = {
		{"init", "48895c2408", .becomes = "0:0f1f440000"}, /* mov [rsp+8], rbx */
		{"init", "48895d08", .becomes = "0:0f1f4000"},	   /* mov [rbp+8], rbx */
		{"init", "c744240400000000", .becomes = "0:0f1f840000000000"},
		{"init", "31c0", .becomes = "0:6690"}, /* xor eax, eax */
		{"init", "bf01000000", .becomes = "0:0f1f440000"},
		{"init", "48b80000000000000000", .becomes = "0:66660f1f840000000000"},
		{"init", "31d8", .becomes = ""},     /* xor eax, ebx */
		{"init", "48895f08", .becomes = ""}, /* mov [rdi+8], rbx */
		{"init", "4889d8", .becomes = ""},
		{"init", "48c7c700000000", 0, {3, "jiffies", R_X86_64_32S}, "0:0f1f8000000000"},
	};

	assert_all_become(pieces);
}

static void test_nop_drops_any_instruction_but_those_that_do_nothing(void **state)
{
	static const struct piece pieces[] = {
		{"nop", "c3", .becomes = "0:90"},
		{"nop", "4889d8", .becomes = "0:0f1f00"},
		{"nop", "e800000000", 0, CALL_OF("printk"), "0:0f1f440000"},
		{"nop", "90", .becomes = ""},
		{"nop", "0f1f440000", .becomes = ""},
	};

	assert_all_become(pieces);
}

static void test_src_and_dst_name_another_register(void **state)
{
	static const struct piece pieces[] = {
		/* mov rax, rbx, by either opcode */
		{"src", "4889d8", .becomes = "3:4889d0 4:4889c8 5:4889f8"},
		{"dst", "4889d8", .becomes = "0:4889d9 1:4889da 2:4889dc"},
		{"src", "488bc3", .becomes = "0:488bc2 1:488bc1 2:488bc7"},
		{"dst", "488bc3", .becomes = "3:488bcb 4:488bd3 5:488be3"},
		/* cmp eax, ebx has two sources */
		{"src", "39d8", .becomes = "0:39d9 1:39da 2:39dc 3:39d0 4:39c8 5:39f8"},
		{"dst", "39d8", .becomes = ""},
		/* mov rax, [rbx] and mov [rbx], rax: what names the address stays */
		{"src", "488b03", .becomes = ""},
		{"dst", "488b03", .becomes = "3:488b0b 4:488b13 5:488b23"},
		{"src", "488903", .becomes = "3:48890b 4:488913 5:488923"},
		{"dst", "488903", .becomes = ""},
		/* add ebx, 1: the field of the opcode stays */
		{"dst", "83c301", .becomes = "0:83c201 1:83c101 2:83c701"},
		{"src", "83c301", .becomes = ""},
		/* no ModRM, and no operand to speak of */
		{"dst", "bf01000000", .becomes = ""},
		{"src", "0f1f440000", .becomes = ""},
		/* the loader writes the very byte, which no compiler would have it do */
		{"src", "4889d8 90909090", 0, {2, "jiffies", R_X86_64_32S}, ""},
		/* mov rbx, [rip + jiffies]: the loader's bytes stay */
		{"dst",
		 "488b1d00000000",
		 0,
		 {3, "jiffies", R_X86_64_PC32},
		 "3:488b15???????? 4:488b0d???????? 5:488b3d????????"},
	};

	assert_all_become(pieces);
}

static void test_ptr_computes_another_address(void **state)
{
	static const struct piece pieces[] = {
		{"ptr", "488b03", .becomes = "0:488b02 1:488b01 2:488b07"},
		/* not what would take a SIB byte, or drop it */
		{"ptr", "488b00", .becomes = "0:488b01 1:488b02"},
		{"ptr", "488b4310",
		 .becomes = "0:488b4210 1:488b4110 2:488b4710 11:488b4311 12:488b4312 "
			    "13:488b4314 14:488b4318 15:488b4300 16:488b4330 17:488b4350 "
			    "18:488b4390"},
		/* mov eax, [rbx + rcx]; not a base of rbp, which would take a displacement */
		{"ptr", "8b040b",
		 .becomes = "3:8b040a 4:8b0409 5:8b040f 6:8b0403 7:8b041b 8:8b042b 9:8b044b "
			    "10:8b048b"},
		{"ptr", "488b442408", .becomes = ""}, /* [rsp + 8] */
		{"ptr", "488b4508", .becomes = ""},   /* [rbp + 8] */
		{"ptr", "488b0500000000", .becomes = ""},
		{"ptr", "65488b042528000000", .becomes = ""}, /* gs:[0x28] */
		{"ptr", "f348ab", .becomes = ""},	      /* rep stosq */
		{"ptr", "0f1f4000", .becomes = ""},	      /* nop [rax] */
		/* mov rax, [rbx + table]: the displacement is the loader's */
		{"ptr",
		 "488b8300000000",
		 0,
		 {3, "table", R_X86_64_32S},
		 "0:488b82???????? 1:488b81???????? 2:488b87????????"},
	};

	assert_all_become(pieces);
}

static void test_all_bits_of_a_long_displacement_count(void **state)
{
	/* mov word ptr [rbx + 0x1234], ax: the prefix is of the operand, not of the address. */
	struct taken taken = take(build_driver("66898334120000", NULL, 0), false);
	struct replug_sites *sites = NULL;
	struct mutation m;

	assert_int_equal(replug_sites_new(taken.text, NULL, &sites, NULL), 0);
	assert_true(sites_mutation(sites, 0, &m));
	assert_int_equal(pointer_variants(&m), 3 + 8 + 32);
	replug_sites_free(sites);
	give_back(&taken);
}

/* What is behind the instruction belongs to somebody else. */
static void test_no_variant_writes_beyond_the_instruction(void **state)
{
	/* mov [rbx], rax, as long as an instruction can be: its ModRM byte is the last one. */
	struct taken taken = take(build_driver("666666666666666666666666 488903", NULL, 0), false);
	struct replug_sites *sites = NULL;
	struct mutation m;

	assert_int_equal(replug_sites_new(taken.text, NULL, &sites, NULL), 0);
	assert_true(sites_mutation(sites, 0, &m));
	assert_int_equal(m.at->length, REPLUG_INSTRUCTION_MAX);
	for (size_t i = 0; i < n_mutation_classes; i++) {
		const struct mutation_class *class = &mutation_classes[i];

		for (unsigned k = 0; class->change && k < class->variants(&m); k++) {
			uint8_t bytes[REPLUG_INSTRUCTION_MAX + 8] = {0};

			memcpy(bytes, m.bytes, m.at->length);
			(void)class->change(&m, k, bytes);
			for (size_t b = REPLUG_INSTRUCTION_MAX; b < sizeof(bytes); b++)
				if (bytes[b])
					fail_msg("%s, variant %u, writes byte %zu", class->is.name,
						 k, b);
		}
	}
	replug_sites_free(sites);
	give_back(&taken);
}

static void test_conditions_are_dropped_inverted_and_missed_by_one(void **state)
{
	static const struct piece pieces[] = {
		{"branch", "740090", .becomes = "0:6690"},
		{"branch", "0f840000000090", .becomes = "0:660f1f440000"},
		{"branch", "eb0090", .becomes = ""},
		{"branch", "e30090", .becomes = ""}, /* jrcxz */
		{"invert", "740090", .becomes = "0:7500"},
		{"invert", "7500", .becomes = "0:7400"},
		{"invert", "0f8c00000000", .becomes = "0:0f8d00000000"},
		{"invert", "0f8c00000000", 0, {2, "elsewhere", R_X86_64_PC32}, "0:0f8d????????"},
		{"loop", "9075fd", 1, .becomes = "0:74fd"},
		{"loop", "900f8cf9ffffff", 1, .becomes = "0:0f8df9ffffff"},
		{"loop", "9075fe", 1, .becomes = ""}, /* to itself */
		{"loop", "750090", .becomes = ""},
		{"loop", "90ebfd", 1, .becomes = ""},
		{"loop", "900f8500000000", 1, {3, "elsewhere", R_X86_64_PC32}, ""},
		{"obo", "7200", .becomes = "0:7600"},
		{"obo", "7600", .becomes = "0:7200"},
		{"obo", "7300", .becomes = "0:7700"},
		{"obo", "7700", .becomes = "0:7300"},
		{"obo", "7c00", .becomes = "0:7e00"},
		{"obo", "7e00", .becomes = "0:7c00"},
		{"obo", "7d00", .becomes = "0:7f00"},
		{"obo", "0f8f00000000", .becomes = "0:0f8d00000000"},
		{"obo", "7400", .becomes = ""},
		{"obo", "7800", .becomes = ""},
		{"obo", "83f805", .becomes = "0:83f806 1:83f804"},
		{"obo", "3c05", .becomes = "0:3c06 1:3c04"},
		{"obo", "83f87f", .becomes = "1:83f87e"},
		{"obo", "83f880", .becomes = "0:83f881"},
		{"obo", "3d05000000", .becomes = ""},
		{"obo", "83c005", .becomes = ""}, /* add */
	};

	assert_all_become(pieces);
}

static void test_interface_drops_arguments(void **state)
{
	static const struct piece pieces[] = {
		{"interface", "bf01000000 e800000000", .becomes = "0:0f1f440000"},
		{"interface", "4c89e6 ffd0", .becomes = "0:0f1f00"}, /* mov rsi, r12; call rax */
		/* eight instructions before the call, and nine */
		{"interface", "31ff 50505050505050 e800000000", .becomes = "0:6690"},
		{"interface", "31ff 5050505050505050 e800000000", .becomes = ""},
		/* a branch between, another value, no argument, no call */
		{"interface", "bf01000000 7400 e800000000", .becomes = ""},
		{"interface", "bf01000000 c3 e800000000", .becomes = ""},
		{"interface", "bf01000000 31ff e800000000", .becomes = ""},
		{"interface", "bb01000000 e800000000", .becomes = ""},
		{"interface", "bf01000000", .becomes = ""},
		/* cmp edi, 1 only reads it */
		{"interface", "83ff01 e800000000", .becomes = ""},
	};

	assert_all_become(pieces);
}

static void test_text_flips_any_bit_but_the_loaders(void **state)
{
	static const struct piece pieces[] = {
		{"text", "90", .becomes = "0:91 1:92 2:94 3:98 4:80 5:b0 6:d0 7:10"},
		/* not to a breakpoint */
		{"text", "cd80",
		 .becomes = "1:cf80 2:c980 3:c580 4:dd80 5:ed80 6:8d80 7:4d80 8:cd81 9:cd82 "
			    "10:cd84 11:cd88 12:cd90 13:cda0 14:cdc0 15:cd00"},
		{"text", "e800000000", 0, CALL_OF("printk"),
		 "0:e9???????? 1:ea???????? 2:ec???????? 3:e0???????? 4:f8???????? 5:c8???????? "
		 "6:a8???????? 7:68????????"},
	};

	assert_all_become(pieces);
}

static void test_calls_are_told_by_what_they_call(void **state)
{
	static const struct piece pieces[] = {
		{"leak", "e800000000", 0, CALL_OF("kfree"), "0:0f1f440000"},
		{"leak", "e800000000", 0, CALL_OF("__dev_kfree_skb_any"), "0:0f1f440000"},
		{"leak", "e800000000", 0, CALL_OF("dma_unmap_page_attrs"), "0:0f1f440000"},
		{"leak", "e800000000", 0, CALL_OF("put_device"), "0:0f1f440000"},
		{"leak", "e800000000", 0, CALL_OF("scsi_dma_unmap"), "0:0f1f440000"},
		{"leak", "e800000000", 0, CALL_OF("printk"), ""},
		{"leak", "e800000000", .becomes = ""},
		{"leak", "e900000000", 0, CALL_OF("kfree"), ""}, /* a tail call */
		{"alloc", "e800000000", 0, CALL_OF("__kmalloc"), "0:b800000000"},
		{"alloc", "e800000000", 0, CALL_OF("kmalloc_trace"), "0:b800000000"},
		{"alloc", "e800000000", 0, CALL_OF("__kmalloc_cache_noprof"), "0:b800000000"},
		{"alloc", "e800000000", 0, CALL_OF("napi_alloc_skb"), "0:b800000000"},
		{"alloc", "e800000000", 0, CALL_OF("scsi_host_alloc"), "0:b800000000"},
		{"alloc", "e800000000", 0, CALL_OF("get_free_pages_noprof"), "0:b800000000"},
		{"alloc", "e800000000", 0, CALL_OF("devm_kstrdup"), "0:b800000000"},
		{"alloc", "e800000000", 0, CALL_OF("kfree"), ""},
		/* these tell by an error pointer, or a number */
		{"alloc", "e800000000", 0, CALL_OF("memdup_user"), ""},
		{"alloc", "e800000000", 0, CALL_OF("snd_pcm_new"), ""},
		{"nolock", "e800000000", 0, CALL_OF("_raw_spin_lock_irqsave"), "0:0f1f440000"},
		{"nolock", "e800000000", 0, CALL_OF("rtnl_lock"), "0:0f1f440000"},
		{"nolock", "e800000000", 0, CALL_OF("down"), "0:0f1f440000"},
		{"nolock", "e800000000", 0, CALL_OF("mutex_unlock"), ""},
		{"nolock", "e800000000", 0, CALL_OF("_raw_spin_trylock"), ""},
		{"nounlock", "e800000000", 0, CALL_OF("_raw_spin_unlock"), "0:0f1f440000"},
		{"nounlock", "e800000000", 0, CALL_OF("mutex_unlock"), "0:0f1f440000"},
		{"nounlock", "e800000000", 0, CALL_OF("up"), "0:0f1f440000"},
		{"nounlock", "e800000000", 0, CALL_OF("release_sock"), "0:0f1f440000"},
		{"nounlock", "e800000000", 0, CALL_OF("mutex_lock"), ""},
	};

	assert_all_become(pieces);
}

static void test_failures_of_calls_have_values(void **state)
{
	static const struct {
		const char *import;
		int64_t result;
	} calls[] = {
		{"__kmalloc", 0},
		{"request_threaded_irq", -EBUSY},
		{"dma_map_page_attrs", -1},
		{"register_netdev", -ENOMEM},
	};

	for (size_t i = 0; i <= ARRAY_SIZE(calls); i++) {
		const bool known = i < ARRAY_SIZE(calls);
		const struct piece_reloc reloc = CALL_OF(known ? calls[i].import : "printk");
		struct taken taken = take(build_driver("e800000000", &reloc, 1), false);
		struct replug_sites *sites = NULL;
		struct mutation m;
		int64_t result = 1;

		assert_int_equal(replug_sites_new(taken.text, NULL, &sites, NULL), 0);
		assert_true(sites_mutation(sites, 0, &m));
		if (known) {
			assert_string_equal(mutation_failing_call(&m, &result), calls[i].import);
			assert_int_equal(result, calls[i].result);
		} else {
			assert_null(mutation_failing_call(&m, &result));
		}
		replug_sites_free(sites);
		give_back(&taken);
	}
}

static void test_nops_of_every_length_are_one_instruction(void **state)
{
	for (size_t n = 1; n <= REPLUG_INSTRUCTION_MAX; n++) {
		uint8_t bytes[REPLUG_INSTRUCTION_MAX];
		cs_insn *insn;
		csh cs;

		nop_write(bytes, n);
		assert_int_equal(cs_open(CS_ARCH_X86, CS_MODE_64, &cs), CS_ERR_OK);
		assert_int_equal(cs_disasm(cs, bytes, n, 0, 1, &insn), 1);
		assert_int_equal(insn->size, n);
		assert_int_equal(insn->id, X86_INS_NOP);
		cs_free(insn, 1);
		cs_close(&cs);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_init_drops_first_values),
		cmocka_unit_test(test_nop_drops_any_instruction_but_those_that_do_nothing),
		cmocka_unit_test(test_src_and_dst_name_another_register),
		cmocka_unit_test(test_ptr_computes_another_address),
		cmocka_unit_test(test_all_bits_of_a_long_displacement_count),
		cmocka_unit_test(test_no_variant_writes_beyond_the_instruction),
		cmocka_unit_test(test_conditions_are_dropped_inverted_and_missed_by_one),
		cmocka_unit_test(test_interface_drops_arguments),
		cmocka_unit_test(test_text_flips_any_bit_but_the_loaders),
		cmocka_unit_test(test_calls_are_told_by_what_they_call),
		cmocka_unit_test(test_failures_of_calls_have_values),
		cmocka_unit_test(test_nops_of_every_length_are_one_instruction),
	};

	return cmocka_run_group_tests_name("mutate_class", tests, NULL, NULL);
}
