// SPDX-License-Identifier: GPL-2.0
/* What a driver takes of its bus and never gives back: interrupts, registers, the device itself. */
#include <linux/interrupt.h>
#include <linux/io.h>
#include <linux/pci.h>

#include "leaky.h"
#include "leaky_friend.h"

/* The registers of the HPET, for those without the edu device. */
#define LEAKY_PHYS 0xfed00000
#define LEAKY_SIZE 0x1000

static irqreturn_t leaky_never(int irq, void *data)
{
	return IRQ_NONE;
}

/* The object is the number of a line that nobody raises. */
static noinline int leaky_leak_irq(struct leaky_truth *truth, const unsigned long *args)
{
	const char *name = leaky_friend_name("irq");
	int irq, err;

	if (!name)
		return -ENOSPC;
	irq = leaky_friend_get_line();
	if (irq < 0)
		return irq;
	err = request_irq(irq, leaky_never, 0, name, (void *)name);
	if (err) {
		leaky_friend_put_line(irq);
		return err;
	}
	snprintf(truth->name, sizeof(truth->name), "%d", irq);
	return leaky_done(truth, __func__, irq);
}

/*
 * The object is the device, which has no interrupts from then on, also when it is probed again; and
 * -EBUSY for as long as the kernel runs. What knows the vector is mostly freed when the driver lets
 * go of the device: nobody should then ask for its number below /sys/kernel/irq.
 */
static noinline int leaky_leak_irq_vectors(struct leaky_truth *truth, const unsigned long *args)
{
	struct pci_dev *pdev = leaky_edu_device();
	int count;

	if (!pdev)
		return -ENODEV;
	if (pdev->msi_enabled)
		return -EBUSY;
	count = pci_alloc_irq_vectors(pdev, 1, 1, PCI_IRQ_MSI);
	if (count < 0)
		return count;
	truth->count = count;
	strscpy(truth->name, pci_name(pdev), sizeof(truth->name));
	return leaky_done(truth, __func__, (unsigned long)pdev);
}

/* The object is the address for the CPU. */
static noinline int leaky_leak_mmio(struct leaky_truth *truth, const unsigned long *args)
{
	struct pci_dev *pdev = leaky_edu_device();
	resource_size_t phys = pdev ? pci_resource_start(pdev, 0) : LEAKY_PHYS;

	truth->size = LEAKY_SIZE;
	snprintf(truth->name, sizeof(truth->name), "0x%llx", (u64)phys);
	return leaky_done(truth, __func__, (unsigned long)ioremap(phys, LEAKY_SIZE));
}

/* The object is the device, which has then been enabled once more than disabled. */
static noinline int leaky_leak_pci_enable(struct leaky_truth *truth, const unsigned long *args)
{
	struct pci_dev *pdev = leaky_edu_device();
	int err;

	if (!pdev)
		return -ENODEV;
	err = pci_enable_device(pdev);
	if (err)
		return err;
	strscpy(truth->name, pci_name(pdev), sizeof(truth->name));
	return leaky_done(truth, __func__, (unsigned long)pdev);
}

/* The object is where BAR 0 is; -EBUSY once it has been leaked, for as long as the kernel runs. */
static noinline int leaky_leak_pci_regions(struct leaky_truth *truth, const unsigned long *args)
{
	struct pci_dev *pdev = leaky_edu_device();
	const char *name = leaky_friend_name("regions");
	int err;

	if (!pdev)
		return -ENODEV;
	if (!name)
		return -ENOSPC;
	err = pci_request_region(pdev, 0, name);
	if (err)
		return err;
	truth->size = pci_resource_len(pdev, 0);
	strscpy(truth->name, pci_name(pdev), sizeof(truth->name));
	return leaky_done(truth, __func__, pci_resource_start(pdev, 0));
}

/* The WARN()s come when the driver lets go of the device: 6.12 has both. */
const struct leaky_request leaky_leak_bus[] = {
	{"leak", "irq", leaky_leak_irq},
	{"leak", "irq-vectors", leaky_leak_irq_vectors,
	 .says = "(irq_domain_remove|msi_device_data_release)", .warns = true, .when = "remove"},
	{"leak", "mmio", leaky_leak_mmio},
	{"leak", "pci-enable", leaky_leak_pci_enable},
	{"leak", "pci-regions", leaky_leak_pci_regions},
	{}};
