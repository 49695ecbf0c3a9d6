// SPDX-License-Identifier: GPL-2.0
/* What user space is told of the devices of a swap. */
#include <linux/slab.h>
#include <linux/string.h>

#include "shadow.h"

void recov_slot_describe(struct recov_slot *slot, u32 index, struct recov_device *d)
{
	memset(d, 0, sizeof(*d));
	d->index = index;
	d->state = recov_slot_state(slot);
	d->verdict = slot->verdict;
	d->error = slot->error;
	d->object_id = slot->object_id;
	d->object_up = slot->object_up;
	d->link_before = slot->link_before;
	d->link = slot->done ? slot->link : slot->class->usable(slot);
	d->room = slot->room;
	d->need = slot->need;
	d->queues = slot->queues;
	memcpy(d->mark_ns, slot->mark_ns, sizeof(d->mark_ns));
	strscpy(d->class_name, slot->class->name, sizeof(d->class_name));
	strscpy(d->bus, slot->parent->bus ? slot->parent->bus->name : "", sizeof(d->bus));
	strscpy(d->device, dev_name(slot->parent), sizeof(d->device));
	strscpy(d->object, slot->object_name, sizeof(d->object));
	strscpy(d->reason, slot->reason, sizeof(d->reason));
}

u32 recov_slots_describe(struct list_head *slots, struct recov_device **ret)
{
	struct recov_slot *slot;
	struct recov_device *d;
	u32 n = 0;

	list_for_each_entry(slot, slots, list)
		n++;
	d = kvcalloc(n ? n : 1, sizeof(*d), GFP_KERNEL);
	*ret = d;
	if (!d)
		return 0;
	n = 0;
	list_for_each_entry(slot, slots, list) {
		recov_slot_describe(slot, n, &d[n]);
		n++;
	}
	return n;
}
