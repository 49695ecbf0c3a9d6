/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Hears of the faults of armed drivers from the shadow module. */
#ifndef RECOVERD_FAULTS_H
#define RECOVERD_FAULTS_H

struct faults;
struct manager;

/* Faults of earlier daemons' times are told, too, unless the machine has had too many since. */
int faults_new(struct manager *manager, struct faults **ret_faults);
void faults_free(struct faults *faults);
/* Call when drivers have come or gone: listens as long as one of them is armed, and lets go of the
 * shadow module when none is. */
void faults_check(struct faults *faults);

#endif
