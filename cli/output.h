/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Writing for people and for programs. What comes from outside is escaped on its way. */
#ifndef RECOVCTL_OUTPUT_H
#define RECOVCTL_OUTPUT_H

#include <jansson.h>
#include <stdio.h>

#include "cli.h"

enum color {
	COLOR_NONE,
	COLOR_GOOD,
	COLOR_WARN,
	COLOR_BAD,
	COLOR_DIM
};

/* printf to standard output, escaped. */
__attribute__((format(printf, 1, 2))) void say(const char *format, ...);
/* The same in color, if colors are wanted. */
__attribute__((format(printf, 3, 4))) void say_in(const struct cli *cli, enum color color,
						  const char *format, ...);
/* One line of compact JSON. */
void say_json(const json_t *object);

/* The members of an object; "" or 0 if there is no such member. */
const char *text_of(const json_t *object, const char *key);
int64_t number_of(const json_t *object, const char *key);
bool is_set(const json_t *object, const char *key);

/* A table whose columns are as wide as what is in them. */
#define TABLE_COLUMNS 10

struct table {
	int columns;
	struct row {
		char *cells[TABLE_COLUMNS];
		enum color colors[TABLE_COLUMNS];
	} * rows;
	int n, size;
};

/* cells: as many as the first row has; copied and escaped. The first row is the legend. */
void table_add(struct table *table, int n, const char *const *cells, const enum color *colors);
void table_say(const struct cli *cli, const struct table *table);
void table_uninit(struct table *table);

#endif
