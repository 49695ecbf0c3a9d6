// SPDX-License-Identifier: GPL-2.0-or-later
/* Runs the scripts of policies and understands their answers. */
#include "script.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "trusted.h"

#define EXEC_FAILED 127 /* as of a shell */

_Noreturn void script_exec(char *const argv[])
{
	static char *const environment[] = {
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", NULL};

	(void)umask(0077);
	if (chdir("/") == 0)
		(void)execve(argv[0], argv, environment);
	_exit(EXEC_FAILED);
}

static int run(const void *arg)
{
	const struct script_call *call = arg;
	char count[16];

	snprintf(count, sizeof(count), "%u", call->count);
	script_exec((char *[]){(char *)call->path, (char *)call->driver, (char *)call->device,
			       (char *)call->cause, count, (char *)call->report, NULL});
}

int script_start(sd_event *loop, const struct script_call *call, unsigned limit_ms,
		 void (*done)(void *ctx, const struct child_result *result), void *ctx,
		 struct child **ret_child, const char **ret_why)
{
	const char *why = trusted_check(call->path, true);

	if (why) {
		*ret_why = why;
		return -EPERM;
	}
	return child_new(loop, run, call, limit_ms, done, ctx, ret_child);
}

const char *script_answer(const struct child_result *result, struct policy_step *ret_step)
{
	char line[POLICY_STEP_TEXT_MAX];
	struct policy_step step;
	const char *begin = result->said + strspn(result->said, " \t");
	size_t length = strcspn(begin, " \t\r\n");

	if (result->late)
		return "the script did not end in time";
	if (result->status < 0)
		return "the script was ended by a signal";
	if (result->status == EXEC_FAILED)
		return "the script could not be run";
	if (result->status)
		return "the script has failed";
	if (length == 0)
		return "the script did not say what comes next";
	if (length >= sizeof(line))
		return "the script talks nonsense";
	memcpy(line, begin, length);
	line[length] = '\0';
	if (policy_step_parse(line, &step))
		return "the script said what is no step, or names no file that could be used";
	if (step.action == POLICY_SCRIPT) {
		free(step.path);
		return "the script asks for another script, which could go on for ever";
	}
	*ret_step = step;
	return NULL;
}
