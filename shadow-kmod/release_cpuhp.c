// SPDX-License-Identifier: GPL-2.0
/* States of CPU hotplug whose functions are the driver's: found in the kernel's own table. */
#include <linux/cpuhotplug.h>

#include "release.h"
#include "release_compat.h"

#define INSTANCES_MAX 4096

static struct release_cpuhp_step *steps;

static void release_state(enum cpuhp_state state, struct recov_released *report)
{
	struct hlist_node *instance;
	unsigned int n;

	/* Who else could add one is the driver. */
	for (n = 0; (instance = READ_ONCE(steps[state].list.first)) && n < INSTANCES_MAX; n++)
		__cpuhp_state_remove_instance(state, instance, false);
	__cpuhp_remove_state(state, false);
	report->counts[RECOV_RELEASED_CPUHP]++;
}

void release_cpuhp(const struct tap_image *image, struct recov_released *report)
{
	enum cpuhp_state state;

	for (state = CPUHP_OFFLINE + 1; state < CPUHP_ONLINE; state++)
		if (release_is_of(image, READ_ONCE(steps[state].startup)) ||
		    release_is_of(image, READ_ONCE(steps[state].teardown)))
			release_state(state, report);
}

int __init release_cpuhp_init(void)
{
	steps = (struct release_cpuhp_step *)ksym_lookup("cpuhp_hp_states");
	if (steps)
		return 0;
	pr_err("recov_shadow: this kernel has no cpuhp_hp_states\n");
	return -ENOENT;
}
