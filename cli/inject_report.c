// SPDX-License-Identifier: GPL-2.0-or-later
/* What is told of planted faults: which were met, when, and what became of them. */
#include <inttypes.h>
#include <string.h>

#include "inject_live.h"
#include "output.h"

static bool is_broken(const char *driver, const struct inject_record *record)
{
	for (size_t i = 0; record && i < record->n_devices; i++) {
		if (inject_device_is_broken(driver, &record->devices[i]))
			return true;
	}
	return false;
}

static const char *state_name(const char *driver, const struct inject_record *record,
			      const struct recov_injected *injected)
{
	static const char *const names[] = {
		[RECOV_INJECT_PLANTED] = "planted",
		[RECOV_INJECT_ENDING] = "ending",
		[RECOV_INJECT_UNDONE] = "undone",
		[RECOV_INJECT_GONE] = "gone",
	};

	/* Faults of devices alone are no matter of the kernel's. */
	if (!injected)
		return is_broken(driver, record) ? "planted" : "gone";
	return injected->state < ARRAY_SIZE(names) && names[injected->state]
		       ? names[injected->state]
		       : "unknown";
}

static void add_hit(json_t *fault, const struct recov_inject_hit *hit)
{
	json_object_set_new(fault, "activated", json_boolean(hit && hit->count));
	if (!hit || !hit->count)
		return;
	json_object_set_new(fault, "activated_ns", json_integer((json_int_t)hit->time_ns));
	json_object_set_new(fault, "hits", json_integer(hit->count));
	json_object_set_new(fault, "cpu", json_integer(hit->cpu));
	json_object_set_new(fault, "pid", json_integer(hit->pid));
}

static void add_devices(json_t *fault, const char *driver, const struct inject_record *record,
			uint32_t id)
{
	json_t *names = json_array();
	bool broken = false;

	for (size_t i = 0; i < record->n_devices; i++) {
		const struct inject_device *device = &record->devices[i];

		if (device->id != id)
			continue;
		json_array_append_new(names, json_string(device->name));
		broken |= inject_device_is_broken(driver, device);
	}
	json_object_set_new(fault, "activated", json_true());
	json_object_set_new(fault, "activated_ns", json_integer((json_int_t)record->began_ns));
	json_object_set_new(fault, "devices", names);
	json_object_set_new(fault, "broken", json_boolean(broken));
}

static const struct recov_inject_hit *hit_of(const struct inject_record *record,
					     const struct recov_injected *injected,
					     const struct recov_inject_hit *hits, size_t index)
{
	size_t n = injected ? injected->n_sites + injected->n_calls : 0;

	for (size_t i = 0; i < record->n_order && i < n; i++) {
		if (record->order[i] == index)
			return &hits[i];
	}
	return NULL;
}

static json_t *fault_json(const char *driver, const struct inject_record *record, size_t index,
			  const struct recov_inject_hit *hit)
{
	const struct replug_injection *fault = &record->plan->injections[index];
	json_t *json = json_pack("{s:i, s:s}", "id", fault->id, "class", fault->class);

	if (fault->kind == REPLUG_INJECT_DEVICE) {
		add_devices(json, driver, record, fault->id);
		return json;
	}
	json_object_set_new(json, "function", json_string(fault->function));
	json_object_set_new(json, "function_offset", json_integer(fault->function_offset));
	json_object_set_new(json, "section", json_string(fault->section));
	json_object_set_new(json, "offset", json_integer(fault->offset));
	if (fault->kind == REPLUG_INJECT_CALL) {
		json_object_set_new(json, "import", json_string(fault->import));
		json_object_set_new(json, "result", json_integer(fault->result));
	} else {
		json_object_set_new(json, "before", json_string(fault->before));
		json_object_set_new(json, "after", json_string(fault->after));
	}
	add_hit(json, hit);
	return json;
}

static json_t *faults_json(const char *driver, const struct inject_record *record,
			   const struct recov_injected *injected,
			   const struct recov_inject_hit *hits, json_int_t *activated)
{
	json_t *faults = json_array();

	for (size_t i = 0; i < record->plan->n_injections; i++) {
		json_t *fault = fault_json(driver, record, i, hit_of(record, injected, hits, i));

		*activated += is_set(fault, "activated");
		json_array_append_new(faults, fault);
	}
	return faults;
}

json_t *inject_report(const char *driver, const struct inject_record *record,
		      const struct recov_injected *injected, const struct recov_inject_hit *hits)
{
	json_t *report = json_pack("{s:s, s:s, s:s}", "schema", "recov.injection/1", "driver",
				   driver, "state", state_name(driver, record, injected));
	json_int_t activated = 0;

	if (injected) {
		json_object_set_new(report, "planted_ns",
				    json_integer((json_int_t)injected->planted_ns));
		json_object_set_new(report, "ended_ns",
				    json_integer((json_int_t)injected->ended_ns));
		json_object_set_new(report, "sites", json_integer(injected->n_sites));
		json_object_set_new(report, "calls", json_integer(injected->n_calls));
		json_object_set_new(report, "differing", json_integer(injected->differing));
		activated = injected->hits;
	} else if (record) {
		json_object_set_new(report, "planted_ns",
				    json_integer((json_int_t)record->began_ns));
	}
	if (record) {
		json_object_set_new(report, "seed", json_integer((json_int_t)record->plan->seed));
		activated = 0;
		json_object_set_new(report, "faults",
				    faults_json(driver, record, injected, hits, &activated));
	}
	json_object_set_new(report, "activated", json_integer(activated));
	return report;
}

static void when(const json_t *report, const json_t *fault, char *text, size_t size)
{
	int64_t ns = number_of(fault, "activated_ns") - number_of(report, "planted_ns");

	if (is_set(fault, "activated"))
		snprintf(text, size, "%.3f s", (double)ns / 1e9);
	else
		snprintf(text, size, "no");
}

static void add_row(struct table *table, const json_t *report, const json_t *fault)
{
	char id[16], place[256] = "", now[64], result[32];
	const char *before = text_of(fault, "before"), *after = text_of(fault, "after");

	snprintf(id, sizeof(id), "%" PRId64, number_of(fault, "id"));
	if (*text_of(fault, "function"))
		snprintf(place, sizeof(place), "%.200s+0x%" PRIx64, text_of(fault, "function"),
			 (uint64_t)number_of(fault, "function_offset"));
	when(report, fault, now, sizeof(now));
	if (*text_of(fault, "import")) {
		before = text_of(fault, "import");
		snprintf(result, sizeof(result), "returns %" PRId64, number_of(fault, "result"));
		after = result;
	}
	table_add(table, 6,
		  (const char *[]){id, text_of(fault, "class"), place, before, after, now},
		  (enum color[]){COLOR_NONE, COLOR_NONE, COLOR_NONE, COLOR_NONE, COLOR_NONE,
				 is_set(fault, "activated") ? COLOR_WARN : COLOR_NONE});
}

void inject_say_report(const struct cli *cli, const json_t *report)
{
	_cleanup_(table_uninit) struct table table = {};
	const json_t *faults = json_object_get(report, "faults"), *fault;
	size_t i;

	if (cli->json) {
		say_json(report);
		return;
	}
	if (faults) {
		table_add(&table, 6,
			  (const char *[]){"ID", "CLASS", "PLACE", "BEFORE", "AFTER", "ACTIVATED"},
			  NULL);
		json_array_foreach(faults, i, fault)
			add_row(&table, report, fault);
		table_say(cli, &table);
	}
	say("%s: %s, %" PRId64 " activated\n", text_of(report, "driver"), text_of(report, "state"),
	    number_of(report, "activated"));
}
