/* SPDX-License-Identifier: GPL-2.0 */
/* Memory that armed drivers share with their devices: noted from dma_alloc_attrs() to dma_free_attrs(). */
#ifndef COHERENT_H
#define COHERENT_H

#include <linux/types.h>

struct device;
struct tap_image;

/* May sleep. */
void coherent_init(void);
/* Is given back: noted no more. False: these are more pages than it was got with, and it stays noted.
 * What was not noted may be right. Any context. */
bool coherent_drop(const void *memory, size_t size);
/* The image gives back nothing any more: what it has got for the device, which is there, managed or
 * not, is kept until a swap has started the device with the next driver, so that it does not use that
 * any more. May sleep. */
void coherent_keep(const struct tap_image *image, struct device *dev);
/* It has: what was kept is given back. How many there were. May sleep. */
unsigned int coherent_release(struct device *dev);
/* The image goes: what else it has not given back is lost. */
void coherent_forget(const struct tap_image *image);
/* No armed image is there any more: what is still kept is lost. */
void coherent_uninit(void);

#endif /* COHERENT_H */
