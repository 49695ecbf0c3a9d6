/* SPDX-License-Identifier: GPL-2.0 */
/* Where 6.1 and 6.12 differ for taps. */
#ifndef TAP_COMPAT_H
#define TAP_COMPAT_H

#include <linux/version.h>

/* Until 6.2 (64701838bf05, "x86/percpu: Move preempt_count next to current_task") variables of
 * their own, then the first two fields of pcpu_hot. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 2, 0)
#define TAP_CURRENT	  current_task
#define TAP_PREEMPT_COUNT __preempt_count
#else
#define TAP_CURRENT	  pcpu_hot
#define TAP_PREEMPT_COUNT pcpu_hot + 8
#endif

/* Since 6.4 (fb799447ae29, "x86,objtool: Split UNWIND_HINT_EMPTY in two"). */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 4, 0)
#define TAP_HINT_UNDEFINED UNWIND_HINT_EMPTY
#else
#define TAP_HINT_UNDEFINED UNWIND_HINT_UNDEFINED
#endif

#ifndef __ASSEMBLY__

#include <linux/module.h>
#include <linux/percpu.h>
#include <asm/processor.h>

#include "shadow.h"

/* Where each CPU has the address of the last word of its stack for interrupts. Until 6.2
 * (d7b6d709a76a, "x86/percpu: Move irq_stack variables next to current_task") not exported. NULL: it
 * has not been found. May sleep. */
static inline void *__percpu *tap_irq_stack(void)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 2, 0)
	return (void *__percpu *)ksym_lookup("hardirq_stack_ptr");
#else
	return &pcpu_hot.hardirq_stack_ptr;
#endif
}

/* Since 6.4 (ac3b43283923, "module: replace module_layout with module_memory"). */
static inline void tap_module_text(const struct module *module, unsigned long *ret_text,
				   unsigned long *ret_size)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 4, 0)
	*ret_text = (unsigned long)module->core_layout.base;
	*ret_size = module->core_layout.text_size;
#else
	*ret_text = (unsigned long)module->mem[MOD_TEXT].base;
	*ret_size = module->mem[MOD_TEXT].size;
#endif
}

#endif /* !__ASSEMBLY__ */

#endif /* TAP_COMPAT_H */
