// SPDX-License-Identifier: GPL-2.0-or-later
/* recovctl holders: who holds a driver, and what would free each. */
#include <inttypes.h>
#include <string.h>

#include "../recoverd/cleanup.h"
#include "client.h"
#include "output.h"

static void add_holder(struct table *table, const json_t *holder)
{
	bool pins = is_set(holder, "pins");
	bool uncertain = *text_of(holder, "uncertain") != '\0';
	char pid[128] = "", name[64];
	const char *answer;

	if (number_of(holder, "pid"))
		snprintf(pid, sizeof(pid), "%" PRId64 " %.63s", number_of(holder, "pid"),
			 text_of(holder, "comm"));
	snprintf(name, sizeof(name), "%" PRId64 " %.32s", number_of(holder, "count"),
		 text_of(holder, "name"));
	answer = pins ? "yes" : "no";
	if (uncertain)
		answer = pins ? "maybe" : "no?";
	table_add(table, 6,
		  (const char *[]){text_of(holder, "kind"),
				   number_of(holder, "count") ? name : text_of(holder, "name"), pid,
				   text_of(holder, "detail"), answer, text_of(holder, "free")},
		  (enum color[]){COLOR_NONE, COLOR_NONE, COLOR_NONE, COLOR_NONE,
				 pins ? COLOR_WARN : COLOR_NONE, COLOR_NONE});
}

int verb_holders(const struct cli *cli)
{
	_cleanup_(table_uninit) struct table table = {};
	json_auto_t *reply = NULL;
	const json_t *holders, *holder;
	size_t i;
	int r;

	r = client_ask(cli, "Holders", json_pack("{s:s}", "driver", cli->operands[0]), &reply);
	if (r)
		return r;
	if (cli->json) {
		say_json(reply);
		return EXIT_DONE;
	}
	holders = json_object_get(reply, "holders");
	table_add(&table, 6, (const char *[]){"KIND", "NAME", "PID", "DETAIL", "PINS", "FREE"},
		  NULL);
	json_array_foreach(holders, i, holder)
		add_holder(&table, holder);
	if (table.n > 1)
		table_say(cli, &table);
	else
		say("nothing holds %s\n", text_of(reply, "driver"));
	json_array_foreach(holders, i, holder) {
		if (*text_of(holder, "uncertain"))
			complain("%s: %s", text_of(holder, "name"), text_of(holder, "uncertain"));
	}
	if (*text_of(reply, "incomplete"))
		complain("there may be more: %s", text_of(reply, "incomplete"));
	return EXIT_DONE;
}
