/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How often the functions of a driver are called, by whomever: probes at their entries, none at
 * their returns, which could stand in the way when a driver is unwound.
 */
#ifndef RECOVERD_INSIDE_H
#define RECOVERD_INSIDE_H

#include <jansson.h>

#include "../replug/replug.h"

#define INSIDE_MAX 256 /* functions of one driver at a time */

struct inside;

/* The functions of a driver, in the kernel's spelling, whose names match a glob: those in the
 * kernel's memory if it is loaded, else those of its installed image. -ENODATA: no function does.
 * -errno with the sentence in err. Reads all of the kernel's symbols, or the image. */
int inside_new(const char *driver, const char *glob, struct inside **ret_inside,
	       struct replug_error *err);
void inside_free(struct inside *inside);

/* Begins to count. Blocks for about a millisecond a function. */
int inside_start(struct inside *inside, struct replug_error *err);

/* Adds those called so far to a list of entries. */
void inside_list(const struct inside *inside, json_t *entries);
/* {functions, left_out}: how many are counted, and how many that match are not. */
json_t *inside_json(const struct inside *inside);

#endif
