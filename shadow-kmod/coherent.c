// SPDX-License-Identifier: GPL-2.0
/* Notes what armed drivers get from dma_alloc_attrs(), so that it can be given back for them. */
#include <linux/device.h>
#include <linux/dma-mapping.h>
#include <linux/gfp.h>
#include <linux/hashtable.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

#include "coherent.h"
#include "held.h"
#include "shadow.h"
#include "tap.h"
#include "twin.h"

struct coherent {
	struct hlist_node node;
	unsigned long caller; /* in the image */
	struct device *dev;   /* the driver's; there for sure only while it is bound */
	size_t size;
	void *memory;
	dma_addr_t handle;
	unsigned long attrs;
};

static DEFINE_HASHTABLE(notes, 8); /* by their memory */
static DEFINE_SPINLOCK(notes_lock);
static HLIST_HEAD(kept); /* of images that are out; each has a reference to its device */
static DEFINE_MUTEX(kept_mutex);
static dr_release_t managed_release;

/* Who is in a call of the driver may be cut off there, over what it has written to. */
static unsigned long lock_notes(void) __acquires(&notes_lock)
{
	unsigned long flags;

	spin_lock_irqsave(&notes_lock, flags);
	held_add((unsigned long)&notes_lock | HELD_SPIN);
	return flags;
}

static void unlock_notes(unsigned long flags) __releases(&notes_lock)
{
	held_drop((unsigned long)&notes_lock | HELD_SPIN);
	spin_unlock_irqrestore(&notes_lock, flags);
}

static struct coherent *find(const void *memory)
{
	struct coherent *note;

	hash_for_each_possible(notes, note, node, (unsigned long)memory)
		if (note->memory == memory)
			return note;
	return NULL;
}

/* Without memory for the note it is not given back. */
static void add(const struct coherent *coherent, gfp_t flags)
{
	struct coherent *note = kmemdup(coherent, sizeof(*note),
					(flags & (GFP_KERNEL | GFP_ATOMIC)) | __GFP_NOWARN);
	unsigned long irq_flags;

	if (!note)
		return;
	irq_flags = lock_notes();
	hash_add(notes, &note->node, (unsigned long)note->memory);
	unlock_notes(irq_flags);
}

TWIN_DEFINE(void *, dma_alloc_attrs, struct device *dev, size_t size, dma_addr_t *handle,
	    gfp_t flags, unsigned long attrs)
{
	void *memory = dma_alloc_attrs(dev, size, handle, flags, attrs);

	if (memory)
		add(&(struct coherent){.caller = _RET_IP_,
				       .dev = dev,
				       .size = size,
				       .memory = memory,
				       .handle = *handle,
				       .attrs = attrs},
		    flags);
	return memory;
}

bool coherent_drop(const void *memory, size_t size)
{
	struct coherent *note;
	bool fits = true;
	unsigned long flags;

	flags = lock_notes();
	note = find(memory);
	if (note) {
		fits = get_order(size) <= get_order(note->size);
		if (fits)
			hash_del(&note->node);
	}
	unlock_notes(flags);
	if (fits)
		kfree(note);
	return fits;
}

/* Of all devices, or of that one. */
static void take(const struct tap_image *image, const struct device *dev, struct hlist_head *taken)
{
	struct coherent *note;
	struct hlist_node *next;
	unsigned long flags;
	unsigned int i;

	flags = lock_notes();
	hash_for_each_safe(notes, i, next, note, node) {
		if (!tap_is_in(image, note->caller) || (dev && note->dev != dev))
			continue;
		hash_del(&note->node);
		hlist_add_head(&note->node, taken);
	}
	unlock_notes(flags);
}

static void keep(struct coherent *note)
{
	get_device(note->dev);
	mutex_lock(&kept_mutex);
	hlist_add_head(&note->node, &kept);
	mutex_unlock(&kept_mutex);
}

/* kernel/dma/mapping.c, the same in 6.1 and 6.12. */
struct dma_devres {
	size_t size;
	void *vaddr;
	dma_addr_t dma_handle;
	unsigned long attrs;
};

/* What the driver core would give back as soon as the driver is unregistered. */
static void keep_managed(struct device *dev)
{
	const struct dma_devres *managed;
	struct coherent *note;

	while ((note = kzalloc(sizeof(*note), GFP_KERNEL))) {
		managed = devres_remove(dev, managed_release, NULL, NULL);
		if (!managed)
			break;
		*note = (struct coherent){.dev = dev,
					  .size = managed->size,
					  .memory = managed->vaddr,
					  .handle = managed->dma_handle,
					  .attrs = managed->attrs};
		devres_free((void *)managed);
		keep(note);
	}
	kfree(note);
}

void coherent_keep(const struct tap_image *image, struct device *dev)
{
	struct coherent *note;
	struct hlist_node *next;
	HLIST_HEAD(taken);

	take(image, dev, &taken);
	hlist_for_each_entry_safe(note, next, &taken, node)
		keep(note);
	if (managed_release)
		keep_managed(dev);
}

static void forget(struct coherent *note)
{
	put_device(note->dev);
	hlist_del(&note->node);
	kfree(note);
}

unsigned int coherent_release(struct device *dev)
{
	struct coherent *note;
	struct hlist_node *next;
	unsigned int n = 0;

	mutex_lock(&kept_mutex);
	hlist_for_each_entry_safe(note, next, &kept, node) {
		if (note->dev != dev)
			continue;
		dma_free_attrs(dev, note->size, note->memory, note->handle, note->attrs);
		forget(note);
		n++;
	}
	mutex_unlock(&kept_mutex);
	return n;
}

void coherent_forget(const struct tap_image *image)
{
	struct coherent *note;
	struct hlist_node *next;
	HLIST_HEAD(taken);

	take(image, NULL, &taken);
	hlist_for_each_entry_safe(note, next, &taken, node)
		kfree(note);
}

/* Without it what is managed is given back too early. */
void __init coherent_init(void)
{
	managed_release = (dr_release_t)ksym_lookup("dmam_release");
}

void coherent_uninit(void)
{
	struct coherent *note;
	struct hlist_node *next;
	unsigned int i;

	hlist_for_each_entry_safe(note, next, &kept, node)
		forget(note);
	hash_for_each_safe(notes, i, next, note, node)
		kfree(note);
}
