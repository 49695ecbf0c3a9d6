// SPDX-License-Identifier: GPL-2.0-or-later
/* recovctl status: the daemon, the shadow module and the drivers. */
#include <inttypes.h>
#include <string.h>

#include "../recoverd/cleanup.h"
#include "../recoverd/duration.h"
#include "client.h"
#include "output.h"

static enum color color_of_state(const char *state)
{
	if (strcmp(state, "live") == 0)
		return COLOR_GOOD;
	return strcmp(state, "swapping") == 0 ? COLOR_WARN : COLOR_BAD;
}

static enum color color_of_outcome(const char *outcome)
{
	if (strcmp(outcome, "success") == 0)
		return COLOR_GOOD;
	return strcmp(outcome, "failed") == 0 ? COLOR_BAD : COLOR_WARN;
}

static void say_daemon(const struct cli *cli, const json_t *status)
{
	const json_t *shadow = json_object_get(status, "shadow");

	say("recoverd %s, process %" PRId64 ", since %.19sZ, observes and swaps when asked\n",
	    text_of(status, "version"), number_of(status, "pid"), text_of(status, "started"));
	if (is_set(shadow, "present"))
		say("Shadow module: there, swaps so far: %" PRId64 "\n",
		    number_of(shadow, "swaps"));
	else
		say_in(cli, COLOR_WARN, "Nothing can be swapped: %s\n", text_of(shadow, "reason"));
}

static void say_swap(const struct cli *cli, const json_t *status)
{
	const json_t *swap = json_object_get(status, "swap"), *one, *module;
	size_t i, k;

	if (json_is_object(swap))
		say_in(cli, COLOR_WARN, "Swap under way: %s, phase %s%s, process %" PRId64 "\n",
		       text_of(swap, "driver"), text_of(swap, "phase"),
		       is_set(swap, "rollback") ? " (rolling back)" : "", number_of(swap, "pid"));
	json_array_foreach(json_object_get(status, "interrupted"), i, one) {
		say_in(cli, COLOR_BAD, "Interrupted swap: %s, begun %.19sZ, modules",
		       text_of(one, "driver"), text_of(one, "started"));
		json_array_foreach(json_object_get(one, "modules"), k, module)
			say_in(cli, COLOR_BAD, " %s",
			       json_string_value(module) ? json_string_value(module) : "");
		say_in(cli, COLOR_BAD, "; \"recovctl replug %s\" finishes it\n",
		       text_of(one, "driver"));
	}
}

static void say_fault(const struct cli *cli, const json_t *driver)
{
	const json_t *fault = json_object_get(driver, "last_fault");

	if (!json_is_object(fault))
		return;
	say_in(cli, COLOR_WARN, "%s: %" PRId64 " faults, the last one at %.19sZ: %s in %s\n",
	       text_of(driver, "name"), number_of(driver, "faults"), text_of(fault, "ts"),
	       text_of(fault, "cause"), text_of(fault, "site"));
	if (*text_of(fault, "report"))
		say("  %s\n", text_of(fault, "report"));
}

static void add_driver(struct table *table, const json_t *driver)
{
	const json_t *last = json_object_get(driver, "last");
	const char *state = text_of(driver, "state"), *outcome = text_of(last, "outcome");
	char devices[32], swaps[32], faults[32], pause[32] = "", shown[80], when[32] = "";

	snprintf(devices, sizeof(devices), "%" PRId64, number_of(driver, "devices"));
	snprintf(swaps, sizeof(swaps), "%" PRId64, number_of(driver, "swaps"));
	snprintf(faults, sizeof(faults), "%" PRId64, number_of(driver, "faults"));
	snprintf(shown, sizeof(shown), "%s%s%s", state, *text_of(driver, "phase") ? ": " : "",
		 text_of(driver, "phase"));
	if (json_is_object(last)) {
		snprintf(when, sizeof(when), "%.19sZ", text_of(last, "ts"));
		if (number_of(last, "pause_ns"))
			duration_format((uint64_t)number_of(last, "pause_ns"), pause,
					sizeof(pause));
	}
	table_add(table, 10,
		  (const char *[]){text_of(driver, "name"), shown,
				   is_set(driver, "armed") ? "yes" : "no", devices, faults, swaps,
				   outcome, pause, when, text_of(last, "reason")},
		  (enum color[]){COLOR_NONE, color_of_state(state), COLOR_NONE, COLOR_NONE,
				 COLOR_NONE, COLOR_NONE, color_of_outcome(outcome), COLOR_NONE,
				 COLOR_NONE, COLOR_NONE});
}

int verb_status(const struct cli *cli)
{
	_cleanup_(table_uninit) struct table table = {};
	json_auto_t *status = NULL;
	const json_t *driver;
	size_t i;
	int r;

	r = client_ask(cli, "Status", json_object(), &status);
	if (r)
		return r;
	if (cli->json) {
		say_json(status);
		return EXIT_DONE;
	}
	say_daemon(cli, status);
	say_swap(cli, status);
	json_array_foreach(json_object_get(status, "drivers"), i, driver)
		say_fault(cli, driver);
	table_add(&table, 10,
		  (const char *[]){"DRIVER", "STATE", "ARMED", "DEVICES", "FAULTS", "SWAPS", "LAST",
				   "PAUSE", "WHEN", "REASON"},
		  NULL);
	json_array_foreach(json_object_get(status, "drivers"), i, driver)
		add_driver(&table, driver);
	if (table.n > 1) {
		if (cli->legend)
			say("\n");
		table_say(cli, &table);
	}
	return EXIT_DONE;
}
