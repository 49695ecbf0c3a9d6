/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A process for what takes long and nobody waits for: letting go of what the kernel detaches only
 * when the last one closes it. The process is that last one.
 */
#ifndef RECOVERD_ASIDE_H
#define RECOVERD_ASIDE_H

#include <stddef.h>

/* Forks a child that is nobody's to wait for. It keeps these n descriptors and standard ones, and
 * runs work(ctx) when the descriptor that is returned is closed, or this process ends. -errno: there
 * is no such process. */
int aside_new(const int *fds, size_t n, void (*work)(void *ctx), void *ctx);

#endif
