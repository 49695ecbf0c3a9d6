// SPDX-License-Identifier: GPL-2.0
/* Looks up the running kernel's symbols and exports. */
#include <linux/err.h>
#include <linux/kallsyms.h>
#include <linux/kprobes.h>
#include <linux/module.h>
#include <linux/preempt.h>
#include <linux/string.h>
#include <asm/ibt.h>

#include "shadow.h"

/* kernel/module/internal.h, the same in 6.1 and 6.12: the argument of find_symbol(). */
struct find_symbol_arg {
	const char *name;
	bool gplok;
	bool warn;

	struct module *owner;
	const s32 *crc;
	const struct kernel_symbol *sym;
	enum {
		SYMBOL_NOT_GPL_ONLY,
		SYMBOL_GPL_ONLY
	} license;
};

static unsigned long (*lookup_name)(const char *name);
static bool (*find_symbol_fn)(struct find_symbol_arg *arg);
static struct module *(*find_module_fn)(const char *name);

unsigned long ksym_lookup(const char *name)
{
	return lookup_name(name);
}

int ksym_export(struct recov_symbol *symbol)
{
	struct find_symbol_arg arg = {.name = symbol->name, .gplok = true};
	int err = -ENOENT;

	symbol->owner[0] = '\0';
	symbol->crc = 0;
	symbol->flags = 0;
	preempt_disable(); /* find_symbol() walks the module list under it */
	if (find_symbol_fn(&arg)) {
		if (arg.owner)
			strscpy(symbol->owner, arg.owner->name, sizeof(symbol->owner));
		if (arg.crc) {
			symbol->crc = *arg.crc;
			symbol->flags |= RECOV_SYMBOL_HAS_CRC;
		}
		if (arg.license == SYMBOL_GPL_ONLY)
			symbol->flags |= RECOV_SYMBOL_GPL;
		err = 0;
	}
	preempt_enable();
	return err;
}

bool ksym_module_loaded(const char *name)
{
	bool loaded;

	preempt_disable();
	loaded = find_module_fn(name) != NULL;
	preempt_enable();
	return loaded;
}

struct module *ksym_module_get(const char *name)
{
	struct module *module;

	preempt_disable();
	module = find_module_fn(name);
	if (!module)
		module = ERR_PTR(-ENOENT);
	else if (READ_ONCE(module->state) != MODULE_STATE_LIVE || !try_module_get(module))
		module = ERR_PTR(-EBUSY);
	preempt_enable();
	return module;
}

int __init ksym_init(void)
{
	/* kallsyms_lookup_name() lost its export in 5.7 (0bd476e6c671); a kprobe finds it. */
	struct kprobe probe = {.symbol_name = "kallsyms_lookup_name"};
	unsigned long addr;
	int err;

	err = register_kprobe(&probe);
	if (err)
		return err;
	addr = (unsigned long)probe.addr;
	unregister_kprobe(&probe);
#ifdef CONFIG_X86_KERNEL_IBT
	/* The probe sits behind ENDBR; an indirect call has to land on it. */
	if (is_endbr(*(u32 *)(addr - 4)))
		addr -= 4;
#endif
	lookup_name = (void *)addr;

	find_symbol_fn = (void *)lookup_name("find_symbol");
	find_module_fn = (void *)lookup_name("find_module");
	if (!find_symbol_fn || !find_module_fn) {
		pr_err("recov_shadow: this kernel has no find_symbol or find_module\n");
		return -EOPNOTSUPP;
	}
	return 0;
}
