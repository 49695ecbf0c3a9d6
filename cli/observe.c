// SPDX-License-Identifier: GPL-2.0-or-later
/* recovctl trace, objects, requests, leaks: what a driver does and owns. */
#include <inttypes.h>
#include <signal.h>
#include <string.h>

#include "../recoverd/cleanup.h"
#include "../recoverd/duration.h"
#include "client.h"
#include "output.h"

static volatile sig_atomic_t interrupted;

static void on_interrupt(int signo)
{
	(void)signo;
	interrupted = 1;
}

/* What was not seen, if anything: nothing is to look exact that is not. */
static void say_missed(const json_t *reply)
{
	const json_t *missed = json_object_get(reply, "missed"), *value;
	const json_t *watch = json_object_get(reply, "watch");
	const json_t *inside = json_object_get(reply, "inside");
	const char *what;

	json_object_foreach((json_t *)missed, what, value) {
		if (json_integer_value(value))
			complain("missed: %" PRId64 " %s", (int64_t)json_integer_value(value),
				 what);
	}
	if (inside && number_of(inside, "left_out"))
		complain("%" PRId64 " functions of %s are counted, %" PRId64 " more are not",
			 number_of(inside, "functions"), text_of(reply, "driver"),
			 number_of(inside, "left_out"));
	if (json_is_object(watch) && !is_set(watch, "from_load"))
		complain("%s was watched only after it had been loaded: what it took before is "
			 "not known",
			 text_of(reply, "driver"));
}

static int ask(const struct cli *cli, const char *method, json_t **ret_reply)
{
	int r;

	r = client_ask(cli, method, json_pack("{s:s}", "driver", cli->operands[0]), ret_reply);
	if (!r && cli->json)
		say_json(*ret_reply);
	return r;
}

static void say_object_table(const struct cli *cli, const json_t *objects)
{
	_cleanup_(table_uninit) struct table table = {};
	const json_t *object;
	char size[32];
	size_t i;

	table_add(&table, 6, (const char *[]){"CLASS", "OBJECT", "SIZE", "DEVICE", "NAME", "SITE"},
		  NULL);
	json_array_foreach(objects, i, object) {
		snprintf(size, sizeof(size), "%" PRId64, number_of(object, "size"));
		table_add(&table, 6,
			  (const char *[]){text_of(object, "class"), text_of(object, "object"),
					   size, text_of(object, "device"), text_of(object, "name"),
					   text_of(object, "site")},
			  NULL);
	}
	table_say(cli, &table);
}

int verb_objects(const struct cli *cli)
{
	json_auto_t *reply = NULL;
	int r;

	r = ask(cli, "Objects", &reply);
	if (r || cli->json)
		return r;
	say_object_table(cli, json_object_get(reply, "objects"));
	say_missed(reply);
	return EXIT_DONE;
}

int verb_leaks(const struct cli *cli)
{
	json_auto_t *reply = NULL;
	int r;

	r = ask(cli, "Leaks", &reply);
	if (r || cli->json)
		return r;
	if (json_array_size(json_object_get(reply, "leaks")))
		say_object_table(cli, json_object_get(reply, "leaks"));
	else
		say("%s has given back all that was seen taken\n", text_of(reply, "driver"));
	say_missed(reply);
	return EXIT_DONE;
}

#define DATA_SHOWN 48 /* hex digits; --json has all */

int verb_requests(const struct cli *cli)
{
	_cleanup_(table_uninit) struct table table = {};
	json_auto_t *reply = NULL;
	const json_t *request;
	size_t i;
	int r;

	r = ask(cli, "Requests", &reply);
	if (r || cli->json)
		return r;
	table_add(&table, 7,
		  (const char *[]){"ORDER", "KIND", "DEVICE", "WHAT", "RESULT", "BY", "DATA"},
		  NULL);
	json_array_foreach(json_object_get(reply, "requests"), i, request) {
		const char *hex = text_of(request, "data");
		char order[32], result[32], data[DATA_SHOWN + 4];

		snprintf(order, sizeof(order), "%" PRId64, number_of(request, "order"));
		snprintf(result, sizeof(result), "%" PRId64, number_of(request, "result"));
		snprintf(data, sizeof(data), "%.*s%s", DATA_SHOWN, hex,
			 strlen(hex) > DATA_SHOWN ? "..." : "");
		table_add(&table, 7,
			  (const char *[]){order, text_of(request, "kind"),
					   text_of(request, "device"), text_of(request, "what"),
					   result, text_of(request, "comm"), data},
			  NULL);
	}
	table_say(cli, &table);
	say_missed(reply);
	return EXIT_DONE;
}

/* ---- trace ---- */

static void add_entry(struct table *table, const json_t *entry)
{
	static const char *const times[] = {"p50_ns", "p99_ns", "max_ns"};
	char calls[32], errors[32], shown[3][32];

	snprintf(calls, sizeof(calls), "%" PRId64, number_of(entry, "calls"));
	snprintf(errors, sizeof(errors), "%" PRId64, number_of(entry, "errors"));
	for (int i = 0; i < 3; i++)
		duration_format((uint64_t)number_of(entry, times[i]), shown[i], sizeof(shown[i]));
	table_add(table, 7,
		  (const char *[]){text_of(entry, "kind"), calls, errors, shown[0], shown[1],
				   shown[2], text_of(entry, "function")},
		  NULL);
}

static void say_snapshot(const struct cli *cli, const json_t *reply)
{
	_cleanup_(table_uninit) struct table table = {};
	const json_t *watch = json_object_get(reply, "watch"), *entry, *n;
	const char *class;
	size_t i;

	if (cli->terminal && !cli->events)
		fputs("\033[H\033[2J", stdout);
	say("%s: %s, load %" PRId64 "%s, leaks %" PRId64 "\n", text_of(reply, "driver"),
	    is_set(watch, "loaded") ? "loaded" : "not loaded", number_of(watch, "generation"),
	    is_set(watch, "from_load") ? ", watched from its first instruction" : "",
	    number_of(reply, "leaks"));
	say("objects:");
	json_object_foreach(json_object_get(reply, "objects"), class, n)
		say(" %s %" PRId64, class, (int64_t)json_integer_value(n));
	say("\n");
	table_add(&table, 7,
		  (const char *[]){"ENTRY", "CALLS", "ERRORS", "P50", "P99", "MAX", "FUNCTION"},
		  NULL);
	json_array_foreach(json_object_get(reply, "entries"), i, entry)
		add_entry(&table, entry);
	table_say(cli, &table);
	fflush(stdout);
}

/* A line each: time since boot, what happened, to what, where. */
static void say_events(const json_t *reply)
{
	const json_t *event;
	char duration[32];
	size_t i;

	json_array_foreach(json_object_get(reply, "events"), i, event) {
		int64_t ns = number_of(event, "mono_ns");

		say("%5" PRId64 ".%06" PRId64 " [%" PRId64 "] %-10s ", ns / 1000000000,
		    ns / 1000 % 1000000, number_of(event, "cpu"), text_of(event, "event"));
		if (json_object_get(event, "kind")) {
			duration_format((uint64_t)number_of(event, "duration_ns"), duration,
					sizeof(duration));
			say("%s = %" PRId64 ", %s, %s %s\n", text_of(event, "kind"),
			    number_of(event, "result"), duration, text_of(event, "function"),
			    text_of(event, "device"));
		} else {
			say("%s %s, %" PRId64 ", %s %s %s\n", text_of(event, "class"),
			    text_of(event, "object"), number_of(event, "size"),
			    text_of(event, "site"), text_of(event, "device"),
			    text_of(event, "name"));
		}
	}
	fflush(stdout);
}

int verb_trace(const struct cli *cli)
{
	_cleanup_(client_freep) struct client *client = NULL;
	/* Without SA_RESTART: poll returns. */
	const struct sigaction stop = {.sa_handler = on_interrupt};
	json_auto_t *last = NULL;
	bool continues = true;
	json_t *wanted;
	int r;

	r = client_open(cli, &client);
	if (r)
		return r;
	sigaction(SIGINT, &stop, NULL);
	sigaction(SIGTERM, &stop, NULL);
	wanted = json_pack("{s:s, s:b, s:b, s:b, s:b, s:b}", "driver", cli->operands[0],
			   "from_load", cli->from_load, "memory", cli->memory, "dma_maps",
			   cli->dma_maps, "packets", cli->packets, "events", cli->events);
	if (cli->budget)
		json_object_set_new(wanted, "budget", json_integer((json_int_t)cli->budget));
	if (cli->inside)
		json_object_set_new(wanted, "inside", json_string(cli->inside));
	r = client_call(client, "Trace", wanted, true);
	while (!r && continues && !interrupted) {
		json_auto_t *reply = NULL;

		r = client_reply(client, -1, &reply, &continues);
		if (r == -EINTR)
			r = 0;
		if (!reply)
			continue;
		if (cli->json)
			say_json(reply);
		else if (cli->events)
			say_events(reply);
		else if (cli->terminal)
			say_snapshot(cli, reply);
		json_decref(last);
		last = json_incref(reply);
	}
	/* The summary is the last look; with the connection the watch ends. */
	if (last && !cli->json && (cli->events || !cli->terminal))
		say_snapshot(cli, last);
	if (last) {
		if (number_of(last, "events_lost"))
			complain("lost: %" PRId64 " events that came too fast",
				 number_of(last, "events_lost"));
		say_missed(last);
	}
	return r;
}
