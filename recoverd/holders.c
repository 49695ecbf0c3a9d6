// SPDX-License-Identifier: GPL-2.0-or-later
/* Runs the parts of a scan for holders and adds up what they found. */
#include "holders.h"

#include <stdarg.h>
#include <string.h>

#include "cleanup.h"
#include "holders_device.h"
#include "holders_scan.h"
#include <sys/utsname.h>

#include "text.h"

#define BATCH_MAX (32 * 1024) /* bytes of text that are handed out together, before any escaping */
#define TEXT_MAX  2048

/* ---- reading ---- */

static int path_v(const struct scan *scan, char ret_path[PATH_MAX], const char *format, va_list ap)
	__attribute__((format(printf, 3, 0)));

static int path_v(const struct scan *scan, char ret_path[PATH_MAX], const char *format, va_list ap)
{
	int n, m;

	n = snprintf(ret_path, PATH_MAX, "%s", scan->root);
	if (n < 0 || n >= PATH_MAX)
		return -ENAMETOOLONG;
	m = vsnprintf(ret_path + n, (size_t)(PATH_MAX - n), format, ap);
	return m < 0 || m >= PATH_MAX - n ? -ENAMETOOLONG : 0;
}

int scan_path(const struct scan *scan, char ret_path[PATH_MAX], const char *format, ...)
{
	va_list ap;
	int r;

	va_start(ap, format);
	r = path_v(scan, ret_path, format, ap);
	va_end(ap);
	return r;
}

FILE *scan_open(const struct scan *scan, const char *format, ...)
{
	char path[PATH_MAX];
	va_list ap;
	int r;

	va_start(ap, format);
	r = path_v(scan, path, format, ap);
	va_end(ap);
	return r < 0 ? NULL : fopen(path, "re");
}

int scan_line(const struct scan *scan, char *ret_line, size_t size, const char *format, ...)
{
	_cleanup_fclose_ FILE *file = NULL;
	char path[PATH_MAX];
	size_t n;
	va_list ap;
	int r;

	va_start(ap, format);
	r = path_v(scan, path, format, ap);
	va_end(ap);
	if (r < 0)
		return r;
	file = fopen(path, "re");
	if (!file)
		return -errno;
	/* Names of processes may have newlines in them, but for the last one. */
	n = fread(ret_line, 1, size - 1, file);
	if (n == 0)
		return -ENODATA;
	ret_line[n] = '\0';
	n = strlen(ret_line);
	if (n && ret_line[n - 1] == '\n')
		ret_line[n - 1] = '\0';
	return 0;
}

void scan_unescape(char *text)
{
	char *out = text;

	for (const char *p = text; *p; out++) {
		if (p[0] == '\\' && p[1] >= '0' && p[1] <= '3' && p[2] >= '0' && p[2] <= '7' &&
		    p[3] >= '0' && p[3] <= '7') {
			*out = (char)((p[1] - '0') << 6 | (p[2] - '0') << 3 | (p[3] - '0'));
			p += 4;
		} else {
			*out = *p++;
		}
	}
	*out = '\0';
}

char *scan_quote(const char *text, char *ret_quoted, size_t size)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789/_.,:@%+=-";
	char *out = ret_quoted, *end = ret_quoted + size;

	if (*text && text[strspn(text, plain)] == '\0') {
		snprintf(ret_quoted, size, "%s", text);
		return ret_quoted;
	}
	*out++ = '\'';
	for (; *text && end - out > 6; text++) {
		if (*text == '\'') {
			memcpy(out, "'\\''", 4);
			out += 4;
		} else {
			*out++ = *text;
		}
	}
	*out++ = '\'';
	*out = '\0';
	return ret_quoted;
}

void scan_append(char *text, size_t size, const char *format, ...)
{
	size_t used = strlen(text);
	va_list ap;

	va_start(ap, format);
	vsnprintf(text + used, size - used, format, ap);
	va_end(ap);
}

/* ---- telling ---- */

void scan_incomplete(struct scan *scan, const char *format, ...)
{
	char *text = scan->summary->incomplete;
	size_t size = sizeof(scan->summary->incomplete), used = strlen(text);
	va_list ap;

	if (used + 1 >= size)
		return;
	if (used)
		scan_append(text, size, "; ");
	used = strlen(text);
	va_start(ap, format);
	vsnprintf(text + used, size - used, format, ap);
	va_end(ap);
}

static json_t *text_cut(const char *text)
{
	char cut[TEXT_MAX];

	snprintf(cut, sizeof(cut), "%s", text ? text : "");
	return text_json(cut);
}

static json_t *text_or_null(const char *text)
{
	return text && *text ? text_cut(text) : json_null();
}

static json_t *holder_json(const struct holder *holder)
{
	return json_pack(
		"{s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:b, s:o, s:o}", "kind", holder->kind,
		"name", text_cut(holder->name), "detail", text_cut(holder->detail), "pid",
		holder->pid ? json_integer(holder->pid) : json_null(), "comm",
		text_or_null(holder->comm), "object", text_or_null(holder->object), "device",
		text_or_null(holder->device), "count",
		holder->count ? json_integer(holder->count) : json_null(), "pins", holder->pins,
		"uncertain", text_or_null(holder->uncertain), "free", text_cut(holder->free));
}

static size_t holder_size(const struct holder *holder)
{
	const char *const texts[] = {holder->name,   holder->detail, holder->comm,
				     holder->object, holder->device, holder->uncertain,
				     holder->free};
	size_t size = 256;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		size += texts[i] ? strnlen(texts[i], TEXT_MAX) : 0;
	return size;
}

int scan_flush(struct scan *scan)
{
	json_t *batch = TAKE_PTR(scan->batch);

	scan->batch_size = 0;
	if (json_array_size(batch) == 0) {
		json_decref(batch);
		return 0;
	}
	return scan->sink(scan->ctx, batch);
}

int scan_add(struct scan *scan, const struct holder *holder)
{
	scan->explained += holder->references;
	if (scan->n >= HOLDERS_MAX) {
		scan->dropped++;
		return 0;
	}
	scan->n++;
	if (!scan->batch)
		scan->batch = json_array();
	if (json_array_append_new(scan->batch, holder_json(holder)) < 0)
		return -ENOMEM;
	scan->batch_size += holder_size(holder);
	return scan->batch_size >= BATCH_MAX ? scan_flush(scan) : 0;
}

/* ---- modules and what remains ---- */

static int count_references(const struct scan *scan, long *ret_references)
{
	char line[32];
	int r;

	r = scan_line(scan, line, sizeof(line), "/sys/module/%s/refcnt", scan->driver);
	if (r < 0)
		return r;
	*ret_references = atol(line);
	return 0;
}

int holders_modules(struct scan *scan)
{
	struct dirent **entries = NULL;
	char path[PATH_MAX], text[320];
	int n, r;

	r = scan_path(scan, path, "/sys/module/%s/holders", scan->driver);
	if (r < 0)
		return r;
	n = scandir(path, &entries, NULL, alphasort);
	for (int i = 0; i < n; i++) {
		const char *name = entries[i]->d_name;

		if (r >= 0 && name[0] != '.') {
			snprintf(text, sizeof(text), "unload %s, once nothing holds it", name);
			r = scan_add(scan, &(struct holder){.kind = "module",
							    .name = name,
							    .detail = "uses its symbols",
							    .object = name,
							    .pins = true,
							    .references = 1,
							    .free = text});
		}
		free(entries[i]);
	}
	free(entries);
	return r;
}

/* The kernel counts references, and does not say whose they are. */
static int add_unexplained(struct scan *scan)
{
	long references = 0;
	char detail[256];
	unsigned long left;

	if (count_references(scan, &references) < 0) {
		scan_incomplete(scan, "the kernel does not say how often %s is held", scan->driver);
		return 0;
	}
	scan->summary->references = references;
	if (references <= 0 || (unsigned long)references <= scan->explained)
		return 0;
	left = (unsigned long)references - scan->explained;
	snprintf(detail, sizeof(detail),
		 "of %ld references, this many are not explained by the above", references);
	return scan_add(
		scan, &(struct holder){.kind = "reference",
				       .name = "unknown",
				       .detail = detail,
				       .count = left < INT_MAX ? (unsigned)left : INT_MAX,
				       .pins = true,
				       .uncertain = "the kernel does not tell who has them",
				       .free = "nobody can tell; parts of the kernel, and devices "
					       "whose module is not known, may have them"});
}

static bool is_built_in(const struct scan *scan)
{
	_cleanup_fclose_ FILE *file = NULL;
	char path[PATH_MAX], line[512], *base;
	struct utsname uts;

	if (scan_path(scan, path, "/sys/module/%s", scan->driver) >= 0 && access(path, F_OK) == 0)
		return true;
	(void)uname(&uts);
	file = scan_open(scan, "/lib/modules/%s/modules.builtin", uts.release);
	while (file && fgets(line, sizeof(line), file)) {
		base = strrchr(line, '/');
		base = base ? base + 1 : line;
		base[strcspn(base, ".\n")] = '\0';
		if (text_same_module(base, scan->driver))
			return true;
	}
	return false;
}

int holders_scan(const char *root, const char *driver, holders_sink sink, void *ctx,
		 struct holders_summary *ret_summary)
{
	static int (*const parts[])(struct scan * scan) = {holders_modules,   holders_mounts,
							   holders_net,	      holders_bpf,
							   holders_processes, add_unexplained};
	struct scan scan = {
		.root = root, .live = !*root, .sink = sink, .ctx = ctx, .summary = ret_summary};
	_cleanup_free_ char *name = strdup(driver);
	char state[32];
	int r;

	*ret_summary = (struct holders_summary){};
	if (!name)
		return -ENOMEM;
	for (char *p = name; *p; p++) {
		if (*p == '-')
			*p = '_';
	}
	scan.driver = name;
	if (!text_is_module_name(name))
		return -ENOENT;
	if (scan_line(&scan, state, sizeof(state), "/sys/module/%s/initstate", name) < 0)
		return is_built_in(&scan) ? -EOPNOTSUPP : -ENOENT;
	r = device_table_new(&scan, &scan.devices);
	for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(parts); i++) {
		if (i + 1 == ARRAY_SIZE(parts) && scan.dropped)
			scan_incomplete(&scan, "%u more are not listed", scan.dropped);
		r = parts[i](&scan);
		if (r >= 0)
			r = scan_flush(&scan);
	}
	json_decref(scan.batch);
	scan_forget_watches(&scan);
	device_table_free(scan.devices);
	return r < 0 ? r : 0;
}
