/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the verbs of recovctl inject share that talk to the shadow module, for which they need no daemon. */
#ifndef RECOVCTL_INJECT_LIVE_H
#define RECOVCTL_INJECT_LIVE_H

#include <jansson.h>
#include <stddef.h>

#include "../include/recov_shadow.h"
#include "../recoverd/cleanup.h"
#include "../replug/mutate.h"
#include "inject.h"

/* ---- inject_kernel.c: the shadow module; each 0, or the exit code after a sentence ---- */

int inject_open(int *ret_fd);
/* Says what an error number of the module's verbs means that is no matter of a single site. */
int inject_explain(const char *driver, int error);
/* A module's name as in /sys/module; "" if it is none. */
void inject_spell(const char *operand, char name[RECOV_NAME_LEN]);
/* Where a section of the loaded driver is. */
int inject_base(const char *driver, const char *section, uint64_t *ret_address);
/* Where the driver's next function begins. */
int inject_function_end(const char *driver, uint64_t start, uint64_t *ret_end);
/* Of the image that was built, also where an armed one is loaded. */
int inject_build_id(int fd, const char *driver, char ret_hex[2 * REPLUG_BUILD_ID_MAX + 1]);
int inject_read_text(int fd, const char *driver, uint64_t address, void *bytes, size_t size);
/* INJECT; on failure *ret_failed is the site or call at which it did. */
int inject_plant(int fd, struct recov_inject *inject);
/* UNDO. -ENOENT: nothing is planted, about which nothing is said. */
int inject_take_out(int fd, const char *driver, struct recov_injected *ret_injected);
/* INJECTED and HITS. -ENOENT, as above. The array is malloc'ed: of the sites, then of the calls. */
int inject_ask(int fd, const char *driver, struct recov_injected *ret_injected,
	       struct recov_inject_hit **ret_hits);

/* ---- inject_device.c: faults of a PCI device, by its command register ---- */

struct inject_device {
	char name[64]; /* "0000:00:03.0" */
	uint32_t id;   /* of the fault */
	uint16_t bit;
	bool was; /* the bit's value */
};

/* Adds the devices of the driver that a fault is about; *devices is malloc'ed. None is changed yet. */
int inject_device_add(const char *driver, const struct replug_injection *fault,
		      struct inject_device **devices, size_t *n);
/* The bit gets the value that it had not, or had. */
int inject_device_break(const struct inject_device *device);
int inject_device_mend(const char *driver, const struct inject_device *device);
/* Has it the value that it had not? False as well if it can't be read. */
bool inject_device_is_broken(const char *driver, const struct inject_device *device);

/* ---- inject_record.c: what was applied, kept in a file until it is undone ---- */

struct inject_record {
	struct replug_injection_plan *plan;
	uint64_t began_ns; /* before anything was planted */
	/* The fault's number in the plan, of each site and call, in the kernel's order. */
	size_t *order, n_order;
	struct inject_device *devices;
	size_t n_devices;
};

void inject_record_free(struct inject_record *record);
int inject_record_save(const struct inject_record *record);
/* -ENOENT: there is none, or it can't be read, about which nothing is said. */
int inject_record_load(const char *driver, struct inject_record **ret_record);
void inject_record_remove(const char *driver);
/* The drivers of which there are records: an array with NULL at its end; NULL: no memory. */
char **inject_record_names(void);
void inject_record_names_free(char ***names);

static inline void inject_record_freep(struct inject_record **record)
{
	inject_record_free(*record);
}

/* ---- inject_report.c ---- */

/* An object of the schema recov.injection/1. Any of record and injected may be NULL. */
json_t *inject_report(const char *driver, const struct inject_record *record,
		      const struct recov_injected *injected, const struct recov_inject_hit *hits);
/* As a table, or with --json as it is. */
void inject_say_report(const struct cli *cli, const json_t *report);

#endif
