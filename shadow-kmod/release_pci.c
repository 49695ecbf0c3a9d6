// SPDX-License-Identifier: GPL-2.0
/* PCI devices that have to be stopped, and those whose driver is gone and has left them as they were. */
#include <linux/ioport.h>
#include <linux/pci.h>

#include "release.h"

/* Of a part of its address space that somebody uses: the bit by which the device answers there. */
static u16 answers_by(const struct resource *bar)
{
	if (!bar->child || !(bar->child->flags & IORESOURCE_BUSY))
		return 0;
	return bar->flags & IORESOURCE_IO ? PCI_COMMAND_IO : PCI_COMMAND_MEMORY;
}

/* The device that it is, or is a function of, as those of virtio are. */
static struct pci_dev *pci_of(struct device *dev)
{
	if (!dev_is_pci(dev))
		dev = dev->parent;
	return dev && dev_is_pci(dev) ? to_pci_dev(dev) : NULL;
}

/* One whose registers do not answer hears of no stop, and would go on to write to memory. */
void release_pci_answer(struct device *dev)
{
	struct pci_dev *pdev = pci_of(dev);
	u16 command, wanted = 0;
	int i;

	if (!pdev || !pci_is_enabled(pdev) || pdev->current_state != PCI_D0)
		return;
	for (i = 0; i < PCI_STD_NUM_BARS; i++)
		wanted |= answers_by(&pdev->resource[i]);
	/* That of a virtual function is its physical one's to give. */
	if (pdev->no_command_memory)
		wanted &= ~PCI_COMMAND_MEMORY;
	pci_read_config_word(pdev, PCI_COMMAND, &command);
	if (PCI_POSSIBLE_ERROR(command) || !(wanted & ~command))
		return;
	pci_write_config_word(pdev, PCI_COMMAND, command | wanted);
	pci_info(pdev, "recov_shadow: its registers did not answer (command %#06x)\n", command);
}

/* The device stops to write to memory that is about to be somebody else's. */
void release_pci_quiet(struct device *dev)
{
	if (dev_is_pci(dev))
		pci_clear_master(to_pci_dev(dev));
}

/* As pci_request_regions() takes it: the whole of it. */
static bool is_requested(const struct resource *bar)
{
	const struct resource *taken = bar->child;

	return taken && taken->flags & IORESOURCE_BUSY && taken->start == bar->start &&
	       taken->end == bar->end;
}

static void release_regions(struct pci_dev *pdev, struct recov_released *report)
{
	int i;

	for (i = 0; i < PCI_STD_NUM_BARS; i++) {
		if (!pci_resource_len(pdev, i) || !is_requested(&pdev->resource[i]))
			continue;
		pci_release_region(pdev, i);
		report->counts[RECOV_RELEASED_REGION]++;
	}
}

/* After the driver core has given back what is managed. */
void release_pci(struct device *dev, struct recov_released *report)
{
	struct pci_dev *pdev = to_pci_dev(dev);

	if (!dev_is_pci(dev) || pdev->driver)
		return;
	if (pdev->msix_enabled || pdev->msi_enabled)
		report->counts[RECOV_RELEASED_VECTORS]++;
	if (pdev->msix_enabled)
		pci_disable_msix(pdev);
	if (pdev->msi_enabled)
		pci_disable_msi(pdev);
	release_regions(pdev, report);
	if (pci_is_enabled(pdev))
		report->counts[RECOV_RELEASED_ENABLE]++;
	while (pci_is_enabled(pdev))
		pci_disable_device(pdev);
	if (!pci_try_reset_function(pdev))
		report->counts[RECOV_RELEASED_RESET]++;
}
