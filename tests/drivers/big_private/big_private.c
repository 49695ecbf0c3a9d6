// SPDX-License-Identifier: GPL-2.0
/* Stands in for e1000 and asks for more private memory than any device of it has room for. */
#include <linux/etherdevice.h>
#include <linux/module.h>
#include <linux/netdevice.h>
#include <linux/pci.h>
#include <linux/sizes.h>

struct big_private {
	u8 bytes[SZ_1M];
};

static int big_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct net_device *netdev;

	netdev = alloc_etherdev(sizeof(struct big_private));
	if (!netdev)
		return -ENOMEM;
	SET_NETDEV_DEV(netdev, &pdev->dev);
	dev_info(&pdev->dev, "a plan should have refused this image\n");
	free_netdev(netdev);
	return -EIO;
}

static void big_remove(struct pci_dev *pdev)
{
}

static const struct pci_device_id big_ids[] = {{PCI_DEVICE(PCI_VENDOR_ID_INTEL, 0x100e)}, {}};
MODULE_DEVICE_TABLE(pci, big_ids);

static struct pci_driver big_driver = {
	.name = "e1000",
	.id_table = big_ids,
	.probe = big_probe,
	.remove = big_remove,
};
module_pci_driver(big_driver);

MODULE_DESCRIPTION("Test driver with a private area of 1 MiB");
MODULE_LICENSE("GPL");
