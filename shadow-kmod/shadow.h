/* SPDX-License-Identifier: GPL-2.0 */
/* Internal interfaces of the shadow module: hooks, slots, the swap, and what a class provides. */
#ifndef SHADOW_H
#define SHADOW_H

#include <linux/atomic.h>
#include <linux/device.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/ptrace.h>
#include <linux/types.h>
#include <linux/wait.h>

#include "recov_shadow.h"

/* ---- ksym.c: the kernel's symbols ---- */

int ksym_init(void);
/* Address of a kernel function or object, exported or not; 0 if there is none. May sleep. */
unsigned long ksym_lookup(const char *name);
/* Fills in owner, crc and flags of symbol->name. 0 or -ENOENT. Any context that may not hold
 * the module off (takes rcu only). */
int ksym_export(struct recov_symbol *symbol);
/* True if a module of this name is loaded. */
bool ksym_module_loaded(const char *name);
/* The module of this name, with a reference. -ENOENT; -EBUSY: it is being loaded or unloaded. */
struct module *ksym_module_get(const char *name);

/* ftrace's call site is behind the function's ENDBR on IBT kernels, at its start on others. */
#define RECOV_FENTRY_OFFSET_MAX 4

/* ---- hook.c: whole functions of the kernel replaced while a swap is on ---- */

struct recov_hook {
	const char *symbol;
	void *replacement; /* same signature; must end with recov_hook_leave() */
	/* Shall this call be replaced? Any context, preemptible or not; may not sleep or lock.
	 * Not asked for calls made by the shadow itself: these reach the original. */
	bool (*wanted)(const struct pt_regs *regs);
	unsigned long ip;
};

/* Resolves the symbols once. -ENOENT with the symbol's name in the log. May sleep. */
int recov_hooks_resolve(struct recov_hook *hooks, unsigned int n);
/* Replaces all functions in one batch. -EBUSY if one is taken (livepatch). May sleep. */
int recov_hooks_arm(struct recov_hook *hooks, unsigned int n);
/* Puts the originals back and waits until no replacement runs. May sleep; the caller may not
 * hold a lock that a replacement takes. */
void recov_hooks_disarm(void);
void recov_hook_leave(void);
/* By the end of a call of the driver's that does not get there, instead. */
void recov_hook_left(void);
void recov_hooks_uninit(void);

/* ---- slots: one device of a swap ---- */

struct recov_class;
struct tap_image;

struct recov_slot {
	struct list_head list;
	const struct recov_class *class;
	struct device *parent; /* counted; what drivers bind to */
	atomic_t state;	       /* enum recov_device_state; moved by recov_slot_move() */
	int error;	       /* first error of a verb; errno, negative */
	int verdict;
	u32 object_id;
	u32 object_up;
	u32 link_before;
	u32 room, need;
	u32 queues;
	u32 leave_out, left_out; /* settings, a bit each: not to be put back, and not put back */
	bool done;		 /* served or gone for good; under the class's lock */
	bool link;	/* usable when matched, and when done: the object may be gone by now */
	bool gone;	/* the parent has been removed */
	bool untrusted; /* its driver may not be called: see release.h */
	bool failed;	/* its driver had, before the swap */
	unsigned long link_limit; /* jiffies; when to stop waiting for a usable device */
	u64 mark_ns[RECOV_MARKS];
	char object_name[RECOV_NAME_LEN];
	char reason[RECOV_REASON_LEN];
};

static inline int recov_slot_state(const struct recov_slot *slot)
{
	return atomic_read_acquire(&slot->state);
}

/* Moves the slot on if it is in the state from; whoever succeeds owns the device until it moves
 * it on again. Any context. */
bool recov_slot_move(struct recov_slot *slot, int from, int to);
void recov_slot_mark(struct recov_slot *slot, enum recov_mark mark);
/* Notes the first error and its sentence. */
__printf(3, 4) void recov_slot_fail(struct recov_slot *slot, int error, const char *fmt, ...);

/* slot.c: has put_back() restore a setting, which may fail in its own way, unless it is to be left
 * out. False: the driver has faulted in it, which is noted; if that is nothing new for this driver the
 * setting is left out from now on. In the one task that replays. */
bool recov_slot_restore(struct recov_slot *slot, enum recov_setting setting,
			void (*put_back)(struct recov_slot *slot));

/* slot.c: what there is to tell of one. May sleep. */
void recov_slot_describe(struct recov_slot *slot, u32 index, struct recov_device *d);
/* An array of what there is to tell of each, to be freed by kvfree(), and their number; without
 * memory NULL and 0. May sleep. */
u32 recov_slots_describe(struct list_head *slots, struct recov_device **ret);
/* May sleep. */
void recov_slots_free(struct list_head *slots);

/* The slots of the swap under way, for hooks. Valid from before the hooks are armed until after
 * they are disarmed; NULL or the list's head. */
struct list_head *recov_swap_slots(void);

/*
 * A class shadow: all that is specific to one kind of kernel object. Verbs return 0 or a
 * negative errno. Unless said otherwise they run in process context, may sleep, and are called
 * with the swap's mutex held and no other lock.
 *
 * What a class's hooks see happening to the object they report by recov_slot_move(): DETACHED and
 * KEPT when the driver gives it up, ADOPTED and REGISTERED when a driver takes it again.
 */
struct recov_class {
	const char *name;
	struct recov_hook *hooks;
	unsigned int n_hooks;
	int (*init)(void); /* at module load */
	/* Adds a slot for each device of the driver to the list, with verdict and reason. -EBUSY: a lock
	 * does not come free; asks: -EDEADLK as soon as it is a call of the driver's that keeps it. */
	int (*match)(const char *driver, struct list_head *slots, bool asks);
	void (*free)(struct recov_slot *slot);
	/* LIVE -> HELD: queue or park the users, stop the driver. Waits for work in flight at
	 * most drain_ms. */
	int (*hold)(struct recov_slot *slot, unsigned int drain_ms);
	/* A probe() for the parent begins / ends. Runs in the probing task, under the parent's
	 * device lock, without the swap's mutex. adopt_end gets what the bus says. */
	void (*adopt_begin)(struct recov_slot *slot);
	void (*adopt_end)(struct recov_slot *slot, bool bound);
	/* HELD or BOUND -> REPLAYED: restore the state and start the device. */
	int (*replay)(struct recov_slot *slot);
	/* REPLAYED: is the device usable? Any context. */
	bool (*usable)(const struct recov_slot *slot);
	/* REPLAYED -> LIVE: let the users go. */
	void (*resume)(struct recov_slot *slot);
	/* KEPT -> RELEASED: let the object go as its driver's remove() would have. Also called
	 * without the swap's mutex, when the parent is removed; gives up after a second then. */
	void (*abandon)(struct recov_slot *slot);
	/* In place of the driver, which is not called: stops it, LIVE -> HELD if it was LIVE, and ends
	 * what the kernel calls it from for this object; gives the number of these. */
	int (*take)(struct recov_slot *slot, unsigned int *ret_n);
	/* After take(), and after devres has done its part: -> KEPT. */
	void (*give_up)(struct recov_slot *slot);
	/* The driver's private area for the object. */
	void *(*private_area)(const struct recov_slot *slot, size_t *ret_size);
	/* Does a packet, or whatever is given to such an object, belong to it? See release_memory.c. */
	bool (*in_flight)(const struct tap_image *image, const struct recov_slot *slot,
			  unsigned long word);
	void (*drop)(unsigned long word);
	/* The swap is over for the device if it is LIVE or RELEASED; from then on its hooks let
	 * everything through. False if it has just been taken away again. */
	bool (*finish)(struct recov_slot *slot);
};

extern const struct recov_class net_class;

/* ---- swap.c: the machine's one swap ---- */

struct recov_session; /* compared, never looked into */

int swap_init(void);
void swap_uninit(void);
int swap_match(const char *driver, struct recov_device **ret_devices, u32 *ret_n);
int swap_arm(const struct recov_session *owner, const struct recov_arm *arm);
int swap_hold(const struct recov_session *owner);
int swap_replay(const struct recov_session *owner);
int swap_resume(const struct recov_session *owner);
int swap_abandon(const struct recov_session *owner);
int swap_take(const struct recov_session *owner);
int swap_release(const struct recov_session *owner);
/* At the end of the exit function of an image that has failed. Process context. 0: nothing leads into
 * it any more. */
int swap_release_at_exit(struct tap_image *image);
/* -EBUSY: the driver is being swapped. May sleep; -EINTR: it was killed meanwhile. */
int swap_check_free(const char *driver);
void swap_owner_gone(const struct recov_session *owner);
void swap_info(struct recov_info *info);
int swap_device(u32 index, struct recov_device *device);
/* Counts state changes; sessions sleep on the queue until it moves. */
unsigned int swap_events(void);
wait_queue_head_t *swap_wait_queue(void);

int session_init(void);
void session_uninit(void);

#endif /* SHADOW_H */
