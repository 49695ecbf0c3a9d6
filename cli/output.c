// SPDX-License-Identifier: GPL-2.0-or-later
/* Writes for people and for programs. */
#include "output.h"

#include <assert.h>
#include <stdarg.h>
#include <string.h>

#include "../recoverd/cleanup.h"
#include "../recoverd/text.h"

static const char *const color_codes[] = {
	[COLOR_GOOD] = "\033[32m",
	[COLOR_WARN] = "\033[33m",
	[COLOR_BAD] = "\033[31m",
	[COLOR_DIM] = "\033[2m",
};

static void *must(void *memory)
{
	if (!memory) {
		fputs("recovctl: out of memory\n", stderr);
		exit(EXIT_FAILED);
	}
	return memory;
}

/* The text is ours, with newlines that are meant; the arguments are not. So the lines are escaped
 * one at a time. */
__attribute__((format(printf, 2, 0))) static void put(FILE *file, const char *format, va_list ap)
{
	_cleanup_free_ char *text = NULL, *escaped = NULL;
	size_t len;
	bool newline;

	if (vasprintf(&text, format, ap) < 0)
		must(NULL);
	len = strlen(text);
	newline = len && text[len - 1] == '\n' && format[strlen(format) - 1] == '\n';
	if (newline)
		text[len - 1] = '\0';
	escaped = must(text_escape(text));
	fputs(escaped, file);
	if (newline)
		fputc('\n', file);
}

void say(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	put(stdout, format, ap);
	va_end(ap);
}

static void color_begin(const struct cli *cli, enum color color)
{
	if (cli->color && color != COLOR_NONE)
		fputs(color_codes[color], stdout);
}

static void color_end(const struct cli *cli, enum color color)
{
	if (cli->color && color != COLOR_NONE)
		fputs("\033[0m", stdout);
}

void say_in(const struct cli *cli, enum color color, const char *format, ...)
{
	va_list ap;

	color_begin(cli, color);
	va_start(ap, format);
	put(stdout, format, ap);
	va_end(ap);
	color_end(cli, color);
}

void complain(const char *format, ...)
{
	va_list ap;

	fputs("recovctl: ", stderr);
	va_start(ap, format);
	put(stderr, format, ap);
	va_end(ap);
	fputc('\n', stderr);
}

void say_json(const json_t *object)
{
	json_dumpf(object, stdout, JSON_COMPACT);
	fputc('\n', stdout);
	fflush(stdout);
}

const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

int64_t number_of(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

bool is_set(const json_t *object, const char *key)
{
	return json_is_true(json_object_get(object, key));
}

void table_add(struct table *table, int n, const char *const *cells, const enum color *colors)
{
	struct row *row;

	assert(n <= TABLE_COLUMNS);
	if (table->n == table->size) {
		table->size = table->size ? 2 * table->size : 16;
		table->rows = must(reallocarray(table->rows, (size_t)table->size, sizeof(*row)));
	}
	table->columns = n;
	row = &table->rows[table->n++];
	*row = (struct row){};
	for (int i = 0; i < n; i++) {
		row->cells[i] = must(text_escape(cells[i]));
		row->colors[i] = colors ? colors[i] : COLOR_NONE;
	}
}

void table_say(const struct cli *cli, const struct table *table)
{
	int widths[TABLE_COLUMNS] = {}, width;

	for (int i = cli->legend ? 0 : 1; i < table->n; i++) {
		for (int k = 0; k < table->columns; k++) {
			width = (int)strlen(table->rows[i].cells[k]);
			widths[k] = width > widths[k] ? width : widths[k];
		}
	}
	for (int i = cli->legend ? 0 : 1; i < table->n; i++) {
		const struct row *row = &table->rows[i];
		int last = table->columns - 1;

		while (last > 0 && !row->cells[last][0])
			last--;
		for (int k = 0; k <= last; k++) {
			enum color color = i == 0 ? COLOR_DIM : row->colors[k];

			color_begin(cli, color);
			fputs(row->cells[k], stdout);
			color_end(cli, color);
			if (k < last)
				printf("%*s", widths[k] - (int)strlen(row->cells[k]) + 2, "");
		}
		fputc('\n', stdout);
	}
}

void table_uninit(struct table *table)
{
	for (int i = 0; i < table->n; i++) {
		for (int k = 0; k < table->columns; k++)
			free(table->rows[i].cells[k]);
	}
	free(table->rows);
}
