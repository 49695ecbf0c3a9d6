// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Calls of the image's to functions that it imports: each goes by a stub, which looks at the stack
 * pointer first. The kernel's functions would go on at whatever it leads to.
 */
#include <string.h>

#include "arm.h"
#include "x86.h"

/* The kernel knows these by where the call leads, and puts something else there. */
static bool is_patched(const char *import)
{
	return str_after(import, "__x86_") || str_after(import, "__SCT__") ||
	       str_eq(import, "__fentry__");
}

bool arm_is_call(const struct elf_view *view, const struct elf_section *text,
		 const struct elf_relocation *relocation)
{
	struct elf_symbol symbol;

	return arm_section_kind(text->name, text->flags) == ARM_SECTION_TEXT && text->data &&
	       !str_eq(text->name, ".static_call.text") &&
	       !str_eq(text->name, ".altinstr_replacement") && relocation->type == R_X86_64_PLT32 &&
	       relocation->addend == -4 && text->size >= 4 &&
	       relocation->offset <= text->size - 4 &&
	       x86_is_branch(text->data, relocation->offset) &&
	       elf_view_symbol(view, relocation->symbol, &symbol) && symbol.section == SHN_UNDEF &&
	       *symbol.name && !is_patched(symbol.name);
}

static int add_call(struct arm *arm, size_t section, size_t index, size_t symbol)
{
	if (arm->n_calls == arm->calls_room) {
		size_t room = arm->calls_room ? arm->calls_room * 2 : 256;
		struct arm_call *calls = reallocarray(arm->calls, room, sizeof(*calls));

		if (!calls)
			return -ENOMEM;
		arm->calls = calls;
		arm->calls_room = room;
	}
	if (!arm->stubs[symbol]) {
		arm->uses[REPLUG_ARM_STACKS] = arm->uses[REPLUG_ARM_LOST] = true;
		arm->imports[arm->n_stubs] = symbol;
		arm->stubs[symbol] = ++arm->n_stubs;
	}
	arm->calls[arm->n_calls++] = (struct arm_call){section, index, arm->stubs[symbol] - 1};
	return 0;
}

int arm_calls_find(struct arm *arm)
{
	int r = 0;

	arm->stubs = calloc(arm->view.n_symbols + 1, sizeof(*arm->stubs));
	arm->imports = calloc(arm->view.n_symbols + 1, sizeof(*arm->imports));
	if (!arm->stubs || !arm->imports)
		return -ENOMEM;
	for (size_t i = 1; i < arm->view.n_sections; i++) {
		size_t n = elf_view_n_relas(&arm->view, i);

		for (size_t k = 0; k < n && !r; k++) {
			struct elf_relocation relocation;

			if (elf_view_relocation(&arm->view, i, k, &relocation) &&
			    arm_is_call(&arm->view, &arm->view.sections[arm->headers[i].sh_info],
					&relocation))
				r = add_call(arm, i, k, relocation.symbol);
		}
	}
	return r;
}
