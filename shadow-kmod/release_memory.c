// SPDX-License-Identifier: GPL-2.0
/*
 * What a driver's private area leads to: directly, through an object of the slab allocator, or through
 * a vmalloc area that the kernel knows to be the driver's. A word there that looks like a packet, a
 * mapping or an area is one witness; what the kernel has noted of it is the other one.
 */
#include <linux/io.h>
#include <linux/mm.h>
#include <linux/pci.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>

#include "release.h"
#include "release_compat.h"

#define FOUND_MAX 2048
#define AREA_MAX  (4ul << 20) /* bytes of one that are looked at */

enum level {
	LEVEL_PRIVATE, /* the private area */
	LEVEL_SLAB,    /* what it leads to */
	LEVEL_AREA,    /* what one of these leads to */
};

struct scan {
	const struct tap_image *image;
	const struct recov_class *class;
	const struct recov_slot *slot;
	unsigned long self, self_end; /* the private area */
	unsigned long words[FOUND_MAX];
	unsigned int n;
};

static struct vm_struct *(*find_area)(const void *address);

static void scan_words(struct scan *scan, unsigned long from, size_t size, enum level level);

/* True: it has been noted, now. */
static bool note(struct scan *scan, unsigned long word)
{
	unsigned int i;

	for (i = 0; i < scan->n; i++)
		if (scan->words[i] == word)
			return false;
	if (scan->n == FOUND_MAX)
		return false;
	scan->words[scan->n++] = word;
	return true;
}

static bool is_in_bars(const struct device *dev, phys_addr_t address)
{
	const struct pci_dev *pdev;
	unsigned int i;

	if (!dev_is_pci(dev))
		return false;
	pdev = to_pci_dev(dev);
	for (i = 0; i < PCI_STD_NUM_BARS; i++)
		if (pci_resource_flags(pdev, i) & IORESOURCE_MEM &&
		    address - pci_resource_start(pdev, i) < pci_resource_len(pdev, i))
			return true;
	return false;
}

static bool is_mapping(const struct scan *scan, const struct vm_struct *area)
{
	return area->flags & VM_IOREMAP && is_in_bars(scan->slot->parent, area->phys_addr);
}

static void scan_area(struct scan *scan, unsigned long word, enum level level)
{
	const struct vm_struct *area = find_area((void *)word);

	if (!area)
		return;
	if (is_mapping(scan, area)) {
		note(scan, (unsigned long)area->addr);
		return;
	}
	if (!(area->flags & VM_ALLOC) || (unsigned long)area->addr != word)
		return;
	/* If the allocator was being traced it has noted the tracer, and the area is lost; the
	 * packets that it leads to are not. */
	if (release_is_of(scan->image, area->caller))
		note(scan, word);
	if (level < LEVEL_AREA)
		scan_words(scan, word, min(get_vm_area_size(area), AREA_MAX), LEVEL_AREA);
}

/* An object of which the word is the beginning. */
static void scan_object(struct scan *scan, unsigned long word)
{
	size_t size;

	if (word - scan->self >= scan->self_end - scan->self && release_object(word, &size) == word)
		scan_words(scan, word, size, LEVEL_SLAB);
}

static void scan_word(struct scan *scan, unsigned long word, enum level level)
{
	if (!IS_ALIGNED(word, sizeof(long)) || word < PAGE_OFFSET)
		return;
	if (is_vmalloc_addr((void *)word)) {
		scan_area(scan, word, level);
		return;
	}
	if (!virt_addr_valid((void *)word) || !PageSlab(virt_to_head_page((void *)word)))
		return;
	if (scan->class->in_flight(scan->image, scan->slot, word))
		note(scan, word);
	else if (level == LEVEL_PRIVATE)
		scan_object(scan, word);
}

static void scan_words(struct scan *scan, unsigned long from, size_t size, enum level level)
{
	unsigned long word;
	size_t at;

	for (at = 0; at + sizeof(word) <= size; at += sizeof(word)) {
		if (copy_from_kernel_nofault(&word, (void *)(from + at), sizeof(word)))
			break;
		scan_word(scan, word, level);
	}
}

static void give_back(const struct scan *scan, unsigned long word, struct recov_released *report)
{
	const struct vm_struct *area;

	if (!is_vmalloc_addr((void *)word)) {
		scan->class->drop(word);
		report->counts[RECOV_RELEASED_PACKET]++;
		return;
	}
	area = find_area((void *)word);
	if (!area)
		return;
	if (is_mapping(scan, area)) {
		iounmap((void __iomem *)word);
		report->counts[RECOV_RELEASED_MAPPING]++;
	} else {
		vfree((void *)word);
		report->counts[RECOV_RELEASED_MEMORY]++;
	}
}

void release_memory(const struct tap_image *image, const struct recov_class *class,
		    struct recov_slot *slot, struct recov_released *report)
{
	struct scan *scan = kvzalloc(sizeof(*scan), GFP_KERNEL);
	struct virtqueue *queue = NULL;
	unsigned int i;
	size_t size;

	if (!scan)
		return; /* all of it is lost */
	scan->image = image;
	scan->class = class;
	scan->slot = slot;
	scan->self = (unsigned long)class->private_area(slot, &size);
	scan->self_end = scan->self + size;
	scan_words(scan, scan->self, size, LEVEL_PRIVATE);
	while ((queue = release_virtio_next(slot->parent, queue)))
		scan_words(scan, (unsigned long)queue, ksize(queue), LEVEL_PRIVATE);
	for (i = 0; i < scan->n; i++)
		give_back(scan, scan->words[i], report);
	kvfree(scan);
}

int __init release_memory_init(void)
{
	find_area = (void *)ksym_lookup("find_vm_area");
	if (find_area)
		return 0;
	pr_err("recov_shadow: this kernel has no find_vm_area\n");
	return -ENOENT;
}
