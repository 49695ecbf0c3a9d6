// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What each section of a module means by the functions that it refers to.
 */
#include <string.h>

#include "arm.h"

/* "*" at the end stands for anything. */
static const struct {
	const char *name;
	enum arm_section kind;
} sections[] = {
	/* The linker's and the kernel's own notes of where something is in the text. */
	{"__mcount_loc", ARM_SECTION_SITES},
	{"__patchable_function_entries", ARM_SECTION_SITES},
	{".orc_unwind_ip", ARM_SECTION_SITES},
	{"__jump_table", ARM_SECTION_SITES},
	{".static_call_sites", ARM_SECTION_SITES},
	{".altinstructions", ARM_SECTION_SITES},
	{".parainstructions", ARM_SECTION_SITES},
	{"__ex_table", ARM_SECTION_SITES},
	{"__bug_table", ARM_SECTION_SITES},
	{".return_sites", ARM_SECTION_SITES},
	{".retpoline_sites", ARM_SECTION_SITES},
	{".call_sites", ARM_SECTION_SITES},
	{".ibt_endbr_seal", ARM_SECTION_SITES},
	{".smp_locks", ARM_SECTION_SITES},
	{"__kcrctab*", ARM_SECTION_SITES},
	/* Functions not to be probed, and those that may be made to fail: found by their address. */
	{"_kprobe_blacklist", ARM_SECTION_SITES},
	{"_error_injection_whitelist", ARM_SECTION_SITES},

	{"__ksymtab*", ARM_SECTION_EXPORTS},

	{".rodata*", ARM_SECTION_DATA},
	{".data*", ARM_SECTION_DATA},
	{".ref.data", ARM_SECTION_DATA},
	{".init.data", ARM_SECTION_DATA},
	{".init.rodata", ARM_SECTION_DATA},
	{".exit.data", ARM_SECTION_DATA},
	{".gnu.linkonce.this_module", ARM_SECTION_DATA},
	{"__tracepoints", ARM_SECTION_DATA},
	{"__bpf_raw_tp_map", ARM_SECTION_DATA},
	{"__param", ARM_SECTION_DATA},
	{"_ftrace_events", ARM_SECTION_DATA},
};

static bool matches(const char *name, const char *pattern)
{
	size_t n = strlen(pattern) - 1;

	return pattern[n] == '*' ? !strncmp(name, pattern, n) : str_eq(name, pattern);
}

enum arm_section arm_section_kind(const char *name, uint64_t flags)
{
	if (!(flags & SHF_ALLOC))
		return ARM_SECTION_OTHER;
	for (size_t i = 0; i < ARRAY_SIZE(sections); i++)
		if (matches(name, sections[i].name))
			return sections[i].kind;
	return flags & SHF_EXECINSTR ? ARM_SECTION_TEXT : ARM_SECTION_UNKNOWN;
}

bool arm_is_part(const char *name)
{
	return strstr(name, ".cold") || str_after(name, "__pfx_") || str_after(name, "__cfi_");
}
