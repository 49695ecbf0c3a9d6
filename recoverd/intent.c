// SPDX-License-Identifier: GPL-2.0-or-later
/* Writes down what a swap is about to do, and reads it back after a crash. */
#include "intent.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "cleanup.h"
#include "text.h"

#define SCHEMA	    "recov.intent/1"
#define FILE_MAX    (256 * 1024)
#define MODULES_MAX 32
#define OPTIONS_MAX 4096

void intent_free(struct intent *intent)
{
	if (!intent)
		return;
	for (size_t i = 0; i < intent->n_modules; i++) {
		free((char *)intent->modules[i].name);
		free((char *)intent->modules[i].old_path);
		free((char *)intent->modules[i].new_path);
		free((char *)intent->modules[i].options);
	}
	free(intent->modules);
	free(intent->driver);
	free(intent->image);
	free(intent->boot_id);
	free(intent->started);
	free(intent);
}

static void intent_freep(struct intent **intent)
{
	intent_free(*intent);
}

static bool is_path(const char *path)
{
	return path[0] == '/' && strlen(path) < PATH_MAX;
}

static int intent_add_module(struct intent *intent, const json_t *object)
{
	struct replug_module_path *module = &intent->modules[intent->n_modules];
	const char *name, *old_path, *new_path, *options;

	if (json_unpack((json_t *)object, "{s:s, s:s, s:s, s:s}", "name", &name, "old_path",
			&old_path, "new_path", &new_path, "options", &options) < 0)
		return -EBADMSG;
	if (!text_is_module_name(name) || !is_path(old_path) || !is_path(new_path) ||
	    strlen(options) > OPTIONS_MAX)
		return -EBADMSG;
	intent->n_modules++;
	module->name = strdup(name);
	module->old_path = strdup(old_path);
	module->new_path = strdup(new_path);
	module->options = strdup(options);
	if (!module->name || !module->old_path || !module->new_path || !module->options)
		return -ENOMEM;
	return 0;
}

int intent_new(const char *driver, const char *image, const char *boot_id, const char *started,
	       uint64_t mono_ns, const json_t *modules, struct intent **ret_intent)
{
	_cleanup_(intent_freep) struct intent *intent = NULL;
	json_t *object;
	size_t i;
	int r;

	if (!text_is_module_name(driver) || (image && !is_path(image)) ||
	    json_array_size(modules) > MODULES_MAX)
		return -EBADMSG;
	intent = calloc(1, sizeof(*intent));
	if (!intent)
		return -ENOMEM;
	intent->driver = strdup(driver);
	intent->image = image ? strdup(image) : NULL;
	intent->boot_id = strdup(boot_id);
	intent->started = strdup(started);
	intent->mono_ns = mono_ns;
	intent->modules = calloc(json_array_size(modules) + 1, sizeof(*intent->modules));
	if (!intent->driver || (image && !intent->image) || !intent->boot_id || !intent->started ||
	    !intent->modules)
		return -ENOMEM;
	json_array_foreach((json_t *)modules, i, object) {
		r = intent_add_module(intent, object);
		if (r < 0)
			return r;
	}
	*ret_intent = TAKE_PTR(intent);
	return 0;
}

static json_t *intent_json(const struct intent *intent)
{
	json_t *modules = json_array();

	for (size_t i = 0; i < intent->n_modules; i++) {
		const struct replug_module_path *m = &intent->modules[i];

		json_array_append_new(modules, json_pack("{s:s, s:s, s:s, s:s}", "name", m->name,
							 "old_path", m->old_path, "new_path",
							 m->new_path, "options", m->options));
	}
	if (json_array_size(modules) != intent->n_modules) {
		json_decref(modules);
		return NULL;
	}
	return json_pack("{s:s, s:s, s:s, s:I, s:s, s:s?, s:o}", "schema", SCHEMA, "boot_id",
			 intent->boot_id, "started", intent->started, "mono_ns",
			 (json_int_t)intent->mono_ns, "driver", intent->driver, "image",
			 intent->image, "modules", modules);
}

int intent_write(const struct intent *intent, const char *path)
{
	_cleanup_free_ char *temporary = NULL;
	_cleanup_close_ int fd = -1;
	json_auto_t *json = NULL;
	int r = 0;

	json = intent_json(intent);
	if (!json || asprintf(&temporary, "%s.new", path) < 0)
		return -ENOMEM;
	if (unlink(temporary) < 0 && errno != ENOENT)
		return -errno;
	fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	if (json_dumpfd(json, fd, JSON_INDENT(2)) < 0)
		r = -EIO;
	else if (rename(temporary, path) < 0)
		r = -errno;
	if (r < 0)
		unlink(temporary);
	return r;
}

int intent_parse(const char *text, size_t len, struct intent **ret_intent, char *why, size_t size)
{
	const char *schema, *boot_id, *started, *driver;
	json_auto_t *json = NULL;
	json_int_t mono_ns;
	json_error_t error;
	json_t *modules, *image;
	int r;

	json = json_loadb(text, len, JSON_REJECT_DUPLICATES, &error);
	if (!json ||
	    json_unpack_ex(json, &error, JSON_STRICT, "{s:s, s:s, s:s, s:I, s:s, s:o, s:o}",
			   "schema", &schema, "boot_id", &boot_id, "started", &started, "mono_ns",
			   &mono_ns, "driver", &driver, "image", &image, "modules", &modules) < 0) {
		snprintf(why, size, "%s", error.text);
		return -EBADMSG;
	}
	if (strcmp(schema, SCHEMA) != 0) {
		snprintf(why, size, "its schema is %s", schema);
		return -EBADMSG;
	}
	if (!json_is_array(modules) || mono_ns < 0 ||
	    (!json_is_null(image) && !json_is_string(image))) {
		snprintf(why, size, "a field has a value out of its range");
		return -EBADMSG;
	}
	r = intent_new(driver, json_string_value(image), boot_id, started, (uint64_t)mono_ns,
		       modules, ret_intent);
	if (r == -EBADMSG)
		snprintf(why, size, "a name or path in it is not acceptable");
	return r;
}

int intent_read(const char *path, struct intent **ret_intent, char *why, size_t size)
{
	_cleanup_free_ char *text = NULL;
	_cleanup_close_ int fd = -1;
	size_t len = 0;
	struct stat st;
	ssize_t n;

	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_uid != geteuid() || st.st_size > FILE_MAX) {
		snprintf(why, size, "it is no file of ours");
		return -EBADMSG;
	}
	text = malloc(FILE_MAX);
	if (!text)
		return -ENOMEM;
	while (len < FILE_MAX) {
		n = read(fd, text + len, FILE_MAX - len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		len += (size_t)n;
	}
	return intent_parse(text, len, ret_intent, why, size);
}

int intent_remove(const char *path)
{
	return unlink(path) < 0 && errno != ENOENT ? -errno : 0;
}
