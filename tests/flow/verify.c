// SPDX-License-Identifier: GPL-2.0-or-later
/* Checks a received byte stream of numbered blocks: see verify.h. */
#include <stdbool.h>
#include <string.h>

#include "pattern.h"
#include "verify.h"

/* A block whose header is damaged is taken for the expected one if at most this much differs. */
#define DAMAGE_MAX 256

static const uint8_t *first(const struct verify *verify)
{
	return verify->buffer + verify->start;
}

static void consume(struct verify *verify, size_t n)
{
	verify->start += n;
	verify->fill -= n;
}

/* The expected block, right or damaged, is at the begin of the buffer. */
static void take_block(struct verify *verify, size_t differing, struct totals *totals)
{
	totals->bytes += PATTERN_BLOCK;
	totals->corrupt_bytes += differing;
	if (differing)
		totals->corrupt_messages++;
	else
		totals->messages++;
	verify->next++;
	consume(verify, PATTERN_BLOCK);
}

/* Block `number` begins behind `strange` bytes which took the place of what lay between it and
 * the expected one. */
static void count_strange(struct verify *verify, uint64_t strange, uint64_t number,
			  struct totals *totals)
{
	uint64_t room = 0;

	if (number > verify->next)
		room = (number - verify->next) * PATTERN_BLOCK;
	if (strange > room) {
		totals->duplicate_bytes += strange - room;
		strange = room;
	}
	totals->missing_bytes += room - strange;
	totals->bytes += strange;
	totals->corrupt_bytes += strange;
	totals->corrupt_messages += strange / PATTERN_BLOCK;
}

/* Looks for the next header of the stream. Returns false when more bytes are needed. */
static bool resync(struct verify *verify, struct totals *totals)
{
	uint64_t number;
	uint32_t length;
	size_t at;

	for (at = 0; at + PATTERN_HEADER <= verify->fill; at++) {
		if (!pattern_header(first(verify) + at, verify->stream, &number, &length) ||
		    length != PATTERN_BLOCK)
			continue;
		if (number < verify->next && verify->fill - at < PATTERN_BLOCK)
			break;
		count_strange(verify, verify->skipped + at, number, totals);
		verify->skipped = 0;
		consume(verify, at);
		if (number >= verify->next) {
			verify->next = number;
		} else {
			/* A block that was here already. */
			totals->duplicate_bytes += PATTERN_BLOCK;
			consume(verify, PATTERN_BLOCK);
		}
		return true;
	}
	verify->skipped += at;
	consume(verify, at);
	return false;
}

static void check_buffer(struct verify *verify, struct totals *totals)
{
	while (verify->fill >= PATTERN_BLOCK) {
		uint64_t number = 0;
		uint32_t length;
		size_t differing;
		bool header;

		if (!verify->skipped) {
			differing = pattern_differing(first(verify), PATTERN_BLOCK, PATTERN_BLOCK,
						      verify->stream, verify->next);
			header = pattern_header(first(verify), verify->stream, &number, &length);
			if ((header && number == verify->next && differing <= DAMAGE_MAX) ||
			    (!header && differing <= DAMAGE_MAX)) {
				take_block(verify, differing, totals);
				continue;
			}
			/* Its own header cannot be what to look for: bytes are missing in it. */
			if (header && number == verify->next) {
				verify->skipped = PATTERN_HEADER;
				consume(verify, PATTERN_HEADER);
			}
		}
		if (!resync(verify, totals))
			return;
	}
}

void verify_feed(struct verify *verify, const void *bytes, size_t n, struct totals *totals)
{
	const uint8_t *from = bytes;

	while (n) {
		size_t room = sizeof(verify->buffer) - verify->fill;
		size_t part = n < room ? n : room;

		if (verify->start) {
			memmove(verify->buffer, first(verify), verify->fill);
			verify->start = 0;
		}
		memcpy(verify->buffer + verify->fill, from, part);
		verify->fill += part;
		from += part;
		n -= part;
		check_buffer(verify, totals);
	}
}

void verify_end(struct verify *verify, struct totals *totals)
{
	size_t n = verify->fill;

	totals->bytes += verify->skipped + n;
	totals->corrupt_bytes += verify->skipped;
	if (verify->skipped)
		totals->corrupt_bytes += n;
	else
		totals->corrupt_bytes += pattern_differing(first(verify), n, PATTERN_BLOCK,
							   verify->stream, verify->next);
	verify->skipped = 0;
	verify->fill = 0;
}
