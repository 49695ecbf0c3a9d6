// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Faults at calls: of functions of the kernel that take, give back or lock something, and of any
 * function whose arguments are being set.
 */
#include <fnmatch.h>

#include "mutate_class.h"
#include "util.h"

#define CALL_OPCODE 0xe8
#define CALL_SIZE   5
#define MOV_EAX	    0xb8 /* of a 4-byte immediate: as long as a call */

/* How far before a call an argument is looked for. */
#define ARGUMENT_DISTANCE 8

/* What drivers of all kinds call, sorted. An entry more changes the plans of who calls it: not of drivers
 * whose seeds have been made known, see tests/unit/golden/seeds.txt. Allocations tell of their failure
 * by NULL. */
static const char *const allocations[] = {
	"*_alloc_frag*",
	"*_alloc_skb",
	"*input_allocate_device",
	"*kasprintf",
	"*kmem_cache_create*",
	"__alloc_pages*",
	"__alloc_percpu*",
	"__alloc_skb*",
	"__get_free_pages*",
	"__kmalloc*",
	"__kvmalloc*",
	"__pskb_copy*",
	"alloc_etherdev_mqs",
	"alloc_netdev_mqs",
	"alloc_pages*",
	"alloc_workqueue*",
	"bio_alloc_bioset",
	"bitmap_zalloc",
	"build_skb*",
	"comedi_alloc_devpriv",
	"devm_iio_device_alloc",
	"devm_ioremap",
	"devm_k*alloc*",
	"devm_k*dup",
	"dma_alloc_*",
	"dma_pool_alloc",
	"dma_pool_create",
	"get_free_pages_noprof",
	"get_zeroed_page*",
	"ioremap*",
	"kmalloc*",
	"kmem_cache_alloc*",
	"kmemdup*",
	"krealloc*",
	"kstrdup*",
	"kvmalloc*",
	"mempool_alloc*",
	"napi_build_skb",
	"napi_get_frags",
	"page_frag_alloc*",
	"page_pool_alloc*",
	"pci_iomap*",
	"pci_ioremap_*",
	"pcpu_alloc*",
	"platform_device_alloc",
	"scsi_host_alloc",
	"skb_clone",
	"skb_copy",
	"usb_alloc_coherent",
	"usb_alloc_urb",
	"vmalloc*",
	"vzalloc*",
};

static const char *const releases[] = {
	"*kfree_skb*",
	"__brelse",
	"__folio_put",
	"__free_pages",
	"__release_region",
	"bitmap_free",
	"consume_skb",
	"destroy_workqueue",
	"devm_kfree",
	"dma_free_*",
	"dma_pool_destroy",
	"dma_pool_free",
	"dma_unmap_*",
	"free_irq",
	"free_netdev",
	"free_pages",
	"free_percpu",
	"ida_free",
	"input_free_device",
	"iounmap",
	"kfree",
	"kfree_sensitive",
	"kmem_cache_destroy",
	"kmem_cache_free",
	"kvfree",
	"kvfree_call_rcu",
	"mempool_free",
	"napi_consume_skb",
	"page_frag_free",
	"page_pool_put_*",
	"pci_dev_put",
	"pci_disable_device",
	"pci_free_irq_vectors*",
	"pci_iounmap",
	"pci_release_*",
	"platform_device_put",
	"put_device",
	"release_firmware",
	"scsi_dma_unmap",
	"scsi_host_put",
	"sk_skb_reason_drop",
	"snd_card_free",
	"usb_free_coherent",
	"usb_free_urb",
	"usb_put_dev",
	"vfree",
	"virtqueue_dma_unmap_*",
	"xdp_return_frame*",
};

static const char *const locks[] = {
	"_raw_read_lock*",
	"_raw_spin_lock*",
	"_raw_write_lock*",
	"cpus_read_lock",
	"down",
	"down_interruptible",
	"down_read*",
	"down_write*",
	"lock_sock_nested",
	"mutex_lock*",
	"netif_tx_lock*",
	"rt_spin_lock*",
	"rtnl_lock",
	"ww_mutex_lock*",
};

static const char *const unlocks[] = {
	"_raw_read_unlock*",
	"_raw_spin_unlock*",
	"_raw_write_unlock*",
	"cpus_read_unlock",
	"mutex_unlock",
	"netif_tx_unlock*",
	"release_sock",
	"rt_spin_unlock",
	"rtnl_unlock",
	"up",
	"up_read",
	"up_write",
	"ww_mutex_unlock",
};

/* What else tells by its value that it did not do what it was asked for. */
static const struct {
	const char *pattern;
	int64_t result;
} failures[] = {
	{"request_threaded_irq", -EBUSY}, {"request_any_context_irq", -EBUSY},
	{"register_netdev", -ENOMEM},	  {"register_netdevice", -ENOMEM},
	{"pci_enable_device*", -EIO},	  {"pci_request_*regions", -EBUSY},
	{"__request_region", 0},	  {"pci_alloc_irq_vectors*", -ENOSPC},
	{"dma_set_mask", -EIO},		  {"dma_set_coherent_mask", -EIO},
	{"dma_map_page_attrs", -1}, /* DMA_MAPPING_ERROR */
	{"dma_map_sg_attrs", 0},	  {"virtqueue_dma_map_single_attrs", -1},
	{"virtqueue_add_*", -ENOSPC},	  {"pskb_expand_head", -ENOMEM},
	{"__pskb_pull_tail", 0},	  {"__skb_pad", -ENOMEM},
};

static bool matches(const char *name, const char *const *patterns, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (fnmatch(patterns[i], name, 0) == 0)
			return true;
	return false;
}

/* The import that the instruction calls, or NULL. */
static const char *called_import(const struct mutation *m)
{
	const struct text_reloc *reloc;

	if (m->at->length != CALL_SIZE || m->bytes[0] != CALL_OPCODE)
		return NULL;
	reloc = text_find_reloc(m->section, m->at->offset + 1, m->at->offset + 2);
	return reloc && reloc->section == SHN_UNDEF ? reloc->symbol : NULL;
}

static bool calls(const struct mutation *m, const char *const *patterns, size_t n)
{
	const char *import = called_import(m);

	return import && matches(import, patterns, n);
}

unsigned release_variants(const struct mutation *m)
{
	return calls(m, releases, ARRAY_SIZE(releases));
}

unsigned lock_variants(const struct mutation *m)
{
	return calls(m, locks, ARRAY_SIZE(locks));
}

unsigned unlock_variants(const struct mutation *m)
{
	return calls(m, unlocks, ARRAY_SIZE(unlocks));
}

unsigned allocation_variants(const struct mutation *m)
{
	return calls(m, allocations, ARRAY_SIZE(allocations));
}

/* What the call would have returned is 0. */
bool allocation_change(const struct mutation *m, unsigned variant, uint8_t *bytes)
{
	bytes[0] = MOV_EAX;
	memset(bytes + 1, 0, CALL_SIZE - 1);
	return true;
}

const char *mutation_failing_call(const struct mutation *m, int64_t *ret_result)
{
	const char *import = called_import(m);

	if (!import)
		return NULL;
	if (matches(import, allocations, ARRAY_SIZE(allocations))) {
		*ret_result = 0;
		return import;
	}
	for (size_t i = 0; i < ARRAY_SIZE(failures); i++)
		if (fnmatch(failures[i].pattern, import, 0) == 0) {
			*ret_result = failures[i].result;
			return import;
		}
	return NULL;
}

/* ---- interface ---- */

/* Which argument a register is, from 1 on; 0: none. */
static int argument_of(unsigned int reg)
{
	switch (reg) {
	case X86_REG_RDI:
	case X86_REG_EDI:
	case X86_REG_DI:
	case X86_REG_DIL:
		return 1;
	case X86_REG_RSI:
	case X86_REG_ESI:
	case X86_REG_SI:
	case X86_REG_SIL:
		return 2;
	case X86_REG_RDX:
	case X86_REG_EDX:
	case X86_REG_DX:
	case X86_REG_DL:
		return 3;
	case X86_REG_RCX:
	case X86_REG_ECX:
	case X86_REG_CX:
	case X86_REG_CL:
		return 4;
	case X86_REG_R8:
	case X86_REG_R8D:
	case X86_REG_R8W:
	case X86_REG_R8B:
		return 5;
	case X86_REG_R9:
	case X86_REG_R9D:
	case X86_REG_R9W:
	case X86_REG_R9B:
		return 6;
	default:
		return 0;
	}
}

static int written_argument(const cs_insn *insn)
{
	const cs_x86_op *to = &insn->detail->x86.operands[0];

	if (insn->detail->x86.op_count == 0 || to->type != X86_OP_REG ||
	    !(to->access & CS_AC_WRITE))
		return 0;
	return argument_of(to->reg);
}

static bool in_group(const cs_insn *insn, uint8_t group)
{
	for (size_t i = 0; i < insn->detail->groups_count; i++)
		if (insn->detail->groups[i] == group)
			return true;
	return false;
}

/* Does the call come before another value of the argument, a branch, and the end? */
unsigned argument_variants(const struct mutation *m)
{
	const struct text_instruction *end = m->section->instructions + m->section->n_instructions;
	int argument = written_argument(m->insn);
	struct mutation next = *m;

	if (!argument)
		return 0;
	next.insn = m->other;
	for (next.at = m->at + 1; next.at < end && next.at <= m->at + ARGUMENT_DISTANCE;
	     next.at++) {
		if (next.at->function != m->at->function || !mutation_decode(&next))
			return 0;
		if (in_group(next.insn, CS_GRP_CALL))
			return 1;
		if (in_group(next.insn, CS_GRP_JUMP) || in_group(next.insn, CS_GRP_RET) ||
		    written_argument(next.insn) == argument)
			return 0;
	}
	return 0;
}
