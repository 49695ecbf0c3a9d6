/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One daemon a machine. */
#pragma once

/*
 * Takes the lock at path, writes the process's id into it and returns its descriptor, which the
 * caller owns: the lock goes with the process, however it ends. One that is ending is waited for:
 * to detach its programs can take it seconds. Errors are logged: -EALREADY when another lives on.
 */
int lock_take(const char *path);
