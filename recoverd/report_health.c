// SPDX-License-Identifier: GPL-2.0-or-later
/* The events that tell how a watched driver is. */
#include "report_health.h"

#include <inttypes.h>
#include <string.h>

#include "cleanup.h"
#include "text.h"

/* Fields of an event about a driver and, unless its name is empty, one device. */
static json_t *fields_of(const char *driver, const char *device)
{
	json_t *about = json_pack("{s:o}", "driver", text_json(driver));
	char name[RECOV_LABEL_LEN + 1];

	snprintf(name, sizeof(name), "%.*s", RECOV_LABEL_LEN, device);
	if (*name)
		json_object_set_new(about, "name", text_json(name));
	return json_pack("{s:o}", "device", about);
}

static const char *device_of(const json_t *object)
{
	const char *device = json_string_value(json_object_get(object, "device"));

	return device ? device : "";
}

void report_driver_loaded(struct event_log *log, const char *driver)
{
	event_publish(log, "driver.loaded", EVENT_INFO, fields_of(driver, ""));
}

void report_driver_unloaded(struct event_log *log, const char *driver, uint64_t left)
{
	json_t *fields = fields_of(driver, "");

	json_object_set_new(fields, "left", json_integer((json_int_t)left));
	event_publish(log, "driver.unloaded", EVENT_INFO, fields);
}

void report_leak(struct event_log *log, const char *driver, json_t *leak)
{
	json_t *fields = fields_of(driver, device_of(leak));

	json_object_set(fields, "object", leak);
	event_publish(log, "driver.leak", EVENT_WARNING, fields);
}

void report_wrong_free(struct event_log *log, const char *driver, bool twice, json_t *object)
{
	json_t *fields = fields_of(driver, device_of(object));

	json_object_set_new(fields, "object", object);
	event_publish(log, twice ? "driver.double-free" : "driver.bad-free", EVENT_ERROR, fields);
}

void report_atomic(struct event_log *log, const char *driver, json_t *object)
{
	json_t *fields = fields_of(driver, "");

	json_object_set_new(fields, "object", object);
	event_publish(log, "driver.atomic-sleep", EVENT_WARNING, fields);
}

void report_fault(struct event_log *log, const char *driver, const struct recov_record *record)
{
	bool oops = record->type == RECOV_RECORD_OOPS;
	json_t *fields = fields_of(driver, "");
	char comm[RECOV_COMM_LEN + 1] = {};

	memcpy(comm, record->comm, RECOV_COMM_LEN);
	json_object_set_new(fields, "site", text_json(record->symbol));
	if (oops && record->detail)
		json_object_set_new(fields, "address",
				    json_sprintf("0x%" PRIx64, (uint64_t)record->detail));
	json_object_set_new(fields, "cpu", json_integer(record->cpu));
	json_object_set_new(fields, "pid", json_integer(record->pid));
	json_object_set_new(fields, "comm", text_json(comm));
	event_publish(log, oops ? "driver.oops" : "driver.warning",
		      oops ? EVENT_ERROR : EVENT_WARNING, fields);
}

void report_tx_timeout(struct event_log *log, const char *driver, const struct recov_record *record)
{
	json_t *fields = fields_of(driver, record->object.device);
	char name[RECOV_LABEL_LEN + 1] = {};

	memcpy(name, record->object.name, RECOV_LABEL_LEN);
	json_object_set_new(json_object_get(fields, "device"), "object", text_json(name));
	json_object_set_new(fields, "queue", json_integer((json_int_t)record->detail));
	event_publish(log, "driver.tx-timeout", EVENT_WARNING, fields);
}

void report_hang(struct event_log *log, const char *driver, const struct hang *hang,
		 json_t *function, json_t *site)
{
	json_t *fields = fields_of(driver, hang->device);
	char comm[RECOV_COMM_LEN + 1];

	snprintf(comm, sizeof(comm), "%.*s", RECOV_COMM_LEN, hang->comm);
	json_object_set_new(fields, "entry", json_string(hang->entry));
	json_object_set_new(fields, "function", function);
	json_object_set_new(fields, "site", site);
	json_object_set_new(fields, "duration_ns", json_integer((json_int_t)hang->duration_ns));
	json_object_set_new(fields, "cpu", json_integer(hang->cpu));
	if (hang->pid) {
		json_object_set_new(fields, "pid", json_integer(hang->pid));
		json_object_set_new(fields, "comm", text_json(comm));
	}
	event_publish(log, "driver.hang", EVENT_ERROR, fields);
}

void report_storm(struct event_log *log, const char *driver, const struct storm *storm,
		  json_t *function, json_t *sites)
{
	json_t *fields = fields_of(driver, "");

	json_object_set_new(fields, "rate", json_integer((json_int_t)storm->rate));
	json_object_set_new(fields, "function", function);
	if (sites)
		json_object_set_new(fields, "sites", sites);
	event_publish(log, storm->event, EVENT_WARNING, fields);
}

void report_budget(struct event_log *log, const char *driver, uint64_t bytes, uint64_t budget,
		   json_t *sites)
{
	json_t *fields = fields_of(driver, "");

	json_object_set_new(fields, "bytes", json_integer((json_int_t)bytes));
	json_object_set_new(fields, "budget", json_integer((json_int_t)budget));
	json_object_set_new(fields, "sites", sites);
	event_publish(log, "driver.budget", EVENT_WARNING, fields);
}
