// SPDX-License-Identifier: GPL-2.0-or-later
/* recovctl events: what has happened, and with --follow what happens. */
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

static enum color color_of_severity(const char *severity)
{
	if (strcmp(severity, "error") == 0)
		return COLOR_BAD;
	if (strcmp(severity, "warning") == 0)
		return COLOR_WARN;
	return strcmp(severity, "notice") == 0 ? COLOR_GOOD : COLOR_NONE;
}

/* The fields that every event has, or that a line has no room for. */
static bool is_common(const char *key)
{
	static const char *const common[] = {"schema", "ts",	"mono_ns",  "boot_id", "seq",
					     "lost",   "event", "severity", "device"};

	for (size_t i = 0; i < ARRAY_SIZE(common); i++) {
		if (strcmp(common[i], key) == 0)
			return true;
	}
	return false;
}

/* Who reads the line can tell where the value ends. */
static void say_quoted(const char *key, const char *value)
{
	say(" %s=\"", key);
	for (const char *quote; (quote = strchr(value, '"')); value = quote + 1) {
		say("%.*s", (int)(quote - value), value);
		fputs("\\\"", stdout);
	}
	say("%s\"", value);
}

static void say_field(const char *key, const json_t *value)
{
	size_t len = strlen(key);
	char took[32];

	if (json_is_string(value))
		say_quoted(key, json_string_value(value));
	else if (json_is_boolean(value))
		say(" %s=%s", key, json_is_true(value) ? "yes" : "no");
	else if (json_is_integer(value) && len > 3 && strcmp(key + len - 3, "_ns") == 0)
		say(" %.*s=%s", (int)len - 3, key,
		    duration_format((uint64_t)json_integer_value(value), took, sizeof(took)));
	else if (json_is_integer(value))
		say(" %s=%" PRId64, key, (int64_t)json_integer_value(value));
}

static void say_event(const struct cli *cli, const json_t *event)
{
	const json_t *device = json_object_get(event, "device"), *value;
	const char *key;

	say("%s ", text_of(event, "ts"));
	say_in(cli, color_of_severity(text_of(event, "severity")), "%-7s %s",
	       text_of(event, "severity"), text_of(event, "event"));
	if (device)
		say(" %s", text_of(device, "driver"));
	if (*text_of(device, "object"))
		say(" %s", text_of(device, "object"));
	json_object_foreach((json_t *)event, key, value) {
		if (!is_common(key))
			say_field(key, value);
	}
	say("\n");
}

static void say_events(const struct cli *cli, const json_t *events)
{
	const json_t *event;
	size_t i;

	json_array_foreach(events, i, event) {
		if (cli->json)
			say_json(event);
		else
			say_event(cli, event);
	}
	fflush(stdout);
}

int verb_events(const struct cli *cli)
{
	_cleanup_(client_freep) struct client *client = NULL;
	/* Without SA_RESTART: poll returns. */
	const struct sigaction stop = {.sa_handler = on_interrupt};
	bool continues = true;
	int64_t lost = 0;
	int r;

	r = client_open(cli, &client);
	if (r)
		return r;
	if (cli->follow) {
		sigaction(SIGINT, &stop, NULL);
		sigaction(SIGTERM, &stop, NULL);
	}
	r = client_call(client, "Events", json_pack("{s:b}", "follow", cli->follow), cli->follow);
	while (!r && continues && !interrupted) {
		json_auto_t *reply = NULL;

		r = client_reply(client, cli->follow ? -1 : CLIENT_PATIENCE_MS, &reply, &continues);
		if (r == -EINTR)
			r = 0;
		if (!reply)
			continue;
		lost = number_of(reply, "lost");
		say_events(cli, json_object_get(reply, "events"));
	}
	if (lost)
		complain("%" PRId64 " events are missing: too old, or lost on the way", lost);
	return r;
}
