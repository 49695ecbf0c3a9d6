// SPDX-License-Identifier: GPL-2.0-or-later
/* How a flow introduces itself: see hello.h. */
#include <errno.h>
#include <string.h>

#include "hello.h"
#include "pattern.h"

#define MAGIC	0x686c6f77u /* "hlow": differs from a block's */
#define VERSION 1u

static const struct {
	const char *name;
	bool udp, client_sends, server_sends;
} kinds[KINDS] = {
	[KIND_CONTROL] = {"control", false, false, false},
	[KIND_TCP_UP] = {"tcp-up", false, true, false},
	[KIND_TCP_DOWN] = {"tcp-down", false, false, true},
	/* The server sends back what it gets: that is no content of its own. */
	[KIND_TCP_ECHO] = {"tcp-echo", false, true, false},
	[KIND_UDP_UP] = {"udp-up", true, true, false},
	[KIND_UDP_DOWN] = {"udp-down", true, false, true},
};

const char *kind_name(enum kind kind)
{
	return kinds[kind].name;
}

int kind_parse(enum kind *ret_kind, const char *name, size_t length)
{
	int kind;

	for (kind = KIND_CONTROL + 1; kind < KINDS; kind++) {
		if (strlen(kinds[kind].name) == length &&
		    !strncmp(kinds[kind].name, name, length)) {
			*ret_kind = (enum kind)kind;
			return 0;
		}
	}
	return -ENOENT;
}

bool kind_is_udp(enum kind kind)
{
	return kinds[kind].udp;
}

bool kind_sends(enum kind kind, bool server)
{
	return server ? kinds[kind].server_sends : kinds[kind].client_sends;
}

bool kind_receives(enum kind kind, bool server)
{
	return kind == KIND_TCP_ECHO || kind_sends(kind, !server);
}

void hello_print(const struct hello *hello, uint8_t bytes[HELLO_SIZE])
{
	memset(bytes, 0, HELLO_SIZE);
	pattern_put32(bytes, MAGIC);
	pattern_put32(bytes + 4, VERSION);
	pattern_put32(bytes + 8, hello->kind);
	pattern_put32(bytes + 12, hello->stall_ms);
	pattern_put64(bytes + 16, hello->run);
	pattern_put64(bytes + 24, hello->stream);
	pattern_put64(bytes + 32, hello->rate);
}

int hello_parse(struct hello *ret_hello, const uint8_t bytes[HELLO_SIZE])
{
	uint32_t kind = pattern_get32(bytes + 8);

	if (pattern_get32(bytes) != MAGIC || pattern_get32(bytes + 4) != VERSION || kind >= KINDS)
		return -EBADMSG;
	*ret_hello = (struct hello){
		.kind = (enum kind)kind,
		.stall_ms = pattern_get32(bytes + 12),
		.run = pattern_get64(bytes + 16),
		.stream = pattern_get64(bytes + 24),
		.rate = pattern_get64(bytes + 32),
	};
	return 0;
}
