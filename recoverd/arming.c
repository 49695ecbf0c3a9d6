// SPDX-License-Identifier: GPL-2.0-or-later
/* Finds what arming an image takes: the kernel's types, and the exports of the shadow module. */
#include "arming.h"

#include <bpf/btf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cleanup.h"

static void btf_freep(struct btf **btf)
{
	btf__free(*btf);
}

static int find_export(const struct replug_host *host, const char *name, uint32_t *ret_crc,
		       struct replug_error *err)
{
	char owner[REPLUG_NAME_MAX];
	bool has_crc;
	int r;

	r = host->symbol(host->ctx, name, ret_crc, &has_crc, owner);
	if (r < 0) {
		err->fault = REPLUG_FAULT_UNSUPPORTED;
		snprintf(err->text, sizeof(err->text),
			 "drivers cannot be armed: the shadow module has no %s", name);
	}
	return r;
}

int arming_plan(const struct replug_host *host, const char *driver,
		const struct replug_target *target, struct replug_plan **ret_plan,
		struct replug_error *err)
{
	uint32_t twin_crcs[REPLUG_ARM_TWINS];
	struct replug_arm_options options = {.twin_crcs = twin_crcs};
	struct replug_target armed = *target;
	_cleanup_(btf_freep) struct btf *types = NULL;
	int r = 0;

	for (size_t i = 0; i < REPLUG_ARM_EXPORTS && r >= 0; i++)
		r = find_export(host, replug_arm_exports[i], &options.export_crcs[i], err);
	for (size_t i = 0; replug_arm_twins[i] && r >= 0; i++) {
		r = find_export(host, replug_arm_twins[i], &twin_crcs[i], err);
		/* Of a function that this kernel does not have. */
		if (r == -ENOENT) {
			twin_crcs[i] = 0;
			r = 0;
		}
	}
	if (r < 0)
		return r;
	types = btf__load_vmlinux_btf();
	if (!types) {
		r = -errno;
		err->fault = REPLUG_FAULT_UNSUPPORTED;
		snprintf(err->text, sizeof(err->text),
			 "drivers cannot be armed: the kernel's types cannot be read: %s",
			 strerror(-r));
		return r;
	}
	options.types = types;
	armed.arm = &options;
	return replug_plan_target(host, driver, &armed, ret_plan, err);
}

bool arming_is_armed(const char *driver)
{
	char path[160];

	snprintf(path, sizeof(path), ARMING_HOLDERS "/%s", driver);
	return access(path, F_OK) == 0;
}
