/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A machine made of files: loaded and installed modules in a temporary folder, and a kernel that
 * exports, knows devices and is busy as a test says.
 */
#ifndef PLAN_FIXTURE_H
#define PLAN_FIXTURE_H

/* cmocka.h and what it wants before it come first. */
#include <arpa/inet.h>
#include <errno.h>
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

#include "elf_builder.h"
#include "replug.h"

#define MACHINE_MAX 16

struct machine_symbol {
	const char *name;
	uint32_t crc;
	const char *owner; /* "": the kernel */
};

struct machine {
	char root[64];
	char sysfs[96], procfs[96], modules[96];
	struct replug_host host;

	struct machine_symbol symbols[MACHINE_MAX];
	size_t n_symbols;
	struct replug_device devices[MACHINE_MAX];
	size_t n_devices;
	char busy[REPLUG_NAME_MAX];
	int symbol_error, devices_error, busy_error;

	char *installed[MACHINE_MAX]; /* for the index, sorted when written */
	size_t n_installed;
};

/* ---- Files ---- */

/* root/PATH with the folders above it; the path is static. */
static inline const char *machine_path(struct machine *m, const char *format, ...)
{
	static char path[512];
	va_list ap;
	int n = snprintf(path, sizeof(path), "%s/", m->root);

	va_start(ap, format);
	vsnprintf(path + n, sizeof(path) - n, format, ap);
	va_end(ap);
	for (char *slash = path + n; (slash = strchr(slash, '/')); slash++) {
		*slash = '\0';
		mkdir(path, 0755);
		*slash = '/';
	}
	return path;
}

static inline void machine_write(const char *path, const void *data, size_t size)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_int_equal(fwrite(data, 1, size, file), size);
	assert_int_equal(fclose(file), 0);
}

static inline void machine_append(const char *path, const char *text)
{
	FILE *file = fopen(path, "a");

	assert_non_null(file);
	fputs(text, file);
	assert_int_equal(fclose(file), 0);
}

static inline void machine_text(struct machine *m, const char *module, const char *file,
				const char *text)
{
	machine_write(machine_path(m, "sys/module/%s/%s", module, file), text, strlen(text));
}

static inline void machine_number(struct machine *m, const char *module, const char *file,
				  long value)
{
	char text[32];

	snprintf(text, sizeof(text), "%ld\n", value);
	machine_text(m, module, file, text);
}

/* ---- modules.dep.bin, the index libkmod looks installed modules up in ---- */

static inline uint32_t index_word(struct elf_bytes *index, uint32_t word)
{
	word = htonl(word);
	elf_bytes_add(index, &word, sizeof(word));
	return index->size - sizeof(word);
}

/* The node of the sorted names [from, to), which are alike in their first depth characters: a
 * child per next character and, of a name that ends here, its value. Returns its reference. */
static inline uint32_t index_node(struct elf_bytes *index, char **names, size_t from, size_t to,
				  size_t depth)
{
	uint32_t children[256] = {0}, at, flags = 0;
	uint8_t first, last;
	char value[128] = "";

	if (!names[from][depth]) {
		snprintf(value, sizeof(value), "kernel/%s.ko:", names[from]);
		flags |= 0x40000000;
		from++;
	}
	first = from < to ? names[from][depth] : 0;
	last = from < to ? names[to - 1][depth] : 0;
	for (size_t i = from, next; i < to; i = next) {
		for (next = i; next < to && names[next][depth] == names[i][depth];)
			next++;
		children[(uint8_t)names[i][depth]] = index_node(index, names, i, next, depth + 1);
	}

	at = index->size;
	if (first) {
		flags |= 0x20000000;
		elf_bytes_add(index, &first, 1);
		elf_bytes_add(index, &last, 1);
		for (int c = first; c <= last; c++)
			index_word(index, children[c]);
	}
	if (value[0]) {
		index_word(index, 1);
		index_word(index, 0);
		elf_bytes_string(index, value);
	}
	return at | flags;
}

static inline int index_compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static inline void machine_write_index(struct machine *m)
{
	struct elf_bytes index = {0};
	uint32_t root;

	index_word(&index, 0xb007f457);
	index_word(&index, 0x00020001);
	index_word(&index, 0);
	qsort(m->installed, m->n_installed, sizeof(*m->installed), index_compare);
	if (m->n_installed) {
		root = htonl(index_node(&index, m->installed, 0, m->n_installed, 0));
		memcpy(index.data + 8, &root, sizeof(root));
	}
	machine_write(machine_path(m, "lib/modules.dep.bin"), index.data, index.size);
	free(index.data);
}

/* ---- Modules ---- */

/* Writes a module file from a builder, into the root. */
static inline const char *machine_file(struct machine *m, const char *name, struct elf_builder *b)
{
	struct elf_bytes file = elf_builder_finish(b);
	const char *path = machine_path(m, "%s", name);

	machine_write(path, file.data, file.size);
	free(file.data);
	return path;
}

static inline void machine_install(struct machine *m, const char *name, struct elf_builder *b)
{
	char path[96];

	snprintf(path, sizeof(path), "lib/kernel/%s.ko", name);
	machine_file(m, path, b);
	assert_true(m->n_installed < MACHINE_MAX);
	m->installed[m->n_installed++] = strdup(name);
	machine_write_index(m);
}

/* Loaded, used refcnt times. */
static inline void machine_load(struct machine *m, const char *name, long refcnt)
{
	char line[128];

	machine_text(m, name, "initstate", "live\n");
	machine_number(m, name, "refcnt", refcnt);
	machine_path(m, "sys/module/%s/holders/", name);
	snprintf(line, sizeof(line), "%s 16384 %ld - Live 0x0000000000000000\n", name, refcnt);
	machine_append(machine_path(m, "proc/modules"), line);
}

/* Loaded and installed, without anything special. */
static inline void machine_module(struct machine *m, const char *name, const char *depends,
				  long refcnt)
{
	struct elf_builder b;

	elf_builder_module(&b, name, depends);
	machine_install(m, name, &b);
	machine_load(m, name, refcnt);
}

static inline void machine_hold(struct machine *m, const char *name, const char *holder)
{
	assert_int_equal(
		symlink("../..", machine_path(m, "sys/module/%s/holders/%s", name, holder)), 0);
}

/* ---- The kernel ---- */

static inline int machine_symbol(void *ctx, const char *name, uint32_t *ret_crc, bool *ret_has_crc,
				 char owner[REPLUG_NAME_MAX])
{
	struct machine *m = ctx;

	for (size_t i = 0; i < m->n_symbols && !m->symbol_error; i++)
		if (!strcmp(m->symbols[i].name, name)) {
			*ret_crc = m->symbols[i].crc;
			*ret_has_crc = m->symbols[i].crc != 0;
			strcpy(owner, m->symbols[i].owner);
			return 0;
		}
	return m->symbol_error ? m->symbol_error : -ENOENT;
}

static inline int machine_devices(void *ctx, const char *driver, struct replug_device **ret,
				  size_t *ret_n)
{
	struct machine *m = ctx;

	if (m->devices_error)
		return m->devices_error;
	*ret = calloc(MACHINE_MAX, sizeof(**ret));
	memcpy(*ret, m->devices, sizeof(m->devices));
	*ret_n = m->n_devices;
	return 0;
}

static inline int machine_is_busy(void *ctx, char driver[REPLUG_NAME_MAX])
{
	struct machine *m = ctx;

	strcpy(driver, m->busy);
	return m->busy_error;
}

static inline void machine_export(struct machine *m, const char *name, uint32_t crc,
				  const char *owner)
{
	assert_true(m->n_symbols < MACHINE_MAX);
	m->symbols[m->n_symbols++] = (struct machine_symbol){name, crc, owner};
}

/* A driver "eth" with one device "eth0", on a kernel that exports what every module needs. */
static inline int machine_setup(void **state)
{
	struct machine *m = calloc(1, sizeof(*m));

	assert_non_null(m);
	strcpy(m->root, "/tmp/test_plan.XXXXXX");
	assert_non_null(mkdtemp(m->root));
	snprintf(m->sysfs, sizeof(m->sysfs), "%s/sys", m->root);
	snprintf(m->procfs, sizeof(m->procfs), "%s/proc", m->root);
	snprintf(m->modules, sizeof(m->modules), "%s/lib", m->root);
	m->host = (struct replug_host){
		.sysfs = m->sysfs,
		.procfs = m->procfs,
		.modules = m->modules,
		.symbol = machine_symbol,
		.devices = machine_devices,
		.busy = machine_is_busy,
		.ctx = m,
	};
	machine_write_index(m);
	machine_append(machine_path(m, "lib/modules.builtin"),
		       "kernel/drivers/base/some-base.ko\n");
	machine_export(m, "module_layout", 0x1000, "");
	m->devices[0] = (struct replug_device){
		.bus = "pci",
		.name = "0000:00:03.0",
		.object = "eth0",
		.object_class = "net",
		.room = 1000,
		.need = 500,
	};
	m->n_devices = 1;
	*state = m;
	return 0;
}

static inline int machine_remove(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

static inline int machine_teardown(void **state)
{
	struct machine *m = *state;

	nftw(m->root, machine_remove, 8, FTW_DEPTH | FTW_PHYS);
	while (m->n_installed)
		free(m->installed[--m->n_installed]);
	free(m);
	return 0;
}

#endif /* PLAN_FIXTURE_H */
