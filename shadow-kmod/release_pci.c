// SPDX-License-Identifier: GPL-2.0
/* PCI devices whose driver is gone and has left them as they were. */
#include <linux/ioport.h>
#include <linux/pci.h>

#include "release.h"

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
