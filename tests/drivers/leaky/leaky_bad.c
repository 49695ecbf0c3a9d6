// SPDX-License-Identifier: GPL-2.0
/* What is given back twice, and what is given back that was never taken. */
#include <linux/interrupt.h>
#include <linux/io.h>
#include <linux/ioport.h>
#include <linux/irqflags.h>
#include <linux/pci.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "leaky.h"
#include "leaky_friend.h"

enum {
	BAD_SIZE = 176,
	AREA_SIZE = 3 * PAGE_SIZE,
	MMIO_SIZE = 0x1000
};
#define BAD_PHYS 0xfed00000

/* ---- Twice ---- */

/* The cache finds that out, complains, and does nothing. */
static noinline int leaky_double_slab(struct leaky_truth *truth, const unsigned long *args)
{
	void *p = kmem_cache_alloc(leaky_friend_cache, GFP_KERNEL);

	if (!p)
		return -ENOMEM;
	kfree(p);
	kfree(p);
	truth->size = kmem_cache_size(leaky_friend_cache);
	return leaky_done(truth, __func__, (unsigned long)p);
}

/* Likewise. */
static noinline int leaky_double_cache_object(struct leaky_truth *truth, const unsigned long *args)
{
	void *p = kmem_cache_alloc(leaky_friend_cache, GFP_KERNEL);

	if (!p)
		return -ENOMEM;
	kmem_cache_free(leaky_friend_cache, p);
	kmem_cache_free(leaky_friend_cache, p);
	truth->size = kmem_cache_size(leaky_friend_cache);
	return leaky_done(truth, __func__, (unsigned long)p);
}

static noinline int leaky_double_vmalloc(struct leaky_truth *truth, const unsigned long *args)
{
	void *p = vmalloc(AREA_SIZE);

	if (!p)
		return -ENOMEM;
	vfree(p);
	vfree(p);
	truth->size = AREA_SIZE;
	return leaky_done(truth, __func__, (unsigned long)p);
}

static noinline int leaky_double_mmio(struct leaky_truth *truth, const unsigned long *args)
{
	struct pci_dev *pdev = leaky_edu_device();
	resource_size_t phys = pdev ? pci_resource_start(pdev, 0) : BAD_PHYS;
	void __iomem *regs = ioremap(phys, MMIO_SIZE);

	if (!regs)
		return -ENOMEM;
	iounmap(regs);
	iounmap(regs);
	truth->size = MMIO_SIZE;
	snprintf(truth->name, sizeof(truth->name), "0x%llx", (u64)phys);
	return leaky_done(truth, __func__, (unsigned long)regs);
}

static irqreturn_t leaky_none(int irq, void *data)
{
	return IRQ_NONE;
}

static noinline int leaky_double_irq(struct leaky_truth *truth, const unsigned long *args)
{
	int irq = leaky_friend_get_line(), err;

	if (irq < 0)
		return irq;
	err = request_irq(irq, leaky_none, 0, "leaky-double", truth);
	if (!err) {
		free_irq(irq, truth);
		free_irq(irq, truth);
	}
	leaky_friend_put_line(irq);
	if (err)
		return err;
	snprintf(truth->name, sizeof(truth->name), "%d", irq);
	return leaky_done(truth, __func__, irq);
}

/* leaky_has_regions: whether BAR 0 is requested, by an earlier leak. */
static bool leaky_has_regions(struct pci_dev *pdev)
{
	return pdev->resource[0].child;
}

static noinline int leaky_double_pci_regions(struct leaky_truth *truth, const unsigned long *args)
{
	struct pci_dev *pdev = leaky_edu_device();
	int err;

	if (!pdev)
		return -ENODEV;
	err = pci_request_region(pdev, 0, "leaky-double");
	if (err)
		return err;
	pci_release_region(pdev, 0);
	pci_release_region(pdev, 0);
	truth->size = pci_resource_len(pdev, 0);
	strscpy(truth->name, pci_name(pdev), sizeof(truth->name));
	return leaky_done(truth, __func__, pci_resource_start(pdev, 0));
}

/*
 * The first one takes back what probe did, the second one is wrong. Then it is enabled twice, from
 * -1 to the 1 that probe left; so the second disable is a mistake only for those who count.
 */
static noinline int leaky_double_pci_enable(struct leaky_truth *truth, const unsigned long *args)
{
	struct pci_dev *pdev = leaky_edu_device();
	int err;

	if (!pdev)
		return -ENODEV;
	if (atomic_read(&pdev->enable_cnt) != 1)
		return -EBUSY;
	pci_disable_device(pdev);
	pci_disable_device(pdev);
	err = pci_enable_device(pdev);
	if (!err)
		err = pci_enable_device(pdev);
	pci_set_master(pdev);
	if (err)
		return err;
	strscpy(truth->name, pci_name(pdev), sizeof(truth->name));
	return leaky_done(truth, __func__, (unsigned long)pdev);
}

/* ---- Not its own ---- */

static noinline int leaky_foreign_slab(struct leaky_truth *truth, const unsigned long *args)
{
	void *p = leaky_friend_buffer(BAD_SIZE);

	kfree(p);
	truth->size = BAD_SIZE;
	return leaky_done(truth, __func__, (unsigned long)p);
}

static noinline int leaky_foreign_vmalloc(struct leaky_truth *truth, const unsigned long *args)
{
	void *p = leaky_friend_area(AREA_SIZE);

	vfree(p);
	truth->size = AREA_SIZE;
	return leaky_done(truth, __func__, (unsigned long)p);
}

/* A line that the friend has requested, as somebody who never has. */
static noinline int leaky_foreign_irq(struct leaky_truth *truth, const unsigned long *args)
{
	free_irq(leaky_friend_own_line, truth);
	snprintf(truth->name, sizeof(truth->name), "%d", leaky_friend_own_line);
	return leaky_done(truth, __func__, leaky_friend_own_line);
}

/* -EBUSY when it has been leaked: then it would not be foreign. */
static noinline int leaky_foreign_pci_regions(struct leaky_truth *truth, const unsigned long *args)
{
	struct pci_dev *pdev = leaky_edu_device();

	if (!pdev)
		return -ENODEV;
	if (leaky_has_regions(pdev))
		return -EBUSY;
	pci_release_region(pdev, 0);
	truth->size = pci_resource_len(pdev, 0);
	strscpy(truth->name, pci_name(pdev), sizeof(truth->name));
	return leaky_done(truth, __func__, pci_resource_start(pdev, 0));
}

#define SAYS_VFREE   "Trying to vfree.. nonexistent vm area"
#define SAYS_IRQ     "Trying to free already-free IRQ"
#define SAYS_REGIONS "Trying to free nonexistent resource"

/*
 * iounmap() and the release of a region only print, the first with a stack. The WARN() of a device
 * that is disabled too often comes once a boot.
 */
const struct leaky_request leaky_bad[] = {
	{"double", "slab", leaky_double_slab},
	{"double", "slab-cache-object", leaky_double_cache_object},
	{"double", "vmalloc", leaky_double_vmalloc, .says = SAYS_VFREE, .warns = true},
	{"double", "mmio", leaky_double_mmio, .says = "iounmap: bad address"},
	{"double", "irq", leaky_double_irq, .says = SAYS_IRQ, .warns = true},
	{"double", "pci-regions", leaky_double_pci_regions, .says = SAYS_REGIONS},
	{"double", "pci-enable", leaky_double_pci_enable,
	 .says = "disabling already-disabled device", .warns = true},
	{"foreign", "slab", leaky_foreign_slab},
	{"foreign", "vmalloc", leaky_foreign_vmalloc},
	{"foreign", "irq", leaky_foreign_irq, .says = SAYS_IRQ, .warns = true},
	{"foreign", "pci-regions", leaky_foreign_pci_regions, .says = SAYS_REGIONS},
	{}};
