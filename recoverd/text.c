// SPDX-License-Identifier: GPL-2.0-or-later
/* Makes text from outside fit for JSON and for terminals. */
#include "text.h"

#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "cleanup.h"

#define MODULE_NAME_MAX 55 /* the kernel's MODULE_NAME_LEN less the NUL */

/* Length of the UTF-8 sequence at p, 0 if it is none; no overlong forms, no surrogates. */
static size_t utf8_sequence(const unsigned char *p, uint32_t *ret_code)
{
	uint32_t code, least;
	size_t len;

	if (p[0] < 0x80) {
		*ret_code = p[0];
		return 1;
	}
	if (p[0] >= 0xc2 && p[0] <= 0xdf) {
		len = 2;
		code = p[0] & 0x1f;
		least = 0x80;
	} else if ((p[0] & 0xf0) == 0xe0) {
		len = 3;
		code = p[0] & 0x0f;
		least = 0x800;
	} else if (p[0] >= 0xf0 && p[0] <= 0xf4) {
		len = 4;
		code = p[0] & 0x07;
		least = 0x10000;
	} else {
		return 0;
	}
	for (size_t i = 1; i < len; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (p[i] & 0x3f);
	}
	if (code < least || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
		return 0;
	*ret_code = code;
	return len;
}

json_t *text_json(const char *bytes)
{
	_cleanup_free_ char *clean = NULL;
	const unsigned char *p;
	json_t *string;
	uint32_t code;
	size_t len;
	char *out;

	string = json_string(bytes);
	if (string)
		return string;

	out = clean = malloc(3 * strlen(bytes) + 1);
	if (!clean)
		return NULL;
	for (p = (const unsigned char *)bytes; *p;) {
		len = utf8_sequence(p, &code);
		if (len) {
			memcpy(out, p, len);
			out += len;
			p += len;
		} else {
			memcpy(out, "\xef\xbf\xbd", 3);
			out += 3;
			p++;
		}
	}
	*out = '\0';
	return json_string(clean);
}

static bool steers_terminal(uint32_t code)
{
	return code < 0x20 || (code >= 0x7f && code <= 0x9f) || code == 0x061c ||
	       (code >= 0x200e && code <= 0x200f) || (code >= 0x2028 && code <= 0x202e) ||
	       (code >= 0x2066 && code <= 0x2069);
}

char *text_escape(const char *bytes)
{
	const unsigned char *p = (const unsigned char *)bytes;
	char *escaped, *out;
	uint32_t code;
	size_t len;

	out = escaped = malloc(4 * strlen(bytes) + 1);
	if (!escaped)
		return NULL;
	while (*p) {
		len = utf8_sequence(p, &code);
		if (len && code == '\\') {
			*out++ = '\\';
			*out++ = '\\';
			p++;
		} else if (len && !steers_terminal(code)) {
			memcpy(out, p, len);
			out += len;
			p += len;
		} else {
			for (size_t i = 0; i < (len ? len : 1); i++)
				out += sprintf(out, "\\x%02x", *p++);
		}
	}
	*out = '\0';
	return escaped;
}

bool text_is_module_name(const char *name)
{
	size_t len = strlen(name);

	if (len == 0 || len > MODULE_NAME_MAX)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (!isalnum((unsigned char)name[i]) && name[i] != '_' && name[i] != '-')
			return false;
	}
	return true;
}

bool text_same_module(const char *a, const char *b)
{
	for (; *a && *b; a++, b++) {
		if ((*a == '-' ? '_' : *a) != (*b == '-' ? '_' : *b))
			return false;
	}
	return *a == *b;
}
