// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Framing of the control socket: partial, oversize, malformed and doubled messages.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "../../recoverd/cleanup.h"
#include "../../recoverd/varlink_frame.h"

#define LIMIT 1024

static int setup(void **state)
{
	static struct frame_buffer buffer;

	frame_init(&buffer, LIMIT);
	*state = &buffer;
	return 0;
}

static int teardown(void **state)
{
	frame_uninit(*state);
	return 0;
}

static void feed(struct frame_buffer *buffer, const char *text, size_t size)
{
	assert_int_equal(frame_feed(buffer, text, size), 0);
}

static void assert_method(struct frame_buffer *buffer, const char *method)
{
	json_auto_t *message = NULL;

	assert_int_equal(frame_next(buffer, &message), 1);
	assert_string_equal(json_string_value(json_object_get(message, "method")), method);
}

static void takes_a_message_byte_by_byte(void **state)
{
	static const char text[] = "{\"method\":\"a.b\"}";
	json_t *message = NULL;

	for (size_t i = 0; i < sizeof(text) - 1; i++) {
		feed(*state, text + i, 1);
		assert_int_equal(frame_next(*state, &message), 0);
		assert_false(frame_waiting(*state));
	}
	feed(*state, "", 1);
	assert_true(frame_waiting(*state));
	assert_method(*state, "a.b");
	assert_int_equal(frame_next(*state, &message), 0);
	assert_null(message);
}

static void takes_several_messages_at_once(void **state)
{
	static const char text[] = "{\"method\":\"1\"}\0{\"method\":\"2\"}\0{\"method\":\"3\"}";

	feed(*state, text, sizeof(text) - 1);
	assert_method(*state, "1");
	assert_method(*state, "2");
	assert_false(frame_waiting(*state));
	feed(*state, "", 1);
	assert_method(*state, "3");
}

static void refuses_what_is_no_object(void **state)
{
	static const char *const bad[] = {
		"",
		"{",
		"[]",
		"1",
		"null",
		"\"text\"",
		"{} {}",
		"{\"a\":}",
		"{'a':1}",
		"\xff\xfe",
		"{\"a\":\"\xff\"}",
		"{\"a\":1e999}",
		"{\"a\":\"\\u0000\"}",
	};
	json_t *message = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		feed(*state, bad[i], strlen(bad[i]) + 1);
		assert_int_equal(frame_next(*state, &message), -EBADMSG);
		assert_null(message);
	}
	/* What follows is not affected. */
	feed(*state, "{\"method\":\"x\"}", sizeof("{\"method\":\"x\"}"));
	assert_method(*state, "x");
}

static void refuses_a_key_twice(void **state)
{
	static const char text[] = "{\"method\":\"a\",\"method\":\"b\"}";
	json_t *message = NULL;

	feed(*state, text, sizeof(text));
	assert_int_equal(frame_next(*state, &message), -EBADMSG);
}

static void a_nul_inside_ends_the_message(void **state)
{
	static const char text[] = "{\"method\":\"a\0b\"}";
	json_t *message = NULL;

	feed(*state, text, sizeof(text));
	assert_int_equal(frame_next(*state, &message), -EBADMSG);
	assert_int_equal(frame_next(*state, &message), -EBADMSG);
	assert_int_equal(frame_next(*state, &message), 0);
}

static void deep_nesting_is_refused_not_fatal(void **state)
{
	struct frame_buffer big;
	_cleanup_free_ char *text = malloc(100001);
	json_t *message = NULL;

	memset(text, '[', 100000);
	text[100000] = '\0';
	frame_init(&big, 200000);
	assert_int_equal(frame_feed(&big, text, 100001), 0);
	assert_int_equal(frame_next(&big, &message), -EBADMSG);
	frame_uninit(&big);
}

static void holds_no_more_than_its_limit(void **state)
{
	char text[LIMIT + 1];
	int fds[2], r;

	memset(text, 'a', sizeof(text));
	assert_int_equal(frame_feed(*state, text, sizeof(text)), -EMSGSIZE);

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	assert_int_equal(write(fds[0], text, sizeof(text)), sizeof(text));
	while ((r = frame_recv(*state, fds[1])) > 0)
		;
	assert_int_equal(r, -EMSGSIZE);
	close(fds[0]);
	close(fds[1]);
}

static void tells_an_empty_socket_from_a_closed_one(void **state)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	assert_int_equal(frame_recv(*state, fds[1]), -EAGAIN);
	close(fds[0]);
	assert_int_equal(frame_recv(*state, fds[1]), 0);
	close(fds[1]);
}

static void drops_replies_beyond_the_mark(void **state)
{
	json_auto_t *message = json_pack("{s:s}", "text", "0123456789");
	struct frame_buffer *buffer = *state;
	int n = 0;

	while (frame_put(buffer, message, 200) == 0)
		n++;
	assert_int_equal(n, 200 / (int)sizeof("{\"text\":\"0123456789\"}"));
	assert_int_equal(frame_put(buffer, message, 200), -ENOBUFS);
	/* A reply that has to get through has more room. */
	assert_int_equal(frame_put(buffer, message, LIMIT), 0);
}

static void sends_what_was_put_over_a_slow_socket(void **state)
{
	json_auto_t *message = NULL;
	struct frame_buffer out, in;
	char text[3000];
	int fds[2], small = 1, got = 0, r = -EAGAIN;

	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	message = json_pack("{s:s}", "method", text);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	assert_int_equal(setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)), 0);
	frame_init(&out, 1 << 20);
	frame_init(&in, 1 << 20);
	for (int i = 0; i < 50; i++)
		assert_int_equal(frame_put(&out, message, 1 << 20), 0);

	while (got < 50) {
		if (r == -EAGAIN)
			r = frame_send(&out, fds[0]);
		assert_true(r == 0 || r == -EAGAIN);
		assert_true(frame_recv(&in, fds[1]) > 0);
		while (frame_waiting(&in)) {
			assert_method(&in, text);
			got++;
		}
	}
	assert_int_equal(r, 0);
	frame_uninit(&out);
	frame_uninit(&in);
	close(fds[0]);
	close(fds[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(takes_a_message_byte_by_byte, setup, teardown),
		cmocka_unit_test_setup_teardown(takes_several_messages_at_once, setup, teardown),
		cmocka_unit_test_setup_teardown(refuses_what_is_no_object, setup, teardown),
		cmocka_unit_test_setup_teardown(refuses_a_key_twice, setup, teardown),
		cmocka_unit_test_setup_teardown(a_nul_inside_ends_the_message, setup, teardown),
		cmocka_unit_test_setup_teardown(deep_nesting_is_refused_not_fatal, setup, teardown),
		cmocka_unit_test_setup_teardown(holds_no_more_than_its_limit, setup, teardown),
		cmocka_unit_test_setup_teardown(tells_an_empty_socket_from_a_closed_one, setup,
						teardown),
		cmocka_unit_test_setup_teardown(drops_replies_beyond_the_mark, setup, teardown),
		cmocka_unit_test_setup_teardown(sends_what_was_put_over_a_slow_socket, setup,
						teardown),
	};

	return cmocka_run_group_tests_name("varlink frame", tests, NULL, NULL);
}
