// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * recoverd and recovctl as they are built, together, on a machine without the shadow module: how
 * they start, answer, refuse and end. Swaps are tested in guests.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <jansson.h>
#include <libgen.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "../../recoverd/cleanup.h"

static char built[PATH_MAX]; /* where the programs are */
static char folder[] = "/tmp/test_daemon.XXXXXX";
static char out[65536];

/* Runs a shell line in which $D, $recoverd and $recovctl are set; returns its exit status. What it
 * prints is in out. */
__attribute__((format(printf, 1, 2))) static int run(const char *format, ...)
{
	char line[8192];
	size_t used;
	int status;
	va_list ap;
	FILE *pipe;

	used = (size_t)snprintf(line, sizeof(line),
				"D=%s; recoverd=\"%s/recoverd --runtime-dir $D/run\"; "
				"recovctl=\"%s/recovctl --socket $D/run/io.recoverd.Control\"; ",
				folder, built, built);
	va_start(ap, format);
	vsnprintf(line + used, sizeof(line) - used, format, ap);
	va_end(ap);
	pipe = popen(line, "r");
	assert_non_null(pipe);
	used = fread(out, 1, sizeof(out) - 1, pipe);
	out[used] = '\0';
	status = pclose(pipe);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void assert_printed(const char *text)
{
	if (!strstr(out, text))
		fail_msg("\"%s\" is not in:\n%s", text, out);
}

static void start(void)
{
	assert_int_equal(run("$recoverd --background --events $D/events 2>&1"), 0);
}

static pid_t daemon_pid(void)
{
	char path[64], line[32] = "";
	_cleanup_fclose_ FILE *file = NULL;

	snprintf(path, sizeof(path), "%s/run/lock", folder);
	file = fopen(path, "r");
	return file && fgets(line, sizeof(line), file) ? (pid_t)atoi(line) : 0;
}

static bool is_alive(pid_t pid)
{
	return pid > 0 && kill(pid, 0) == 0;
}

/* The daemon is nobody's child here. */
static bool ends(pid_t pid)
{
	for (int i = 0; i < 500; i++) {
		if (!is_alive(pid))
			return true;
		usleep(10000);
	}
	return false;
}

static bool printed_within_seconds(const char *line, const char *text)
{
	for (int i = 0; i < 100; i++) {
		(void)run("%s", line);
		if (strstr(out, text))
			return true;
		usleep(50000);
	}
	return false;
}

static int setup(void **state)
{
	strcpy(strrchr(folder, '.'), ".XXXXXX");
	return mkdtemp(folder) ? 0 : -1;
}

static int teardown(void **state)
{
	pid_t pid = daemon_pid();

	if (is_alive(pid)) {
		(void)kill(pid, SIGKILL);
		(void)ends(pid);
	}
	return run("rm -rf $D");
}

static json_t *asked(const char *verb)
{
	json_t *answer;

	assert_int_equal(run("$recovctl %s --json 2>/dev/null", verb), 0);
	answer = json_loads(out, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(answer);
	return answer;
}

static void skip_with_shadow(void)
{
	json_auto_t *status = asked("status");

	if (json_is_true(json_object_get(json_object_get(status, "shadow"), "present"))) {
		print_message("this machine has the shadow module\n");
		skip();
	}
}

/* ---- start and end ---- */

static void in_the_background_it_returns_when_ready(void **state)
{
	start();
	assert_true(is_alive(daemon_pid()));
	assert_int_equal(run("$recovctl status"), 0);
}

static void in_the_background_it_says_why_it_can_not_start(void **state)
{
	assert_int_equal(run("touch $D/run; $recoverd --background 2>&1"), 1);
	assert_printed("recoverd: ");
	assert_int_equal(run("rm $D/run; $recoverd --background --events /nonexistent/x 2>&1"), 1);
	assert_printed("Event output /nonexistent/x can't be opened: No such file or directory");
}

static void it_refuses_to_start_twice(void **state)
{
	char expected[64];

	start();
	assert_int_equal(run("$recoverd 2>&1"), 1);
	snprintf(expected, sizeof(expected), "Another recoverd is running, process %d",
		 (int)daemon_pid());
	assert_printed(expected);
	assert_int_equal(run("$recoverd --background 2>&1"), 1);
	assert_printed(expected);
	assert_int_equal(run("$recovctl status"), 0);
}

/* As when one that was killed still detaches its programs. */
static void it_waits_for_one_that_is_ending(void **state)
{
	assert_int_equal(run("mkdir -p $D/run; echo 1 >$D/run/lock; "
			     "flock $D/run/lock sleep 0.8 >&- & sleep 0.2; "
			     "flock -n $D/run/lock true"),
			 1);
	start();
	assert_true(is_alive(daemon_pid()));
}

static void it_ends_when_asked_and_leaves_no_socket(void **state)
{
	pid_t pid;

	start();
	pid = daemon_pid();
	assert_int_equal(kill(pid, SIGTERM), 0);
	assert_true(ends(pid));
	assert_int_equal(run("ls $D/run"), 0);
	assert_null(strstr(out, "Control"));
	assert_int_equal(run("tail -n 1 $D/events"), 0);
	assert_printed("\"event\":\"daemon.stopped\"");
	assert_printed("\"reason\":\"SIGTERM\"");
}

static void it_starts_again_after_it_was_killed(void **state)
{
	pid_t pid;

	start();
	pid = daemon_pid();
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_true(ends(pid));
	assert_int_equal(run("$recovctl status 2>&1"), 3);
	start();
	assert_int_equal(run("$recovctl status"), 0);
}

static void it_reloads_and_opens_its_output_anew(void **state)
{
	start();
	assert_int_equal(run("mv $D/events $D/old"), 0);
	assert_int_equal(kill(daemon_pid(), SIGHUP), 0);
	assert_true(printed_within_seconds("cat $D/events 2>/dev/null", "daemon.reloaded"));
}

static void it_writes_events_to_standard_output(void **state)
{
	assert_int_equal(run("timeout -s TERM 2 $recoverd --events - 2>/dev/null; true"), 0);
	assert_printed("\"event\":\"daemon.started\"");
	assert_printed("\"event\":\"daemon.stopped\"");
}

/* ---- what an earlier one has left ---- */

static void leave_intent(const char *boot_id)
{
	assert_int_equal(
		run("mkdir -p $D/run; umask 077; cat > $D/run/swap.json <<END\n"
		    "{\"schema\":\"recov.intent/1\",\"boot_id\":\"%s\",\"started\":\"t\","
		    "\"mono_ns\":1,\"driver\":\"nosuchdriver\",\"image\":null,\"modules\":[{"
		    "\"name\":\"nosuchdriver\",\"old_path\":\"/nonexistent.ko\","
		    "\"new_path\":\"/nonexistent.ko\",\"options\":\"\"}]}\nEND",
		    boot_id),
		0);
}

static void it_tells_of_a_swap_that_was_cut_off(void **state)
{
	leave_intent("$(cat /proc/sys/kernel/random/boot_id)");
	start();
	assert_true(printed_within_seconds("cat $D/events", "\"event\":\"swap.interrupted\""));
	/* Its driver can't be put back here: that is told, and not forgotten. */
	assert_true(printed_within_seconds("cat $D/events", "\"event\":\"driver.failed\""));
	assert_true(printed_within_seconds("$recovctl status", "Interrupted swap: nosuchdriver"));
	assert_int_equal(run("ls $D/run/swap.json"), 0);
}

static void it_forgets_what_was_before_the_reboot(void **state)
{
	leave_intent("00000000-0000-0000-0000-000000000000");
	start();
	assert_int_equal(run("ls $D/run"), 0);
	assert_null(strstr(out, "swap.json"));
	assert_int_equal(run("grep -c interrupted $D/events"), 1);
}

static void it_sets_a_damaged_intent_aside(void **state)
{
	assert_int_equal(run("mkdir -p $D/run; echo '{\"schema\":' > $D/run/swap.json"), 0);
	start();
	assert_int_equal(run("ls $D/run"), 0);
	assert_printed("swap.json.bad");
	assert_int_equal(run("$recovctl status"), 0);
}

/* ---- answers ---- */

static void every_answer_names_its_schema(void **state)
{
	static const struct {
		const char *verb, *schema;
	} verbs[] = {
		{"status", "recov.status/1"},
		{"devices", "recov.devices/1"},
	};

	start();
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++) {
		json_auto_t *answer = asked(verbs[i].verb);

		assert_string_equal(json_string_value(json_object_get(answer, "schema")),
				    verbs[i].schema);
	}
	assert_int_equal(run("$recovctl events --json"), 0);
	assert_printed("{\"schema\":\"recov.event/1\"");
}

static void without_the_shadow_a_swap_is_unsupported(void **state)
{
	json_auto_t *swap = NULL;

	start();
	skip_with_shadow();
	assert_int_equal(run("$recovctl replug e1000 --json"), 4);
	swap = json_loads(out, 0, NULL);
	assert_string_equal(json_string_value(json_object_get(swap, "outcome")), "refused");
	assert_string_equal(json_string_value(json_object_get(swap, "fault")), "unsupported");
	assert_int_equal(run("$recovctl replug e1000 2>&1"), 4);
	assert_printed("the shadow module is missing");
	assert_int_equal(run("$recovctl replug e1000 --check 2>&1"), 4);
	assert_int_equal(run("$recovctl replug e1000 --dry-run --json"), 4);
	assert_printed("\"schema\":\"recov.plan/1\"");
	assert_int_equal(run("$recovctl events"), 0);
	assert_printed("swap.refused e1000");
}

static void what_is_no_name_is_usage(void **state)
{
	start();
	assert_int_equal(run("$recovctl replug ../e1000 2>&1"), 2);
	assert_int_equal(run("$recovctl replug \"$(printf 'a\\033[2J')\" 2>&1"), 2);
	assert_null(strchr(out, '\033'));
	assert_int_equal(run("$recovctl devices nosuchdriver 2>&1"), 2);
	assert_printed("no driver nosuchdriver is loaded");
}

static void only_loaded_drivers_have_holders(void **state)
{
	start();
	assert_int_equal(run("$recovctl holders nosuchdriver 2>&1"), 2);
	assert_string_equal(out, "recovctl: no driver nosuchdriver is loaded\n");
	assert_int_equal(run("$recovctl holders ../e1000 2>&1"), 2);
	assert_int_equal(run("$recovctl holders \"$(printf 'a\\033[2J')\" 2>&1"), 2);
	assert_null(strchr(out, '\033'));
	/* In every kernel, and with parameters. */
	assert_int_equal(run("$recovctl holders printk 2>&1"), 5);
	assert_string_equal(out,
			    "recovctl: printk is built into the kernel and can't be taken out\n");
}

static void usage_errors_need_no_daemon(void **state)
{
	static const char *const bad[] = {
		"",
		"nonsense",
		"replug",
		"replug a b",
		"replug a --check --dry-run",
		"replug a --drain-limit 5",
		"replug a --drain-limit 11s",
		"replug a --to ''",
		"holders",
		"holders ''",
		"holders a b",
		"holders a --check",
		"status --follow",
		"status extra",
		"events --to x",
		"status --color=sometimes",
		"--nonsense",
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(run("$recovctl %s 2>/dev/null", bad[i]), 2);
		assert_string_equal(out, "");
	}
	assert_int_equal(run("$recovctl --help"), 0);
	assert_int_equal(run("$recovctl --version"), 0);
}

static void without_a_daemon_it_says_so(void **state)
{
	static const char *const verbs[] = {"status", "devices", "holders e1000", "replug e1000",
					    "events"};

	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++) {
		assert_int_equal(run("$recovctl %s 2>&1 >/dev/null", verbs[i]), 3);
		assert_printed("is recoverd running?");
	}
}

static void others_may_not_ask(void **state)
{
	start();
	if (getuid() != 0) {
		print_message("only root can be somebody else\n");
		skip();
	}
	assert_int_equal(run("chmod 755 $D; cp %s/recovctl $D; setpriv --reuid 65534 --regid 65534 "
			     "--clear-groups $D/recovctl --socket $D/run/io.recoverd.Control "
			     "replug e1000 2>&1",
			     built),
			 5);
	assert_printed("not permitted");
}

static void following_ends_well_with_ctrl_c(void **state)
{
	start();
	assert_int_equal(run("timeout -s INT --preserve-status 1 $recovctl events --follow"), 0);
	assert_printed("daemon.started");
}

static void legend_and_color_are_as_asked(void **state)
{
	start();
	assert_int_equal(run("$recovctl devices"), 0);
	assert_printed("OBJECT");
	assert_int_equal(run("$recovctl devices --no-legend"), 0);
	assert_null(strstr(out, "OBJECT"));
	assert_int_equal(run("$recovctl events --color=always"), 0);
	assert_printed("\033[");
	assert_int_equal(run("$recovctl events"), 0);
	assert_null(strchr(out, '\033'));
}

static void nonsense_on_the_socket_does_no_harm(void **state)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	unsigned char bytes[4096];
	unsigned seed = 1;
	int fd;

	start();
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/run/io.recoverd.Control", folder);
	for (int i = 0; i < 200; i++) {
		for (size_t k = 0; k < sizeof(bytes); k++)
			bytes[k] = (unsigned char)(rand_r(&seed) >> 8);
		fd = socket(AF_UNIX, SOCK_STREAM, 0);
		if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
			(void)send(fd, bytes, sizeof(bytes), MSG_NOSIGNAL | MSG_DONTWAIT);
		close(fd);
	}
	assert_int_equal(run("$recovctl status"), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(in_the_background_it_returns_when_ready),
		TEST(in_the_background_it_says_why_it_can_not_start),
		TEST(it_refuses_to_start_twice),
		TEST(it_waits_for_one_that_is_ending),
		TEST(it_ends_when_asked_and_leaves_no_socket),
		TEST(it_starts_again_after_it_was_killed),
		TEST(it_reloads_and_opens_its_output_anew),
		TEST(it_writes_events_to_standard_output),
		TEST(it_tells_of_a_swap_that_was_cut_off),
		TEST(it_forgets_what_was_before_the_reboot),
		TEST(it_sets_a_damaged_intent_aside),
		TEST(every_answer_names_its_schema),
		TEST(without_the_shadow_a_swap_is_unsupported),
		TEST(what_is_no_name_is_usage),
		TEST(only_loaded_drivers_have_holders),
		TEST(usage_errors_need_no_daemon),
		TEST(without_a_daemon_it_says_so),
		TEST(others_may_not_ask),
		TEST(following_ends_well_with_ctrl_c),
		TEST(legend_and_color_are_as_asked),
		TEST(nonsense_on_the_socket_does_no_harm),
	};
	char self[PATH_MAX];
	ssize_t n;

	/* build/tests/unit/test_daemon, and the programs in build/ */
	n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	if (n < 0)
		return 1;
	self[n] = '\0';
	strcpy(built, dirname(dirname(dirname(self))));
	snprintf(self, sizeof(self), "%.4000s/recoverd", built);
	if (access(self, X_OK) < 0) {
		puts("1..0 # SKIP recoverd is not built");
		return 0;
	}
	(void)unsetenv("NOTIFY_SOCKET");
	(void)unsetenv("NO_COLOR");
	return cmocka_run_group_tests_name("daemon", tests, NULL, NULL);
}
