/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The machine's modules: what is loaded, by whom it is held, and what is installed.
 */
#ifndef REPLUG_MODULES_H
#define REPLUG_MODULES_H

#include <libkmod.h>

#include "replug.h"

enum module_state {
	MODULE_ABSENT, /* neither loaded nor known to be built in */
	MODULE_BUILTIN,
	MODULE_LIVE,
	MODULE_MOVING, /* being loaded or unloaded */
};

struct modules {
	const struct replug_host *host;
	struct kmod_ctx *kmod;
	char *dir; /* "/lib/modules/<release>" */
};

/* Safe to close when all zero. The host stays the caller's. */
int modules_open(const struct replug_host *host, struct modules *ret_modules);
void modules_close(struct modules *modules);

enum module_state module_state(const struct modules *modules, const char *name);
/* Uses beyond the one of being loaded, those of its holders included. -ENOENT: this kernel does not
 * count, because it cannot unload. */
int module_refcnt(const struct modules *modules, const char *name, long *ret_refcnt);
/* Names of the modules that use its symbols; NULL-terminated, freed with module_names_free(). */
int module_holders(const struct modules *modules, const char *name, char ***ret_names);
void module_names_free(char **names);
/* It has an init function but no exit: the kernel never unloads it. */
bool module_is_permanent(const struct modules *modules, const char *name);
/* Whether the loaded module was made from this image, as far as the kernel tells: by build id, else
 * by srcversion, else by version. True if it tells none of them. */
bool module_is_image(const struct modules *modules, const char *name,
		     const struct replug_image *image);
/* Whether the kernel loads signed modules only. */
bool modules_need_signature(const struct modules *modules);

/* The file modprobe would load for the name; malloc'ed. -ENOENT: none is installed. */
int module_path_installed(const struct modules *modules, const char *name, char **ret_path);
/* The load parameters modprobe would give it, installed or not; malloc'ed, "" for none. */
int module_options(const struct modules *modules, const char *name, char **ret_options);

#endif /* REPLUG_MODULES_H */
