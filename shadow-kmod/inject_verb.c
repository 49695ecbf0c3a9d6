// SPDX-License-Identifier: GPL-2.0
/* The verbs by which mistakes are planted into drivers, undone, and told of: one at a time. */
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "inject.h"
#include "shadow.h"
#include "tap_compat.h"

static DEFINE_MUTEX(verb_mutex);

/* Nothing is planted there; what was is forgotten. */
static int make_room(const char *driver)
{
	struct inject *inject = inject_find(driver, 0);
	int state, err;

	if (!inject)
		return 0;
	state = atomic_read_acquire(&inject->state);
	if (state == INJECT_CANCELLED)
		return -EBUSY;
	if (state != INJECT_ENDED && !READ_ONCE(inject->gone))
		return -EEXIST;
	err = inject_wait_ended(inject);
	if (!err)
		inject_forget(inject);
	return err;
}

static int inject_verb(struct recov_inject *arg)
{
	struct inject *inject;
	struct module *module;
	int err;

	if (strnlen(arg->driver, sizeof(arg->driver)) == sizeof(arg->driver) || !arg->driver[0] ||
	    arg->n_sites > RECOV_INJECT_SITES_MAX || arg->n_calls > RECOV_INJECT_CALLS_MAX ||
	    !(arg->n_sites + arg->n_calls) || arg->flags & ~RECOV_INJECT_PORT)
		return -EINVAL;
	err = swap_check_free(arg->driver);
	if (!err)
		err = make_room(arg->driver);
	if (err)
		return err;
	module = ksym_module_get(arg->driver);
	if (IS_ERR(module))
		return PTR_ERR(module);
	err = inject_new(arg, module, &inject);
	if (!err)
		inject_begin(inject);
	module_put(module); /* from now on it tells when it goes */
	if (err)
		return err;
	err = inject_wait_planted(inject);
	arg->failed = inject->failed;
	if (err && err != -ETIMEDOUT)
		inject_forget(inject);
	return err;
}

static u32 state_of(const struct inject *inject)
{
	if (READ_ONCE(inject->gone))
		return RECOV_INJECT_GONE;
	switch (atomic_read_acquire(&inject->state)) {
	case INJECT_PLANTED:
		return RECOV_INJECT_PLANTED;
	case INJECT_ENDED:
		return RECOV_INJECT_UNDONE;
	}
	return RECOV_INJECT_ENDING;
}

static void describe(const struct inject *inject, struct recov_injected *arg)
{
	u32 index = arg->index;

	*arg = (struct recov_injected){
		.planted_ns = inject->planted_ns,
		.ended_ns = inject->ended_ns,
		.index = index,
		.state = state_of(inject),
		.n_sites = inject->n_sites,
		.n_calls = inject->n_calls,
		.hits = atomic_read(&inject->n_hits),
		.differing = inject->differing,
		.for_ms = inject->for_ms,
		.max_hits = inject->max_hits,
	};
	strscpy(arg->driver, inject->driver, sizeof(arg->driver));
}

static int injected_verb(struct recov_injected *arg)
{
	const struct inject *inject = inject_find(arg->driver, arg->index);

	if (!inject)
		return -ENOENT;
	describe(inject, arg);
	return 0;
}

static int undo_verb(struct recov_injected *arg)
{
	struct inject *inject = arg->driver[0] ? inject_find(arg->driver, 0) : NULL;
	u32 state;
	int err;

	if (!inject)
		return -ENOENT;
	if (atomic_read(&inject->state) == INJECT_CANCELLED)
		return -EBUSY;
	state = state_of(inject);
	err = inject_wait_ended(inject);
	if (err)
		return err;
	describe(inject, arg);
	arg->state = state;
	inject_forget(inject);
	return 0;
}

static int hits_verb(struct recov_inject_hits *arg)
{
	const struct inject *inject = arg->driver[0] ? inject_find(arg->driver, 0) : NULL;
	struct recov_inject_hit __user *to = u64_to_user_ptr(arg->hits);
	u32 i, n;

	if (!inject)
		return -ENOENT;
	n = inject->n_sites + inject->n_calls;
	if (arg->first > n)
		return -EINVAL;
	arg->n = min(arg->n, n - arg->first);
	for (i = 0; i < arg->n; i++) {
		const struct inject_hit *hit = &inject->hits[arg->first + i];
		struct recov_inject_hit met = {.count = atomic_read_acquire(&hit->count)};

		if (met.count) {
			met.time_ns = hit->time_ns;
			met.cpu = hit->cpu;
			met.pid = hit->pid;
		}
		if (copy_to_user(&to[i], &met, sizeof(met)))
			return -EFAULT;
	}
	return 0;
}

static int text_verb(const struct recov_inject_text *arg)
{
	struct module *module = ksym_module_get(arg->driver);
	unsigned long text, size;
	int err = 0;

	if (IS_ERR(module))
		return PTR_ERR(module);
	tap_module_text(module, &text, &size);
	if (arg->pad)
		err = -EINVAL;
	else if (arg->address < text || arg->address - text > size ||
		 arg->size > size - (arg->address - text))
		err = -ERANGE;
	else if (copy_to_user(u64_to_user_ptr(arg->bytes), (void *)arg->address, arg->size))
		err = -EFAULT;
	module_put(module);
	return err;
}

static long run_verb(unsigned int cmd, void *arg)
{
	/* Where all of them begin with it. */
	if (strnlen(arg, RECOV_NAME_LEN) == RECOV_NAME_LEN)
		return -EINVAL;
	switch (cmd) {
	case RECOV_IOC_INJECT:
		return inject_verb(arg);
	case RECOV_IOC_INJECT_UNDO:
		return undo_verb(arg);
	case RECOV_IOC_INJECTED:
		return injected_verb(arg);
	case RECOV_IOC_INJECT_HITS:
		return hits_verb(arg);
	case RECOV_IOC_INJECT_TEXT:
		return text_verb(arg);
	}
	return -ENOTTY;
}

long inject_ioctl(unsigned int cmd, void __user *user)
{
	union {
		struct recov_inject inject;
		struct recov_injected injected;
		struct recov_inject_hits hits;
		struct recov_inject_text text;
	} arg;
	size_t size = _IOC_SIZE(cmd);
	long err;

	if (size > sizeof(arg) || size < RECOV_NAME_LEN)
		return -ENOTTY;
	if (copy_from_user(&arg, user, size))
		return -EFAULT;
	if (mutex_lock_killable(&verb_mutex))
		return -EINTR;
	if (cmd == RECOV_IOC_INJECT)
		arg.inject.failed = RECOV_INJECT_NOWHERE;
	err = run_verb(cmd, &arg);
	mutex_unlock(&verb_mutex);
	/* Also what tells where it failed. */
	if (err != -ENOTTY && _IOC_DIR(cmd) & _IOC_READ && copy_to_user(user, &arg, size))
		err = -EFAULT;
	return err;
}
