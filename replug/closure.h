/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The closure of a driver: the modules that go out and come back together.
 */
#ifndef REPLUG_CLOSURE_H
#define REPLUG_CLOSURE_H

#include "image.h"
#include "modules.h"

struct closure_module {
	struct replug_image *image; /* the loaded one */
	bool installed;		    /* and the one that modprobe would find */
	char *options;
};

/* In the order of unloading: the driver first. */
struct closure {
	struct closure_module *modules;
	size_t n;
};

/* The driver, which must be live, with what only it keeps loaded. A dependency with other users,
 * or one that could not be loaded again, stays in. Fails if the driver itself can't be unloaded or
 * put back. */
int closure_find(const struct modules *modules, const char *driver, struct closure *ret_closure,
		 struct replug_error *err);
void closure_free(struct closure *closure);

#endif /* REPLUG_CLOSURE_H */
