// SPDX-License-Identifier: GPL-2.0-or-later
/* Loads an installed module by name through libkmod. */
#include "modload.h"

#include <libkmod.h>
#include <string.h>
#include <sys/utsname.h>

#include "cleanup.h"

static void kmod_unrefp(struct kmod_ctx **ctx)
{
	kmod_unref(*ctx);
}

static void kmod_module_unref_listp(struct kmod_list **list)
{
	kmod_module_unref_list(*list);
}

static int insert(struct kmod_list *list)
{
	struct kmod_list *entry;
	int r = -ENOENT;

	for (entry = list; entry; entry = kmod_list_next(list, entry)) {
		struct kmod_module *module = kmod_module_get_module(entry);

		r = kmod_module_probe_insert_module(module, 0, NULL, NULL, NULL, NULL);
		kmod_module_unref(module);
		if (r < 0)
			break;
	}
	return r;
}

int modload(const char *name, struct replug_error *err)
{
	_cleanup_(kmod_module_unref_listp) struct kmod_list *list = NULL;
	_cleanup_(kmod_unrefp) struct kmod_ctx *ctx = NULL;
	struct utsname uts;
	int r;

	ctx = kmod_new(NULL, NULL);
	if (!ctx)
		return -ENOMEM;
	/* Its messages go nowhere: what matters comes back as an error. */
	kmod_set_log_priority(ctx, -1);
	r = kmod_module_new_from_lookup(ctx, name, &list);
	if (r >= 0)
		r = insert(list);
	if (r >= 0)
		return 0;

	uname(&uts);
	err->fault = REPLUG_FAULT_UNSUPPORTED;
	if (r == -ENOENT)
		snprintf(err->text, sizeof(err->text), "module %s is not installed for kernel %s",
			 name, uts.release);
	else if (r == -EPERM || r == -EKEYREJECTED || r == -ENOKEY)
		snprintf(err->text, sizeof(err->text),
			 "module %s can't be loaded: %s; if this kernel loads only signed modules, "
			 "it has to be signed",
			 name, strerror(-r));
	else
		snprintf(err->text, sizeof(err->text), "module %s can't be loaded: %s", name,
			 strerror(-r));
	return r;
}
