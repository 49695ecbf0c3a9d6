// SPDX-License-Identifier: GPL-2.0-or-later
/* Finds the functions of a driver and counts their calls. */
#include "inside.h"

#include <bpf/bpf.h>
#include <fnmatch.h>
#include <inttypes.h>
#include <string.h>

#include "../include/recov_observe.h"
#include "cleanup.h"
#include "installed.h"
#include "inventory.h"
#include "manager.h"
#include "probe.h"

struct inside {
	char driver[RECOV_MODULE_LEN];
	char **functions; /* "MODULE:FUNCTION" */
	size_t n, left_out;
	struct probe_set *probes;
};

/* The kernel's symbols of one module. */
struct symbol {
	uint64_t address;
	char *name;
};

struct symbols {
	struct symbol *list;
	size_t n;
};

static void symbols_free(struct symbols *symbols)
{
	for (size_t i = 0; i < symbols->n; i++)
		free(symbols->list[i].name);
	free(symbols->list);
}

void inside_free(struct inside *inside)
{
	if (!inside)
		return;
	probe_set_free(inside->probes);
	for (size_t i = 0; i < inside->n; i++)
		free(inside->functions[i]);
	free(inside->functions);
	free(inside);
}

static void inside_freep(struct inside **inside)
{
	inside_free(*inside);
}

static int fail(struct replug_error *err, const struct inside *inside, int r)
{
	err->fault = REPLUG_FAULT_FAILED;
	snprintf(err->text, sizeof(err->text), "the functions of %s cannot be counted: %s",
		 inside->driver, strerror(-r));
	return r;
}

/* One more function, if it matches. */
static int add(struct inside *inside, const char *name, const char *glob)
{
	char **functions;

	if (fnmatch(glob, name, 0) != 0)
		return 0;
	if (inside->n == INSIDE_MAX) {
		inside->left_out++;
		return 0;
	}
	functions = reallocarray(inside->functions, inside->n + 1, sizeof(*functions));
	if (!functions)
		return -ENOMEM;
	inside->functions = functions;
	if (asprintf(&functions[inside->n], "%s:%s", inside->driver, name) < 0)
		return -ENOMEM;
	inside->n++;
	return 0;
}

static int read_symbols(const char *driver, struct symbols *symbols)
{
	_cleanup_fclose_ FILE *file = fopen("/proc/kallsyms", "re");
	char line[768], name[512], module[RECOV_MODULE_LEN], type;
	struct symbol symbol, *list;

	if (!file)
		return -errno;
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%" SCNx64 " %c %511s [%55[^]]", &symbol.address, &type, name,
			   module) != 4 ||
		    strcmp(module, driver) != 0 || (type != 't' && type != 'T'))
			continue;
		list = reallocarray(symbols->list, symbols->n + 1, sizeof(*list));
		symbol.name = strdup(name);
		if (list)
			symbols->list = list;
		if (!list || !symbol.name) {
			free(symbol.name);
			return -ENOMEM;
		}
		list[symbols->n++] = symbol;
	}
	return 0;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(((const struct symbol *)a)->name, ((const struct symbol *)b)->name);
}

/* What is left of the exit function once it is in memory: one of its names. */
static uint64_t exit_address(const struct symbols *symbols)
{
	for (size_t i = 0; i < symbols->n; i++) {
		if (strcmp(symbols->list[i].name, "cleanup_module") == 0)
			return symbols->list[i].address;
	}
	return 0;
}

/* Parts of functions, the room before them, and the module's exit are no functions to count. */
static bool is_function(const struct symbol *symbol, uint64_t exit)
{
	return !strstr(symbol->name, ".cold") && !strstr(symbol->name, ".part.") &&
	       strncmp(symbol->name, "__pfx_", strlen("__pfx_")) != 0 &&
	       (!exit || symbol->address != exit);
}

static int add_loaded(struct inside *inside, const char *glob)
{
	_cleanup_(symbols_free) struct symbols symbols = {};
	uint64_t exit;
	int r;

	r = read_symbols(inside->driver, &symbols);
	if (r < 0)
		return r;
	exit = exit_address(&symbols);
	if (symbols.n)
		qsort(symbols.list, symbols.n, sizeof(*symbols.list), compare_names);
	for (size_t i = 0; i < symbols.n && r >= 0; i++) {
		const struct symbol *symbol = &symbols.list[i];

		/* Which of two functions of one name the kernel would probe is left to chance. */
		if ((i > 0 && compare_names(symbol - 1, symbol) == 0) ||
		    (i + 1 < symbols.n && compare_names(symbol, symbol + 1) == 0))
			continue;
		if (is_function(symbol, exit))
			r = add(inside, symbol->name, glob);
	}
	return r;
}

static int add_installed(struct inside *inside, const char *glob, struct replug_error *err)
{
	_cleanup_free_ const char **names = NULL;
	struct replug_image *image = NULL;
	size_t n = 0;
	int r;

	r = installed_open(inside->driver, &image, err);
	if (r < 0)
		return r;
	r = replug_image_functions(image, &names, &n);
	for (size_t i = 0; i < n && r >= 0; i++)
		r = add(inside, names[i], glob);
	replug_image_free(image);
	return r < 0 ? fail(err, inside, r) : 0;
}

int inside_new(const char *driver, const char *glob, struct inside **ret_inside,
	       struct replug_error *err)
{
	_cleanup_(inside_freep) struct inside *inside = calloc(1, sizeof(*inside));
	int r;

	if (!inside)
		return -ENOMEM;
	snprintf(inside->driver, sizeof(inside->driver), "%s", driver);
	for (char *c = inside->driver; *c; c++)
		*c = *c == '-' ? '_' : *c;
	if (inventory_is_loaded(SYSFS, inside->driver)) {
		r = add_loaded(inside, glob);
		if (r < 0)
			return fail(err, inside, r);
	} else {
		r = add_installed(inside, glob, err);
		if (r < 0)
			return r;
	}
	if (inside->n == 0)
		return -ENODATA;
	*ret_inside = TAKE_PTR(inside);
	return 0;
}

/* The kernel counts the calls itself; a program that returns 0 keeps perf from making a sample of
 * each. */
static int load_program(void)
{
	const struct bpf_insn code[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0},
		{.code = BPF_JMP | BPF_EXIT},
	};
	int fd;

	fd = bpf_prog_load(BPF_PROG_TYPE_KPROBE, "on_inside", "GPL", code, ARRAY_SIZE(code), NULL);
	return fd < 0 ? -errno : fd;
}

int inside_start(struct inside *inside, struct replug_error *err)
{
	struct probe probe = {.name = "inside",
			      .functions = (const char *const *)inside->functions,
			      .n_functions = inside->n};
	_cleanup_free_ bool *taken = calloc(inside->n, sizeof(*taken));
	_cleanup_close_ int program = -1;
	size_t kept = 0;
	int r;

	if (!taken)
		return fail(err, inside, -ENOMEM);
	program = load_program();
	if (program < 0)
		return fail(err, inside, program);
	probe.program = program;
	r = probe_set_new("inside", &inside->probes, err);
	if (r < 0)
		return r;
	r = probe_set_add(inside->probes, &probe, taken);
	if (r < 0)
		return fail(err, inside, r);
	for (size_t i = 0; i < inside->n; i++) {
		if (taken[i])
			inside->functions[kept++] = inside->functions[i];
		else
			free(inside->functions[i]);
	}
	inside->left_out += inside->n - kept;
	inside->n = kept;
	return 0;
}

void inside_list(const struct inside *inside, json_t *entries)
{
	uint64_t calls[INSIDE_MAX];
	int n;

	n = probe_set_calls(inside->probes, "inside", calls, inside->n);
	for (int i = 0; i < n; i++) {
		const char *name = strchr(inside->functions[i], ':') + 1;

		if (calls[i])
			json_array_append_new(
				entries,
				json_pack("{s:s, s:o, s:I, s:i, s:i, s:i, s:i, s:i}", "kind",
					  "inside", "function",
					  json_sprintf("%s [%s]", name, inside->driver), "calls",
					  (json_int_t)calls[i], "errors", 0, "total_ns", 0,
					  "p50_ns", 0, "p99_ns", 0, "max_ns", 0));
	}
}

json_t *inside_json(const struct inside *inside)
{
	return json_pack("{s:i, s:i}", "functions", (int)inside->n, "left_out",
			 (int)inside->left_out);
}
