// SPDX-License-Identifier: GPL-2.0
/* Stands in for e1000, is content with its device and never makes a network device of it. */
#include <linux/module.h>
#include <linux/pci.h>

static int never_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	dev_info(&pdev->dev, "bound, and that is all\n");
	return pci_enable_device_mem(pdev);
}

static void never_remove(struct pci_dev *pdev)
{
	pci_disable_device(pdev);
}

static const struct pci_device_id never_ids[] = {{PCI_DEVICE(PCI_VENDOR_ID_INTEL, 0x100e)}, {}};
MODULE_DEVICE_TABLE(pci, never_ids);

static struct pci_driver never_driver = {
	.name = "e1000",
	.id_table = never_ids,
	.probe = never_probe,
	.remove = never_remove,
};
module_pci_driver(never_driver);

MODULE_DESCRIPTION("Test driver that registers nothing");
MODULE_LICENSE("GPL");
