// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Fuzzes the reading of policies: a libFuzzer target, best begun with a folder of some. One that is
 * taken says what it may say; of one that is not there is at least one complaint.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../recoverd/policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void count(void *ctx, const char *file, unsigned line, const char *text)
{
	if (!*text)
		abort();
	++*(unsigned *)ctx;
}

static void look_at(const struct policy *policy)
{
	char text[POLICY_STEP_TEXT_MAX];

	if (!policy->drivers || !policy->n_steps || policy->n_steps > POLICY_STEPS_MAX ||
	    !policy->on || !policy->limit || policy->backoff_max_ms < policy->backoff_ms)
		abort();
	for (size_t i = 0; i < policy->n_steps; i++) {
		struct policy_step step;

		/* What is written reads the same again. */
		if (policy_step_parse(policy_step_text(&policy->steps[i], text), &step) ||
		    step.action != policy->steps[i].action)
			abort();
		free(step.path);
	}
	for (unsigned n = 1; n < 20; n++) {
		if (policy_rung(policy, n) > policy->n_steps ||
		    policy_backoff_ms(policy, n) > policy->backoff_max_ms)
			abort();
	}
	(void)policies_find(policy, "e1000");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd = memfd_create("policy", MFD_CLOEXEC);
	struct policy *policy = NULL;
	unsigned complaints = 0;
	char path[64];
	int r;

	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	r = policy_read(path, count, &complaints, &policy);
	if ((r == 0) != !complaints || !policy != (r < 0))
		abort();
	if (policy)
		look_at(policy);
	policies_free(policy);
	close(fd);
	return 0;
}
