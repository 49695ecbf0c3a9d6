// SPDX-License-Identifier: GPL-2.0
/*
 * Devices on the virtio bus, which are stopped by a reset, and whose queues are taken back. The bus is
 * reached through the device: it may be a module, and this one does not need it.
 */
#include <linux/string.h>
#include <linux/uaccess.h>
#include <linux/virtio.h>
#include <linux/virtio_config.h>

#include "argument.h"
#include "release.h"

#define BUS "virtio"

/* What a driver that has failed says is its device may be none. */
static struct virtio_device *virtio_of(struct device *dev)
{
	typeof(dev->bus) bus; /* const since 6.9 */
	const char *at;
	char name[sizeof(BUS)];

	if (get_kernel_nofault(bus, &dev->bus) || get_kernel_nofault(at, &bus->name) ||
	    copy_from_kernel_nofault(name, at, sizeof(name)))
		return NULL;
	return !memcmp(name, BUS, sizeof(BUS)) ? dev_to_virtio(dev) : NULL;
}

void release_virtio_quiet(struct device *dev)
{
	struct virtio_device *vdev = virtio_of(dev);

	if (vdev)
		vdev->config->reset(vdev);
}

/* The driver may have written over them, and over what they are linked by. */
static struct virtqueue *next_queue(const struct virtio_device *vdev, struct list_head *at)
{
	struct virtqueue *queue = container_of(at->next, struct virtqueue, list);

	if (at->next == &vdev->vqs || !cache_of(queue) || queue->list.prev != at ||
	    queue->vdev != vdev)
		return NULL;
	return queue;
}

struct virtqueue *release_virtio_next(struct device *dev, struct virtqueue *queue)
{
	struct virtio_device *vdev = virtio_of(dev);

	return vdev ? next_queue(vdev, queue ? &queue->list : &vdev->vqs) : NULL;
}

#ifndef VIRTIO_F_ADMIN_VQ /* 6.1 knows none */
#define VIRTIO_F_ADMIN_VQ 41
#endif

/* By its index the bus finds what it keeps of it. They are made in that order; a queue of the bus's
 * own may be anywhere. */
static void count_queue(const struct virtio_device *vdev, struct virtqueue *queue, unsigned int n)
{
	if (!virtio_has_feature(vdev, VIRTIO_F_ADMIN_VQ))
		queue->index = n;
}

int release_virtio(struct device *dev, struct recov_released *report)
{
	struct virtio_device *vdev = virtio_of(dev);
	struct list_head *at;
	struct virtqueue *queue;
	unsigned int n = 0;

	if (!vdev || dev->driver)
		return 0;
	for (at = &vdev->vqs; (queue = next_queue(vdev, at)); at = &queue->list)
		count_queue(vdev, queue, n++);
	if (at->next != &vdev->vqs)
		return -EIO;
	report->counts[RECOV_RELEASED_QUEUE] += n;
	vdev->config->del_vqs(vdev);
	return 0;
}
