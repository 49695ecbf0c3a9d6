// SPDX-License-Identifier: GPL-2.0
/*
 * Stands in for e1000 and refuses its device: probe() takes what it needs, fails late and cleans
 * up after itself.
 */
#include <linux/etherdevice.h>
#include <linux/module.h>
#include <linux/netdevice.h>
#include <linux/pci.h>

static int fails_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct net_device *netdev;
	int err;

	err = pci_enable_device_mem(pdev);
	if (err)
		return err;
	netdev = alloc_etherdev(512);
	if (!netdev) {
		pci_disable_device(pdev);
		return -ENOMEM;
	}
	SET_NETDEV_DEV(netdev, &pdev->dev);
	dev_info(&pdev->dev, "failing on purpose\n");
	free_netdev(netdev);
	pci_disable_device(pdev);
	return -EIO;
}

static void fails_remove(struct pci_dev *pdev)
{
}

static const struct pci_device_id fails_ids[] = {{PCI_DEVICE(PCI_VENDOR_ID_INTEL, 0x100e)}, {}};
MODULE_DEVICE_TABLE(pci, fails_ids);

static struct pci_driver fails_driver = {
	.name = "e1000",
	.id_table = fails_ids,
	.probe = fails_probe,
	.remove = fails_remove,
};
module_pci_driver(fails_driver);

MODULE_DESCRIPTION("Test driver whose probe fails");
MODULE_LICENSE("GPL");
