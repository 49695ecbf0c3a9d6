/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * The ioctl ABI of recov_shadow.ko, and its manual.
 *
 * An open file of /dev/recov_shadow is a *session*. Opening needs CAP_SYS_ADMIN. Any number of
 * sessions may ask questions (INFO, MATCH, DEVICE, SYMBOL); at most one owns *the swap*, of which
 * the machine has at most one at a time.
 *
 * A swap in order, by the ioctls and system calls of its owner:
 *
 *	ARM	match the driver's devices, install the hooks, start the deadline
 *	HOLD	quiesce every device: its users queue or park, the driver is stopped
 *	delete_module(2)	the driver's own remove() detaches each device: the kernel object
 *				stays, owned by the shadow
 *	init_module(2)		the returning driver's probe() is given the kept objects
 *	REPLAY	put back the state the objects had at HOLD, and start them
 *	RESUME	let the users go, take the hooks out, end the swap
 *
 * poll(2) reports POLLIN whenever a device changed its state since the last STATUS; DEVICE then
 * tells which state, with the time each state was first reached. ABANDON at any moment ends the
 * swap as if its owner had died.
 *
 * What happens without the owner. The kernel never waits for user space without a limit:
 *   - a device still HELD by its driver is replayed and resumed at once;
 *   - a device whose driver is out stays kept until the deadline, so that a successor session can
 *     TAKE the swap over and load a driver, or anybody can modprobe one: such a device is then
 *     replayed and resumed by the kernel itself as soon as it is bound;
 *   - at the deadline a kept device is unregistered as its driver's remove() would have done.
 * The deadline ends the swap in the same way when the owner is alive. It cannot be extended. An armed
 * driver fails, and what sleeps in it ends, when HOLD, its exit function, its init function or REPLAY has
 * taken half of what there was left of the time.
 *
 * All structures are little records of fixed width with explicit padding; unknown bits and
 * non-zero padding are refused with EINVAL, so that they can get a meaning later. Strings are
 * NUL-terminated within their array.
 */
#ifndef RECOV_SHADOW_H
#define RECOV_SHADOW_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define RECOV_SHADOW_ABI  3
#define RECOV_SHADOW_PATH "/dev/recov_shadow"

#define RECOV_NAME_LEN	      64  /* module, bus, device and object names */
#define RECOV_KSYM_LEN	      128 /* exported symbol */
#define RECOV_REASON_LEN      160 /* one sentence */
#define RECOV_DEADLINE_MAX_MS 120000
#define RECOV_DRAIN_MAX_MS    10000
#define RECOV_DEVICES_MAX     64

/* State of the swap. */
enum recov_swap_state {
	RECOV_SWAP_NONE = 0, /* no swap on this machine */
	RECOV_SWAP_ARMED,    /* hooks installed, every device still serves */
	RECOV_SWAP_HELD,     /* from HOLD until RESUME */
	RECOV_SWAP_ENDING,   /* letting go: abandoned, or past the deadline */
};

/* State of one device of the swap, in the usual order. */
enum recov_device_state {
	RECOV_DEV_LIVE = 0,   /* its driver serves it, nothing is held */
	RECOV_DEV_HELD,	      /* quiesced, still with its driver */
	RECOV_DEV_DETACHED,   /* given up by its driver, which may still refer to it */
	RECOV_DEV_KEPT,	      /* owned by the shadow alone: no driver */
	RECOV_DEV_PROBING,    /* a driver's probe() is running for its parent */
	RECOV_DEV_ADOPTED,    /* handed to that probe() */
	RECOV_DEV_REGISTERED, /* registered again by it */
	RECOV_DEV_BOUND,      /* probe() succeeded; not replayed yet */
	RECOV_DEV_REPLAYED,   /* state restored and started; users still held */
	RECOV_DEV_RELEASED,   /* went the stock way: the object is gone */
	RECOV_DEV_STATES
};

/* Moments of a swap in struct recov_device.mark_ns, CLOCK_MONOTONIC; 0: not reached. */
enum recov_mark {
	RECOV_MARK_HELD = 0,
	RECOV_MARK_DETACHED,
	RECOV_MARK_KEPT,
	RECOV_MARK_PROBING,
	RECOV_MARK_ADOPTED,
	RECOV_MARK_REGISTERED,
	RECOV_MARK_BOUND,
	RECOV_MARK_REPLAYED,
	RECOV_MARK_LINK, /* usable again (net: carrier) */
	RECOV_MARK_RESUMED,
	RECOV_MARKS = 12
};

/* What REPLAY puts back one by one, of those that the driver is asked for: a bit each in masks of
 * settings, 1u << RECOV_SETTING_*. */
#define RECOV_SETTINGS(X)                                                                          \
	X(FEATURES, "features")                                                                    \
	X(MAC, "mac")                                                                              \
	X(MTU, "mtu")                                                                              \
	X(MSGLEVEL, "msglevel")                                                                    \
	X(PRIVATE_FLAGS, "private-flags")                                                          \
	X(CHANNELS, "channels")                                                                    \
	X(RINGS, "rings")                                                                          \
	X(WOL, "wake-on-lan")                                                                      \
	X(LINK, "link-settings")                                                                   \
	X(PAUSE, "pause")                                                                          \
	X(FEC, "fec")                                                                              \
	X(TUNABLES, "tunables")                                                                    \
	X(VLANS, "vlans")                                                                          \
	X(RX_MODE, "rx-mode")                                                                      \
	X(COALESCE, "coalesce")                                                                    \
	X(RSS, "rss")                                                                              \
	X(FLOW_HASH, "flow-hash")                                                                  \
	X(EEE, "eee")

enum recov_setting {
	RECOV_SETTING_NONE,
#define X(name, text) RECOV_SETTING_##name,
	RECOV_SETTINGS(X)
#undef X
	RECOV_SETTING_COUNT
};

/* INFO: the module and the machine's swap. Works in any session. */
struct recov_info {
	__u32 abi;		/* RECOV_SHADOW_ABI */
	__u32 swap_state;	/* enum recov_swap_state */
	__u32 owner_pid;	/* in the init pid namespace; 0: no owner */
	__u32 devices;		/* of the swap */
	__u64 deadline_left_ns; /* 0: no swap */
	__u32 swaps;		/* swaps begun since the module was loaded */
	__u32 pad;
	char driver[RECOV_NAME_LEN];
};

/* MATCH: which devices a driver has, and whether each can be carried over. Holds nothing.
 * in: driver. out: devices. The result is this session's until its next MATCH or ARM.
 * ENOENT: no such module, or it is built in. EDEADLK: a call of the driver's, which is armed, keeps the
 * lock that is needed. EBUSY: somebody keeps it for longer than a swap has patience. */
struct recov_match {
	char driver[RECOV_NAME_LEN];
	__u32 devices;
	__u32 pad;
};

/* DEVICE: one device of this session's MATCH, or of the machine's swap with
 * RECOV_DEVICE_OF_SWAP. in: index, flags. ENOENT: no such index. */
#define RECOV_DEVICE_OF_SWAP (1u << 0)

struct recov_device {
	__u32 index;
	__u32 flags;
	__u32 state;	   /* enum recov_device_state */
	__s32 verdict;	   /* 0: can be carried over; else negative errno with reason */
	__u32 object_id;   /* net: ifindex */
	__u32 object_up;   /* in use when held (net: IFF_UP) */
	__u32 link;	   /* usable now (net: carrier) */
	__u32 link_before; /* usable when held */
	__u32 room;	   /* bytes the kept object has for a driver's private area */
	__u32 need;	   /* bytes the driver last asked for; 0: not known */
	__s32 error;	   /* first error of a verb on this device; 0: none */
	__u32 queues;	   /* bits 31..16 tx, 15..0 rx, allocated */
	__u32 left_out;	   /* settings that were not put back on purpose */
	__u32 pad;
	__u64 mark_ns[RECOV_MARKS];
	char class_name[16]; /* "net" */
	char bus[RECOV_NAME_LEN];
	char device[RECOV_NAME_LEN];   /* the parent: "0000:00:03.0" */
	char object[RECOV_NAME_LEN];   /* "eth0" */
	char reason[RECOV_REASON_LEN]; /* of verdict or error; empty if none */
};

/* SYMBOL: what the running kernel exports under a name. in: name. out: the rest.
 * ENOENT: not exported. Works in any session. */
#define RECOV_SYMBOL_HAS_CRC (1u << 0)
#define RECOV_SYMBOL_GPL     (1u << 1)

struct recov_symbol {
	char name[RECOV_KSYM_LEN];
	char owner[RECOV_NAME_LEN]; /* module; empty: the kernel itself */
	__u32 crc;
	__u32 flags;
};

/* ARM: begin the swap. Of one device settings may be left out when it is replayed. Of any device of a
 * driver that had failed before, REPLAY leaves out, the next time in this swap, the one that the
 * driver fails in once more. EBUSY: another swap is under way, or a hooked kernel function is taken
 * (livepatch). EOPNOTSUPP: a device can't be carried over; MATCH tells which and why.
 * ENODEV: the driver has no device of a known class. */
struct recov_arm {
	char driver[RECOV_NAME_LEN];
	__u32 deadline_ms; /* 1..RECOV_DEADLINE_MAX_MS, from now */
	__u32 drain_ms;	   /* 0..RECOV_DRAIN_MAX_MS: how long HOLD waits for work in flight */
	__u32 flags;	   /* 0 */
	__u32 leave_out;   /* settings */
	char device[RECOV_NAME_LEN]; /* whose, by the name of the parent; empty: leave_out is 0 */
};

/* What made a call into an armed driver end early. */
enum recov_fault_cause {
	RECOV_FAULT_PAGE = 1,	/* page fault; address */
	RECOV_FAULT_PROTECTION, /* general protection */
	RECOV_FAULT_OPCODE,	/* invalid instruction, BUG() */
	RECOV_FAULT_DIVIDE,
	RECOV_FAULT_STACK,    /* stack protector */
	RECOV_FAULT_DOUBLE,   /* double fault: the stack is used up, or lost */
	RECOV_FAULT_OTHER,    /* another exception; trap tells which */
	RECOV_FAULT_DEADLOCK, /* it asked for a lock that its CPU or task holds; address */
	RECOV_FAULT_HANG,     /* a call that did not return */
	RECOV_FAULT_ARGUMENT, /* it gave a function of the kernel what it can't take; service, address */
	RECOV_FAULT_BREAKPOINT, /* an int3 that nobody has planted */
	RECOV_FAULT_ANSWER,	/* it returned what its caller can't take; address */
	RECOV_FAULT_STORM,	/* not one call: its interrupts left a CPU nothing else to do */
};

/* In what context the call was. */
#define RECOV_FAULT_IN_HARDIRQ	(1u << 0)
#define RECOV_FAULT_IN_SOFTIRQ	(1u << 1)
#define RECOV_FAULT_IRQS_OFF	(1u << 2) /* when the driver was called */
#define RECOV_FAULT_FIRST	(1u << 3) /* the driver served until then */
#define RECOV_FAULT_STACK_DEPTH 16

/* FAULT: one fault of an armed driver, in the order in which they happened. The call it was in was
 * ended with an error, and the driver fails all further calls until it is loaded anew. poll(2)
 * reports POLLPRI while there are faults that this session has not got.
 * in: seq, from 1 on. EAGAIN: not yet. EOVERFLOW: only the last RECOV_FAULTS are kept; out: seq, of
 * the oldest. */
#define RECOV_FAULTS 64

struct recov_fault {
	__u64 seq;
	__u64 time_ns; /* CLOCK_MONOTONIC */
	__u64 ip;
	__u64 address;			      /* PAGE: what was accessed */
	__u64 error;			      /* the exception's code; HANG: ms it was seen */
	__u64 tap;			      /* the driver's function that the kernel had called */
	__u64 stack[RECOV_FAULT_STACK_DEPTH]; /* return addresses from ip to the tap; 0: no more */
	__u32 cause;			      /* enum recov_fault_cause */
	__u32 trap;			      /* number of the exception */
	__u32 flags;
	__u32 cpu;
	__u32 pid;     /* thread id in the init pid namespace */
	__u32 setting; /* enum recov_setting: which REPLAY was putting back in that call, if any */
	char comm[16];
	char driver[RECOV_NAME_LEN];
	char site[RECOV_KSYM_LEN];    /* ip as "function+0x1c/0x40 [module]" */
	char entry[RECOV_KSYM_LEN];   /* tap, likewise */
	char service[RECOV_NAME_LEN]; /* ARGUMENT: the function of the kernel; else empty */
};

/* ARMED: what the shadow knows of an armed driver. in: driver, flags. ENOENT: it is not loaded, or not
 * armed. With RECOV_ARMED_TRUST a driver that has failed is called again, so that it can be stopped
 * and removed as usual; until then it can't be unloaded. RECOV_ARMED_DISTRUST takes that back if it
 * is still loaded. RECOV_ARMED_FAIL: it fails, without a fault: calls in it that wait for what would have
 * to come from it end within a second. out: what held before. */
#define RECOV_ARMED_TRUST    (1u << 0)
#define RECOV_ARMED_DISTRUST (1u << 1)
/* With TRUST: if it fails while it is being unloaded, what RELEASE does is done at the end of its exit
 * function, so that the unloading ends. */
#define RECOV_ARMED_RELEASE (1u << 2)
#define RECOV_ARMED_FAIL    (1u << 3)

struct recov_armed {
	char driver[RECOV_NAME_LEN];
	__u32 flags;
	__u32 taps;
	__u32 failed; /* 1: it has faulted, and fails all calls */
	__u32 pad;
};

/* RELEASE: take from the armed driver of the swap what it has, without calling it once more: in place
 * of its remove() and exit functions, after which delete_module(2) finds nothing left to do. For HOLD,
 * or after it. What the kernel itself lists as the driver's is given back: only what the driver's
 * memory or code and a list of the kernel both say is its own, or what it was seen to get. The rest of
 * its memory is lost.
 * EBUSY: something of it does not end; RELEASED tells what. ENOENT: it is not loaded, or not armed. */
enum recov_released_class {
	RECOV_RELEASED_CALL,	/* calls that slept in the driver, and have been ended */
	RECOV_RELEASED_IRQ,	/* handlers of interrupts */
	RECOV_RELEASED_TIMER,	/* that were pending */
	RECOV_RELEASED_HRTIMER, /* likewise */
	RECOV_RELEASED_WORK,	/* delayed ones, likewise */
	RECOV_RELEASED_NAPI,
	RECOV_RELEASED_PACKET,	/* that were to be sent */
	RECOV_RELEASED_MAPPING, /* of the device's memory */
	RECOV_RELEASED_MEMORY,	/* areas of vmalloc() */
	RECOV_RELEASED_DRIVER,	/* registered ones; with each what its devices have from devm_*() */
	RECOV_RELEASED_VECTORS, /* devices whose message-signalled interrupts were on */
	RECOV_RELEASED_REGION,	/* of a device's address space */
	RECOV_RELEASED_ENABLE,	/* devices that were on */
	RECOV_RELEASED_RESET,	/* devices that have been reset besides */
	RECOV_RELEASED_QUEUE,	/* of virtio */
	RECOV_RELEASED_CPUHP,	/* states of CPU hotplug, with their instances */
	RECOV_RELEASED_COHERENT, /* pieces of dma_alloc_attrs() */
	RECOV_RELEASED_CLASSES = 24
};

/* RELEASED: what was released in the swap, or in the last one. Works in any session. */
struct recov_released {
	__u32 images; /* of the driver, that have been released */
	__s32 error;  /* of the last one, with reason */
	__u32 counts[RECOV_RELEASED_CLASSES];
	char reason[RECOV_REASON_LEN];
};

/* INJECT: plant mistakes into a driver that is loaded, as a test of what becomes of it. They stay when
 * the session is closed, until UNDO, or until the driver is unloaded; and as a whole no longer than
 * for_ms, or than max_hits of them were met. Before that this module can't be unloaded: where a CPU
 * hangs they can't be undone.
 *
 * A site is an instruction of the driver that others take the place of. Its first byte is a breakpoint
 * at first, so that the moment is known in which it is met for the first time; then that byte is put
 * in, too, and the driver goes on with it. A site whose bytes stay the same tells no more than that it
 * was executed. A call is one of a function of the kernel: it is left out if the driver makes it by
 * itself, and not by a jump as its last act, and returns result instead.
 *
 * in: all but failed. ENOENT: no such module. ENXIO: the kernel exports no such function. EEXIST: it
 * has mistakes planted already. EBUSY: it is being loaded, unloaded or swapped. ERANGE: a site is
 * outside of its text. ESTALE: memory is not as in old. ETIMEDOUT: a CPU did not stop. Nothing is
 * planted then; failed tells where it failed, calls being counted after the sites. */
#define RECOV_INJECT_LEN       15
#define RECOV_INJECT_SITES_MAX 65536
#define RECOV_INJECT_CALLS_MAX 64
#define RECOV_INJECT_NOWHERE   0xffffffff
/* A line "recov-inject DRIVER INDEX" is written to I/O port 0xe9 when one is met for the first time,
 * where emulators have a console that a panic does not hold up. */
#define RECOV_INJECT_PORT (1u << 0)

struct recov_inject_site {
	__u64 address; /* ascending, none overlaps another */
	__u8 length;   /* 1..RECOV_INJECT_LEN */
	__u8 pad;
	__u8 old_bytes[RECOV_INJECT_LEN];
	__u8 new_bytes[RECOV_INJECT_LEN];
};

struct recov_inject_call {
	char symbol[RECOV_KSYM_LEN];
	__u64 caller; /* only calls that return to there, or up to size bytes behind it; */
	__u64 size;   /* with 0: all of the driver's */
	__s64 result;
	__u32 first; /* of these calls, from 1 on */
	__u32 count; /* so many from then on; 0: all */
};

struct recov_inject {
	char driver[RECOV_NAME_LEN];
	__u64 sites; /* address of n_sites struct recov_inject_site */
	__u64 calls; /* address of n_calls struct recov_inject_call */
	__u32 n_sites;
	__u32 n_calls;
	__u32 for_ms;	/* 0: no limit */
	__u32 max_hits; /* likewise; 0 without sites and calls that are met */
	__u32 flags;
	__u32 failed;
};

enum recov_inject_state {
	RECOV_INJECT_PLANTED = 1,
	RECOV_INJECT_ENDING, /* being undone, but a CPU does not stop */
	RECOV_INJECT_UNDONE, /* for_ms or max_hits are over */
	RECOV_INJECT_GONE,   /* the driver was unloaded with them */
};

/* INJECTED: what is planted, or was, in one driver; until the next INJECT or UNDO. in: driver, or if
 * that is empty, index from 0 on. out: the rest. ENOENT: nothing. Works in any session. */
struct recov_injected {
	char driver[RECOV_NAME_LEN];
	__u64 planted_ns; /* CLOCK_MONOTONIC */
	__u64 ended_ns;	  /* 0: not yet */
	__u32 index;
	__u32 state; /* enum recov_inject_state */
	__u32 n_sites;
	__u32 n_calls;
	__u32 hits;	 /* how many of both were met */
	__u32 differing; /* sites that somebody else has changed meanwhile: they were left alone */
	__u32 for_ms;
	__u32 max_hits;
};

/* UNDO: all of it is taken back, and compared, and forgotten. in: driver. out: what there was, with its
 * last state. ENOENT: nothing. ETIMEDOUT: a CPU does not stop; it is done when that does. */

/* HITS: which were met. in: driver, first, n. out: n, if there are less. ENOENT: nothing. */
struct recov_inject_hit {
	__u64 time_ns; /* of the first time, CLOCK_MONOTONIC */
	__u32 count;   /* of a site 0 or 1 */
	__u32 cpu;
	__u32 pid; /* thread id in the init pid namespace */
	__u32 pad;
};

struct recov_inject_hits {
	char driver[RECOV_NAME_LEN];
	__u64 hits; /* address of n struct recov_inject_hit */
	__u32 first;
	__u32 n;
};

/* TEXT: what is in memory of a driver's text. in: all. ENOENT: no such module. ERANGE: it is not all
 * in there. */
struct recov_inject_text {
	char driver[RECOV_NAME_LEN];
	__u64 address;
	__u64 bytes; /* address of size bytes */
	__u32 size;
	__u32 pad;
};

#define RECOV_IOC_TYPE	   0xEC
#define RECOV_IOC_INFO	   _IOR(RECOV_IOC_TYPE, 0x00, struct recov_info)
#define RECOV_IOC_MATCH	   _IOWR(RECOV_IOC_TYPE, 0x01, struct recov_match)
#define RECOV_IOC_DEVICE   _IOWR(RECOV_IOC_TYPE, 0x02, struct recov_device)
#define RECOV_IOC_SYMBOL   _IOWR(RECOV_IOC_TYPE, 0x03, struct recov_symbol)
#define RECOV_IOC_FAULT	   _IOWR(RECOV_IOC_TYPE, 0x04, struct recov_fault)
#define RECOV_IOC_ARMED	   _IOWR(RECOV_IOC_TYPE, 0x05, struct recov_armed)
#define RECOV_IOC_RELEASED _IOR(RECOV_IOC_TYPE, 0x06, struct recov_released)
#define RECOV_IOC_ARM	   _IOW(RECOV_IOC_TYPE, 0x10, struct recov_arm)
/* The verbs of the owner; EPERM for any other session, EINVAL out of order. */
#define RECOV_IOC_HOLD	  _IO(RECOV_IOC_TYPE, 0x11)
#define RECOV_IOC_REPLAY  _IO(RECOV_IOC_TYPE, 0x12)
#define RECOV_IOC_RESUME  _IO(RECOV_IOC_TYPE, 0x13)
#define RECOV_IOC_ABANDON _IO(RECOV_IOC_TYPE, 0x14)
/* TAKE: become the owner of a swap whose owner is gone. ENOENT: there is none. EBUSY: it has
 * an owner. */
#define RECOV_IOC_TAKE	  _IO(RECOV_IOC_TYPE, 0x15)
#define RECOV_IOC_RELEASE _IO(RECOV_IOC_TYPE, 0x16) /* a verb of the owner */
/* Of any session. */
#define RECOV_IOC_INJECT      _IOWR(RECOV_IOC_TYPE, 0x20, struct recov_inject)
#define RECOV_IOC_INJECT_UNDO _IOWR(RECOV_IOC_TYPE, 0x21, struct recov_injected)
#define RECOV_IOC_INJECTED    _IOWR(RECOV_IOC_TYPE, 0x22, struct recov_injected)
#define RECOV_IOC_INJECT_HITS _IOWR(RECOV_IOC_TYPE, 0x23, struct recov_inject_hits)
#define RECOV_IOC_INJECT_TEXT _IOW(RECOV_IOC_TYPE, 0x24, struct recov_inject_text)

#ifndef __cplusplus
_Static_assert(sizeof(struct recov_info) == 32 + RECOV_NAME_LEN, "recov_info");
_Static_assert(sizeof(struct recov_match) == 8 + RECOV_NAME_LEN, "recov_match");
_Static_assert(sizeof(struct recov_device) ==
		       56 + 8 * RECOV_MARKS + 16 + 3 * RECOV_NAME_LEN + RECOV_REASON_LEN,
	       "recov_device");
_Static_assert(sizeof(struct recov_symbol) == 8 + RECOV_KSYM_LEN + RECOV_NAME_LEN, "recov_symbol");
_Static_assert(sizeof(struct recov_fault) == 8 * (6 + RECOV_FAULT_STACK_DEPTH) + 24 + 16 +
						     2 * RECOV_NAME_LEN + 2 * RECOV_KSYM_LEN,
	       "recov_fault");
_Static_assert(sizeof(struct recov_released) == 8 + 4 * RECOV_RELEASED_CLASSES + RECOV_REASON_LEN,
	       "recov_released");
_Static_assert(sizeof(struct recov_armed) == 16 + RECOV_NAME_LEN, "recov_armed");
_Static_assert(sizeof(struct recov_inject_site) == 10 + 2 * RECOV_INJECT_LEN, "recov_inject_site");
_Static_assert(sizeof(struct recov_inject_call) == 32 + RECOV_KSYM_LEN, "recov_inject_call");
_Static_assert(sizeof(struct recov_inject) == 40 + RECOV_NAME_LEN, "recov_inject");
_Static_assert(sizeof(struct recov_injected) == 48 + RECOV_NAME_LEN, "recov_injected");
_Static_assert(sizeof(struct recov_inject_hit) == 24, "recov_inject_hit");
_Static_assert(sizeof(struct recov_inject_hits) == 16 + RECOV_NAME_LEN, "recov_inject_hits");
_Static_assert(sizeof(struct recov_inject_text) == 24 + RECOV_NAME_LEN, "recov_inject_text");
_Static_assert(sizeof(struct recov_arm) == 16 + 2 * RECOV_NAME_LEN, "recov_arm");
#endif

#endif /* RECOV_SHADOW_H */
