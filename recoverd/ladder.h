/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The steps of a policy, from the trigger of a recovery to its end. */
#ifndef RECOVERD_LADDER_H
#define RECOVERD_LADDER_H

#include "patient.h"

/* Begins a recovery of a driver of which none is under way; ns: when it got ill. */
void ladder_begin(struct patient *patient, enum policy_trigger trigger, uint64_t ns);
/* Does the step put an image in, and its settings back? */
bool ladder_is_swap(const struct policy_step *step);
/* A swap of the driver has ended, whoever began it; see recovery_swapped(). */
void ladder_swapped(struct patient *patient, bool serves, const struct replug_error *error,
		    const json_t *devices);

#endif
