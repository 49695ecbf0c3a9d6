/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Keeps a CPU from idling while a disk is at work. In guests whose time is counted in instructions
 * idle time is skipped, and a request that takes the host 100 us would take them seconds.
 */
#ifndef TEST_FILES_AWAKE_H
#define TEST_FILES_AWAKE_H

/* Starts the process that spins; it goes with its parent. Returns -1 and sets errno on error. */
int awake_init(void);
void awake_uninit(void);

/* From here on something is waited for, until awake_end() or for `limit_ms` of the guest's time. */
void awake_begin(unsigned limit_ms);
/* It has come; the limit counts from here again. */
void awake_go_on(void);
void awake_end(void);

#endif
