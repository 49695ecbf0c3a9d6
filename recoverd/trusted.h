/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether a file may be run, or loaded into the kernel, because a policy names it. */
#ifndef RECOVERD_TRUSTED_H
#define RECOVERD_TRUSTED_H

#include <stdbool.h>

/* NULL, or what is wrong, as the rest of a sentence about the policy. Whoever is not root must be
 * able to change neither the file nor the folders above it. */
const char *trusted_check(const char *path, bool executable);

#endif
