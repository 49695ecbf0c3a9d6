// SPDX-License-Identifier: GPL-2.0
/*
 * Takes from a driver that cannot be trusted what it has. It is never called again: its taps answer
 * for it, so the kernel may call it as usual. In this order:
 *
 *	its devices answer, and are told not to access memory
 *	calls that sleep in it end, and are waited for
 *	interrupts, timers and delayed works that lead into it are found in the kernel's own lists
 *	works and tasklets that are queued are run, and refused
 *	its objects' users are held, and what the kernel polls it from is taken away
 *	what it shared with a device is put aside, until a swap has started the device with the next
 *	driver: not each device can be reset, and what is not goes on once it may access memory again
 *	its drivers are unregistered: the driver core calls their remove(), which its tap answers, and
 *	gives back what is managed (devm_*())
 *	packets on their way, mappings and memory that are left are found from its private area
 *	its objects are kept, its PCI devices switched off and reset, the queues of virtio's taken back
 *	it is no longer told of CPUs that come and go
 *
 * Nothing is given back on one witness's word: a handler, timer or work is the driver's if its
 * function is, and is on the kernel's own list; memory is if the driver's memory leads to it and the
 * kernel has noted the driver or its device for it, or if the driver was seen to get it. All else is
 * lost until the machine is restarted, which is better than to free what is somebody else's.
 */
#include <linux/interrupt.h>
#include <linux/irq.h>
#include <linux/irqdesc.h>
#include <linux/kernfs.h>
#include <linux/pci.h>
#include <linux/rcupdate.h>

#include "coherent.h"
#include "release.h"

#define ACTIONS_MAX 64 /* at once */
#define DRIVERS_MAX 16 /* of one module on one bus */

static dr_release_t managed_irq;
static struct recov_released in_swap; /* in this swap, or the last one */

int release_fail(struct recov_released *report, int err, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vscnprintf(report->reason, sizeof(report->reason), fmt, args);
	va_end(args);
	report->error = err;
	pr_warn("recov_shadow: a driver can't be released: %s (%d)\n", report->reason, err);
	return err;
}

/* ---- interrupts ---- */

struct action {
	unsigned int irq;
	void *dev_id;
};

static unsigned int find_line_actions(const struct tap_image *image, unsigned int irq,
				      struct action *actions, unsigned int max)
{
	struct irq_data *data = irq_get_irq_data(irq);
	const struct irqaction *action;
	struct irq_desc *desc;
	unsigned long flags;
	unsigned int n = 0;

	if (!data)
		return 0;
	desc = irq_data_to_desc(data);
	raw_spin_lock_irqsave(&desc->lock, flags);
	for (action = desc->action; action && n < max; action = action->next)
		if (release_is_of(image, action->handler) ||
		    release_is_of(image, action->thread_fn))
			actions[n++] = (struct action){irq, action->dev_id};
	raw_spin_unlock_irqrestore(&desc->lock, flags);
	return n;
}

/* kernel/irq/devres.c, the same in 6.1 and 6.12. */
static int is_action(struct device *dev, void *res, void *data)
{
	const struct action *managed = res, *action = data;

	return managed->irq == action->irq && managed->dev_id == action->dev_id;
}

static void free_action(struct list_head *slots, struct action *action)
{
	struct recov_slot *slot;

	/* What frees a managed one at the end must not do so again. */
	list_for_each_entry(slot, slots, list)
		if (!devres_destroy(slot->parent, managed_irq, is_action, action))
			break;
	/* Neither is an error of the one who frees it here. */
	irq_set_affinity_notifier(action->irq, NULL);
	irq_update_affinity_hint(action->irq, NULL);
	free_irq(action->irq, action->dev_id);
}

static void release_irqs(const struct tap_image *image, struct list_head *slots,
			 struct recov_released *report)
{
	struct action actions[ACTIONS_MAX];
	unsigned int irq, i, n = 0;

	rcu_read_lock(); /* descriptors are freed after that */
	for (irq = 0; irq < nr_irqs && n < ACTIONS_MAX; irq++)
		n += find_line_actions(image, irq, &actions[n], ACTIONS_MAX - n);
	rcu_read_unlock();
	for (i = 0; i < n; i++)
		free_action(slots, &actions[i]);
	report->counts[RECOV_RELEASED_IRQ] += n;
}

/* ---- drivers ---- */

struct drivers {
	const struct module *module;
	struct device_driver *found[DRIVERS_MAX];
	unsigned int n;
};

static int find_driver(struct device_driver *driver, void *data)
{
	struct drivers *drivers = data;

	if (driver->owner == drivers->module && drivers->n < DRIVERS_MAX)
		drivers->found[drivers->n++] = driver;
	return 0;
}

static void unregister_driver(struct device_driver *driver)
{
#ifdef CONFIG_PCI
	if (driver->bus == &pci_bus_type) {
		pci_unregister_driver(to_pci_driver(driver));
		return;
	}
#endif
	driver_unregister(driver);
}

/* Each registered driver has a link in its module's folder. */
static bool has_drivers(const struct module *module)
{
	const struct kobject *dir = module->mkobj.drivers_dir;

	return dir && dir->sd && !RB_EMPTY_ROOT(&dir->sd->dir.children);
}

static int release_drivers(const struct tap_image *image, struct list_head *slots,
			   struct recov_released *report)
{
	struct recov_slot *slot;
	unsigned int i;

	list_for_each_entry(slot, slots, list) {
		struct drivers drivers = {.module = image->module};

		bus_for_each_drv(slot->parent->bus, NULL, &drivers, find_driver);
		for (i = 0; i < drivers.n; i++)
			unregister_driver(drivers.found[i]);
		report->counts[RECOV_RELEASED_DRIVER] += drivers.n;
	}
	if (has_drivers(image->module))
		return release_fail(report, -EBUSY,
				    "it has a driver on a bus without devices of it");
	return 0;
}

/* ---- all of it ---- */

static int take_objects(const struct recov_class *class, struct list_head *slots,
			struct recov_released *report)
{
	struct recov_slot *slot;
	unsigned int n;
	int err;

	list_for_each_entry(slot, slots, list) {
		n = 0;
		slot->untrusted = true;
		err = class->take(slot, &n);
		report->counts[RECOV_RELEASED_NAPI] += n;
		if (err)
			return release_fail(report, err, "%s can't be taken from it: %s",
					    slot->object_name,
					    slot->error ? slot->reason : "it is being polled");
	}
	return 0;
}

/* What leads into the driver, and may be on its way. */
static int release_entries(const struct tap_image *image, struct list_head *slots,
			   struct recov_released *report)
{
	int err;

	err = release_calls(image, report);
	if (err)
		return err;
	release_irqs(image, slots, report);
	err = release_timers(image, report);
	if (err)
		return err;
	err = release_works(report);
	if (err)
		return err;
	return release_calls(image, report);
}

struct belongings {
	struct tap_image *image;
	const struct recov_class *class;
	struct recov_slot *slot;
	struct recov_released *report;
};

static long part_coherent(void *data)
{
	const struct belongings *of = data;

	coherent_keep(of->image, of->slot->parent);
	return 0;
}

/* What leads into the driver. */
static int release_ways_in(struct tap_image *image, const struct recov_class *class,
			   struct list_head *slots, struct recov_released *report)
{
	struct belongings of = {.image = image};
	struct recov_slot *slot;
	int err;

	tap_image_fail(image);
	list_for_each_entry(slot, slots, list) {
		release_pci_answer(slot->parent);
		release_pci_quiet(slot->parent);
		release_virtio_quiet(slot->parent);
	}
	err = release_entries(image, slots, report);
	if (!err)
		err = take_objects(class, slots, report);
	if (err)
		return err;
	list_for_each_entry(of.slot, slots, list)
		tap_guarded(image, part_coherent, &of);
	return release_drivers(image, slots, report);
}

static long part_memory(void *data)
{
	const struct belongings *of = data;

	release_memory(of->image, of->class, of->slot, of->report);
	return 0;
}

static long part_object(void *data)
{
	const struct belongings *of = data;

	of->class->give_up(of->slot);
	return 0;
}

static long part_virtio(void *data)
{
	const struct belongings *of = data;

	return release_virtio(of->slot->parent, of->report);
}

/* What it has. Where that fails over what the driver has left of it, the rest is lost; queues that are
 * not given back lead into it still. */
static int release_belongings(struct tap_image *image, const struct recov_class *class,
			      struct list_head *slots, struct recov_released *report)
{
	struct belongings of = {.image = image, .class = class, .report = report};
	int err = 0;

	list_for_each_entry(of.slot, slots, list) {
		tap_guarded(image, part_memory, &of);
		if (tap_guarded(image, part_object, &of))
			return release_fail(report, -EIO, "what is known of %s is lost",
					    dev_name(of.slot->parent));
		of.slot->untrusted = false; /* the next driver is */
	}
	list_for_each_entry(of.slot, slots, list) {
		if (tap_guarded(image, part_virtio, &of)) {
			err = release_fail(report, -EIO, "the queues of %s are lost",
					   dev_name(of.slot->parent));
		} else {
			release_pci(of.slot->parent, report);
		}
	}
	release_cpuhp(image, report);
	return err;
}

int release_image(struct tap_image *image, const struct recov_class *class, struct list_head *slots)
{
	struct recov_released *report = &in_swap;
	int err;

	if (image->released)
		return 0;
	report->error = 0;
	report->reason[0] = '\0';
	err = release_ways_in(image, class, slots, report);
	if (err)
		return err;
	err = release_belongings(image, class, slots, report);
	if (err)
		return err;
	rcu_barrier(); /* callbacks, which are refused */
	err = release_calls(image, report);
	if (err)
		return err;
	tap_image_released(image);
	report->images++;
	pr_info("recov_shadow: %s has been released without being called\n", image->module->name);
	return 0;
}

void release_serves(const struct recov_slot *slot)
{
	in_swap.counts[RECOV_RELEASED_COHERENT] += coherent_release(slot->parent);
}

int release_driver(const char *driver, const struct recov_class *class, struct list_head *slots)
{
	struct tap_image *image = tap_get_image(driver);
	int err;

	if (!image)
		return -ENOENT;
	err = release_image(image, class, slots);
	module_put(image->module);
	return err;
}

void release_begin(void)
{
	memset(&in_swap, 0, sizeof(in_swap));
}

void release_report(struct recov_released *report)
{
	*report = in_swap;
}

int __init release_init(void)
{
	int err;

	managed_irq = (dr_release_t)ksym_lookup("devm_irq_release");
	if (!managed_irq) {
		pr_err("recov_shadow: this kernel has no devm_irq_release\n");
		return -ENOENT;
	}
	err = release_timers_init();
	if (!err)
		err = release_cpuhp_init();
	return err ? err : release_memory_init();
}
