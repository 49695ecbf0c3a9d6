/* SPDX-License-Identifier: GPL-2.0 */
/* The hardware of the faulty drivers: two network cards on one wire, each with an interrupt line. */
#ifndef FAULTY_BUS_H
#define FAULTY_BUS_H

#include <linux/mutex.h>
#include <linux/rwsem.h>
#include <linux/spinlock.h>
#include <linux/types.h>

struct faulty_card;
struct platform_device;

enum {
	FAULTY_FRAME_MAX = 2046,
	FAULTY_RING_MIN = 16,
	FAULTY_RING_MAX = 256
};

/* Why a card interrupts. */
enum {
	FAULTY_CAUSE_TRAFFIC = 1, /* frames have come, or the peer has room again */
	FAULTY_CAUSE_ASKED = 2	  /* the driver wanted it */
};

/* Locks that outlive the drivers; the parameter `held` tells which of them are held. */
extern spinlock_t faulty_bus_spinlock;
extern struct mutex faulty_bus_mutex;
extern struct rw_semaphore faulty_bus_rwsem;

/* All of these may be called in any context. */
struct faulty_card *faulty_bus_card(struct platform_device *device);
void faulty_bus_address(struct faulty_card *card, u8 *address);
void faulty_bus_start(struct faulty_card *card);
void faulty_bus_halt(struct faulty_card *card);
unsigned int faulty_bus_ring(struct faulty_card *card);
void faulty_bus_set_ring(struct faulty_card *card, unsigned int frames);

/* The peer's ring; one that has not started takes all and keeps none. */
bool faulty_bus_send(struct faulty_card *card, const void *frame, unsigned int len);
bool faulty_bus_has_room(struct faulty_card *card);

/* The oldest frame in the ring: how long it is, or 0; and copied out, or just dropped for NULL. */
unsigned int faulty_bus_pending(struct faulty_card *card);
void faulty_bus_receive(struct faulty_card *card, void *to, unsigned int len);

/* Interrupts: their causes are read and cleared; those by traffic are held back when masked. */
u32 faulty_bus_cause(struct faulty_card *card);
void faulty_bus_raise(struct faulty_card *card, u32 cause);
void faulty_bus_mask(struct faulty_card *card);
void faulty_bus_unmask(struct faulty_card *card);

#endif
