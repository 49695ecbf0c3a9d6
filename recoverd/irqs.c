// SPDX-License-Identifier: GPL-2.0-or-later
/* Looks at interrupt lines through sysfs and the BPF program that sits there. */
#include "irqs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cleanup.h"

#define LINES	 "sys/kernel/irq"
#define FRESH_NS (3ULL * 1000 * 1000 * 1000) /* what was seen then still counts */

struct line {
	unsigned number;
	struct recov_irq irq;
	uint64_t calls; /* since the first look */
};

struct irqs {
	struct observer *observer;
	const char *root;
	struct line *lines;
	size_t n;
	unsigned changes; /* those of the observer that were seen */
	bool search;
};

int irqs_new(struct observer *observer, const char *root, struct irqs **ret_irqs)
{
	struct irqs *irqs = calloc(1, sizeof(*irqs));

	if (!irqs)
		return -ENOMEM;
	irqs->observer = observer;
	irqs->root = root;
	irqs->search = true;
	*ret_irqs = irqs;
	return 0;
}

void irqs_free(struct irqs *irqs)
{
	if (!irqs)
		return;
	free(irqs->lines);
	free(irqs);
}

void irqs_search(struct irqs *irqs)
{
	irqs->search = true;
}

/* Shows the line to the programs; what the file tells is of no interest. */
static void show(const struct irqs *irqs, unsigned number)
{
	_cleanup_close_ int fd = -1;
	char path[PATH_MAX], text[16];

	snprintf(path, sizeof(path), "%s/" LINES "/%u/per_cpu_count", irqs->root, number);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0 && read(fd, text, sizeof(text)) < 0)
		return; /* it has just gone */
}

/* Adds the lines that are new. */
static void search(struct irqs *irqs)
{
	_cleanup_closedir_ DIR *dir = NULL;
	size_t known = irqs->n;
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/" LINES, irqs->root);
	dir = opendir(path);
	for (const struct dirent *entry; dir && (entry = readdir(dir));) {
		struct line line = {}, *lines;
		bool is_known = false;
		char *end;

		line.number = (unsigned)strtoul(entry->d_name, &end, 10);
		if (end == entry->d_name || *end)
			continue;
		for (size_t i = 0; i < known; i++)
			is_known |= irqs->lines[i].number == line.number;
		if (is_known)
			continue;
		show(irqs, line.number);
		if (observer_irq(irqs->observer, line.number, &line.irq) < 0)
			continue;
		lines = reallocarray(irqs->lines, irqs->n + 1, sizeof(*lines));
		if (!lines)
			return;
		irqs->lines = lines;
		lines[irqs->n++] = line;
	}
}

/* False: it is no watched driver's any more. */
static bool look_at(const struct irqs *irqs, struct line *line)
{
	const struct recov_irq before = line->irq;

	if (observer_irq(irqs->observer, line->number, &line->irq) < 0)
		return false;
	if (line->irq.function != before.function || line->irq.generation != before.generation)
		line->calls = 0;
	else
		line->calls += line->irq.calls - before.calls;
	return true;
}

void irqs_look(struct irqs *irqs)
{
	unsigned changes = observer_state(irqs->observer)->irq_changes;
	size_t kept = 0;

	for (size_t i = 0; i < irqs->n; i++) {
		if (look_at(irqs, &irqs->lines[i]))
			irqs->lines[kept++] = irqs->lines[i];
	}
	irqs->n = kept;
	if (irqs->search || irqs->changes != changes)
		search(irqs);
	irqs->search = false;
	irqs->changes = changes;
}

void irqs_entries(const struct irqs *irqs, unsigned slot,
		  void (*on_entry)(void *ctx, const struct recov_entry_key *key,
				   const struct recov_entry *entry),
		  void *ctx)
{
	for (size_t i = 0; i < irqs->n; i++) {
		const struct recov_irq *irq = &irqs->lines[i].irq;
		struct recov_entry_key key = {
			.function = irq->function, .slot = slot, .kind = RECOV_ENTRY_IRQ};
		struct recov_entry entry = {};
		bool is_told = false;

		for (size_t j = 0; j < irqs->n; j++) {
			const struct line *line = &irqs->lines[j];

			if (line->irq.function != irq->function)
				continue;
			is_told |= j < i;
			entry.calls += line->calls;
		}
		if (irq->slot == slot && !is_told)
			on_entry(ctx, &key, &entry);
	}
}

/* The one that handles it: an interrupt is sent to one CPU. */
static unsigned cpu_of(const struct irqs *irqs, unsigned number)
{
	_cleanup_fclose_ FILE *file = NULL;
	char path[PATH_MAX];
	unsigned cpu = 0;

	snprintf(path, sizeof(path), "%s/proc/irq/%u/effective_affinity_list", irqs->root, number);
	file = fopen(path, "re");
	return file && fscanf(file, "%u", &cpu) == 1 ? cpu : 0;
}

void irqs_running(const struct irqs *irqs, uint64_t now_ns,
		  void (*on_running)(void *ctx, unsigned kind, const struct recov_running *running),
		  void *ctx)
{
	for (size_t i = 0; i < irqs->n; i++) {
		const struct recov_irq *irq = &irqs->lines[i].irq;
		struct recov_running running = {
			.since_ns = irq->since_ns,
			.function = irq->function,
			.slot = irq->slot,
			.generation = irq->generation,
		};

		if (irq->seen_ns > irq->since_ns && irq->seen_ns + FRESH_NS > now_ns &&
		    !irq->is_shared) {
			running.cpu = cpu_of(irqs, irqs->lines[i].number);
			on_running(ctx, RECOV_ENTRY_IRQ, &running);
		}
	}
}
