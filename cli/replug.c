// SPDX-License-Identifier: GPL-2.0-or-later
/* recovctl replug, arm, disarm, recover: takes a driver out and puts an image in. */
#include <inttypes.h>
#include <limits.h>
#include <string.h>

#include "../recoverd/cleanup.h"
#include "../recoverd/duration.h"
#include "client.h"
#include "output.h"

static int exit_of_fault(const char *fault)
{
	static const struct {
		const char *fault;
		int code;
	} codes[] = {
		{"none", EXIT_DONE},
		{"usage", EXIT_USAGE},
		{"unsupported", EXIT_UNSUPPORTED},
		{"refused", EXIT_REFUSED},
	};

	for (size_t i = 0; i < ARRAY_SIZE(codes); i++) {
		if (strcmp(codes[i].fault, fault) == 0)
			return codes[i].code;
	}
	return EXIT_FAILED;
}

static int exit_of_swap(const json_t *swap)
{
	const char *outcome = text_of(swap, "outcome");

	if (strcmp(outcome, "success") == 0)
		return EXIT_DONE;
	if (strcmp(outcome, "refused") == 0) {
		int code = exit_of_fault(text_of(swap, "fault"));

		return code == EXIT_DONE ? EXIT_REFUSED : code;
	}
	return EXIT_FAILED;
}

static void say_module(const char *verb, const json_t *module, const char *which)
{
	char path_key[16], version_key[16];
	const char *version;

	snprintf(path_key, sizeof(path_key), "%s_path", which);
	snprintf(version_key, sizeof(version_key), "%s_version", which);
	version = text_of(module, version_key);
	say("  %s  %s%s%s  %s\n", verb, text_of(module, "name"), *version ? " " : "", version,
	    text_of(module, path_key));
}

static void say_device(const json_t *device)
{
	say("  keep    %s %s (%s %s)", text_of(device, "class"), text_of(device, "object"),
	    text_of(device, "bus"), text_of(device, "name"));
	if (number_of(device, "need"))
		say(", private area %" PRId64 " of %" PRId64 " bytes", number_of(device, "need"),
		    number_of(device, "room"));
	say("\n");
}

static void say_plan(const json_t *plan)
{
	const json_t *modules = json_object_get(plan, "modules"), *device;
	size_t n = json_array_size(modules), i;

	say("Plan for %s:\n", text_of(plan, "driver"));
	json_array_foreach(json_object_get(plan, "devices"), i, device)
		say_device(device);
	for (i = 0; i < n; i++)
		say_module("unload", json_array_get(modules, i), "old");
	for (i = n; i-- > 0;)
		say_module("load  ", json_array_get(modules, i), "new");
	fflush(stdout);
}

static void say_phase(const struct cli *cli, const json_t *phase)
{
	const char *name = text_of(phase, "phase");
	const char *back = is_set(phase, "rollback") ? " (rolling back)" : "";
	char took[32];

	if (!is_set(phase, "done")) {
		/* On a terminal one sees what takes long while it does. */
		if (cli->terminal)
			say_in(cli, COLOR_DIM, "  %-8s ...%s", name, back);
	} else {
		if (cli->terminal)
			fputs("\r\033[K", stdout);
		say("  %-8s %10s%s\n", name,
		    duration_format((uint64_t)number_of(phase, "duration_ns"), took, sizeof(took)),
		    back);
	}
	fflush(stdout);
}

static int end_swap(const struct cli *cli, const json_t *swap)
{
	const char *outcome = text_of(swap, "outcome"), *driver = text_of(swap, "driver");
	const char *reason = text_of(swap, "reason");
	char pause[32];

	if (cli->json) {
		say_json(swap);
		return exit_of_swap(swap);
	}
	duration_format((uint64_t)number_of(swap, "pause_ns"), pause, sizeof(pause));
	if (strcmp(outcome, "success") == 0) {
		say_in(cli, COLOR_GOOD, "%s is back in service; its users waited %s\n", driver,
		       pause);
	} else if (strcmp(outcome, "rolled-back") == 0) {
		say_in(cli, COLOR_WARN,
		       "%s was rolled back and serves as before; its users waited %s\n", driver,
		       pause);
		complain("%s: %s", driver, reason);
	} else if (strcmp(outcome, "refused") == 0) {
		complain("%s: not swapped, nothing was touched: %s", driver, reason);
	} else {
		complain("%s: the swap failed: %s", driver, reason);
	}
	return exit_of_swap(swap);
}

static int end_plan(const struct cli *cli, const json_t *plan)
{
	int code = exit_of_fault(text_of(plan, "fault"));

	if (cli->json) {
		say_json(plan);
		return code;
	}
	if (!is_set(plan, "possible")) {
		complain("%s: can't be swapped: %s", text_of(plan, "driver"),
			 text_of(plan, "reason"));
		return code ? code : EXIT_FAILED;
	}
	if (cli->check)
		say("%s can be swapped\n", text_of(plan, "driver"));
	else
		say_plan(plan);
	return code;
}

static json_t *request(const struct cli *cli, const char *target)
{
	json_t *parameters = json_object();
	char cwd[PATH_MAX];

	json_object_set_new(parameters, "driver", json_string(cli->operands[0]));
	if (target)
		json_object_set_new(parameters, "target", json_string(target));
	if (cli->to && cli->to[0] == '/')
		json_object_set_new(parameters, "image", json_string(cli->to));
	else if (cli->to)
		json_object_set_new(
			parameters, "image",
			json_sprintf("%s/%s", getcwd(cwd, sizeof(cwd)) ? cwd : ".", cli->to));
	if (cli->untrusted)
		json_object_set_new(parameters, "untrusted", json_true());
	if (cli->check)
		json_object_set_new(parameters, "check", json_true());
	if (cli->dry_run)
		json_object_set_new(parameters, "dry_run", json_true());
	if (cli->has_drain)
		json_object_set_new(parameters, "drain_limit_ms",
				    json_integer((json_int_t)cli->drain_ms));
	return parameters;
}

/* target: what goes in; NULL: --to, or the installed image. */
static int swap(const struct cli *cli, const char *target)
{
	_cleanup_(client_freep) struct client *client = NULL;
	bool continues = true;
	int r;

	r = client_open(cli, &client);
	if (r)
		return r;
	r = client_call(client, "Replug", request(cli, target), !cli->json);
	while (!r) {
		json_auto_t *reply = NULL;
		const json_t *plan, *phase, *swap;

		r = client_reply(client, -1, &reply, &continues);
		if (r == -EINTR) {
			r = 0;
			continue;
		}
		if (r)
			break;
		plan = json_object_get(reply, "plan");
		phase = json_object_get(reply, "phase");
		swap = json_object_get(reply, "swap");
		if (!continues && json_is_object(swap))
			return end_swap(cli, swap);
		if (!continues && json_is_object(plan))
			return end_plan(cli, plan);
		if (!continues) {
			complain("the daemon's answer says nothing");
			return EXIT_FAILED;
		}
		if (json_is_object(plan))
			say_plan(plan);
		else if (json_is_object(phase))
			say_phase(cli, phase);
	}
	return r;
}

int verb_replug(const struct cli *cli)
{
	return swap(cli, NULL);
}

int verb_arm(const struct cli *cli)
{
	return swap(cli, "armed");
}

int verb_disarm(const struct cli *cli)
{
	return swap(cli, "disarmed");
}

int verb_recover(const struct cli *cli)
{
	return swap(cli, "loaded");
}
