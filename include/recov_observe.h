/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note OR LGPL-2.1-or-later */
/*
 * What the BPF programs of bpf/ tell user space: the records in their maps and in their ring.
 *
 * Maps, pinned below /sys/fs/bpf/recoverd as long as something is watched:
 *
 *   state      struct recov_state                  the watched modules, loaded or waited for
 *   objects    recov_object_key -> recov_object    what they own now; what is left after an
 *                                                  unload has its driver's old generation
 *   freed      the same, the last ones given back
 *   slabs      struct recov_slab_slot           where looking for a slab object would be in vain
 *   entries    recov_entry_key -> recov_entry  calls into a driver; one value a CPU
 *   running    recov_running_key -> recov_running  entries that have not returned
 *   running_on_cpu  enum recov_entry_kind -> recov_running  the same for those that do not
 *                                                  sleep; one value a CPU, since_ns 0: none
 *   stay_on_cpu  struct recov_stay            in which driver a CPU was found when it was looked
 *                                                  at last; one value a CPU, since_ns 0: in none
 *   irqs       u32, the line -> struct recov_irq  those of watched drivers whose file
 *                                              /sys/kernel/irq/N/per_cpu_count has been read
 *   requests   recov_request_key -> recov_request  the last value of each state that was set
 *   counters   recov_counter -> u64            one value a CPU
 *   ring       struct recov_record             signals and, for those who trace, object events
 *
 * Times are CLOCK_MONOTONIC, ns. Addresses are the kernel's. Records grow at their end only; any
 * other change raises RECOV_OBSERVE_VERSION.
 */
#ifndef RECOV_OBSERVE_H
#define RECOV_OBSERVE_H

#include <linux/types.h>

#define RECOV_OBSERVE_VERSION 1

#define RECOV_WATCH_MAX	    16	/* watched drivers */
#define RECOV_MODULE_LEN    56	/* MODULE_NAME_LEN */
#define RECOV_LABEL_LEN	    24	/* names of devices and objects, cut */
#define RECOV_COMM_LEN	    16	/* TASK_COMM_LEN */
#define RECOV_REQUEST_DATA  608 /* bytes of a request that are kept; the hw_params of a PCM */
#define RECOV_STACK_DEPTH   24
#define RECOV_LONG_NS	    1000000000
#define RECOV_LATENCY_SLOTS 32 /* a power of two of ns each */

#define RECOV_OBJECT_CLASSES(X)                                                                    \
	X(IRQ, "irq")                                                                              \
	X(IRQ_VECTORS, "irq-vectors")                                                              \
	X(MMIO, "mmio")                                                                            \
	X(PCI_ENABLE, "pci-enable")                                                                \
	X(PCI_REGIONS, "pci-regions")                                                              \
	X(DMA_COHERENT, "dma-coherent")                                                            \
	X(DMA_POOL, "dma-pool")                                                                    \
	X(DMA_MAP, "dma-map")                                                                      \
	X(SLAB, "slab")                                                                            \
	X(VMALLOC, "vmalloc")                                                                      \
	X(CACHE, "cache")                                                                          \
	X(TIMER, "timer")                                                                          \
	X(WORK, "work")                                                                            \
	X(WORKQUEUE, "workqueue")                                                                  \
	X(NAPI, "napi")                                                                            \
	X(NETDEV, "netdev")                                                                        \
	X(CDEV, "cdev")                                                                            \
	X(MISC, "misc")                                                                            \
	X(CHRDEV, "chrdev-region")                                                                 \
	X(DEVICE, "device")                                                                        \
	X(CLASS, "class")                                                                          \
	X(PROC, "proc")                                                                            \
	X(DEBUGFS, "debugfs")                                                                      \
	X(SYSFS, "sysfs")                                                                          \
	X(CARD, "sound-card")                                                                      \
	X(PCM, "sound-pcm")                                                                        \
	X(CONTROL, "sound-control")                                                                \
	X(DISK, "disk")                                                                            \
	X(TAG_SET, "disk-queues")                                                                  \
	X(DEVRES, "devres")                                                                        \
	X(REFERENCE, "module-reference")

enum recov_object_class {
#define X(name, text) RECOV_OBJECT_##name,
	RECOV_OBJECT_CLASSES(X)
#undef X
	RECOV_OBJECT_CLASS_COUNT
};

/* Kinds of entries: where the kernel calls a driver. */
#define RECOV_ENTRY_KINDS(X)                                                                       \
	X(PROBE, "probe")                                                                          \
	X(REMOVE, "remove")                                                                        \
	X(IRQ, "irq")                                                                              \
	X(TIMER, "timer")                                                                          \
	X(WORK, "work")                                                                            \
	X(POLL, "poll")                                                                            \
	X(XMIT, "xmit")                                                                            \
	X(NET_OPEN, "net-open")                                                                    \
	X(NET_STOP, "net-stop")                                                                    \
	X(NET_MAC, "net-mac")                                                                      \
	X(NET_MTU, "net-mtu")                                                                      \
	X(NET_RX_MODE, "net-rx-mode")                                                              \
	X(NET_FEATURES, "net-features")                                                            \
	X(NET_VLAN, "net-vlan")                                                                    \
	X(NET_ETHTOOL, "net-ethtool")                                                              \
	X(NET_IOCTL, "net-ioctl")                                                                  \
	X(OPEN, "open")                                                                            \
	X(RELEASE, "release")                                                                      \
	X(IOCTL, "ioctl")                                                                          \
	X(PCM_PARAMS, "pcm-hw-params")                                                             \
	X(PCM_SW_PARAMS, "pcm-sw-params")                                                          \
	X(PCM_PREPARE, "pcm-prepare")                                                              \
	X(PCM_TRIGGER, "pcm-trigger")                                                              \
	X(CONTROL, "control-write")                                                                \
	X(INIT, "init")

enum recov_entry_kind {
#define X(name, text) RECOV_ENTRY_##name,
	RECOV_ENTRY_KINDS(X)
#undef X
	RECOV_ENTRY_KIND_COUNT
};

enum recov_watch_state {
	RECOV_WATCH_FREE,
	RECOV_WATCH_WANTED, /* not loaded */
	RECOV_WATCH_LOADED,
};

enum recov_watch_flags {
	RECOV_WATCH_FROM_LOAD = 1 << 0, /* nothing of it was missed: attached before its init */
};

#define RECOV_DATA_RANGES 3

struct recov_range {
	__u64 base, size;
};

struct recov_span {
	__u64 base, end; /* both 0: nothing is loaded that is watched */
};

/* A driver that is watched. Slot and generation together name one life of it. */
struct recov_watch {
	char name[RECOV_MODULE_LEN];
	__u64 module; /* struct module * */
	struct recov_range text, init;
	struct recov_range data[RECOV_DATA_RANGES];
	__u64 loaded_ns;
	__u32 generation; /* up by one with each load */
	__u32 state;	  /* enum recov_watch_state */
	__u32 flags;
	__u32 reserved;
};

/* What a driver owns of slab objects, vmalloc areas and coherent DMA memory. */
struct recov_memory {
	__u64 objects, bytes;
};

/* The part of the programs' memory that user space shares: the map state. The watches and
 * their span are written by the programs alone, `traced` by the daemon. */
struct recov_state {
	struct recov_watch watch[RECOV_WATCH_MAX]; /* by slot */
	struct recov_span span;			   /* has all ranges of all watches in it */
	__u64 sequence;				   /* of the request that was logged last */
	__u32 traced; /* slots whose every event is wanted, a bit each */
	__u32 slots;  /* the first ones, that have been used so far */
	struct recov_memory memory[RECOV_WATCH_MAX]; /* when `count_memory` was run last */
	__u64 irqs_ns;				     /* when lines were looked at last */
	__u32 irq_changes; /* up by one with each interrupt that a driver requests */
	__u32 reserved;
};

/* Argument of the program `watch`, run by the daemon: watch a module, loaded or not, or no more. */
struct recov_watch_call {
	char name[RECOV_MODULE_LEN];
	__u32 stop;
	__s32 slot; /* out: the slot, or a negative errno */
};

#define RECOV_SYMBOL_LEN 96

/* Argument of the program `symbolize`: an address as "function+0x1c/0x40 [module]". */
struct recov_symbol_call {
	__u64 address;
	char symbol[RECOV_SYMBOL_LEN];
};

/* What names an object: its address or number and, where that is not enough, a second one. */
struct recov_object_key {
	__u64 object, more;
	__u32 class; /* enum recov_object_class */
	__u32 reserved;
};

struct recov_object {
	__u64 size;    /* bytes, or what the class counts */
	__u64 site;    /* return address in the driver; 0: not known */
	__u64 time_ns; /* when it was taken, or given back */
	__u64 parent;  /* the object that takes it along when it goes, or 0 */
	__u32 slot, generation;
	__u32 count; /* how often it was taken, for those that nest */
	__u32 reserved;
	char device[RECOV_LABEL_LEN];
	char name[RECOV_LABEL_LEN];
};

#define RECOV_SLAB_SLOTS 4096

/* What is known of slab objects by a hash of their addresses: the map slabs. */
struct recov_slab_slot {
	__u64 freed; /* given back last; `freed` has no other slab object of this slot */
	__u32 owned; /* that many at least are in `objects` */
	__u32 reserved;
};

struct recov_entry_key {
	__u64 function; /* in the driver; 0 where the kernel's dispatch point was seen only */
	__u32 slot;
	__u32 kind; /* enum recov_entry_kind */
};

struct recov_entry {
	__u64 calls, errors;
	__u64 total_ns, max_ns;
	__u32 latency[RECOV_LATENCY_SLOTS]; /* [i]: 2^i ns and longer */
};

struct recov_running_key {
	__u32 task; /* thread id */
	__u32 kind;
};

struct recov_running {
	__u64 since_ns, function;
	__u32 slot; /* RECOV_WATCH_MAX: the stack of the task has to tell */
	__u32 generation;
	__u32 cpu, pid;
	char comm[RECOV_COMM_LEN];
	char device[RECOV_LABEL_LEN];
};

/* An interrupt line that a driver has requested, as it was when it was looked at last. */
struct recov_irq {
	__u64 function; /* in the driver: its handler, or what its thread calls */
	__u64 desc;
	__u64 since_ns; /* the last call that was found going on: when that was first so */
	__u64 seen_ns;	/* and last */
	__u32 slot, generation;
	__u32 calls; /* since the line is there; goes around */
	__u32 is_busy;
	__u32 is_shared; /* with other handlers */
	__u32 reserved;
};

/* Somebody who is in a driver's code: a task that sleeps there and must be woken by the driver, or
 * waits for a CPU there, which is what reading the iterator `tasks` gives, or what a CPU does. */
struct recov_stay {
	__u64 since_ns; /* CPUs: when it was first found like this */
	__u64 seen_ns;	/* and last */
	__u64 site;	/* the innermost address in the driver */
	__u64 mark; /* another one: the task has left the kernel meanwhile, or given up the CPU */
	__u32 slot, generation;
	__u32 pid; /* thread id; 0: the CPU is idle but for interrupts */
	__u32 cpu;
	__u32 asleep; /* tasks */
	__u32 reserved;
	char comm[RECOV_COMM_LEN];
};

/* One state that was set: the same key again replaces it. */
struct recov_request_key {
	__u64 object; /* net_device *, file_operations *, substream *, device * */
	__u64 what;   /* command, VLAN id, ... */
	__u32 slot;
	__u32 kind; /* enum recov_entry_kind */
};

struct recov_request {
	__u64 seq; /* replay in this order */
	__u64 time_ns;
	__s64 result;
	__u32 generation;
	__u32 pid;
	__u32 size;   /* bytes of data there were; at most RECOV_REQUEST_DATA are kept */
	__u32 repeat; /* how often it was set */
	char comm[RECOV_COMM_LEN];
	char device[RECOV_LABEL_LEN];
	__u8 data[RECOV_REQUEST_DATA];
	__u32 has_more; /* OPEN: the file was asked for something else as well */
	__u32 reserved;
	__u64 asked_ns; /* when it was asked last, though that may have failed */
};

/* Where the fields of sound structures are, in bytes: programs are told when they are loaded, since
 * the modules that have those may be loaded later. */
struct recov_sound {
	__u32 card_size;
	__u32 card_parent, card_module, card_device; /* a pointer, a pointer, the device itself */
	__u32 pcm_card, pcm_id, pcm_device;
	__u32 substream_pcm, substream_number, substream_stream, substream_ops;
	__u32 control_id, control_count;
};

enum recov_counter {
	RECOV_COUNTER_OBJECTS_FULL, /* objects that found no room */
	RECOV_COUNTER_ENTRIES_FULL,
	RECOV_COUNTER_RUNNING_FULL,
	RECOV_COUNTER_REQUESTS_FULL,
	RECOV_COUNTER_RING_FULL,    /* records that were dropped */
	RECOV_COUNTER_UNKNOWN_FREE, /* given back by a driver, but never seen taken */
	RECOV_COUNTER_RECORDS,
	RECOV_COUNTERS
};

enum recov_record_type {
	RECOV_RECORD_LOADED = 1, /* module is in memory, its init not yet called */
	RECOV_RECORD_UNLOADED,	 /* its memory is about to be freed; detail: objects left */
	RECOV_RECORD_LEAK,	 /* an object that is left when its driver is unloaded */
	RECOV_RECORD_TAKEN,	 /* an object; only if traced */
	RECOV_RECORD_GIVEN_BACK,
	RECOV_RECORD_DOUBLE_FREE,
	RECOV_RECORD_BAD_FREE,
	RECOV_RECORD_WARN,
	RECOV_RECORD_OOPS,
	RECOV_RECORD_TX_TIMEOUT,
	RECOV_RECORD_ATOMIC, /* may sleep where it must not */
	RECOV_RECORD_ENTRY,  /* an entry returned; only if traced */
	RECOV_RECORD_LONG, /* an entry that may not sleep returned after more than RECOV_LONG_NS */
};

struct recov_record {
	__u16 version, type;
	__u32 slot, generation;
	__u32 cpu, pid;
	__u32 flags; /* LEAK: enum recov_watch_flags of the life that ends */
	__u64 time_ns;
	__u64 site;   /* where in the driver */
	__u64 detail; /* ENTRY, LONG: ns; OOPS: address; WARN: caller; frees: where freed before */
	__s64 result;
	struct recov_object_key key; /* ENTRY, LONG: object is the function, class the kind */
	struct recov_object object;
	char comm[RECOV_COMM_LEN];
	char symbol[RECOV_SYMBOL_LEN]; /* the site's, where it may be gone when this is read */
};

_Static_assert(sizeof(struct recov_watch) == 168, "recov_watch");
_Static_assert(sizeof(struct recov_object_key) == 24, "recov_object_key");
_Static_assert(sizeof(struct recov_object) == 96, "recov_object");
_Static_assert(sizeof(struct recov_entry) == 160, "recov_entry");
_Static_assert(sizeof(struct recov_running) == 72, "recov_running");
_Static_assert(sizeof(struct recov_irq) == 56, "recov_irq");
_Static_assert(sizeof(struct recov_stay) == 56 + RECOV_COMM_LEN, "recov_stay");
_Static_assert(sizeof(struct recov_request) == 704, "recov_request");
_Static_assert(sizeof(struct recov_record) == 288, "recov_record");

#endif /* RECOV_OBSERVE_H */
