/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a swap is about to do, written down before it touches anything.
 *
 * The file is there from then until the driver serves again. A daemon that finds one at its start
 * was killed in the middle of a swap, and knows from it what to put back.
 */
#ifndef RECOVERD_INTENT_H
#define RECOVERD_INTENT_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "../replug/replug.h"

struct intent {
	char *driver;
	char *image;	  /* as the request gave it; NULL: the installed one */
	char *boot_id;	  /* an intent of another boot means nothing */
	char *started;	  /* RFC 3339 */
	uint64_t mono_ns; /* the same moment */
	struct replug_module_path
		*modules; /* in the order of unloading; strings are the intent's */
	size_t n_modules; /* 0: not known, the driver's name is all there is */
};

void intent_free(struct intent *intent);
/* modules: array of module objects as worker processes tell them. */
int intent_new(const char *driver, const char *image, const char *boot_id, const char *started,
	       uint64_t mono_ns, const json_t *modules, struct intent **ret_intent);

/* Replaces the file in one step. */
int intent_write(const struct intent *intent, const char *path);
/* -ENOENT: there is none; -EBADMSG: damaged, or not ours, with why in why. */
int intent_read(const char *path, struct intent **ret_intent, char *why, size_t size);
int intent_parse(const char *text, size_t len, struct intent **ret_intent, char *why, size_t size);
int intent_remove(const char *path);

#endif
