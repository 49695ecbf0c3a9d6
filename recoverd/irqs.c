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

#define LINES "kernel/irq"

struct line {
	unsigned number;
	struct recov_irq irq;
	uint64_t *counts;  /* of each CPU */
	uint64_t calls;	   /* since the first look */
	uint64_t since_ns; /* the first look that found this call; 0: none is running */
	unsigned cpu;	   /* that was called last */
};

struct irqs {
	struct observer *observer;
	const char *sysfs;
	struct line *lines;
	size_t n;
	unsigned changes; /* those of the observer that were seen */
	bool search;
};

static void line_free(struct line *line)
{
	free(line->counts);
}

static void forget_all(struct irqs *irqs)
{
	for (size_t i = 0; i < irqs->n; i++)
		line_free(&irqs->lines[i]);
	irqs->n = 0;
}

int irqs_new(struct observer *observer, const char *sysfs, struct irqs **ret_irqs)
{
	struct irqs *irqs = calloc(1, sizeof(*irqs));

	if (!irqs)
		return -ENOMEM;
	irqs->observer = observer;
	irqs->sysfs = sysfs;
	irqs->search = true;
	*ret_irqs = irqs;
	return 0;
}

void irqs_free(struct irqs *irqs)
{
	if (!irqs)
		return;
	forget_all(irqs);
	free(irqs->lines);
	free(irqs);
}

void irqs_search(struct irqs *irqs)
{
	irqs->search = true;
}

/* Takes "12,0,3\n", a count for each CPU, which the kernel cuts off at a page. */
static void take_counts(struct line *line, const char *text, bool first, int n_cpus)
{
	uint64_t most = 0;

	for (int cpu = 0; cpu < n_cpus && *text; cpu++) {
		char *end;
		uint64_t count = strtoull(text, &end, 10);
		uint64_t more = first || count < line->counts[cpu] ? 0 : count - line->counts[cpu];

		if (end == text)
			break;
		text = *end == ',' ? end + 1 : end;
		line->counts[cpu] = count;
		line->calls += more;
		if (more > most) {
			most = more;
			line->cpu = (unsigned)cpu;
		}
	}
}

/* -ENOENT: the line is gone, or no watched driver's. */
static int look_at(const struct irqs *irqs, struct line *line, bool first, uint64_t now_ns)
{
	const struct recov_irq before = line->irq;
	uint64_t calls = line->calls;
	_cleanup_close_ int fd = -1;
	char path[PATH_MAX], text[4096];
	ssize_t n;

	snprintf(path, sizeof(path), "%s/" LINES "/%u/per_cpu_count", irqs->sysfs, line->number);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (n < 0 || observer_irq(irqs->observer, line->number, &line->irq) < 0)
		return -ENOENT;
	text[n] = '\0';
	if (line->irq.function != before.function || line->irq.generation != before.generation)
		line->calls = calls = 0;
	take_counts(line, text, first, observer_cpus(irqs->observer));
	if (!line->irq.in_progress)
		line->since_ns = 0;
	else if (!line->since_ns || line->calls != calls)
		line->since_ns = now_ns + line->number; /* tells calls found together apart */
	return 0;
}

/* Those that were known keep their counts. */
static void search(struct irqs *irqs)
{
	_cleanup_closedir_ DIR *dir = NULL;
	size_t known = irqs->n;
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/" LINES, irqs->sysfs);
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
		line.counts = calloc((size_t)observer_cpus(irqs->observer), sizeof(*line.counts));
		if (!line.counts || look_at(irqs, &line, true, 0) < 0) {
			line_free(&line);
			continue;
		}
		line.since_ns = 0;
		lines = reallocarray(irqs->lines, irqs->n + 1, sizeof(*lines));
		if (!lines) {
			line_free(&line);
			return;
		}
		irqs->lines = lines;
		lines[irqs->n++] = line;
	}
}

void irqs_look(struct irqs *irqs, uint64_t now_ns)
{
	unsigned changes = observer_state(irqs->observer)->irq_changes;
	size_t kept = 0;

	for (size_t i = 0; i < irqs->n; i++) {
		if (look_at(irqs, &irqs->lines[i], false, now_ns) < 0)
			line_free(&irqs->lines[i]);
		else
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

void irqs_running(const struct irqs *irqs,
		  void (*on_running)(void *ctx, unsigned kind, const struct recov_running *running),
		  void *ctx)
{
	for (size_t i = 0; i < irqs->n; i++) {
		const struct line *line = &irqs->lines[i];
		const struct recov_running running = {
			.since_ns = line->since_ns,
			.function = line->irq.function,
			.slot = line->irq.slot,
			.generation = line->irq.generation,
			.cpu = line->cpu,
		};

		if (line->since_ns && !line->irq.is_shared)
			on_running(ctx, RECOV_ENTRY_IRQ, &running);
	}
}
