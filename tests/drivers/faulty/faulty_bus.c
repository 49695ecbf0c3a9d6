// SPDX-License-Identifier: GPL-2.0
/*
 * The hardware of the faulty drivers: the platform devices faulty_net.0 and .1, network cards that
 * hear each other, and faulty_char. It stays when a driver goes, so that the driver is probed anew
 * when it comes back, and it keeps no memory of theirs.
 */
#include <linux/err.h>
#include <linux/etherdevice.h>
#include <linux/interrupt.h>
#include <linux/irq.h>
#include <linux/irq_work.h>
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/platform_device.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/vmalloc.h>

#include "faulty_bus.h"

enum {
	CARDS = 2,
	RING_PRESET = 128
};

struct frame {
	u16 len;
	u8 data[FAULTY_FRAME_MAX];
};

struct faulty_card {
	struct platform_device *device;
	int line;
	struct irq_work irq_work; /* what raises the line, in hardirq context */

	spinlock_t lock; /* all below; never that of both cards */
	u32 cause;
	bool started, masked;
	bool peer_waits; /* it has found the ring full */
	struct frame *ring;
	unsigned int size, first, count;
};

static struct faulty_card bus_cards[CARDS];
static struct platform_device *bus_char;

static struct faulty_card *bus_peer(struct faulty_card *card)
{
	return &bus_cards[card == &bus_cards[0]];
}

struct faulty_card *faulty_bus_card(struct platform_device *device)
{
	return &bus_cards[device->id];
}
EXPORT_SYMBOL_GPL(faulty_bus_card);

void faulty_bus_address(struct faulty_card *card, u8 *address)
{
	static const u8 base[ETH_ALEN] = {0x02, 0xfa, 0x17, 0, 0, 0};

	ether_addr_copy(address, base);
	address[ETH_ALEN - 1] = card - bus_cards;
}
EXPORT_SYMBOL_GPL(faulty_bus_address);

/* ---- Locks ---- */

DEFINE_SPINLOCK(faulty_bus_spinlock);
EXPORT_SYMBOL_GPL(faulty_bus_spinlock);
DEFINE_MUTEX(faulty_bus_mutex);
EXPORT_SYMBOL_GPL(faulty_bus_mutex);
DECLARE_RWSEM(faulty_bus_rwsem);
EXPORT_SYMBOL_GPL(faulty_bus_rwsem);

static int bus_get_held(char *buffer, const struct kernel_param *param)
{
	return sysfs_emit(buffer, "%s%s%s\n",
			  spin_is_locked(&faulty_bus_spinlock) ? "spinlock " : "",
			  mutex_is_locked(&faulty_bus_mutex) ? "mutex " : "",
			  rwsem_is_locked(&faulty_bus_rwsem) ? "rwsem" : "");
}

static const struct kernel_param_ops bus_held_ops = {.get = bus_get_held};
module_param_cb(held, &bus_held_ops, NULL, 0400);
MODULE_PARM_DESC(held, "which of its locks are held");

/* ---- Interrupts ---- */

static void bus_interrupt(struct irq_work *work)
{
	generic_handle_irq(container_of(work, struct faulty_card, irq_work)->line);
}

/* bus_signal: the line goes up if there is a cause that is not masked. */
static void bus_signal(struct faulty_card *card)
{
	lockdep_assert_held(&card->lock);
	if (card->cause & ~(card->masked ? FAULTY_CAUSE_TRAFFIC : 0))
		irq_work_queue(&card->irq_work);
}

void faulty_bus_raise(struct faulty_card *card, u32 cause)
{
	unsigned long flags;

	spin_lock_irqsave(&card->lock, flags);
	card->cause |= cause;
	bus_signal(card);
	spin_unlock_irqrestore(&card->lock, flags);
}
EXPORT_SYMBOL_GPL(faulty_bus_raise);

u32 faulty_bus_cause(struct faulty_card *card)
{
	unsigned long flags;
	u32 cause;

	spin_lock_irqsave(&card->lock, flags);
	cause = card->cause & ~(card->masked ? FAULTY_CAUSE_TRAFFIC : 0);
	card->cause &= ~cause;
	spin_unlock_irqrestore(&card->lock, flags);
	return cause;
}
EXPORT_SYMBOL_GPL(faulty_bus_cause);

void faulty_bus_mask(struct faulty_card *card)
{
	unsigned long flags;

	spin_lock_irqsave(&card->lock, flags);
	card->masked = true;
	spin_unlock_irqrestore(&card->lock, flags);
}
EXPORT_SYMBOL_GPL(faulty_bus_mask);

void faulty_bus_unmask(struct faulty_card *card)
{
	unsigned long flags;

	spin_lock_irqsave(&card->lock, flags);
	card->masked = false;
	if (card->count)
		card->cause |= FAULTY_CAUSE_TRAFFIC;
	bus_signal(card);
	spin_unlock_irqrestore(&card->lock, flags);
}
EXPORT_SYMBOL_GPL(faulty_bus_unmask);

/* ---- The wire ---- */

/* bus_empty: nothing in the ring, and the peer shall not wait for room. */
static void bus_empty(struct faulty_card *card, bool started)
{
	unsigned long flags;
	bool waits;

	spin_lock_irqsave(&card->lock, flags);
	card->started = started;
	card->masked = !started;
	card->cause = 0;
	card->first = 0;
	card->count = 0;
	waits = card->peer_waits;
	card->peer_waits = false;
	spin_unlock_irqrestore(&card->lock, flags);
	if (waits)
		faulty_bus_raise(bus_peer(card), FAULTY_CAUSE_TRAFFIC);
}

void faulty_bus_start(struct faulty_card *card)
{
	bus_empty(card, true);
}
EXPORT_SYMBOL_GPL(faulty_bus_start);

void faulty_bus_halt(struct faulty_card *card)
{
	bus_empty(card, false);
}
EXPORT_SYMBOL_GPL(faulty_bus_halt);

unsigned int faulty_bus_ring(struct faulty_card *card)
{
	return READ_ONCE(card->size);
}
EXPORT_SYMBOL_GPL(faulty_bus_ring);

/* faulty_bus_set_ring: what is in it stays, even if that is more. */
void faulty_bus_set_ring(struct faulty_card *card, unsigned int frames)
{
	unsigned long flags;

	spin_lock_irqsave(&card->lock, flags);
	card->size = clamp_t(unsigned int, frames, FAULTY_RING_MIN, FAULTY_RING_MAX);
	spin_unlock_irqrestore(&card->lock, flags);
}
EXPORT_SYMBOL_GPL(faulty_bus_set_ring);

/* faulty_bus_has_room: whoever is told that there is none gets an interrupt when there is. */
bool faulty_bus_has_room(struct faulty_card *card)
{
	struct faulty_card *peer = bus_peer(card);
	unsigned long flags;
	bool room;

	spin_lock_irqsave(&peer->lock, flags);
	room = peer->count < peer->size;
	if (!room)
		peer->peer_waits = true;
	spin_unlock_irqrestore(&peer->lock, flags);
	return room;
}
EXPORT_SYMBOL_GPL(faulty_bus_has_room);

/* faulty_bus_send: false when the peer has no room; see faulty_bus_has_room. */
bool faulty_bus_send(struct faulty_card *card, const void *frame, unsigned int len)
{
	struct faulty_card *peer = bus_peer(card);
	unsigned long flags;
	struct frame *to;
	bool taken = true;

	if (WARN_ON_ONCE(len > FAULTY_FRAME_MAX))
		return true;
	spin_lock_irqsave(&peer->lock, flags);
	if (peer->started && peer->count >= peer->size) {
		peer->peer_waits = true;
		taken = false;
	} else if (peer->started) {
		to = &peer->ring[(peer->first + peer->count) % FAULTY_RING_MAX];
		to->len = len;
		memcpy(to->data, frame, len);
		peer->count++;
		peer->cause |= FAULTY_CAUSE_TRAFFIC;
		bus_signal(peer);
	}
	spin_unlock_irqrestore(&peer->lock, flags);
	return taken;
}
EXPORT_SYMBOL_GPL(faulty_bus_send);

unsigned int faulty_bus_pending(struct faulty_card *card)
{
	unsigned long flags;
	unsigned int len;

	spin_lock_irqsave(&card->lock, flags);
	len = card->count ? card->ring[card->first].len : 0;
	spin_unlock_irqrestore(&card->lock, flags);
	return len;
}
EXPORT_SYMBOL_GPL(faulty_bus_pending);

void faulty_bus_receive(struct faulty_card *card, void *to, unsigned int len)
{
	unsigned long flags;
	bool waits = false;

	spin_lock_irqsave(&card->lock, flags);
	if (card->count) {
		if (to)
			memcpy(to, card->ring[card->first].data, len);
		card->first = (card->first + 1) % FAULTY_RING_MAX;
		card->count--;
	}
	if (card->peer_waits && card->count <= card->size / 2) {
		waits = true;
		card->peer_waits = false;
	}
	spin_unlock_irqrestore(&card->lock, flags);
	if (waits)
		faulty_bus_raise(bus_peer(card), FAULTY_CAUSE_TRAFFIC);
}
EXPORT_SYMBOL_GPL(faulty_bus_receive);

/* ---- The devices ---- */

static void card_exit(struct faulty_card *card)
{
	if (!IS_ERR_OR_NULL(card->device))
		platform_device_unregister(card->device);
	irq_work_sync(&card->irq_work);
	if (card->line > 0)
		irq_free_desc(card->line);
	vfree(card->ring);
}

static int card_plug(struct faulty_card *card)
{
	const struct resource irq = DEFINE_RES_IRQ(card->line);

	card->device = platform_device_register_simple("faulty_net", card - bus_cards, &irq, 1);
	return PTR_ERR_OR_ZERO(card->device);
}

/* card_init: whether it works or not, card_exit takes it back. */
static int card_init(struct faulty_card *card)
{
	card->ring = vzalloc(array_size(FAULTY_RING_MAX, sizeof(*card->ring)));
	if (!card->ring)
		return -ENOMEM;
	/* Without an owner: with this module as such, the drivers' handlers would pin it. */
	card->line = __irq_alloc_descs(-1, 1, 1, NUMA_NO_NODE, NULL, NULL);
	if (card->line < 0)
		return card->line;
	irq_set_chip_and_handler(card->line, &dummy_irq_chip, handle_edge_irq);
	irq_clear_status_flags(card->line, IRQ_NOREQUEST);
	return card_plug(card);
}

static void bus_cards_exit(void)
{
	int i;

	for (i = 0; i < CARDS; i++)
		card_exit(&bus_cards[i]);
}

/* As hardware does: a swap of a driver may not take it out as a module that only the driver needs. */
static bool stay;
module_param(stay, bool, 0444);
MODULE_PARM_DESC(stay, "can't be unloaded");

static int __init bus_init(void)
{
	int i, err;

	if (stay)
		__module_get(THIS_MODULE);

	for (i = 0; i < CARDS; i++) {
		spin_lock_init(&bus_cards[i].lock);
		init_irq_work(&bus_cards[i].irq_work, bus_interrupt);
		bus_cards[i].masked = true;
		bus_cards[i].size = RING_PRESET;
	}
	for (i = 0; i < CARDS; i++) {
		err = card_init(&bus_cards[i]);
		if (err)
			goto err_cards;
	}
	bus_char = platform_device_register_simple("faulty_char", PLATFORM_DEVID_NONE, NULL, 0);
	if (IS_ERR(bus_char)) {
		err = PTR_ERR(bus_char);
		goto err_cards;
	}
	return 0;

err_cards:
	bus_cards_exit();
	return err;
}

static void __exit bus_exit(void)
{
	platform_device_unregister(bus_char);
	bus_cards_exit();
}

module_init(bus_init);
module_exit(bus_exit);

MODULE_DESCRIPTION("Test module with the devices of faulty_net and faulty_char");
MODULE_LICENSE("GPL");
