// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The reasons for which a driver's new image is refused before anything is touched.
 */
#include <string.h>

#include "compat.h"
#include "error.h"

/* Everything one check is about. */
struct compat {
	const struct modules *modules;
	const struct closure *closure;
	const struct replug_image *old_image, *new_image;
	const char *path; /* of the new one, as sentences name it */
};

static bool in_closure(const struct compat *c, const char *name)
{
	for (size_t i = 0; i < c->closure->n; i++)
		if (str_eq(replug_image_name(c->closure->modules[i].image), name))
			return true;
	return false;
}

/* As text without the space the kernel ends it with. */
static int vermagic_length(const char *vermagic)
{
	size_t n = strlen(vermagic);

	while (n && vermagic[n - 1] == ' ')
		n--;
	return n > 80 ? 80 : (int)n;
}

static int check_kind(const struct compat *c, struct replug_error *err)
{
	const char *name = replug_image_name(c->old_image);
	const char *magic = replug_image_vermagic(c->new_image);
	const char *running = replug_image_vermagic(c->old_image);

	if (!str_eq(replug_image_name(c->new_image), name))
		return replug_fail(err, REPLUG_FAULT_REFUSED, -EOPNOTSUPP,
				   "%s is the module %s, not %s", c->path,
				   replug_image_name(c->new_image), name);
	if (modules_need_signature(c->modules) && !replug_image_signed(c->new_image)) {
		if (replug_image_armed(c->new_image))
			return replug_fail(err, REPLUG_FAULT_REFUSED, -EOPNOTSUPP,
					   "%s cannot be armed: this kernel loads only signed "
					   "modules; recovctl(8) tells how to sign the armed image",
					   name);
		return replug_fail(err, REPLUG_FAULT_REFUSED, -EOPNOTSUPP,
				   "%s is not signed, and this kernel loads only signed modules",
				   c->path);
	}
	/* The loaded module's is the running kernel's: it was loaded. */
	if (!str_eq(magic, running))
		return replug_fail(err, REPLUG_FAULT_REFUSED, -EOPNOTSUPP,
				   "%s was built for another kernel: \"%.*s\", not \"%.*s\"",
				   c->path, vermagic_length(magic), magic, vermagic_length(running),
				   running);
	return 0;
}

static int check_depends(const struct compat *c, struct replug_error *err)
{
	for (const char *const *name = replug_image_depends(c->new_image); *name; name++) {
		enum module_state state = module_state(c->modules, *name);

		if (!in_closure(c, *name) && state != MODULE_LIVE && state != MODULE_BUILTIN)
			return replug_fail(err, REPLUG_FAULT_REFUSED, -EOPNOTSUPP,
					   "%s needs the module %s, which is not loaded", c->path,
					   *name);
	}
	return 0;
}

/* A symbol as it will be there when the new image is loaded. */
struct provided {
	uint32_t crc;
	bool has_crc;
	char owner[REPLUG_NAME_MAX];
};

/* What the rest of the closure will export, being loaded before the driver. */
static bool find_in_closure(const struct compat *c, const char *name, struct provided *ret)
{
	for (size_t i = 1; i < c->closure->n; i++) {
		const struct replug_image *image = c->closure->modules[i].image;
		const struct replug_symbol *symbol =
			replug_symbol_find(image->exports, image->n_exports, name);

		if (!symbol)
			continue;
		*ret = (struct provided){.crc = symbol->crc, .has_crc = symbol->has_crc};
		return true;
	}
	return false;
}

/* -ENOENT: nobody will export it. */
static int find_provided(const struct compat *c, const char *name, struct provided *ret)
{
	const struct replug_host *host = c->modules->host;
	struct provided provided = {0};
	int r;

	if (find_in_closure(c, name, ret))
		return 0;
	r = host->symbol(host->ctx, name, &provided.crc, &provided.has_crc, provided.owner);
	if (r)
		return r;
	/* The old image's own exports go with it. */
	if (str_eq(provided.owner, replug_image_name(c->old_image)))
		return -ENOENT;
	*ret = provided;
	return 0;
}

static int check_import(const struct compat *c, const struct replug_symbol *import, bool versioned,
			struct replug_error *err)
{
	struct provided found;
	int r = find_provided(c, import->name, &found);

	if (r == -ENOENT && import->weak)
		return 0;
	if (r == -ENOENT)
		return replug_fail(err, REPLUG_FAULT_REFUSED, -EOPNOTSUPP,
				   "%s needs %s, which this kernel does not export", c->path,
				   import->name);
	if (r)
		return replug_fail(err, REPLUG_FAULT_FAILED, r,
				   "cannot ask whether this kernel exports %s: %s", import->name,
				   strerror(-r));
	if (found.owner[0] && !in_closure(c, found.owner) &&
	    module_state(c->modules, found.owner) != MODULE_LIVE)
		return replug_fail(err, REPLUG_FAULT_REFUSED, -EOPNOTSUPP,
				   "%s needs %s of the module %s, which is not loaded", c->path,
				   import->name, found.owner);
	/* The kernel lets a single version be missing, but not all of them. */
	if (found.has_crc && !versioned)
		return replug_fail(err, REPLUG_FAULT_REFUSED, -EOPNOTSUPP,
				   "%s carries no symbol versions, which this kernel asks for",
				   c->path);
	if (found.has_crc && import->has_crc && found.crc != import->crc)
		return replug_fail(err, REPLUG_FAULT_REFUSED, -EOPNOTSUPP,
				   "%s was built against another version of %s (0x%08x, here "
				   "0x%08x)",
				   c->path, import->name, import->crc, found.crc);
	return 0;
}

static int check_imports(const struct compat *c, struct replug_error *err)
{
	bool versioned = false;
	size_t n;
	const struct replug_symbol *imports = replug_image_imports(c->new_image, &n);

	for (size_t i = 0; i < n; i++)
		versioned = versioned || imports[i].has_crc;
	for (size_t i = 0; i < n; i++) {
		int r = check_import(c, &imports[i], versioned, err);

		if (r)
			return r;
	}
	return 0;
}

int compat_check(const struct modules *modules, const struct closure *closure,
		 const struct replug_image *new_image, struct replug_error *err)
{
	struct compat c = {
		.modules = modules,
		.closure = closure,
		.old_image = closure->modules[0].image,
		.new_image = new_image,
		.path = replug_path_tail(replug_image_path(new_image)),
	};
	int r;

	r = check_kind(&c, err);
	if (!r)
		r = check_depends(&c, err);
	if (!r)
		r = check_imports(&c, err);
	return r;
}

int compat_check_devices(const struct replug_image *old_image, const struct replug_image *new_image,
			 const struct replug_device *devices, size_t n, struct replug_error *err)
{
	uint32_t need = 0;
	int r = 0;

	/* An unknown need is accepted: the kernel's side checks again as the driver asks for it,
	 * and the swap then rolls back. */
	if (new_image && !replug_image_same(old_image, new_image))
		r = replug_image_private_size(new_image, &need);
	if (r && r != -ENODATA)
		return replug_fail(err, REPLUG_FAULT_FAILED, r, "cannot look into the code of %s",
				   replug_path_tail(replug_image_path(new_image)));

	for (size_t i = 0; i < n; i++) {
		const struct replug_device *d = &devices[i];

		if (d->verdict)
			return replug_fail(err, REPLUG_FAULT_REFUSED, -EOPNOTSUPP,
					   "%s cannot be carried over: %s",
					   d->object[0] ? d->object : d->name,
					   d->reason[0] ? d->reason : strerror(abs(d->verdict)));
		if (need > d->room)
			return replug_fail(err, REPLUG_FAULT_REFUSED, -EOPNOTSUPP,
					   "%s needs %u bytes of private area per device, %s has "
					   "only %u",
					   replug_path_tail(replug_image_path(new_image)), need,
					   d->object, d->room);
	}
	return 0;
}
