// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Plans: what a swap of one driver would do, or why it is refused.
 */
#include <ctype.h>
#include <string.h>

#include "closure.h"
#include "compat.h"
#include "error.h"
#include "swap.h"

#define MODULE_NAME_MAX 55    /* MODULE_NAME_LEN without NUL */
#define OWN_CALL_MS	15000 /* as long as the shadow waits for others */

struct replug_plan {
	struct replug_module *modules; /* the strings and images in them are its own */
	size_t n;
	struct replug_device *devices;
	size_t n_devices;
};

DEFINE_CLEANUP(struct replug_plan *, replug_plan_free)
#define _cleanup_plan_ _cleanup_(replug_plan_freep)

void replug_plan_free(struct replug_plan *plan)
{
	if (!plan)
		return;
	for (size_t i = 0; i < plan->n; i++) {
		struct replug_module *module = &plan->modules[i];

		if (module->new_image != module->old_image)
			replug_image_free((struct replug_image *)module->new_image);
		replug_image_free((struct replug_image *)module->old_image);
		free((char *)module->options);
		free((char *)module->new_options);
	}
	free(plan->modules);
	free(plan->devices);
	free(plan);
}

static int plan_alloc(size_t n, struct replug_plan **ret_plan)
{
	_cleanup_plan_ struct replug_plan *plan = calloc(1, sizeof(*plan));

	if (!plan)
		return -ENOMEM;
	plan->modules = calloc(n, sizeof(*plan->modules));
	if (!plan->modules)
		return -ENOMEM;
	*ret_plan = TAKE_PTR(plan);
	return 0;
}

/* Adds a module, taking over what is given. new_image NULL: the old one. */
static void plan_add(struct replug_plan *plan, struct replug_image *old_image,
		     struct replug_image *new_image, char *options)
{
	plan->modules[plan->n++] = (struct replug_module){
		.name = replug_image_name(old_image),
		.old_image = old_image,
		.new_image = new_image ? new_image : old_image,
		.options = options,
	};
}

/* As the kernel spells it; names become parts of paths, so no other characters may be in it. */
static int normalise(const char *driver, char name[REPLUG_NAME_MAX], struct replug_error *err)
{
	size_t n = strnlen(driver, REPLUG_NAME_MAX);
	bool valid = n > 0 && n <= MODULE_NAME_MAX;

	for (size_t i = 0; valid && i < n; i++)
		valid = isalnum((unsigned char)driver[i]) || strchr("_-", driver[i]);
	if (!valid)
		return replug_fail(err, REPLUG_FAULT_USAGE, -EINVAL,
				   "\"%.*s\" is not a module name", MODULE_NAME_MAX, driver);
	for (size_t i = 0; i <= n; i++)
		name[i] = driver[i] == '-' ? '_' : driver[i];
	return 0;
}

static int check_absent(const struct modules *modules, const char *driver, struct replug_error *err)
{
	_cleanup_free_ char *path = NULL;

	if (module_path_installed(modules, driver, &path))
		return replug_fail(err, REPLUG_FAULT_USAGE, -ENOENT,
				   "no driver %s is known to this kernel", driver);
	return replug_fail(err, REPLUG_FAULT_REFUSED, -ENOENT, "%s is not loaded", driver);
}

static int check_state(const struct modules *modules, const char *driver, struct replug_error *err)
{
	switch (module_state(modules, driver)) {
	case MODULE_LIVE:
		return 0;
	case MODULE_BUILTIN:
		return replug_fail(err, REPLUG_FAULT_REFUSED, -EOPNOTSUPP,
				   "%s is built into the kernel and cannot be swapped", driver);
	case MODULE_MOVING:
		return replug_fail(err, REPLUG_FAULT_REFUSED, -EBUSY,
				   "%s is just being loaded or unloaded", driver);
	default:
		return check_absent(modules, driver, err);
	}
}

/* Modules that keep pointers into another driver's devices without holding its module: they learn
 * of its going from notifications that a swap does not send. */
static const struct {
	const char *driver, *companion;
} companions[] = {
	{"bnx2", "cnic"},
	{"bnx2x", "cnic"},
};

static int check_companions(const struct modules *modules, const char *driver,
			    struct replug_error *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(companions); i++) {
		const char *companion = companions[i].companion;

		if (str_eq(driver, companions[i].driver) &&
		    module_state(modules, companion) != MODULE_ABSENT)
			return replug_fail(err, REPLUG_FAULT_REFUSED, -EBUSY,
					   "%s is loaded, which keeps pointers into %s's devices",
					   companion, driver);
	}
	return 0;
}

/* A swap of the driver itself may have let go of it, and still keep its devices for its return. */
static int check_busy(const struct replug_host *host, const char *driver,
		      const struct replug_target *target, struct replug_error *err)
{
	char other[REPLUG_NAME_MAX] = "";
	int r = host->busy(host->ctx, other);

	if (r)
		return replug_fail(err, REPLUG_FAULT_UNSUPPORTED, r,
				   "the shadow module does not answer: %s", strerror(-r));
	if (other[0] && !(target->without_devices && str_eq(other, driver)))
		return replug_fail(err, REPLUG_FAULT_REFUSED, -EBUSY,
				   "another swap is under way (%s)", other);
	return 0;
}

static int check_untrusted(const struct replug_image *image, struct replug_error *err)
{
	const char *name = replug_image_name(image), *registers = replug_image_registers(image);

	if (!replug_image_armed(image))
		return replug_fail(err, REPLUG_FAULT_REFUSED, -EOPNOTSUPP,
				   "%s is not armed: it can't be taken out without being called",
				   name);
	if (registers)
		return replug_fail(err, REPLUG_FAULT_REFUSED, -EOPNOTSUPP,
				   "%s can't be taken out without being called: nobody else takes "
				   "back what it registers by %s",
				   name, registers);
	return 0;
}

/* A call of the driver's may end by itself, unless it is to be cut off. */
static int ask_devices(const struct replug_host *host, const char *driver,
		       const struct replug_target *target, struct replug_plan *plan)
{
	uint64_t limit = swap_now_ns() + OWN_CALL_MS * UINT64_C(1000000);
	int r;

	do
		r = host->devices(host->ctx, driver, &plan->devices, &plan->n_devices);
	while (r == -EDEADLK && !target->untrusted && swap_now_ns() < limit);
	if (r == -EDEADLK && target->untrusted && host->fail && host->fail(host->ctx, driver) == 0)
		r = host->devices(host->ctx, driver, &plan->devices, &plan->n_devices);
	return r;
}

static int find_devices(const struct replug_host *host, const char *driver,
			const struct replug_target *target, struct replug_plan *plan,
			struct replug_error *err)
{
	int r = ask_devices(host, driver, target, plan);

	if (r == -EDEADLK)
		return replug_fail(
			err, REPLUG_FAULT_REFUSED, r,
			"the devices of %s can't be told: a call of its own keeps the lock "
			"of the network (rtnl)%s",
			driver, target->untrusted ? ", though it was made to fail" : "");
	if (r == -ENOENT)
		return replug_fail(err, REPLUG_FAULT_REFUSED, r, "%s is not loaded", driver);
	if (r == -EBUSY)
		return replug_fail(err, REPLUG_FAULT_REFUSED, r,
				   "the devices of %s can't be told: somebody keeps the lock of "
				   "the network (rtnl)",
				   driver);
	if (r)
		return replug_fail(err, REPLUG_FAULT_UNSUPPORTED, r,
				   "the shadow module cannot tell the devices of %s: %s", driver,
				   strerror(-r));
	if (plan->n_devices == 0 && !target->without_devices)
		return replug_fail(err, REPLUG_FAULT_REFUSED, -ENODEV, "no device is bound to %s",
				   driver);
	return 0;
}

/* The plan's modules from the closure, which is empty then. */
static int take_closure(struct closure *closure, const struct replug_target *target,
			struct replug_image **new_image, struct replug_plan **ret_plan)
{
	_cleanup_free_ char *options = NULL;
	int r;

	if (target->parameters &&
	    asprintf(&options, "%s %s", closure->modules[0].options, target->parameters) < 0)
		return -ENOMEM;
	r = plan_alloc(closure->n, ret_plan);
	if (r)
		return r;
	for (size_t i = 0; i < closure->n; i++) {
		struct closure_module *module = &closure->modules[i];

		plan_add(*ret_plan, TAKE_PTR(module->image), i ? NULL : TAKE_PTR(*new_image),
			 TAKE_PTR(module->options));
	}
	(*ret_plan)->modules[0].new_options = TAKE_PTR(options);
	return 0;
}

/* The image to put in, or NULL if it is the loaded one. */
static int open_new(const struct modules *modules, const struct closure *closure, const char *name,
		    const struct replug_target *target, struct replug_image **ret_image,
		    struct replug_error *err)
{
	_cleanup_free_ char *path = NULL;
	_cleanup_image_ struct replug_image *image = NULL;
	int r;

	if (target->image) {
		r = replug_image_open(target->image, &image, err);
		if (!r && target->arm)
			return replug_image_arm(image, target->arm, ret_image, err);
		*ret_image = TAKE_PTR(image);
		return r;
	}
	if (target->arm)
		return replug_image_arm(closure->modules[0].image, target->arm, ret_image, err);
	if (target->loaded)
		return 0;
	if (closure->modules[0].installed)
		return 0;
	r = module_path_installed(modules, name, &path);
	if (r)
		return replug_fail(err, REPLUG_FAULT_REFUSED, r,
				   "%s is loaded from another file, and none is installed", name);
	return replug_image_open(path, ret_image, err);
}

/* What is taken out has to be loaded again, and may be older than the demand for signatures. */
static int check_signatures(const struct modules *modules, const struct closure *closure,
			    const struct replug_image *new_image, struct replug_error *err)
{
	if (!modules_need_signature(modules))
		return 0;
	for (size_t i = new_image ? 1 : 0; i < closure->n; i++)
		if (!replug_image_signed(closure->modules[i].image))
			return replug_fail(err, REPLUG_FAULT_REFUSED, -EOPNOTSUPP,
					   "%s is not signed, and this kernel loads only signed "
					   "modules: it would not come back",
					   replug_image_name(closure->modules[i].image));
	return 0;
}

int replug_plan_target(const struct replug_host *host, const char *driver,
		       const struct replug_target *target, struct replug_plan **ret_plan,
		       struct replug_error *err)
{
	_cleanup_(modules_close) struct modules modules = {0};
	_cleanup_(closure_free) struct closure closure = {0};
	_cleanup_image_ struct replug_image *new_image = NULL;
	_cleanup_plan_ struct replug_plan *plan = NULL;
	char name[REPLUG_NAME_MAX];
	int r;

	r = normalise(driver, name, err);
	if (r)
		return r;
	r = modules_open(host, &modules);
	if (r)
		return replug_fail(err, REPLUG_FAULT_FAILED, r, "cannot plan for %s: %s", name,
				   strerror(-r));

	r = check_state(&modules, name, err);
	if (!r)
		r = check_busy(host, name, target, err);
	if (!r)
		r = check_companions(&modules, name, err);
	if (!r)
		r = closure_find(&modules, name, &closure, err);
	if (!r)
		r = open_new(&modules, &closure, name, target, &new_image, err);
	if (!r && new_image)
		r = compat_check(&modules, &closure, new_image, err);
	if (!r)
		r = check_signatures(&modules, &closure, new_image, err);
	if (!r && target->untrusted)
		r = check_untrusted(closure.modules[0].image, err);
	if (r)
		return r;

	r = take_closure(&closure, target, &new_image, &plan);
	if (r)
		return replug_fail(err, REPLUG_FAULT_FAILED, r, "cannot plan for %s: %s", name,
				   strerror(-r));
	r = find_devices(host, name, target, plan, err);
	if (!r)
		r = compat_check_devices(plan->modules[0].old_image, plan->modules[0].new_image,
					 plan->devices, plan->n_devices, err);
	if (r)
		return r;
	*ret_plan = TAKE_PTR(plan);
	return 0;
}

int replug_plan_new(const struct replug_host *host, const char *driver, const char *to,
		    struct replug_plan **ret_plan, struct replug_error *err)
{
	return replug_plan_target(host, driver, &(struct replug_target){.image = to}, ret_plan,
				  err);
}

/* An image that must still be the module it was written down as. */
static int reopen(const char *path, const char *name, struct replug_image **ret_image,
		  struct replug_error *err)
{
	_cleanup_image_ struct replug_image *image = NULL;
	int r = replug_image_open(path, &image, err);

	if (r)
		return r;
	if (!str_eq(replug_image_name(image), name))
		return replug_fail(err, REPLUG_FAULT_REFUSED, -ESTALE,
				   "%s is the module %s, not %s any more", replug_path_tail(path),
				   replug_image_name(image), name);
	*ret_image = TAKE_PTR(image);
	return 0;
}

static int restore_module(struct replug_plan *plan, const struct replug_module_path *module,
			  struct replug_error *err)
{
	_cleanup_image_ struct replug_image *old_image = NULL, *new_image = NULL;
	_cleanup_free_ char *options = NULL;
	int r;

	r = reopen(module->old_path, module->name, &old_image, err);
	if (!r && !str_eq(module->old_path, module->new_path))
		r = reopen(module->new_path, module->name, &new_image, err);
	if (r)
		return r;
	options = strdup(module->options ? module->options : "");
	if (!options)
		return replug_fail(err, REPLUG_FAULT_FAILED, -ENOMEM, "out of memory");
	plan_add(plan, TAKE_PTR(old_image), TAKE_PTR(new_image), TAKE_PTR(options));
	return 0;
}

int replug_plan_restore(const char *driver, const struct replug_module_path *modules, size_t n,
			struct replug_plan **ret_plan, struct replug_error *err)
{
	_cleanup_plan_ struct replug_plan *plan = NULL;
	char name[REPLUG_NAME_MAX];
	int r;

	r = normalise(driver, name, err);
	if (r)
		return r;
	if (n == 0 || !str_eq(modules[0].name, name))
		return replug_fail(err, REPLUG_FAULT_USAGE, -EINVAL,
				   "the modules of a plan for %s begin with another one", name);
	r = plan_alloc(n, &plan);
	if (r)
		return replug_fail(err, REPLUG_FAULT_FAILED, r, "out of memory");
	for (size_t i = 0; i < n && !r; i++)
		r = restore_module(plan, &modules[i], err);
	if (r)
		return r;
	*ret_plan = TAKE_PTR(plan);
	return 0;
}

const char *replug_plan_driver(const struct replug_plan *plan)
{
	return plan->modules[0].name;
}

const struct replug_module *replug_plan_modules(const struct replug_plan *plan, size_t *ret_n)
{
	*ret_n = plan->n;
	return plan->modules;
}

const struct replug_device *replug_plan_devices(const struct replug_plan *plan, size_t *ret_n)
{
	*ret_n = plan->n_devices;
	return plan->devices;
}
