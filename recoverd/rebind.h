/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Unbinds a driver's devices and binds them again, through sysfs. Users lose what they hold of them:
 * nothing is carried over. For a child process: a driver's remove may hang.
 */
#ifndef RECOVERD_REBIND_H
#define RECOVERD_REBIND_H

enum rebind_kind {
	REBIND_AGAIN, /* unbind, bind */
	REBIND_RESET, /* unbind, reset, bind; nothing at all if one of them cannot be reset */
	REBIND_NEVER, /* unbind; a driver that has failed is called for it once more */
};

struct rebind {
	const char *sysfs;  /* "/sys" */
	const char *driver; /* as the kernel spells it */
	enum rebind_kind kind;
};

/* A child's exit status; when it is not 0 standard output has one sentence. arg: struct rebind. */
int rebind_run(const void *arg);

/* Calls each with every device that is bound to the driver; < 0, from it too, ends that. */
int rebind_each(const char *sysfs, const char *driver,
		int (*each)(void *ctx, const char *folder, const char *device), void *ctx);

#endif
