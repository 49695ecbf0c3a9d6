// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The private area an image's driver will ask a core allocator for, read out of its code.
 */
#include <capstone/capstone.h>
#include <string.h>

#include "image.h"

/* The core allocators of objects with a private area, and the argument that is its size. What
 * drivers write (alloc_etherdev() and the like) are macros over these. */
static const struct allocator {
	const char *name;
	uint8_t arg;
} allocators[] = {
	{"alloc_etherdev_mqs", 0},
	{"alloc_netdev_mqs", 0},
	{"devm_alloc_etherdev_mqs", 1},
};

/* Bytes decoded, relocations and symbols looked at. Real images stay far below: their functions and
 * tables follow each other. In a hostile one all may overlap. */
#define BUDGET ((size_t)64 << 20)

/* A relocation of the section being searched. */
struct reloc {
	uint64_t offset;
	const struct allocator *allocator; /* NULL: of something else */
	size_t next_call;		   /* index of the next of an allocator, this included */
	bool seen;			   /* as the target of a call that was decoded */
};

/* rdi and rsi, as far as the code in a straight line up to here says. */
struct args {
	uint64_t value[2];
	bool known[2];
};

struct search {
	const struct elf_view *view;
	csh cs;
	cs_insn *insn;
	const struct elf_section *text; /* being searched, and its relocations in order */
	struct reloc *relocs;
	size_t n_relocs;
	size_t budget; /* what is left of it */
	uint64_t largest;
	bool unknown;
};

static void search_end(struct search *s)
{
	free(s->relocs);
	if (s->insn)
		cs_free(s->insn, 1);
	if (s->cs)
		cs_close(&s->cs);
}

static int spend(struct search *s, uint64_t n)
{
	if (s->budget < n)
		return -ENODATA;
	s->budget -= n;
	return 0;
}

static const struct allocator *find_allocator(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(allocators); i++)
		if (str_eq(name, allocators[i].name))
			return &allocators[i];
	return NULL;
}

/* The first relocation in [from, to), or NULL. */
static struct reloc *find_reloc(const struct search *s, uint64_t from, uint64_t to)
{
	size_t low = 0, high = s->n_relocs;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (s->relocs[middle].offset < from)
			low = middle + 1;
		else
			high = middle;
	}
	return low < s->n_relocs && s->relocs[low].offset < to ? &s->relocs[low] : NULL;
}

static int arg_of(unsigned int reg)
{
	switch (reg) {
	case X86_REG_RDI:
	case X86_REG_EDI:
	case X86_REG_DI:
	case X86_REG_DIL:
		return 0;
	case X86_REG_RSI:
	case X86_REG_ESI:
	case X86_REG_SI:
	case X86_REG_SIL:
		return 1;
	default:
		return -1;
	}
}

static void forget(struct args *args)
{
	*args = (struct args){0};
}

/* What an instruction that is no call and no jump leaves in the argument registers. */
static void follow(const struct search *s, struct args *args)
{
	const cs_x86 *x86 = &s->insn->detail->x86;
	const cs_x86_op *to = &x86->operands[0], *from = &x86->operands[1];
	cs_regs read, written;
	uint8_t n_read, n_written;

	if (cs_regs_access(s->cs, s->insn, read, &n_read, written, &n_written) != CS_ERR_OK) {
		forget(args);
		return;
	}
	for (size_t i = 0; i < n_written; i++)
		if (arg_of(written[i]) >= 0)
			args->known[arg_of(written[i])] = false;

	/* Writing the lower half clears the upper one; smaller parts leave the rest as it was. */
	if (x86->op_count != 2 || to->type != X86_OP_REG || arg_of(to->reg) < 0 || to->size < 4)
		return;
	if (s->insn->id == X86_INS_MOV && from->type == X86_OP_IMM) {
		/* A relocation in it would make it an address. */
		if (find_reloc(s, s->insn->address, s->insn->address + s->insn->size))
			return;
		args->value[arg_of(to->reg)] =
			to->size == 4 ? (uint32_t)from->imm : (uint64_t)from->imm;
	} else if (s->insn->id == X86_INS_XOR && from->type == X86_OP_REG && from->reg == to->reg) {
		args->value[arg_of(to->reg)] = 0;
	} else {
		return;
	}
	args->known[arg_of(to->reg)] = true;
}

static bool in_group(const cs_insn *insn, uint8_t group)
{
	for (size_t i = 0; i < insn->detail->groups_count; i++)
		if (insn->detail->groups[i] == group)
			return true;
	return false;
}

static void note_call(struct search *s, struct reloc *reloc, const struct args *args)
{
	uint8_t arg = reloc->allocator->arg;

	reloc->seen = true;
	if (!args->known[arg])
		s->unknown = true;
	else if (args->value[arg] > s->largest)
		s->largest = args->value[arg];
}

/* Marks where in the function its own jumps go. */
static void mark_target(const struct search *s, const struct elf_symbol *function, uint8_t *targets)
{
	const cs_x86_op *op = &s->insn->detail->x86.operands[0];
	uint64_t at;

	if (s->insn->detail->x86.op_count == 0 || op->type != X86_OP_IMM)
		return;
	at = (uint64_t)op->imm - function->value;
	if (at < function->size)
		targets[at] = true;
}

static void step(struct search *s, struct args *args)
{
	struct reloc *reloc = find_reloc(s, s->insn->address, s->insn->address + s->insn->size);
	bool call = in_group(s->insn, CS_GRP_CALL);

	if (in_group(s->insn, CS_GRP_RET)) {
		forget(args);
		return;
	}
	if (!call && !in_group(s->insn, CS_GRP_JUMP)) {
		follow(s, args);
		return;
	}
	if (reloc && reloc->allocator)
		note_call(s, reloc, args);
	/* A callee may change both; what follows a jump is reached from somewhere else. */
	if (call || s->insn->id == X86_INS_JMP)
		forget(args);
}

/* Decodes a function, twice: for where it jumps to, and for the calls. An argument is only known if
 * no jump leads in between its load and the call: compilers load a constant right before it. */
static int search_function(struct search *s, const struct elf_symbol *function)
{
	_cleanup_free_ uint8_t *targets = NULL;
	int r = spend(s, 2 * function->size);

	if (r)
		return r;
	targets = calloc(1, function->size);
	if (!targets)
		return -ENOMEM;

	for (int pass = 0; pass < 2; pass++) {
		const uint8_t *code = s->text->data + function->value;
		uint64_t address = function->value;
		size_t left = function->size;
		struct args args = {0};

		while (left) {
			if (!cs_disasm_iter(s->cs, &code, &left, &address, s->insn)) {
				forget(&args);
				code++;
				address++;
				left--;
				continue;
			}
			if (pass == 0) {
				if (in_group(s->insn, CS_GRP_JUMP))
					mark_target(s, function, targets);
				continue;
			}
			if (targets[s->insn->address - function->value])
				forget(&args);
			step(s, &args);
		}
	}
	return 0;
}

static bool has_call(const struct search *s, const struct elf_symbol *function)
{
	uint64_t end = function->value + function->size;
	const struct reloc *reloc = find_reloc(s, function->value, end);

	return reloc && reloc->next_call < s->n_relocs && s->relocs[reloc->next_call].offset < end;
}

static int search_text(struct search *s, size_t section)
{
	int r = spend(s, s->view->n_symbols);

	for (size_t i = 1; i < s->view->n_symbols && !r; i++) {
		struct elf_symbol symbol;

		if (!elf_view_symbol(s->view, i, &symbol) || symbol.type != STT_FUNC ||
		    symbol.section != section)
			continue;
		if (symbol.value > s->text->size || symbol.size > s->text->size - symbol.value)
			continue;
		if (has_call(s, &symbol))
			r = search_function(s, &symbol);
	}
	if (r)
		return r;

	/* Its address taken, or called outside of any function. */
	for (size_t i = 0; i < s->n_relocs; i++)
		if (s->relocs[i].allocator && !s->relocs[i].seen)
			s->unknown = true;
	return 0;
}

static int compare_relocs(const void *a, const void *b)
{
	const struct reloc *x = a, *y = b;

	return (x->offset > y->offset) - (x->offset < y->offset);
}

/* Fills in s->relocs from a table; *ret_any: one of them is of an allocator. */
static int read_relocs(struct search *s, size_t table, bool *ret_any)
{
	size_t n = elf_view_n_relas(s->view, table);
	bool any = false;
	int r = spend(s, n);

	if (r)
		return r;
	free(s->relocs);
	s->n_relocs = 0;
	s->relocs = calloc(n ? n : 1, sizeof(*s->relocs));
	if (!s->relocs)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		struct reloc reloc = {0};
		struct elf_symbol symbol;
		size_t index;

		if (!elf_view_rela(s->view, table, i, &reloc.offset, &index) ||
		    !elf_view_symbol(s->view, index, &symbol))
			continue;
		if (symbol.section == SHN_UNDEF)
			reloc.allocator = find_allocator(symbol.name);
		any = any || reloc.allocator;
		s->relocs[s->n_relocs++] = reloc;
	}
	*ret_any = any;
	if (!any)
		return 0;

	qsort(s->relocs, s->n_relocs, sizeof(*s->relocs), compare_relocs);
	for (size_t i = s->n_relocs, next = i; i-- > 0;) {
		if (s->relocs[i].allocator)
			next = i;
		s->relocs[i].next_call = next;
	}
	return 0;
}

static int search_begin(struct search *s)
{
	if (cs_open(CS_ARCH_X86, CS_MODE_64, &s->cs) != CS_ERR_OK)
		return -ENOMEM;
	if (cs_option(s->cs, CS_OPT_DETAIL, CS_OPT_ON) != CS_ERR_OK)
		return -ENOSYS;
	s->insn = cs_malloc(s->cs);
	return s->insn ? 0 : -ENOMEM;
}

int replug_image_private_size(const struct replug_image *image, uint32_t *ret_bytes)
{
	_cleanup_(elf_view_close) struct elf_view view = ELF_VIEW_NONE;
	_cleanup_(search_end) struct search s = {.view = &view, .budget = BUDGET};
	const char *reason;
	int r;

	r = elf_view_open(image->bytes, image->elf_size, &view, &reason);
	if (!r)
		r = search_begin(&s);
	for (size_t i = 1; i < view.n_sections && !r; i++) {
		size_t section = view.sections[i].info;
		bool any;

		if (elf_view_n_relas(&view, i) == 0)
			continue;
		s.text = &view.sections[section];
		if (!(s.text->flags & SHF_EXECINSTR) || !s.text->data)
			continue;
		r = read_relocs(&s, i, &any);
		if (!r && any)
			r = search_text(&s, section);
	}
	if (r)
		return r;
	if (s.unknown || s.largest > UINT32_MAX)
		return -ENODATA;
	*ret_bytes = (uint32_t)s.largest;
	return 0;
}
