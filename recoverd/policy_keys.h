/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The keys of policies. */
#ifndef RECOVERD_POLICY_KEYS_H
#define RECOVERD_POLICY_KEYS_H

#include "policy.h"

/* Sets what a key says; NULL, or what is wrong with its value. known: false if there is no such key. */
const char *policy_set(struct policy *policy, const char *section, const char *key,
		       const char *value, bool *ret_known);
/* What no line is to blame for: NULL or a sentence. */
const char *policy_check(const struct policy *policy);

#endif
