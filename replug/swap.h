/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A swap that is under way, and what the shadow module tells of its devices. */
#ifndef SWAP_H
#define SWAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"
#include "recov_shadow.h"
#include "replug.h"

struct swap {
	const struct replug_plan *plan;
	const struct replug_module *modules; /* driver first */
	size_t n_modules;
	int fd;
	struct replug_options options;
	struct replug_result *result;
	bool rollback;
	bool new_is_in;	   /* the driver's new image has been loaded */
	bool released;	   /* the driver that is in has nothing any more */
	bool unloaded[32]; /* modules that are out because of this swap */
	uint64_t phase_start_ns;
	uint64_t hold_start_ns;
};

uint64_t swap_now_ns(void);
/* An ioctl of the session. -errno. */
int swap_verb(struct swap *s, unsigned long request, void *arg);
/* Returns r; the sentence is the result's. */
int swap_failed(struct swap *s, int r, const char *fmt, ...) _printf_(3, 4);

/* The device with that index, from 0 on. -ENOENT: there is none. */
int swap_device(struct swap *s, uint32_t index, struct recov_device *d);
/* Latest time at which a device reached mark; now, if one has not. */
uint64_t swap_devices_mark(struct swap *s, enum recov_mark mark);
/* Earliest one in this phase, or now. */
uint64_t swap_devices_first_mark(struct swap *s, enum recov_mark mark);
/* The settings that any of them was not given again, a bit each. */
uint32_t swap_devices_left_out(struct swap *s);

/* Error r: fails the swap with the reason of the first device that has one. */
void swap_devices_not_held(struct swap *s, int r);
/* 1: every device has it; 0: not yet; negative: never will, with the reason in the result. */
typedef int (*swap_device_test)(struct swap *s, const struct recov_device *d);
int swap_test_kept(struct swap *s, const struct recov_device *d);
int swap_test_bound(struct swap *s, const struct recov_device *d);
int swap_test_link(struct swap *s, const struct recov_device *d);
/* Waits until all devices pass. 0, -ETIMEDOUT and the name of one that does not, or what the test
 * gave. */
int swap_devices_wait(struct swap *s, swap_device_test test, uint32_t limit_ms,
		      const char **ret_missing);

#endif
