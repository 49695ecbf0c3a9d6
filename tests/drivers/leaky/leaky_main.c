// SPDX-License-Identifier: GPL-2.0
/*
 * A driver that makes on request the mistakes an observer of drivers must report, and none without:
 * it is bound to a platform device that it registers itself and to QEMU's `edu` device.
 */
#include <linux/interrupt.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/platform_device.h>

#include "leaky.h"
#include "leaky_friend.h"

struct platform_device *leaky_device;
int leaky_soft_irq = -ENXIO;

const struct leaky_request *const leaky_tables[] = {leaky_leak_memory,
						    leaky_leak_bus,
						    leaky_leak_kernel,
						    leaky_bad,
						    leaky_busy,
						    leaky_crash,
						    NULL};

irqreturn_t leaky_interrupt(void)
{
	leaky_enter(LEAKY_IRQ);
	return IRQ_HANDLED;
}

static irqreturn_t leaky_soft_interrupt(int irq, void *data)
{
	return leaky_interrupt();
}

static int leaky_probe(struct platform_device *device)
{
	int irq, err;

	leaky_enter(LEAKY_PROBE);
	irq = leaky_friend_get_line();
	if (irq < 0)
		return irq;
	err = request_irq(irq, leaky_soft_interrupt, 0, "leaky", device);
	if (err)
		goto err_put_line;
	err = leaky_dev_register();
	if (err)
		goto err_free_irq;
	mutex_lock(&leaky_lock);
	leaky_soft_irq = irq;
	mutex_unlock(&leaky_lock);
	return 0;

err_free_irq:
	free_irq(irq, device);
err_put_line:
	leaky_friend_put_line(irq);
	return err;
}

static void leaky_remove(struct platform_device *device)
{
	int irq = leaky_soft_irq;

	mutex_lock(&leaky_lock);
	leaky_calm_irq();
	leaky_soft_irq = -ENXIO;
	mutex_unlock(&leaky_lock);
	leaky_dev_unregister();
	free_irq(irq, device);
	leaky_friend_put_line(irq);
}

static struct platform_driver leaky_driver = {
	.driver.name = "leaky",
	.probe = leaky_probe,
	.remove_new = leaky_remove,
};

static int __init leaky_init(void)
{
	int err;

	err = leaky_dev_init();
	if (err)
		return err;
	err = platform_driver_register(&leaky_driver);
	if (err)
		goto err_dev;
	leaky_device = platform_device_register_simple("leaky", 0, NULL, 0);
	if (IS_ERR(leaky_device)) {
		err = PTR_ERR(leaky_device);
		goto err_driver;
	}
	err = leaky_edu_register();
	if (err)
		goto err_device;
	return 0;

err_device:
	platform_device_unregister(leaky_device);
err_driver:
	platform_driver_unregister(&leaky_driver);
err_dev:
	leaky_dev_exit();
	return err;
}

static void __exit leaky_exit(void)
{
	leaky_requests_end();
	leaky_calm();
	leaky_edu_unregister();
	platform_device_unregister(leaky_device);
	platform_driver_unregister(&leaky_driver);
	leaky_dev_exit();
}

module_init(leaky_init);
module_exit(leaky_exit);

MODULE_DESCRIPTION("Test driver that makes mistakes on request");
MODULE_LICENSE("GPL");
