// SPDX-License-Identifier: GPL-2.0
/* Notes what armed drivers get from dma_alloc_attrs(), so that it can be given back for them. */
#include <linux/dma-mapping.h>
#include <linux/gfp.h>
#include <linux/hashtable.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

#include "coherent.h"
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
	spin_lock_irqsave(&notes_lock, irq_flags);
	hash_add(notes, &note->node, (unsigned long)note->memory);
	spin_unlock_irqrestore(&notes_lock, irq_flags);
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

	spin_lock_irqsave(&notes_lock, flags);
	note = find(memory);
	if (note) {
		fits = get_order(note->size) == get_order(size);
		if (fits)
			hash_del(&note->node);
	}
	spin_unlock_irqrestore(&notes_lock, flags);
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

	spin_lock_irqsave(&notes_lock, flags);
	hash_for_each_safe(notes, i, next, note, node) {
		if (!tap_is_in(image, note->caller) || (dev && note->dev != dev))
			continue;
		hash_del(&note->node);
		hlist_add_head(&note->node, taken);
	}
	spin_unlock_irqrestore(&notes_lock, flags);
}

void coherent_keep(const struct tap_image *image, struct device *dev)
{
	struct coherent *note;
	struct hlist_node *next;
	HLIST_HEAD(taken);

	take(image, dev, &taken);
	mutex_lock(&kept_mutex);
	hlist_for_each_entry_safe(note, next, &taken, node) {
		get_device(dev);
		hlist_del(&note->node);
		hlist_add_head(&note->node, &kept);
	}
	mutex_unlock(&kept_mutex);
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

void coherent_uninit(void)
{
	struct coherent *note;
	struct hlist_node *next;

	hlist_for_each_entry_safe(note, next, &kept, node)
		forget(note);
}
