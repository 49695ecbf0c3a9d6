// SPDX-License-Identifier: GPL-2.0
/* What the devices of a swap have in common: their settings, and what user space is told of them. */
#include <linux/slab.h>
#include <linux/string.h>

#include "shadow.h"
#include "trap.h"

static const char *const setting_names[RECOV_SETTING_COUNT] = {
#define X(name, text) [RECOV_SETTING_##name] = text,
	RECOV_SETTINGS(X)
#undef X
};

void recov_slot_fail(struct recov_slot *slot, int error, const char *fmt, ...)
{
	va_list args;

	if (slot->error)
		return;
	va_start(args, fmt);
	vscnprintf(slot->reason, sizeof(slot->reason), fmt, args);
	va_end(args);
	slot->error = error;
	pr_warn("recov_shadow: %s: %s (%d)\n", slot->object_name, slot->reason, error);
}

bool recov_slot_restore(struct recov_slot *slot, enum recov_setting setting,
			void (*put_back)(struct recov_slot *slot))
{
	if (slot->leave_out & BIT(setting)) {
		slot->left_out |= BIT(setting);
		return true;
	}
	fault_restore_begin(setting);
	put_back(slot);
	if (!fault_restore_end())
		return true;
	/* Told instead of the error that the call was ended with. */
	slot->error = 0;
	recov_slot_fail(slot, -EIO, "the driver failed when it was given its %s again",
			setting_names[setting]);
	if (slot->failed)
		slot->leave_out |= BIT(setting);
	return false;
}

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
	d->left_out = slot->left_out;
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

void recov_slots_free(struct list_head *slots)
{
	struct recov_slot *slot, *next;

	list_for_each_entry_safe(slot, next, slots, list) {
		list_del(&slot->list);
		slot->class->free(slot);
	}
}
