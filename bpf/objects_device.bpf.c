// SPDX-License-Identifier: GPL-2.0
/* Objects that belong to a device: interrupts, mappings of its registers, PCI, DMA memory. */
#include "object.h"

static __always_inline u64 site_of(void *ctx, int n, int slot)
{
	u64 caller = caller_of(ctx, n);

	return slot_of_code(caller) == slot ? caller : site_on_stack(ctx, slot);
}

SEC("fexit/request_threaded_irq")
int BPF_PROG(on_request_irq, unsigned int irq, void *handler, void *thread, unsigned long flags,
	     const char *name, void *dev_id, int ret)
{
	int slot = slot_of_code(raw_argument(ctx, 1));

	if (slot < 0)
		slot = slot_of_code(raw_argument(ctx, 2));
	if (slot < 0 || ret)
		return 0;
	__sync_fetch_and_add(&state.irq_changes, 1);
	take(&(struct taking){.slot = slot,
			      .class = RECOV_OBJECT_IRQ,
			      .object = irq,
			      .more = (u64)dev_id,
			      .size = 1,
			      .site = site_of(ctx, 6, slot),
			      .name = name});
	return 0;
}

SEC("fentry/free_irq")
int BPF_PROG(on_free_irq, unsigned int irq, void *dev_id)
{
	give_back(RECOV_OBJECT_IRQ, irq, (u64)dev_id, caller_of(ctx, 2), true);
	return 0;
}

static __always_inline void take_of_pci(void *ctx, int n, struct pci_dev *pdev, u32 class,
					u64 object, u64 more, u64 size, bool nests)
{
	struct device *device = device_of_pci(pdev);
	int slot = slot_of_device(device);

	if (slot < 0)
		return;
	take(&(struct taking){.slot = slot,
			      .class = class,
			      .object = object,
			      .more = more,
			      .size = size,
			      .site = site_of(ctx, n, slot),
			      .device = device,
			      .nests = nests});
}

SEC("fexit/pci_alloc_irq_vectors_affinity")
int BPF_PROG(on_alloc_vectors, struct pci_dev *pdev, unsigned int min, unsigned int max,
	     unsigned int flags, void *affinity, int ret)
{
	if (ret > 0)
		take_of_pci(ctx, 5, pdev, RECOV_OBJECT_IRQ_VECTORS, (u64)pdev, 0, ret, false);
	return 0;
}

SEC("fexit/pci_enable_msix_range")
int BPF_PROG(on_enable_msix, struct pci_dev *pdev, void *entries, int min, int max, int ret)
{
	if (ret > 0)
		take_of_pci(ctx, 4, pdev, RECOV_OBJECT_IRQ_VECTORS, (u64)pdev, 0, ret, false);
	return 0;
}

SEC("fexit/pci_enable_msi")
int BPF_PROG(on_enable_msi, struct pci_dev *pdev, int ret)
{
	if (ret >= 0)
		take_of_pci(ctx, 1, pdev, RECOV_OBJECT_IRQ_VECTORS, (u64)pdev, 0, 1, false);
	return 0;
}

/* Giving back what a device does not have is no mistake: drivers do so to be sure. So is the
 * second of two ways that end in the same place. */
static __always_inline void give_back_vectors(struct pci_dev *pdev)
{
	give_back(RECOV_OBJECT_IRQ_VECTORS, (u64)pdev, 0, 0, false);
}

SEC("fentry/pci_free_irq_vectors")
int BPF_PROG(on_free_vectors, struct pci_dev *pdev)
{
	give_back_vectors(pdev);
	return 0;
}

SEC("fentry/pci_disable_msix")
int BPF_PROG(on_disable_msix, struct pci_dev *pdev)
{
	give_back_vectors(pdev);
	return 0;
}

SEC("fentry/pci_disable_msi")
int BPF_PROG(on_disable_msi, struct pci_dev *pdev)
{
	give_back_vectors(pdev);
	return 0;
}

/* ---- registers ---- */

struct region {
	struct pci_dev *pdev;
	u64 number;
	u64 start, size;
};

static __always_inline u64 end_of(struct resource *resource)
{
	return BPF_CORE_READ(resource, end);
}

/* Fills in where it is and how long; a device need not have it. */
__noinline int measure_region(struct region *region)
{
	struct resource *resource;

	if (!region)
		return 0;
	resource = (void *)region->pdev + bpf_core_field_offset(struct pci_dev, resource) +
		   region->number * bpf_core_type_size(struct resource);
	region->start = BPF_CORE_READ(resource, start);
	region->size = end_of(resource) ? end_of(resource) - region->start + 1 : 0;
	return 0;
}

static __always_inline struct region region_of(struct pci_dev *pdev, int bar)
{
	struct region region = {.pdev = pdev, .number = bar};

	measure_region(&region);
	return region;
}

/* pci_iomap() and its kin cannot be attached to on all kernels; they call this from here. */
extern const void pci_iomap_range __ksym;
extern const void pci_iomap_wc_range __ksym;

#define IOMAP_LEN 256 /* bytes of code in either, at most */

SEC("fexit/__ioremap_caller")
int BPF_PROG(on_ioremap, u64 start, unsigned long size, int mode, void *caller, bool encrypted,
	     void *ret)
{
	u64 site = (u64)caller;
	int slot;

	if (is_error(ret) || !state.span.end)
		return 0;
	if (site - (u64)&pci_iomap_range < IOMAP_LEN || site - (u64)&pci_iomap_wc_range < IOMAP_LEN)
		site = site_on_stack(ctx, -1);
	slot = slot_of_code(site);
	if (slot < 0)
		return 0;
	take(&(struct taking){.slot = slot,
			      .class = RECOV_OBJECT_MMIO,
			      .object = (u64)ret,
			      .size = size,
			      .site = site});
	return 0;
}

SEC("fexit/pci_ioremap_bar")
int BPF_PROG(on_ioremap_bar, struct pci_dev *pdev, int bar, void *ret)
{
	if (!is_error(ret))
		take_of_pci(ctx, 2, pdev, RECOV_OBJECT_MMIO, (u64)ret, 0, region_of(pdev, bar).size,
			    false);
	return 0;
}

/* I/O ports come back as small numbers that nothing has to be given back for. */
#define PIO_END 0x20000UL

SEC("fexit/pci_ioremap_wc_bar")
int BPF_PROG(on_ioremap_wc_bar, struct pci_dev *pdev, int bar, void *ret)
{
	if (!is_error(ret))
		take_of_pci(ctx, 2, pdev, RECOV_OBJECT_MMIO, (u64)ret, 0, region_of(pdev, bar).size,
			    false);
	return 0;
}

SEC("fentry/iounmap")
int BPF_PROG(on_iounmap)
{
	u64 address = raw_argument(ctx, 0);

	if (address >= PIO_END)
		give_back(RECOV_OBJECT_MMIO, address, 0, caller_of(ctx, 1), true);
	return 0;
}

/* ---- PCI ---- */

SEC("fexit/pci_enable_device")
int BPF_PROG(on_enable, struct pci_dev *pdev, int ret)
{
	if (!ret)
		take_of_pci(ctx, 1, pdev, RECOV_OBJECT_PCI_ENABLE, (u64)pdev, 0, 1, true);
	return 0;
}

SEC("fexit/pci_enable_device_mem")
int BPF_PROG(on_enable_mem, struct pci_dev *pdev, int ret)
{
	if (!ret)
		take_of_pci(ctx, 1, pdev, RECOV_OBJECT_PCI_ENABLE, (u64)pdev, 0, 1, true);
	return 0;
}

SEC("fentry/pci_disable_device")
int BPF_PROG(on_disable, struct pci_dev *pdev)
{
	give_back(RECOV_OBJECT_PCI_ENABLE, (u64)pdev, 0, caller_of(ctx, 1), false);
	return 0;
}

/* One object a region, named by its address. */
#define PCI_REGIONS_MAX 6 /* those that a driver can ask for: PCI_STD_NUM_BARS */

static __always_inline void take_regions(void *ctx, int n, struct pci_dev *pdev, int bars)
{
	struct device *device = device_of_pci(pdev);
	int slot = slot_of_device(device);
	u64 site;

	if (slot < 0)
		return;
	site = site_of(ctx, n, slot);
	for (int bar = 0; bar < PCI_REGIONS_MAX; bar++) {
		struct region region = region_of(pdev, bar);

		if (!(bars & 1 << bar) || !region.size)
			continue;
		take(&(struct taking){.slot = slot,
				      .class = RECOV_OBJECT_PCI_REGIONS,
				      .object = region.start,
				      .size = region.size,
				      .site = site,
				      .device = device});
	}
}

static __always_inline void give_back_regions(struct pci_dev *pdev, int bars, u64 caller)
{
	for (int bar = 0; bar < PCI_REGIONS_MAX; bar++) {
		struct region region = region_of(pdev, bar);

		if (bars & 1 << bar && region.size)
			give_back(RECOV_OBJECT_PCI_REGIONS, region.start, 0, caller, true);
	}
}

/* Whoever gives it back, devres for one, ends here. */
SEC("fentry/__release_region")
int BPF_PROG(on_release_resource, struct resource *parent, u64 start)
{
	give_back(RECOV_OBJECT_PCI_REGIONS, start, 0, 0, false);
	return 0;
}

SEC("fexit/pci_request_selected_regions")
int BPF_PROG(on_request_selected, struct pci_dev *pdev, int bars, const char *name, int ret)
{
	if (!ret)
		take_regions(ctx, 3, pdev, bars);
	return 0;
}

SEC("fexit/pci_request_selected_regions_exclusive")
int BPF_PROG(on_request_selected_exclusive, struct pci_dev *pdev, int bars, const char *name,
	     int ret)
{
	if (!ret)
		take_regions(ctx, 3, pdev, bars);
	return 0;
}

SEC("fexit/pci_request_regions_exclusive")
int BPF_PROG(on_request_regions_exclusive, struct pci_dev *pdev, const char *name, int ret)
{
	if (!ret)
		take_regions(ctx, 2, pdev, (1 << PCI_REGIONS_MAX) - 1);
	return 0;
}

SEC("fexit/pci_request_regions")
int BPF_PROG(on_request_regions, struct pci_dev *pdev, const char *name, int ret)
{
	if (!ret)
		take_regions(ctx, 2, pdev, (1 << PCI_REGIONS_MAX) - 1);
	return 0;
}

SEC("fexit/pci_request_region")
int BPF_PROG(on_request_region, struct pci_dev *pdev, int bar, const char *name, int ret)
{
	if (!ret)
		take_regions(ctx, 3, pdev, 1 << (bar & 31));
	return 0;
}

SEC("fentry/pci_release_selected_regions")
int BPF_PROG(on_release_selected, struct pci_dev *pdev, int bars)
{
	give_back_regions(pdev, bars, caller_of(ctx, 2));
	return 0;
}

SEC("fentry/pci_release_regions")
int BPF_PROG(on_release_regions, struct pci_dev *pdev)
{
	give_back_regions(pdev, (1 << PCI_REGIONS_MAX) - 1, caller_of(ctx, 1));
	return 0;
}

SEC("fentry/pci_release_region")
int BPF_PROG(on_release_region, struct pci_dev *pdev, int bar)
{
	give_back_regions(pdev, 1 << (bar & 31), caller_of(ctx, 2));
	return 0;
}

/* ---- DMA ---- */

SEC("fexit/dma_alloc_attrs")
int BPF_PROG(on_dma_alloc, struct device *device, size_t size, void *handle, u32 gfp,
	     unsigned long attrs, void *ret)
{
	int slot = slot_of_device(device);

	if (slot < 0 || is_error(ret))
		return 0;
	take(&(struct taking){.slot = slot,
			      .class = RECOV_OBJECT_DMA_COHERENT,
			      .object = (u64)ret,
			      .size = size,
			      .site = site_of(ctx, 5, slot),
			      .device = device});
	return 0;
}

SEC("fentry/dma_free_attrs")
int BPF_PROG(on_dma_free, struct device *device, size_t size, void *address)
{
	if (address)
		give_back(RECOV_OBJECT_DMA_COHERENT, (u64)address, 0, caller_of(ctx, 5), false);
	return 0;
}

SEC("fexit/dma_pool_create")
int BPF_PROG(on_pool_create, const char *name, struct device *device, size_t size, size_t align,
	     size_t boundary, void *ret)
{
	int slot = slot_of_device(device);

	if (slot < 0 || is_error(ret))
		return 0;
	take(&(struct taking){.slot = slot,
			      .class = RECOV_OBJECT_DMA_POOL,
			      .object = (u64)ret,
			      .size = size,
			      .site = site_of(ctx, 5, slot),
			      .device = device,
			      .name = name});
	return 0;
}

SEC("fentry/dma_pool_destroy")
int BPF_PROG(on_pool_destroy, struct dma_pool *pool)
{
	if (pool)
		give_back(RECOV_OBJECT_DMA_POOL, (u64)pool, 0, caller_of(ctx, 1), false);
	return 0;
}

/* On demand only: a driver maps each buffer of each packet. */
SEC("fexit/dma_map_page_attrs")
int BPF_PROG(on_dma_map, struct device *device, void *page, size_t offset, size_t size,
	     int direction, unsigned long attrs, u64 ret)
{
	int slot = slot_of_device(device);

	if (slot < 0 || ret == (u64)-1)
		return 0;
	take(&(struct taking){.slot = slot,
			      .class = RECOV_OBJECT_DMA_MAP,
			      .object = ret,
			      .more = (u64)device,
			      .size = size,
			      .site = caller_of(ctx, 6),
			      .device = device,
			      .nests = true});
	return 0;
}

SEC("fentry/dma_unmap_page_attrs")
int BPF_PROG(on_dma_unmap, struct device *device, u64 address)
{
	give_back(RECOV_OBJECT_DMA_MAP, address, (u64)device, 0, false);
	return 0;
}
