/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Text from outside (device names, paths, reasons) made fit for JSON and for terminals. */
#ifndef RECOVERD_TEXT_H
#define RECOVERD_TEXT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* A JSON string of any bytes: what is no UTF-8 becomes U+FFFD. NULL only without memory. */
json_t *text_json(const char *bytes);

/* Escapes what could steer a terminal or reorder a line: control characters of C0 and C1, DEL and
 * the bidirectional controls become \xNN, a backslash is doubled, bytes that are no UTF-8 become
 * \xNN. malloc'ed; NULL only without memory. */
char *text_escape(const char *bytes);

/* Could be a module's name: letters, digits, '_' and '-', at most 55 of them. */
bool text_is_module_name(const char *name);

/* Module names with '-' and '_' alike. */
bool text_same_module(const char *a, const char *b);

#endif
