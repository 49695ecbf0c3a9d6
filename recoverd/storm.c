// SPDX-License-Identifier: GPL-2.0-or-later
/* Tells storms from work: by how much the counts have grown since the last look. */
#include "storm.h"

#include "cleanup.h"

/* More a second than a driver that works has been seen to need. */
#define MEMORY_RATE 2000 /* objects of memory that it keeps */
struct limit {
	unsigned kind;
	uint64_t rate;
	const char *event;
};
static const struct limit of_irqs = {RECOV_ENTRY_IRQ, 50000, "driver.irq-storm"};
static const struct limit limits[] = {
	{RECOV_ENTRY_TIMER, 4000, "driver.timer-storm"},
	{RECOV_ENTRY_WORK, 50000, "driver.work-storm"},
};

struct look {
	struct storms *storms;
	uint64_t ns; /* since the last look; 0: this is the first one */
	void (*on_storm)(void *ctx, const struct storm *storm);
	void *ctx;
};

#define CALM_LOOKS 3

/* A storm has to calm down to half of the limit, for a while, before the next one is another. */
static void judge(const struct look *look, struct storm_count *count, uint64_t calls,
		  const struct limit *limit)
{
	struct storm storm = {.event = limit->event, .function = count->function};

	if (look->ns && calls > count->calls)
		storm.rate = (uint64_t)((double)(calls - count->calls) * 1e9 / (double)look->ns);
	if (storm.rate > limit->rate && !count->on)
		look->on_storm(look->ctx, &storm);
	if (storm.rate > limit->rate)
		count->on = true;
	count->n_calm = storm.rate > limit->rate / 2 ? 0 : count->n_calm + 1;
	if (count->n_calm >= CALM_LOOKS)
		count->on = false;
	count->calls = calls;
}

static struct storm_count *count_of(struct storms *storms, const struct recov_entry_key *key)
{
	for (size_t i = 0; i < storms->n; i++) {
		if (storms->counts[i].function == key->function &&
		    storms->counts[i].kind == key->kind)
			return &storms->counts[i];
	}
	if (storms->n == STORM_FUNCTIONS_MAX)
		return NULL;
	storms->counts[storms->n] =
		(struct storm_count){.function = key->function, .kind = key->kind};
	return &storms->counts[storms->n++];
}

static void on_entry(void *ctx, const struct recov_entry_key *key, const struct recov_entry *entry)
{
	const struct look *look = ctx;
	struct storm_count *count;

	for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
		if (limits[i].kind != key->kind)
			continue;
		count = count_of(look->storms, key);
		if (count)
			judge(look, count, entry->calls, &limits[i]);
	}
}

static void on_irq(void *ctx, const struct recov_entry_key *key, const struct recov_entry *entry)
{
	const struct look *look = ctx;
	struct storm_count *count = count_of(look->storms, key);

	if (count)
		judge(look, count, entry->calls, &of_irqs);
}

void storms_look(struct storms *storms, struct observer *observer, const struct irqs *irqs,
		 unsigned slot, uint64_t now_ns, uint64_t memory,
		 void (*on_storm)(void *ctx, const struct storm *storm), void *ctx)
{
	static const struct limit of_memory = {.rate = MEMORY_RATE, .event = "driver.alloc-storm"};
	struct look look = {.storms = storms, .on_storm = on_storm, .ctx = ctx};

	if (storms->seen_ns && now_ns > storms->seen_ns)
		look.ns = now_ns - storms->seen_ns;
	storms->seen_ns = now_ns;
	(void)observer_entries(observer, slot, on_entry, &look);
	irqs_entries(irqs, slot, on_irq, &look);
	judge(&look, &storms->memory, memory, &of_memory);
}
