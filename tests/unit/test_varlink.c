// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The control socket's protocol: what a server answers to good, bad and impatient clients.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "../../recoverd/cleanup.h"
#include "../../recoverd/control.h"
#include "../../recoverd/varlink.h"
#include "../../recoverd/varlink_frame.h"

/* ---- an interface for tests ---- */

static struct varlink_call *kept; /* of Wait */
static unsigned closed, counted;

static int handle_echo(struct varlink_call *call, json_t *parameters, void *ctx)
{
	const char *text = NULL;
	bool flag = false;
	int64_t number = 7;
	const struct varlink_parameter table[] = {
		{.name = "text", .type = VARLINK_STRING, .required = true, .ret = &text},
		{.name = "flag", .type = VARLINK_BOOL, .ret = &flag},
		{.name = "number", .type = VARLINK_INT, .least = 0, .most = 100, .ret = &number},
	};

	if (varlink_parameters(call, parameters, table, ARRAY_SIZE(table)) < 0)
		return 0;
	return varlink_reply(
		call, json_pack("{s:s, s:b, s:I}", "text", text, "flag", flag, "number", number),
		false);
}

static int handle_count(struct varlink_call *call, json_t *parameters, void *ctx)
{
	counted++;
	return varlink_reply(call, NULL, false);
}

static void on_close(void *ctx)
{
	closed++;
}

static int handle_wait(struct varlink_call *call, json_t *parameters, void *ctx)
{
	kept = varlink_call_ref(call);
	varlink_call_on_close(call, on_close, NULL);
	return 0;
}

static const struct varlink_method methods[] = {
	{"Echo", handle_echo},
	{"Count", handle_count},
	{"Wait", handle_wait},
	{},
};
static const struct varlink_interface interface = {"org.test", "interface org.test\n", methods};
static const struct varlink_interface *const interfaces[] = {&interface, NULL};
static const struct varlink_identity identity = {"v", "p", "1", "u"};

/* ---- a server and one client of it ---- */

static sd_event *loop;
static struct varlink_server *server;
static struct frame_buffer replies;
static int client;

static void turn(void)
{
	for (int i = 0; i < 200; i++)
		assert_true(sd_event_run(loop, 0) >= 0);
}

static int connect_one(void)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	assert_int_equal(varlink_server_adopt(server, fds[0]), 0);
	return fds[1];
}

static int setup(void **state)
{
	kept = NULL;
	closed = counted = 0;
	assert_int_equal(sd_event_new(&loop), 0);
	assert_int_equal(varlink_server_new(loop, &identity, interfaces, NULL, &server), 0);
	frame_init(&replies, 16 << 20);
	client = connect_one();
	return 0;
}

static int teardown(void **state)
{
	varlink_call_unref(kept);
	varlink_server_free(server);
	sd_event_unref(loop);
	frame_uninit(&replies);
	closep(&client);
	client = -1;
	return 0;
}

static void ask_bytes(const void *bytes, size_t size)
{
	assert_int_equal(send(client, bytes, size, MSG_NOSIGNAL), size);
	turn();
}

static void ask(const char *text)
{
	ask_bytes(text, strlen(text) + 1);
}

/* The next reply; NULL: none. The caller frees it. */
static json_t *reply(void)
{
	json_t *message = NULL;

	turn();
	while (!frame_waiting(&replies) && frame_recv(&replies, client) > 0)
		turn();
	assert_true(frame_next(&replies, &message) >= 0);
	return message;
}

static void assert_hung_up(void)
{
	turn();
	assert_int_equal(frame_recv(&replies, client), 0);
	assert_int_equal(varlink_server_clients(server), 0);
}

static void assert_error(const char *expected, const char *key, const char *value)
{
	json_auto_t *message = reply();

	assert_non_null(message);
	assert_string_equal(json_string_value(json_object_get(message, "error")), expected);
	assert_string_equal(
		json_string_value(json_object_get(json_object_get(message, "parameters"), key)),
		value);
}

static void assert_text(const char *key, const char *expected)
{
	json_auto_t *message = reply();
	const json_t *parameters = json_object_get(message, "parameters");

	assert_null(json_object_get(message, "error"));
	assert_string_equal(json_string_value(json_object_get(parameters, key)), expected);
}

/* ---- describing itself ---- */

static void tells_what_it_is(void **state)
{
	json_auto_t *message = NULL;

	ask("{\"method\":\"org.varlink.service.GetInfo\"}");
	message = reply();
	assert_int_equal(json_array_size(json_object_get(json_object_get(message, "parameters"),
							 "interfaces")),
			 2);
	ask("{\"method\":\"org.varlink.service.GetInterfaceDescription\","
	    "\"parameters\":{\"interface\":\"org.test\"}}");
	assert_text("description", "interface org.test\n");
	ask("{\"method\":\"org.varlink.service.GetInterfaceDescription\","
	    "\"parameters\":{\"interface\":\"org.other\"}}");
	assert_error("org.varlink.service.InterfaceNotFound", "interface", "org.other");
}

static void describes_every_method_it_has(void **state)
{
	char line[128];

	for (const struct varlink_method *m = control_interface.methods; m->name; m++) {
		snprintf(line, sizeof(line), "\nmethod %s(", m->name);
		assert_non_null(strstr(control_interface.description, line));
	}
	assert_ptr_equal(control_interface.description, control_interface_text);
	assert_non_null(strstr(control_interface_text, "\ninterface io.recoverd.Control\n"));
}

/* ---- calls ---- */

static void answers_a_call(void **state)
{
	ask("{\"method\":\"org.test.Echo\",\"parameters\":{\"text\":\"hi\"}}");
	assert_text("text", "hi");
}

static void answers_calls_in_their_order(void **state)
{
	static const char both[] = "{\"method\":\"org.test.Wait\"}\0"
				   "{\"method\":\"org.test.Echo\",\"parameters\":{\"text\":\"2\"}}";

	ask_bytes(both, sizeof(both));
	assert_null(reply());
	varlink_reply(kept, json_pack("{s:s}", "text", "1"), false);
	assert_text("text", "1");
	assert_text("text", "2");
}

static void a_null_parameter_is_absent(void **state)
{
	ask("{\"method\":\"org.test.Echo\",\"parameters\":{\"text\":\"a\",\"flag\":null}}");
	assert_text("text", "a");
}

static void names_the_parameter_that_is_wrong(void **state)
{
	static const struct {
		const char *parameters, *wrong;
	} calls[] = {
		{"{}", "text"},
		{"{\"text\":null}", "text"},
		{"{\"text\":1}", "text"},
		{"{\"text\":\"a\",\"flag\":1}", "flag"},
		{"{\"text\":\"a\",\"number\":-1}", "number"},
		{"{\"text\":\"a\",\"number\":101}", "number"},
		{"{\"text\":\"a\",\"number\":1.5}", "number"},
		{"{\"text\":\"a\",\"other\":1}", "other"},
		{"[]", "parameters"},
		{"7", "parameters"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		_cleanup_free_ char *text = NULL;

		assert_true(asprintf(&text, "{\"method\":\"org.test.Echo\",\"parameters\":%s}",
				     calls[i].parameters) > 0);
		ask(text);
		assert_error("org.varlink.service.InvalidParameter", "parameter", calls[i].wrong);
	}
}

static void refuses_what_it_does_not_have(void **state)
{
	ask("{\"method\":\"org.test.Nothing\"}");
	assert_error("org.varlink.service.MethodNotFound", "method", "org.test.Nothing");
	ask("{\"method\":\"org.nothing.Echo\"}");
	assert_error("org.varlink.service.InterfaceNotFound", "interface", "org.nothing");
	ask("{\"method\":\"Echo\"}");
	assert_error("org.varlink.service.InvalidParameter", "parameter", "method");
	ask("{\"method\":\"org.varlink.service.Nothing\"}");
	assert_error("org.varlink.service.MethodNotFound", "method", "org.varlink.service.Nothing");
}

static void refuses_calls_of_another_shape(void **state)
{
	static const char *const calls[] = {
		"{}",
		"{\"method\":1}",
		"{\"method\":\"org.test.Count\",\"more\":1}",
		"{\"method\":\"org.test.Count\",\"more\":true,\"oneway\":true}",
		"{\"method\":\"org.test.Count\",\"upgrade\":true}",
		"{\"method\":\"org.test.Count\",\"unknown\":1}",
	};

	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		ask(calls[i]);
		assert_error("org.varlink.service.InvalidParameter", "parameter", "method");
	}
	assert_int_equal(counted, 0);
}

static void a_oneway_call_has_no_answer(void **state)
{
	ask("{\"method\":\"org.test.Count\",\"oneway\":true}");
	ask("{\"method\":\"org.test.Nothing\",\"oneway\":true}");
	ask("{\"method\":\"org.test.Echo\",\"parameters\":{\"text\":\"x\"}}");
	assert_text("text", "x");
	assert_int_equal(counted, 1);
}

static void a_oneway_call_is_done_though_its_client_leaves(void **state)
{
	static const char call[] = "{\"method\":\"org.test.Count\",\"oneway\":true}";

	assert_int_equal(send(client, call, sizeof(call), 0), sizeof(call));
	closep(&client);
	client = -1;
	turn();
	assert_int_equal(counted, 1);
	assert_int_equal(varlink_server_clients(server), 0);
}

static void answers_one_that_stopped_sending(void **state)
{
	ask("{\"method\":\"org.test.Wait\"}");
	assert_int_equal(shutdown(client, SHUT_WR), 0);
	turn();
	varlink_reply(kept, json_pack("{s:s}", "text", "late"), false);
	assert_text("text", "late");
	assert_hung_up();
}

/* ---- bad clients ---- */

static void hangs_up_on_nonsense(void **state)
{
	static const char *const nonsense[] = {
		"",
		"GET / HTTP/1.1",
		"[]",
		"{\"method\":\"org.test.Count\"",
		"{\"method\":\"org.test.Count\",\"method\":\"org.test.Count\"}",
	};

	for (size_t i = 0; i < ARRAY_SIZE(nonsense); i++) {
		ask(nonsense[i]);
		assert_hung_up();
		close(client);
		client = connect_one();
	}
	assert_int_equal(counted, 0);
}

static void hangs_up_on_an_endless_message(void **state)
{
	_cleanup_free_ char *text = malloc(VARLINK_MESSAGE_MAX + 65536);
	size_t sent = 0;
	ssize_t n;

	memset(text, ' ', VARLINK_MESSAGE_MAX + 65536);
	while (sent < VARLINK_MESSAGE_MAX + 65536) {
		n = send(client, text + sent, VARLINK_MESSAGE_MAX + 65536 - sent,
			 MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0 && errno != EAGAIN)
			break;
		sent += n > 0 ? (size_t)n : 0;
		turn();
	}
	assert_true(n < 0);
	assert_int_equal(varlink_server_clients(server), 0);
}

static void takes_a_large_message_bit_by_bit(void **state)
{
	_cleanup_free_ char *text = NULL, *padding = calloc(1, 300001);
	size_t sent = 0, size;
	ssize_t n;

	memset(padding, 'y', 300000);
	assert_true(asprintf(&text,
			     "{\"method\":\"org.test.Echo\",\"parameters\":{\"text\":\"%s\"}}",
			     padding) > 0);
	size = strlen(text) + 1;
	while (sent < size) {
		n = send(client, text + sent, size - sent < 999 ? size - sent : 999, MSG_DONTWAIT);
		if (n > 0)
			sent += (size_t)n;
		(void)sd_event_run(loop, 0);
	}
	for (int i = 0; i < 20; i++)
		turn();
	assert_text("text", padding);
}

static void takes_no_more_clients_than_it_should(void **state)
{
	int fds[VARLINK_CLIENTS_MAX], extra[2];

	for (int i = 1; i < VARLINK_CLIENTS_MAX; i++)
		fds[i] = connect_one();
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, extra), 0);
	assert_int_equal(varlink_server_adopt(server, extra[0]), -EUSERS);
	assert_int_equal(recv(extra[1], fds, 1, 0), 0);
	close(extra[1]);
	for (int i = 1; i < VARLINK_CLIENTS_MAX; i++)
		close(fds[i]);
	turn();
	assert_int_equal(varlink_server_clients(server), 1);
}

/* ---- streams ---- */

static void a_stream_continues_until_it_ends(void **state)
{
	json_auto_t *first = NULL, *last = NULL;

	ask("{\"method\":\"org.test.Wait\",\"more\":true}");
	assert_true(varlink_call_more(kept));
	assert_int_equal(varlink_reply(kept, NULL, true), 0);
	assert_int_equal(varlink_reply(kept, NULL, false), 0);
	first = reply();
	last = reply();
	assert_true(json_is_true(json_object_get(first, "continues")));
	assert_null(json_object_get(last, "continues"));
	assert_false(varlink_call_alive(kept));
	assert_int_equal(varlink_reply(kept, NULL, true), -ENOTCONN);
}

static void a_reader_that_does_not_read_misses_events(void **state)
{
	_cleanup_free_ char *text = calloc(1, 1001);
	int given = 0, dropped = 0, got = 0;

	memset(text, 'z', 1000);
	ask("{\"method\":\"org.test.Wait\",\"more\":true}");
	for (int i = 0; i < 10000; i++) {
		int r = varlink_reply(kept, json_pack("{s:s}", "text", text), true);

		assert_true(r == 0 || r == -ENOBUFS);
		given += r == 0;
		dropped += r != 0;
	}
	assert_true(given > 0 && dropped > 0);
	/* The end still gets through, and so does all that was not dropped. */
	assert_int_equal(varlink_reply(kept, json_pack("{s:s}", "text", "end"), false), 0);
	for (;;) {
		json_auto_t *message = reply();

		assert_non_null(message);
		if (!json_object_get(message, "continues"))
			break;
		got++;
	}
	assert_int_equal(got, given);
}

static void a_call_outlives_its_client(void **state)
{
	ask("{\"method\":\"org.test.Wait\",\"more\":true}");
	assert_true(varlink_call_alive(kept));
	closep(&client);
	client = -1;
	turn();
	assert_int_equal(closed, 1);
	assert_false(varlink_call_alive(kept));
	assert_int_equal(varlink_reply(kept, NULL, false), -ENOTCONN);
}

static void a_call_outlives_its_server(void **state)
{
	ask("{\"method\":\"org.test.Wait\"}");
	varlink_server_free(server);
	server = NULL;
	assert_int_equal(closed, 1);
	assert_int_equal(varlink_error(kept, "org.test.Late", NULL), -ENOTCONN);
}

/* ---- the socket ---- */

static void only_its_user_may_connect(void **state)
{
	char path[] = "/tmp/test_varlink.XXXXXX/socket";
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct stat st;
	int fd;

	*strrchr(path, '/') = '\0';
	assert_non_null(mkdtemp(path));
	path[strlen(path)] = '/';
	/* A stale socket is in nobody's way. */
	strcpy(address.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	close(fd);

	assert_int_equal(varlink_server_listen(server, path), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);

	close(client);
	client = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(connect(client, (struct sockaddr *)&address, sizeof(address)), 0);
	turn();
	ask("{\"method\":\"org.test.Wait\"}");
	assert_int_equal(varlink_call_uid(kept), getuid());
	assert_int_equal(varlink_call_pid(kept), getpid());

	varlink_server_close(server);
	assert_int_equal(stat(path, &st), -1);
	*strrchr(path, '/') = '\0';
	assert_int_equal(rmdir(path), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(tells_what_it_is),
		TEST(describes_every_method_it_has),
		TEST(answers_a_call),
		TEST(answers_calls_in_their_order),
		TEST(a_null_parameter_is_absent),
		TEST(names_the_parameter_that_is_wrong),
		TEST(refuses_what_it_does_not_have),
		TEST(refuses_calls_of_another_shape),
		TEST(a_oneway_call_has_no_answer),
		TEST(a_oneway_call_is_done_though_its_client_leaves),
		TEST(answers_one_that_stopped_sending),
		TEST(hangs_up_on_nonsense),
		TEST(hangs_up_on_an_endless_message),
		TEST(takes_a_large_message_bit_by_bit),
		TEST(takes_no_more_clients_than_it_should),
		TEST(a_stream_continues_until_it_ends),
		TEST(a_reader_that_does_not_read_misses_events),
		TEST(a_call_outlives_its_client),
		TEST(a_call_outlives_its_server),
		TEST(only_its_user_may_connect),
	};

	return cmocka_run_group_tests_name("varlink", tests, NULL, NULL);
}
