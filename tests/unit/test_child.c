// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Processes with a time limit, what scripts answer, and devices that are bound anew in a sysfs of
 * files.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../recoverd/child.h"
#include "../../recoverd/cleanup.h"
#include "../../recoverd/rebind.h"
#include "../../recoverd/script.h"

static sd_event *loop;
static struct child_result result;
static bool is_done;
static pid_t *others; /* that children have started, shared with them */

static int setup(void **state)
{
	sigset_t mask;

	sigemptyset(&mask);
	sigaddset(&mask, SIGCHLD);
	others = mmap(NULL, sizeof(*others), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	if (sigprocmask(SIG_BLOCK, &mask, NULL) < 0 || others == MAP_FAILED)
		return -1;
	*others = 0;
	return sd_event_new(&loop) < 0 ? -1 : 0;
}

static int teardown(void **state)
{
	sd_event_unref(loop);
	return munmap(others, sizeof(*others));
}

static void on_done(void *ctx, const struct child_result *ended)
{
	result = *ended;
	is_done = true;
}

static void run(int (*work)(const void *arg), const void *arg, unsigned limit_ms)
{
	struct child *child;

	is_done = false;
	assert_int_equal(child_new(loop, work, arg, limit_ms, on_done, NULL, &child), 0);
	while (!is_done)
		assert_true(sd_event_run(loop, UINT64_MAX) >= 0);
}

static int speak(const void *arg)
{
	printf("%s", (const char *)arg);
	fflush(stdout);
	return 3;
}

static int speak_for_long(const void *arg)
{
	for (int i = 0; i < 3000; i++)
		printf("restart restart restart restart restart restart\n");
	fflush(stdout);
	return 0;
}

static void start_another(void)
{
	pid_t pid = fork();

	while (pid == 0 && pause() < 0)
		;
	*others = pid;
}

static int hang(const void *arg)
{
	(void)signal(SIGTERM, SIG_IGN);
	start_another();
	while (pause() < 0)
		;
	return 0;
}

static int stay_behind(const void *arg)
{
	start_another();
	return 0;
}

static int kill_itself(const void *arg)
{
	return raise(SIGKILL);
}

static void a_child_tells_its_status_and_what_it_said(void **state)
{
	run(speak, "one device has\nno reset", 10000);
	assert_int_equal(result.status, 3);
	assert_false(result.late);
	assert_string_equal(result.said, "one device has\nno reset");
}

static void what_it_says_too_much_is_dropped(void **state)
{
	run(speak_for_long, NULL, 20000);
	assert_int_equal(result.status, 0);
	assert_int_equal(strlen(result.said), CHILD_SAID_MAX - 1);
}

static void a_signal_is_no_status(void **state)
{
	run(kill_itself, NULL, 10000);
	assert_int_equal(result.status, -1);
	assert_false(result.late);
}

/* Nobody may be there to reap it: it has ended when it is a zombie, too. */
static bool has_ended(pid_t pid)
{
	_cleanup_fclose_ FILE *file = NULL;
	char path[64], state = 'Z';

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	file = fopen(path, "r");
	return !file || fscanf(file, "%*d (%*[^)]) %c", &state) != 1 || state == 'Z' ||
	       state == 'X';
}

static void assert_other_ends(void)
{
	assert_true(*others > 0);
	for (int i = 0; i < 500 && !has_ended(*others); i++)
		usleep(10000);
	assert_true(has_ended(*others));
}

static void one_that_hangs_is_ended_with_its_children(void **state)
{
	run(hang, NULL, 300);
	assert_true(result.late);
	assert_false(result.stuck);
	assert_int_equal(result.status, -1);
	assert_other_ends();
}

static void what_it_leaves_running_is_ended(void **state)
{
	run(stay_behind, NULL, 10000);
	assert_int_equal(result.status, 0);
	assert_false(result.late);
	assert_other_ends();
}

static const char *answer(const char *said, int status, bool late, struct policy_step *step)
{
	struct child_result told = {.late = late, .status = status};

	snprintf(told.said, sizeof(told.said), "%s", said);
	return script_answer(&told, step);
}

static void a_script_names_a_step(void **state)
{
	struct policy_step step;

	assert_null(answer("restart\nmore\n", 0, false, &step));
	assert_int_equal(step.action, POLICY_RESTART);
	assert_null(answer("  none", 0, false, &step));
	assert_int_equal(step.action, POLICY_NONE);
	assert_null(answer("replug:/usr/bin/true\n", 0, false, &step));
	assert_int_equal(step.action, POLICY_REPLUG);
	assert_string_equal(step.path, "/usr/bin/true");
	free(step.path);
}

static void what_is_no_answer_is_told(void **state)
{
	struct policy_step step;

	assert_non_null(strstr(answer("", 0, false, &step), "did not say"));
	assert_non_null(strstr(answer("\nrestart", 0, false, &step), "did not say"));
	assert_non_null(strstr(answer("restart", 1, false, &step), "has failed"));
	assert_non_null(strstr(answer("restart", 127, false, &step), "could not be run"));
	assert_non_null(strstr(answer("restart", -1, false, &step), "signal"));
	assert_non_null(strstr(answer("restart", -1, true, &step), "in time"));
	assert_non_null(strstr(answer("reboot", 0, false, &step), "no step"));
	assert_non_null(strstr(answer("replug:old.ko", 0, false, &step), "no step"));
	assert_non_null(strstr(answer("script:/usr/bin/true", 0, false, &step), "another script"));
}

/* ---- rebinding ---- */

static char sysfs[] = "/tmp/test_child.XXXXXX";

static int setup_sysfs(void **state)
{
	char command[1024];

	strcpy(strrchr(sysfs, '.'), ".XXXXXX");
	if (setup(state) < 0 || !mkdtemp(sysfs))
		return -1;
	snprintf(command, sizeof(command),
		 "cd %s && mkdir -p bus/pci/devices/0000:00:02.0 bus/pci/devices/0000:00:03.0 "
		 "bus/pci/drivers/e1000 module/e1000/drivers && "
		 "ln -s ../../../bus/pci/drivers/e1000 module/e1000/drivers/pci:e1000 && "
		 "cd bus/pci/drivers/e1000 && ln -s ../../../../module/e1000 module && "
		 "ln -s ../../devices/0000:00:02.0 . && ln -s ../../devices/0000:00:03.0 . && "
		 "touch bind unbind ../../devices/0000:00:02.0/reset",
		 sysfs);
	return system(command);
}

static int teardown_sysfs(void **state)
{
	char command[96];

	snprintf(command, sizeof(command), "rm -r %s", sysfs);
	return teardown(state) || system(command);
}

static off_t written(const char *file)
{
	char path[256];
	struct stat st;

	snprintf(path, sizeof(path), "%s/bus/pci/%s", sysfs, file);
	assert_return_code(stat(path, &st), errno);
	return st.st_size;
}

static void devices_are_unbound_and_bound(void **state)
{
	struct rebind how = {.sysfs = sysfs, .driver = "e1000", .kind = REBIND_AGAIN};

	run(rebind_run, &how, 10000);
	assert_string_equal(result.said, "");
	assert_int_equal(result.status, 0);
	assert_int_equal(written("drivers/e1000/unbind"), strlen("0000:00:02.0"));
	assert_int_equal(written("drivers/e1000/bind"), strlen("0000:00:02.0"));
	assert_int_equal(written("devices/0000:00:02.0/reset"), 0);
}

static void nothing_is_done_if_a_device_has_no_reset(void **state)
{
	struct rebind how = {.sysfs = sysfs, .driver = "e1000", .kind = REBIND_RESET};

	run(rebind_run, &how, 10000);
	assert_string_equal(result.said, "0000:00:03.0 has no reset of its own");
	assert_int_not_equal(result.status, 0);
	assert_int_equal(written("drivers/e1000/unbind"), 0);
}

static void a_driver_that_is_given_up_is_not_bound_again(void **state)
{
	struct rebind how = {.sysfs = sysfs, .driver = "e1000", .kind = REBIND_NEVER};

	run(rebind_run, &how, 10000);
	assert_int_equal(result.status, 0);
	assert_true(written("drivers/e1000/unbind") > 0);
	assert_int_equal(written("drivers/e1000/bind"), 0);
	how.driver = "igb";
	run(rebind_run, &how, 10000);
	assert_non_null(strstr(result.said, "the devices of igb can't be listed"));
}

#define TEST(name)	 cmocka_unit_test_setup_teardown(name, setup, teardown)
#define SYSFS_TEST(name) cmocka_unit_test_setup_teardown(name, setup_sysfs, teardown_sysfs)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_child_tells_its_status_and_what_it_said),
		TEST(what_it_says_too_much_is_dropped),
		TEST(a_signal_is_no_status),
		TEST(one_that_hangs_is_ended_with_its_children),
		TEST(what_it_leaves_running_is_ended),
		TEST(a_script_names_a_step),
		TEST(what_is_no_answer_is_told),
		SYSFS_TEST(devices_are_unbound_and_bound),
		SYSFS_TEST(nothing_is_done_if_a_device_has_no_reset),
		SYSFS_TEST(a_driver_that_is_given_up_is_not_bound_again),
	};

	return cmocka_run_group_tests_name("child", tests, NULL, NULL);
}
