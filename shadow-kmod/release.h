/* SPDX-License-Identifier: GPL-2.0 */
/* Takes from an armed driver what it has, without calling it: release.c says how. */
#ifndef RELEASE_H
#define RELEASE_H

#include "shadow.h"
#include "tap.h"

struct virtqueue;

#define RELEASE_MS 2000 /* for each of those that have to end */

/* Looks up what the kernel does not export. May sleep. */
int release_init(void);

/* All of it. Process context, with the swap's mutex and no other lock. On an error something leads
 * into the image still: the image stays failed and may not be unloaded, and the report says why. */
int release_image(struct tap_image *image, const struct recov_class *class,
		  struct list_head *slots);
/* The same by its name. -ENOENT: it is not loaded, or not armed. */
int release_driver(const char *driver, const struct recov_class *class, struct list_head *slots);

/* With the swap's mutex: the slot's next driver has started the device. May sleep. */
void release_serves(const struct recov_slot *slot);
/* Likewise: another swap begins. */
void release_begin(void);
/* What was released in this one. While it is done some of the numbers may be old. Any context. */
void release_report(struct recov_released *report);

/* The parts. They add to counts and give 0, or an error with its sentence in report. */
__printf(3, 4) int release_fail(struct recov_released *report, int err, const char *fmt, ...);

static inline bool release_is_of(const struct tap_image *image, const void *function)
{
	return tap_is_in(image, (unsigned long)function);
}

/* release_calls.c: ends the calls that sleep in the driver, waits for those that run. */
int release_calls(const struct tap_image *image, struct recov_released *report);
/* Only those that sleep there now, how many there were. It is a fault, after so many ms, if one is the
 * caller's, or the module is being loaded or unloaded in it. May sleep. */
unsigned int release_sleepers(const struct tap_image *image, const struct task_struct *caller,
			      unsigned int ms);
/* As release_calls(), of one that is about to be unloaded, which nothing holds up any more: its exit
 * function has returned, or its init has failed, and calls that it has left behind would go on in memory
 * that is nobody's. May sleep. */
void release_last_calls(const struct tap_image *image);
/* Is the task that find() gives in a call of the driver, which is armed? It is asked while all else
 * stands still, and may give NULL. May sleep. */
bool release_has_call(const char *driver, const struct task_struct *(*find)(void));

/* release_timers.c */
int release_timers_init(void);
int release_timers(const struct tap_image *image, struct recov_released *report);
/* Waits for works and tasklets that are queued to have been refused. */
int release_works(struct recov_released *report);

/* release_memory.c: what the driver's own memory leads to. */
int release_memory_init(void);
void release_memory(const struct tap_image *image, const struct recov_class *class,
		    struct recov_slot *slot, struct recov_released *report);

/* release_pci.c: they do nothing for other devices. May sleep. The driver does not give back the
 * device's registers meanwhile. */
void release_pci_answer(struct device *dev);
void release_pci_quiet(struct device *dev);
void release_pci(struct device *dev, struct recov_released *report);

/* release_virtio.c: likewise. What is in flight has to be found in the queues before they go. -EIO: the
 * driver has written over them, and they are left, with what leads from them into it. */
void release_virtio_quiet(struct device *dev);
int release_virtio(struct device *dev, struct recov_released *report);
/* The device's queue behind that one, the first behind NULL; NULL: there is none. */
struct virtqueue *release_virtio_next(struct device *dev, struct virtqueue *queue);

/* release_cpuhp.c */
int release_cpuhp_init(void);
void release_cpuhp(const struct tap_image *image, struct recov_released *report);

#endif /* RELEASE_H */
