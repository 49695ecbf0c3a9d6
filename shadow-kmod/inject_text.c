// SPDX-License-Identifier: GPL-2.0
/*
 * Instructions of a driver are exchanged through a second, writable mapping of its text, while all CPUs
 * stand still. Each begins with a breakpoint: that it is met proves that the instruction is executed,
 * and only then its first byte follows, which is written at once and thus safe to be fetched meanwhile.
 */
#include <linux/bsearch.h>
#include <linux/cpumask.h>
#include <linux/kdebug.h>
#include <linux/mm.h>
#include <linux/notifier.h>
#include <linux/stop_machine.h>
#include <linux/string.h>
#include <linux/vmalloc.h>
#include <asm/processor.h>
#include <asm/sync_core.h>

#include "inject.h"

#define INT3	     0xcc
#define ANSWER_LIMIT (2 * HZ)

static u8 *alias_of(const struct inject *inject, const struct recov_inject_site *site)
{
	return inject->alias + (site->address - inject->text);
}

/* ---- when one is met ---- */

static int compare_site(const void *address, const void *site)
{
	u64 wanted = *(const u64 *)address, is = ((const struct recov_inject_site *)site)->address;

	return wanted < is ? -1 : wanted > is;
}

static bool on_breakpoint(struct pt_regs *regs)
{
	u64 address = regs->ip - 1;
	struct inject *inject = inject_find_text(address);
	const struct recov_inject_site *site;
	u32 index;

	if (!inject)
		return false;
	site = bsearch(&address, inject->sites, inject->n_sites, sizeof(*site), compare_site);
	if (!site)
		return false;
	index = site - inject->sites;
	/* The instruction that was put there may be a breakpoint itself. */
	if (site->new_bytes[0] == INT3 && inject->hits[index].time_ns)
		return false;
	/* Also when another CPU has done so meanwhile: an emulated one may go on with what it has
	 * translated before, until it is written again. */
	WRITE_ONCE(*alias_of(inject, site), site->new_bytes[0]);
	inject_hit(inject, index);
	regs->ip = address;
	return true;
}

/* Under rcu_read_lock(), with interrupts off: the machine can't be stopped meanwhile. */
static int on_die(struct notifier_block *block, unsigned long event, void *data)
{
	const struct die_args *args = data;

	if (event != DIE_INT3 || user_mode(args->regs))
		return NOTIFY_DONE;
	return on_breakpoint(args->regs) ? NOTIFY_STOP : NOTIFY_DONE;
}

static struct notifier_block die_block = {.notifier_call = on_die};

/* ---- while all CPUs stand still ---- */

struct poke {
	struct inject *inject;
	int (*write)(struct inject *inject);
	atomic_t n_cpus; /* that have come */
	bool written;
	int err;
};

static int poke_cpu(void *data)
{
	struct poke *poke = data;

	if (atomic_inc_return(&poke->n_cpus) == 1) {
		poke->err = poke->write(poke->inject);
		smp_store_release(&poke->written, true);
	} else {
		/* No longer than it takes to write so many sites, with interrupts off. */
		while (!smp_load_acquire(&poke->written))
			cpu_relax();
	}
	sync_core();
	return 0;
}

static DEFINE_PER_CPU(struct work_struct, answer_works);
static atomic_t n_unanswered;
static DECLARE_COMPLETION(all_answered);

static void answer(struct work_struct *work)
{
	if (atomic_dec_and_test(&n_unanswered))
		complete(&all_answered);
}

/* Does each CPU get to its tasks? stop_machine() would wait for one that does not, and all others with
 * it, for good. */
static int ask_cpus(void)
{
	unsigned int cpu;
	long left;

	cpus_read_lock();
	reinit_completion(&all_answered);
	atomic_set(&n_unanswered, num_online_cpus());
	for_each_online_cpu(cpu) {
		struct work_struct *work = per_cpu_ptr(&answer_works, cpu);

		INIT_WORK(work, answer);
		schedule_work_on(cpu, work);
	}
	left = wait_for_completion_timeout(&all_answered, ANSWER_LIMIT);
	for_each_online_cpu(cpu)
		cancel_work_sync(per_cpu_ptr(&answer_works, cpu));
	cpus_read_unlock();
	return left ? 0 : -ETIMEDOUT;
}

static int poke_run(struct inject *inject, int (*write)(struct inject *inject))
{
	struct poke poke = {.inject = inject, .write = write};
	int err = ask_cpus();

	if (!err)
		err = stop_machine(poke_cpu, &poke, cpu_online_mask);
	return err ? err : poke.err;
}

static int write_sites(struct inject *inject)
{
	const struct recov_inject_site *site;
	u32 i;

	if (inject->gone)
		return -ENOENT;
	for (i = 0; i < inject->n_sites; i++) {
		site = &inject->sites[i];
		/* Somebody else's breakpoint would not become ours. */
		if (site->old_bytes[0] == INT3 ||
		    memcmp(alias_of(inject, site), site->old_bytes, site->length)) {
			inject->failed = i;
			return -ESTALE;
		}
	}
	if (!inject_commit(inject))
		return -ECANCELED;
	for (i = 0; i < inject->n_sites; i++) {
		site = &inject->sites[i];
		memcpy(alias_of(inject, site), site->new_bytes, site->length);
		*alias_of(inject, site) = INT3;
	}
	return 0;
}

static bool restore_site(const struct inject *inject, const struct recov_inject_site *site)
{
	u8 *alias = alias_of(inject, site);

	if ((alias[0] != INT3 && alias[0] != site->new_bytes[0]) ||
	    memcmp(alias + 1, site->new_bytes + 1, site->length - 1))
		return false;
	memcpy(alias, site->old_bytes, site->length);
	return !memcmp((const void *)site->address, site->old_bytes, site->length);
}

static int restore_sites(struct inject *inject)
{
	u32 i;

	if (inject->gone)
		return -ENOENT;
	for (i = 0; i < inject->n_sites; i++)
		if (!restore_site(inject, &inject->sites[i]))
			inject->differing++;
	return 0;
}

int inject_text_plant(struct inject *inject)
{
	return poke_run(inject, write_sites);
}

int inject_text_restore(struct inject *inject)
{
	return poke_run(inject, restore_sites);
}

/* ---- the mapping ---- */

int inject_text_map(struct inject *inject)
{
	unsigned int i, n = DIV_ROUND_UP(inject->text_size, PAGE_SIZE);
	struct page **pages;
	int err = 0;

	pages = kvmalloc_array(n, sizeof(*pages), GFP_KERNEL);
	if (!pages)
		return -ENOMEM;
	for (i = 0; i < n && !err; i++) {
		pages[i] = vmalloc_to_page((void *)(inject->text + i * PAGE_SIZE));
		if (!pages[i])
			err = -EFAULT;
	}
	if (!err) {
		inject->alias = vmap(pages, n, VM_MAP, PAGE_KERNEL);
		if (!inject->alias)
			err = -ENOMEM;
	}
	kvfree(pages);
	return err;
}

void inject_text_unmap(struct inject *inject)
{
	if (inject->alias)
		vunmap(inject->alias);
	inject->alias = NULL;
}

int __init inject_text_init(void)
{
	return register_die_notifier(&die_block);
}

/* Nothing is planted any more. */
void inject_text_uninit(void)
{
	unregister_die_notifier(&die_block);
}
