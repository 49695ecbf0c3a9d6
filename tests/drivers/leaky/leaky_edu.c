// SPDX-License-Identifier: GPL-2.0
/* QEMU's `edu` device: registers that can be mapped and an interrupt that can be raised. */
#include <linux/interrupt.h>
#include <linux/io.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/slab.h>

#include "leaky.h"

#define EDU_IRQ_STATUS 0x24
#define EDU_IRQ_RAISE  0x60
#define EDU_IRQ_ACK    0x64

struct leaky_edu {
	struct pci_dev *pdev;
	void __iomem *regs;
	int irq; /* 0: none */
};

static struct leaky_edu *leaky_edu;

struct pci_dev *leaky_edu_device(void)
{
	return leaky_edu ? leaky_edu->pdev : NULL;
}

/* leaky_edu_interrupts: not once a vector is leaked, as they go there. */
bool leaky_edu_interrupts(void)
{
	return leaky_edu && leaky_edu->irq && !leaky_edu->pdev->msi_enabled;
}

void leaky_edu_raise(void)
{
	writel(1, leaky_edu->regs + EDU_IRQ_RAISE);
}

static irqreturn_t leaky_edu_interrupt(int irq, void *data)
{
	struct leaky_edu *edu = data;
	u32 status = readl(edu->regs + EDU_IRQ_STATUS);

	if (!status)
		return IRQ_NONE;
	writel(status, edu->regs + EDU_IRQ_ACK);
	return leaky_interrupt();
}

static int leaky_edu_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct leaky_edu *edu;
	int err;

	leaky_enter(LEAKY_PROBE);
	edu = kzalloc(sizeof(*edu), GFP_KERNEL);
	if (!edu)
		return -ENOMEM;
	edu->pdev = pdev;
	err = pci_enable_device(pdev);
	if (err)
		goto err_free;
	pci_set_master(pdev);
	err = -ENOMEM;
	edu->regs = pci_iomap(pdev, 0, 0);
	if (!edu->regs)
		goto err_disable;
	/*
	 * The number of a leaked vector is no good: 6.12 has freed its domain when the driver let go
	 * of the device.
	 */
	if (!pdev->msi_enabled) {
		err = request_irq(pdev->irq, leaky_edu_interrupt, IRQF_SHARED, "leaky-edu", edu);
		if (err)
			goto err_unmap;
		edu->irq = pdev->irq;
	}
	pci_set_drvdata(pdev, edu);
	mutex_lock(&leaky_lock);
	if (!leaky_edu)
		leaky_edu = edu;
	mutex_unlock(&leaky_lock);
	return 0;

err_unmap:
	pci_iounmap(pdev, edu->regs);
err_disable:
	pci_clear_master(pdev);
	pci_disable_device(pdev);
err_free:
	kfree(edu);
	return err;
}

static void leaky_edu_remove(struct pci_dev *pdev)
{
	struct leaky_edu *edu = pci_get_drvdata(pdev);

	mutex_lock(&leaky_lock);
	if (leaky_edu == edu) {
		leaky_calm_irq();
		leaky_edu = NULL;
	}
	mutex_unlock(&leaky_lock);
	if (edu->irq)
		free_irq(edu->irq, edu);
	pci_iounmap(pdev, edu->regs);
	pci_clear_master(pdev);
	pci_disable_device(pdev);
	kfree(edu);
}

static const struct pci_device_id leaky_edu_ids[] = {{PCI_DEVICE(0x1234, 0x11e8)}, {}};
MODULE_DEVICE_TABLE(pci, leaky_edu_ids);

static struct pci_driver leaky_edu_driver = {
	.name = "leaky",
	.id_table = leaky_edu_ids,
	.probe = leaky_edu_probe,
	.remove = leaky_edu_remove,
};

int leaky_edu_register(void)
{
	return pci_register_driver(&leaky_edu_driver);
}

void leaky_edu_unregister(void)
{
	pci_unregister_driver(&leaky_edu_driver);
}
