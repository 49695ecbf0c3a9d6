// SPDX-License-Identifier: GPL-2.0-or-later
/* recovctl devices: the devices, and whether each can be carried over. */
#include <inttypes.h>
#include <string.h>

#include "../recoverd/cleanup.h"
#include "client.h"
#include "output.h"

static void add_device(struct table *table, const json_t *device)
{
	const json_t *supported = json_object_get(device, "supported");
	const char *answer = "?";
	enum color color = COLOR_WARN;
	char area[64] = "";

	if (json_is_true(supported)) {
		answer = "yes";
		color = COLOR_GOOD;
	} else if (json_is_false(supported)) {
		answer = "no";
		color = COLOR_BAD;
	}
	if (number_of(device, "need"))
		snprintf(area, sizeof(area), "%" PRId64 "/%" PRId64, number_of(device, "need"),
			 number_of(device, "room"));
	else if (number_of(device, "room"))
		snprintf(area, sizeof(area), "?/%" PRId64, number_of(device, "room"));
	table_add(table, 7,
		  (const char *[]){text_of(device, "object"), text_of(device, "name"),
				   text_of(device, "bus"), text_of(device, "driver"), answer, area,
				   text_of(device, "reason")},
		  (enum color[]){COLOR_NONE, COLOR_NONE, COLOR_NONE, COLOR_NONE, color, COLOR_NONE,
				 COLOR_NONE});
}

int verb_devices(const struct cli *cli)
{
	_cleanup_(table_uninit) struct table table = {};
	json_auto_t *reply = NULL;
	json_t *parameters = json_object();
	const json_t *device;
	size_t i;
	int r;

	if (cli->n_operands)
		json_object_set_new(parameters, "driver", json_string(cli->operands[0]));
	r = client_ask(cli, "Devices", parameters, &reply);
	if (r)
		return r;
	if (cli->json) {
		say_json(reply);
		return EXIT_DONE;
	}
	/* AREA: bytes of the driver's private area, needed of those there are. */
	table_add(&table, 7,
		  (const char *[]){"OBJECT", "DEVICE", "BUS", "DRIVER", "SWAP", "AREA", "REASON"},
		  NULL);
	json_array_foreach(json_object_get(reply, "devices"), i, device)
		add_device(&table, device);
	table_say(cli, &table);
	return EXIT_DONE;
}
