// SPDX-License-Identifier: GPL-2.0-or-later
/* Finds out which of the things that watching drivers takes is missing. */
#include "obstacle.h"

#include <cap-ng.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "cleanup.h"

#define LOCKDOWN "/sys/kernel/security/lockdown"

static bool has(unsigned capability)
{
	return capng_have_capability(CAPNG_EFFECTIVE, capability);
}

/* The kernel takes CAP_SYS_ADMIN for the first two of them. Without the third it hides addresses:
 * programs would be loaded, but find nothing. */
static void missing_capabilities(char text[64])
{
	bool admin = has(CAP_SYS_ADMIN);

	snprintf(text, 64, "%s%s%s", admin || has(CAP_BPF) ? "" : ", CAP_BPF",
		 admin || has(CAP_PERFMON) ? "" : ", CAP_PERFMON",
		 has(CAP_SYSLOG) ? "" : ", CAP_SYSLOG");
}

/* "none integrity [confidentiality]" */
static bool is_confidential(void)
{
	_cleanup_fclose_ FILE *file = fopen(LOCKDOWN, "re");
	char line[128] = "";

	return file && fgets(line, sizeof(line), file) && strstr(line, "[confidentiality]");
}

int obstacle_find(struct replug_error *err)
{
	char missing[64];

	missing_capabilities(missing);
	if (*missing) {
		err->fault = REPLUG_FAULT_REFUSED;
		snprintf(err->text, sizeof(err->text),
			 "drivers cannot be watched: recoverd runs without %s", missing + 2);
		return -EPERM;
	}
	if (is_confidential()) {
		err->fault = REPLUG_FAULT_REFUSED;
		snprintf(err->text, sizeof(err->text),
			 "drivers cannot be watched: the kernel is locked down (confidentiality), "
			 "so that no program may read its memory");
		return -EPERM;
	}
	return 0;
}

int obstacle_explain(struct replug_error *err, int r, const char *what)
{
	err->fault = REPLUG_FAULT_UNSUPPORTED;
	if (r == -EPERM || r == -EACCES) {
		err->fault = REPLUG_FAULT_REFUSED;
		snprintf(err->text, sizeof(err->text),
			 "%s: the kernel does not permit it, in spite of recoverd's capabilities",
			 what);
	} else if (r == -ENOENT || r == -ESRCH) {
		snprintf(err->text, sizeof(err->text),
			 "%s: this kernel has no BTF (/sys/kernel/btf/vmlinux)", what);
	} else {
		snprintf(err->text, sizeof(err->text), "%s: %s", what, strerror(-r));
	}
	return r;
}
