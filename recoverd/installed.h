/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The installed image of a module. */
#ifndef RECOVERD_INSTALLED_H
#define RECOVERD_INSTALLED_H

#include <stdbool.h>

#include "../replug/replug.h"

/* Reads it: replug_image_open(). The image is the caller's. -ENOENT with the sentence in err: none
 * is installed. */
int installed_open(const char *module, struct replug_image **ret_image, struct replug_error *err);
/* Is this what is loaded under that name, as far as build ids tell? */
bool installed_is_loaded(const char *module, const struct replug_image *image);

#endif
