// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Finding the modules that a driver takes along when it is unloaded.
 */
#include <string.h>

#include "closure.h"
#include "error.h"
#include "kept.h"

DEFINE_CLEANUP(char **, module_names_free)
#define _cleanup_names_ _cleanup_(module_names_freep)

static void closure_module_free(struct closure_module *module)
{
	replug_image_free(module->image);
	free(module->options);
}

void closure_free(struct closure *closure)
{
	for (size_t i = 0; i < closure->n; i++)
		closure_module_free(&closure->modules[i]);
	free(closure->modules);
	*closure = (struct closure){0};
}

static bool contains(const struct closure *closure, const char *name)
{
	for (size_t i = 0; i < closure->n; i++)
		if (str_eq(replug_image_name(closure->modules[i].image), name))
			return true;
	return false;
}

/* Takes over the module. */
static int closure_add(struct closure *closure, struct closure_module *module)
{
	void *modules = reallocarray(closure->modules, closure->n + 1, sizeof(*closure->modules));

	if (!modules)
		return -ENOMEM;
	closure->modules = modules;
	closure->modules[closure->n++] = *module;
	*module = (struct closure_module){0};
	return 0;
}

/* The installed image of a loaded module, if it is the loaded one. */
static int read_installed(const struct modules *modules, const char *name,
			  struct replug_image **ret_image, struct replug_error *err)
{
	_cleanup_image_ struct replug_image *image = NULL;
	_cleanup_free_ char *path = NULL;
	int r;

	r = module_path_installed(modules, name, &path);
	if (r == -ENOENT)
		return replug_fail(err, REPLUG_FAULT_REFUSED, r,
				   "%s is loaded but not installed, so there would be no way back",
				   name);
	if (r)
		return replug_fail(err, REPLUG_FAULT_FAILED, r,
				   "cannot look up the installed module %s: %s", name,
				   strerror(-r));
	r = replug_image_open(path, &image, err);
	if (r) {
		/* That the installed file is missing or damaged is no mistake of the caller. */
		if (err && err->fault == REPLUG_FAULT_USAGE)
			err->fault = REPLUG_FAULT_REFUSED;
		return r;
	}
	if (!str_eq(replug_image_name(image), name))
		return replug_fail(err, REPLUG_FAULT_REFUSED, -EOPNOTSUPP,
				   "%s, installed as %s, is the module %s", replug_path_tail(path),
				   name, replug_image_name(image));
	if (!module_is_image(modules, name, image))
		return replug_fail(err, REPLUG_FAULT_REFUSED, -EOPNOTSUPP,
				   "the loaded %s is no longer the installed one (%s), so there "
				   "would be no way back",
				   name, replug_path_tail(path));
	*ret_image = TAKE_PTR(image);
	return 0;
}

/* Reads the image of a loaded module, installed or kept. */
static int read_loaded(const struct modules *modules, const char *name,
		       struct closure_module *ret_module, struct replug_error *err)
{
	_cleanup_(closure_module_free) struct closure_module module = {0};
	struct replug_error why = {0};
	int r;

	r = read_installed(modules, name, &module.image, &why);
	module.installed = r == 0;
	if (r && r != -ENOMEM && !kept_find(modules, name, &module.image))
		r = 0;
	if (r) {
		if (err)
			*err = why;
		return r;
	}
	/* The configured ones, even for a module from elsewhere. */
	r = module_options(modules, name, &module.options);
	if (r)
		return replug_fail(err, REPLUG_FAULT_FAILED, r,
				   "cannot look up the parameters of %s: %s", name, strerror(-r));
	*ret_module = module;
	module = (struct closure_module){0};
	return 0;
}

static int refuse_holders(const char *driver, char *const *holders, struct replug_error *err)
{
	char list[160] = "";
	size_t at = 0;

	for (size_t i = 0; holders[i] && at < sizeof(list); i++)
		at += snprintf(list + at, sizeof(list) - at, "%s%s", i ? ", " : "", holders[i]);
	return replug_fail(err, REPLUG_FAULT_REFUSED, -EBUSY,
			   "%s cannot be unloaded: other modules use it (%s)", driver, list);
}

static int check_driver(const struct modules *modules, const char *driver, struct replug_error *err)
{
	_cleanup_names_ char **holders = NULL;
	long refcnt;
	int r;

	r = module_refcnt(modules, driver, &refcnt);
	if (r == -ENOENT)
		return replug_fail(err, REPLUG_FAULT_UNSUPPORTED, -EOPNOTSUPP,
				   "this kernel cannot unload modules");
	if (!r)
		r = module_holders(modules, driver, &holders);
	if (r)
		return replug_fail(err, REPLUG_FAULT_FAILED, r, "cannot see who uses %s: %s",
				   driver, strerror(-r));
	if (holders[0])
		return refuse_holders(driver, holders, err);
	if (modules->host->pins)
		refcnt -= modules->host->pins(modules->host->ctx, driver);
	if (refcnt > 0)
		return replug_fail(err, REPLUG_FAULT_REFUSED, -EBUSY,
				   "%s cannot be unloaded: it is in use %ld time%s", driver, refcnt,
				   refcnt == 1 ? "" : "s");
	if (module_is_permanent(modules, driver))
		return replug_fail(err, REPLUG_FAULT_REFUSED, -EBUSY,
				   "%s cannot be unloaded: it has no exit function", driver);
	return 0;
}

/* Whether nothing keeps a dependency loaded once the closure is gone. Every holder takes one
 * reference; more of them mean users that are no modules. */
static bool is_free(const struct modules *modules, const struct closure *closure, const char *name)
{
	_cleanup_names_ char **holders = NULL;
	long refcnt, n = 0;

	if (module_state(modules, name) != MODULE_LIVE || module_refcnt(modules, name, &refcnt) ||
	    module_holders(modules, name, &holders))
		return false;
	for (; holders[n]; n++)
		if (!contains(closure, holders[n]))
			return false;
	return n > 0 && refcnt == n && !module_is_permanent(modules, name);
}

/* Adds one more dependency that has become free; *ret_added tells if there was one. Since all its
 * holders were added before it, the order of adding is one of unloading. */
static int add_free(const struct modules *modules, struct closure *closure, bool *ret_added)
{
	for (size_t i = 0; i < closure->n; i++) {
		const char *const *name = replug_image_depends(closure->modules[i].image);

		for (; *name; name++) {
			_cleanup_(closure_module_free) struct closure_module module = {0};
			int r;

			if (contains(closure, *name) || !is_free(modules, closure, *name))
				continue;
			r = read_loaded(modules, *name, &module, NULL);
			if (r == -ENOMEM)
				return r;
			if (r)
				continue;
			*ret_added = true;
			return closure_add(closure, &module);
		}
	}
	*ret_added = false;
	return 0;
}

int closure_find(const struct modules *modules, const char *driver, struct closure *ret_closure,
		 struct replug_error *err)
{
	_cleanup_(closure_free) struct closure closure = {0};
	_cleanup_(closure_module_free) struct closure_module first = {0};
	bool added = true;
	int r;

	r = check_driver(modules, driver, err);
	if (!r)
		r = read_loaded(modules, driver, &first, err);
	if (r)
		return r;
	r = closure_add(&closure, &first);
	while (!r && added)
		r = add_free(modules, &closure, &added);
	if (r)
		return replug_fail(err, REPLUG_FAULT_FAILED, r, "cannot plan for %s: %s", driver,
				   strerror(-r));
	*ret_closure = closure;
	closure = (struct closure){0};
	return 0;
}
