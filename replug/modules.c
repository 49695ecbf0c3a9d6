// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The machine's modules through /sys/module, /proc/modules and /lib/modules.
 */
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>

#include "image.h"
#include "modules.h"

typedef struct kmod_module kmod_module_t;
DEFINE_CLEANUP(kmod_module_t *, kmod_module_unref)

/* libkmod would write to stderr. */
static void log_nothing(void *data, int priority, const char *file, int line, const char *fn,
			const char *format, va_list args)
{
	(void)data, (void)priority, (void)file, (void)line, (void)fn, (void)format, (void)args;
}

int modules_open(const struct replug_host *host, struct modules *ret_modules)
{
	_cleanup_(modules_close) struct modules modules = {.host = host};
	struct utsname uts;

	if (host->modules)
		modules.dir = strdup(host->modules);
	else if (uname(&uts))
		return -errno;
	else if (asprintf(&modules.dir, "/lib/modules/%s", uts.release) < 0)
		modules.dir = NULL;
	if (!modules.dir)
		return -ENOMEM;
	modules.kmod = kmod_new(modules.dir, NULL);
	if (!modules.kmod)
		return -ENOMEM;
	kmod_set_log_fn(modules.kmod, log_nothing, NULL);

	*ret_modules = modules;
	modules = (struct modules){0};
	return 0;
}

void modules_close(struct modules *modules)
{
	if (modules->kmod)
		kmod_unref(modules->kmod);
	free(modules->dir);
	*modules = (struct modules){0};
}

/* "<sysfs>/module/NAME/FILE"; names were checked to hold no slash. */
static char *module_path(const struct modules *modules, const char *name, const char *file)
{
	char *path;

	if (asprintf(&path, "%s/module/%s/%s", modules->host->sysfs, name, file) < 0)
		return NULL;
	return path;
}

/* At most size bytes of an attribute; their number, or negative errno. */
static ssize_t read_attribute(const struct modules *modules, const char *name, const char *file,
			      void *buffer, size_t size)
{
	_cleanup_free_ char *path = module_path(modules, name, file);
	_cleanup_close_ int fd = -1;
	size_t done = 0;

	if (!path)
		return -ENOMEM;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	while (done < size) {
		ssize_t n = read(fd, (char *)buffer + done, size - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		done += n;
	}
	return done;
}

/* The same as a string, its newline cut off. */
static int read_string(const struct modules *modules, const char *name, const char *file,
		       char *buffer, size_t size)
{
	ssize_t n = read_attribute(modules, name, file, buffer, size - 1);

	if (n < 0)
		return n;
	buffer[n] = '\0';
	buffer[strcspn(buffer, "\n")] = '\0';
	return 0;
}

/* Whether a line of modules.builtin, "kernel/fs/ext4/ext4.ko", is about the module. */
static bool line_names(const char *line, const char *name)
{
	const char *slash = strrchr(line, '/');
	const char *base = slash ? slash + 1 : line;

	for (; *name; base++, name++)
		if (*base != *name && !(*base == '-' && *name == '_'))
			return false;
	return str_after(base, ".ko") != NULL;
}

static bool is_listed_builtin(const struct modules *modules, const char *name)
{
	_cleanup_free_ char *path = NULL, *line = NULL;
	_cleanup_fclose_ FILE *file = NULL;
	size_t room = 0;

	if (asprintf(&path, "%s/modules.builtin", modules->dir) < 0) {
		path = NULL;
		return false;
	}
	file = fopen(path, "re");
	while (file && getline(&line, &room, file) > 0)
		if (line_names(line, name))
			return true;
	return false;
}

enum module_state module_state(const struct modules *modules, const char *name)
{
	_cleanup_free_ char *path = module_path(modules, name, "");
	char state[16];

	if (!read_string(modules, name, "initstate", state, sizeof(state)))
		return str_eq(state, "live") ? MODULE_LIVE : MODULE_MOVING;
	if (is_listed_builtin(modules, name))
		return MODULE_BUILTIN;
	return path && !access(path, F_OK) ? MODULE_BUILTIN : MODULE_ABSENT;
}

int module_refcnt(const struct modules *modules, const char *name, long *ret_refcnt)
{
	char text[32], *end;
	long refcnt;
	int r;

	r = read_string(modules, name, "refcnt", text, sizeof(text));
	if (r)
		return r;
	errno = 0;
	refcnt = strtol(text, &end, 10);
	if (errno || end == text || *end)
		return -EBADMSG;
	*ret_refcnt = refcnt;
	return 0;
}

void module_names_free(char **names)
{
	for (char **name = names; name && *name; name++)
		free(*name);
	free(names);
}

DEFINE_CLEANUP(char **, module_names_free)

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int module_holders(const struct modules *modules, const char *name, char ***ret_names)
{
	_cleanup_(module_names_freep) char **names = calloc(1, sizeof(*names));
	_cleanup_free_ char *path = module_path(modules, name, "holders");
	_cleanup_closedir_ DIR *dir = NULL;
	struct dirent *entry;
	size_t n = 0;

	if (!names || !path)
		return -ENOMEM;
	dir = opendir(path);
	if (!dir)
		return -errno;
	while (errno = 0, (entry = readdir(dir))) {
		void *grown;

		if (entry->d_name[0] == '.')
			continue;
		grown = reallocarray(names, n + 2, sizeof(*names));
		if (!grown)
			return -ENOMEM;
		names = grown;
		names[n + 1] = NULL;
		names[n] = strdup(entry->d_name);
		if (!names[n])
			return -ENOMEM;
		n++;
	}
	if (errno)
		return -errno;
	qsort(names, n, sizeof(*names), compare_names);
	*ret_names = TAKE_PTR(names);
	return 0;
}

bool module_is_permanent(const struct modules *modules, const char *name)
{
	_cleanup_free_ char *path = NULL, *line = NULL;
	_cleanup_fclose_ FILE *file = NULL;
	size_t room = 0;

	if (asprintf(&path, "%s/modules", modules->host->procfs) < 0) {
		path = NULL;
		return false;
	}
	file = fopen(path, "re");
	while (file && getline(&line, &room, file) > 0) {
		const char *rest = str_after(line, name);

		/* "mii 16384 1 pcnet32,[permanent], Live 0x0000000000000000" */
		if (rest && *rest == ' ')
			return strstr(rest, "[permanent]") != NULL;
	}
	return false;
}

/* 1: the kernel and the image agree, 0: they differ, -ENOENT: one of them does not say. */
static int compare_string(const struct modules *modules, const char *name, const char *key,
			  const struct replug_image *image)
{
	const char *value = replug_image_modinfo(image, key);
	char loaded[256];

	if (!value || read_string(modules, name, key, loaded, sizeof(loaded)))
		return -ENOENT;
	return !strncmp(loaded, value, sizeof(loaded) - 1);
}

static int compare_build_id(const struct modules *modules, const char *name,
			    const struct replug_image *image)
{
	uint8_t loaded[256];
	const void *own;
	size_t size;
	ssize_t n;

	own = replug_image_build_id(image, &size);
	n = read_attribute(modules, name, "notes/.note.gnu.build-id", loaded, sizeof(loaded));
	if (!own || n <= 0)
		return -ENOENT;
	return (size_t)n == size && !memcmp(loaded, own, size);
}

bool module_is_image(const struct modules *modules, const char *name,
		     const struct replug_image *image)
{
	int same = compare_build_id(modules, name, image);

	if (same < 0)
		same = compare_string(modules, name, "srcversion", image);
	if (same < 0)
		same = compare_string(modules, name, "version", image);
	return same != 0;
}

/* "[none] integrity confidentiality" */
static bool is_locked_down(const struct modules *modules)
{
	_cleanup_free_ char *path = NULL;
	_cleanup_fclose_ FILE *file = NULL;
	char line[64] = "";

	if (asprintf(&path, "%s/kernel/security/lockdown", modules->host->sysfs) < 0)
		return false;
	file = fopen(path, "re");
	return file && fgets(line, sizeof(line), file) && !strstr(line, "[none]");
}

bool modules_need_signature(const struct modules *modules)
{
	char text[8];

	return is_locked_down(modules) ||
	       (!read_string(modules, "module", "parameters/sig_enforce", text, sizeof(text)) &&
		str_eq(text, "Y"));
}

int module_path_installed(const struct modules *modules, const char *name, char **ret_path)
{
	_cleanup_(kmod_module_unrefp) kmod_module_t *module = NULL;
	const char *path;
	char *copy;
	int r;

	r = kmod_module_new_from_name(modules->kmod, name, &module);
	if (r)
		return r;
	path = kmod_module_get_path(module);
	if (!path)
		return -ENOENT;
	copy = strdup(path);
	if (!copy)
		return -ENOMEM;
	*ret_path = copy;
	return 0;
}

int module_options(const struct modules *modules, const char *name, char **ret_options)
{
	_cleanup_(kmod_module_unrefp) kmod_module_t *module = NULL;
	const char *options;
	char *copy;
	int r;

	r = kmod_module_new_from_name(modules->kmod, name, &module);
	if (r)
		return r;
	options = kmod_module_get_options(module);
	copy = strdup(options ? options : "");
	if (!copy)
		return -ENOMEM;
	*ret_options = copy;
	return 0;
}
