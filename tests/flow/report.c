// SPDX-License-Identifier: GPL-2.0-or-later
/* The result of a run, for people and for programs: see report.h. */
#include <inttypes.h>
#include <string.h>

#include "report.h"

#define SCHEMA "recov.flow/1"

/* What both ends know of a flow, taken together. */
struct row {
	const char *name;
	bool udp;
	bool known; /* the receiver's totals are known */
	uint64_t sent_bytes, sent, bytes, messages;
	uint64_t lost_connections, corrupt_bytes, corrupt, missing_bytes, duplicate_bytes;
	uint64_t lost, duplicates, reordered, send_errors;
	uint64_t begin_ns;
	struct gap gap;
	const char *error;
};

static uint64_t most(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static struct row row_of(const struct client_flow *flow)
{
	bool sends = kind_sends(flow->kind, false), echo = flow->kind == KIND_TCP_ECHO;
	const struct totals *local = &flow->local, *remote = &flow->remote;
	const struct totals *from = sends ? local : remote;
	const struct totals *to = kind_receives(flow->kind, false) ? local : remote;
	struct row row = {
		.name = kind_name(flow->kind),
		.udp = kind_is_udp(flow->kind),
		.known = flow->has_remote || echo,
		.sent_bytes = from->sent_bytes,
		.sent = from->sent_messages,
		.bytes = to->bytes,
		.messages = to->messages,
		.lost_connections = most(local->lost_connections, remote->lost_connections),
		/* An echo carries back what was damaged on the way there. */
		.corrupt_bytes = most(local->corrupt_bytes, remote->corrupt_bytes),
		.corrupt = most(local->corrupt_messages, remote->corrupt_messages),
		.duplicate_bytes = most(local->duplicate_bytes, remote->duplicate_bytes),
		.duplicates = to->duplicates,
		.reordered = to->reordered,
		.send_errors = from->send_errors,
		.begin_ns = to->begin_ns,
		.gap = to->gap,
		.error = local->error[0] ? local->error : remote->error,
	};

	if (row.udp)
		row.lost = row.sent > row.messages ? row.sent - row.messages : 0;
	else
		row.missing_bytes = row.sent_bytes > row.bytes ? row.sent_bytes - row.bytes : 0;
	/* A stream can miss and repeat the same number of bytes. */
	row.missing_bytes =
		most(row.missing_bytes, most(local->missing_bytes, remote->missing_bytes));
	return row;
}

static bool row_good(const struct row *row)
{
	if (!row->known || row->corrupt_bytes || row->lost_connections)
		return false;
	return !row->missing_bytes && !row->duplicate_bytes && row->messages > 0;
}

bool report_good(const struct client_result *result)
{
	unsigned int i;

	for (i = 0; i < result->flows; i++) {
		struct row row = row_of(&result->flow[i]);

		if (!row_good(&row))
			return false;
	}
	return !result->control_lost;
}

static double ms(uint64_t ns)
{
	return (double)ns / 1e6;
}

static double gap_at_s(const struct row *row)
{
	if (!row->gap.longest_begin_ns)
		return 0;
	return (double)(row->gap.longest_begin_ns - row->begin_ns) / 1e9;
}

/* A number that needs the receiver's totals; "?" without them. */
static const char *number(char text[24], bool known, uint64_t value)
{
	snprintf(text, 24, "%" PRIu64, value);
	return known ? text : "?";
}

void report_table(const struct client_result *result, FILE *to)
{
	unsigned int i;

	fprintf(to, "%-9s %11s %9s %9s %9s %9s %11s %8s %8s %9s\n", "FLOW", "BYTES", "MESSAGES",
		"LOST-CONN", "CORRUPT", "MISSING", "LONGEST-GAP", "AT", "GAPS>100", "UDP-LOST");
	for (i = 0; i < result->flows; i++) {
		struct row row = row_of(&result->flow[i]);
		char bytes[24], messages[24], missing[24], lost[24];

		fprintf(to, "%-9s %11s %9s %9" PRIu64 " %9" PRIu64 " %9s", row.name,
			number(bytes, row.known, row.bytes),
			number(messages, row.known, row.messages), row.lost_connections,
			row.corrupt_bytes,
			row.udp ? "-" : number(missing, row.known, row.missing_bytes));
		if (row.known)
			fprintf(to, " %8.1f ms %6.2f s %8" PRIu64, ms(row.gap.longest_ns),
				gap_at_s(&row), row.gap.long_count);
		else
			fprintf(to, " %11s %8s %8s", "?", "?", "?");
		fprintf(to, " %9s\n", row.udp ? number(lost, row.known, row.lost) : "-");
		if (row.duplicate_bytes)
			fprintf(to, "%-9s repeated bytes: %" PRIu64 "\n", "", row.duplicate_bytes);
		if (row.duplicates || row.reordered || row.send_errors)
			fprintf(to,
				"%-9s duplicates: %" PRIu64 ", reordered: %" PRIu64
				", refused when sending: %" PRIu64 "\n",
				"", row.duplicates, row.reordered, row.send_errors);
		if (row.error[0])
			fprintf(to, "%-9s connection lost: %s\n", "", row.error);
	}
	if (result->control_lost)
		fprintf(to,
			"The control connection was lost: what the server verified is unknown.\n");
	fprintf(to, "%s\n",
		report_good(result) ? "All connections lived and every TCP byte arrived."
				    : "NOT everything arrived.");
}

static void json_number(FILE *to, const char *name, bool known, uint64_t value)
{
	if (known)
		fprintf(to, ",\"%s\":%" PRIu64, name, value);
	else
		fprintf(to, ",\"%s\":null", name);
}

static void json_gap(FILE *to, const struct row *row)
{
	if (!row->known) {
		fprintf(to, ",\"longest_gap_ms\":null,\"gaps_over_100ms\":null");
		return;
	}
	fprintf(to,
		",\"longest_gap_ms\":%.3f,\"longest_gap_at_s\":%.3f,\"longest_gap_mono_ns\":"
		"%" PRIu64 ",\"gaps_over_100ms\":%" PRIu64 ",\"gaps_over_100ms_sum_ms\":%.3f",
		ms(row->gap.longest_ns), gap_at_s(row), row->gap.longest_begin_ns,
		row->gap.long_count, ms(row->gap.long_sum_ns));
}

/* The error is one of strerror() or of ours: no quote, no backslash, no control character. */
static void json_row(FILE *to, const struct row *row)
{
	fprintf(to, "{\"schema\":\"" SCHEMA "\",\"flow\":\"%s\",\"ok\":%s", row->name,
		row_good(row) ? "true" : "false");
	json_number(to, "sent_bytes", row->known || row->sent_bytes, row->sent_bytes);
	json_number(to, "bytes", row->known, row->bytes);
	json_number(to, "messages", row->known, row->messages);
	json_number(to, "lost_connections", true, row->lost_connections);
	json_number(to, "corrupt_bytes", true, row->corrupt_bytes);
	json_number(to, "corrupt_messages", true, row->corrupt);
	if (row->udp) {
		json_number(to, "sent_messages", row->known || row->sent, row->sent);
		json_number(to, "lost_messages", row->known, row->lost);
		json_number(to, "duplicate_messages", row->known, row->duplicates);
		json_number(to, "reordered_messages", row->known, row->reordered);
		json_number(to, "send_errors", true, row->send_errors);
	} else {
		json_number(to, "missing_bytes", row->known, row->missing_bytes);
		json_number(to, "duplicate_bytes", true, row->duplicate_bytes);
	}
	json_gap(to, row);
	if (row->error[0])
		fprintf(to, ",\"error\":\"%s\"}\n", row->error);
	else
		fprintf(to, ",\"error\":null}\n");
}

void report_json(const struct client_result *result, FILE *to)
{
	uint64_t bytes = 0, lost = 0, corrupt = 0, missing = 0, udp_lost = 0, longest = 0;
	bool known = !result->control_lost;
	unsigned int i;

	for (i = 0; i < result->flows; i++) {
		struct row row = row_of(&result->flow[i]);

		json_row(to, &row);
		bytes += row.bytes;
		lost += row.lost_connections;
		corrupt += row.corrupt_bytes;
		missing += row.missing_bytes;
		udp_lost += row.lost;
		longest = most(longest, row.gap.longest_ns);
		known = known && row.known;
	}
	fprintf(to, "{\"schema\":\"" SCHEMA "\",\"flow\":\"all\",\"ok\":%s,\"seconds\":%.3f",
		report_good(result) ? "true" : "false",
		(double)(result->end_ns - result->begin_ns) / 1e9);
	json_number(to, "bytes", known, bytes);
	json_number(to, "lost_connections", true, lost);
	json_number(to, "corrupt_bytes", true, corrupt);
	json_number(to, "missing_bytes", known, missing);
	json_number(to, "lost_messages", known, udp_lost);
	if (known)
		fprintf(to, ",\"longest_gap_ms\":%.3f", ms(longest));
	else
		fprintf(to, ",\"longest_gap_ms\":null");
	fprintf(to, ",\"control_lost\":%s}\n", result->control_lost ? "true" : "false");
}
