// SPDX-License-Identifier: GPL-2.0
/*
 * Devices on the virtio bus, which are stopped by a reset, and whose queues are taken back. The bus is
 * reached through the device: it may be a module, and this one does not need it.
 */
#include <linux/string.h>
#include <linux/uaccess.h>
#include <linux/virtio.h>
#include <linux/virtio_config.h>

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

struct virtqueue *release_virtio_next(struct device *dev, struct virtqueue *queue)
{
	struct virtio_device *vdev = virtio_of(dev);

	if (!vdev || list_empty(&vdev->vqs))
		return NULL;
	if (!queue)
		return list_first_entry(&vdev->vqs, struct virtqueue, list);
	return list_is_last(&queue->list, &vdev->vqs) ? NULL : list_next_entry(queue, list);
}

void release_virtio(struct device *dev, struct recov_released *report)
{
	struct virtio_device *vdev = virtio_of(dev);
	struct virtqueue *queue = NULL;

	if (!vdev || dev->driver)
		return;
	while ((queue = release_virtio_next(dev, queue)))
		report->counts[RECOV_RELEASED_QUEUE]++;
	vdev->config->del_vqs(vdev);
}
