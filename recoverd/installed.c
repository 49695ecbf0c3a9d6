// SPDX-License-Identifier: GPL-2.0-or-later
/* Finds the image that modprobe would load. */
#include "installed.h"

#include <libkmod.h>
#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "manager.h"

int installed_open(const char *module, struct replug_image **ret_image, struct replug_error *err)
{
	struct kmod_ctx *kmod = kmod_new(NULL, NULL);
	struct kmod_module *found = NULL;
	const char *path = NULL;
	int r = -ENOENT;

	err->fault = REPLUG_FAULT_FAILED;
	if (kmod && kmod_module_new_from_name(kmod, module, &found) >= 0)
		path = kmod_module_get_path(found);
	if (path)
		r = replug_image_open(path, ret_image, err);
	else
		snprintf(err->text, sizeof(err->text), "%s is not installed", module);
	kmod_module_unref(found);
	kmod_unref(kmod);
	return r;
}

bool installed_is_loaded(const char *module, const struct replug_image *image)
{
	_cleanup_fclose_ FILE *file = NULL;
	char path[160], loaded[256];
	const void *note;
	size_t size;

	/* Of a note's section the kernel shows all, as it is in the image. */
	snprintf(path, sizeof(path), SYSFS "/module/%s/notes/.note.gnu.build-id", module);
	note = replug_image_section(image, ".note.gnu.build-id", &size);
	file = fopen(path, "re");
	return note && file && size <= sizeof(loaded) &&
	       fread(loaded, 1, sizeof(loaded), file) == size && memcmp(loaded, note, size) == 0;
}
