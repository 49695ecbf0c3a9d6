// SPDX-License-Identifier: GPL-2.0-or-later
/* A process of the lowest priority that spins while its parent waits for a disk. */
#include "awake.h"

#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* What both processes see. `turn` is odd while something is waited for. */
struct awake {
	_Atomic uint32_t turn, steps, limit_ms;
};

static struct awake *shared;
static pid_t spinner;

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void spin(uint32_t turn)
{
	uint32_t steps = atomic_load(&shared->steps);
	uint64_t begin = now_ms();

	while (atomic_load(&shared->turn) == turn) {
		uint32_t steps_now = atomic_load(&shared->steps);

		if (steps_now != steps) {
			steps = steps_now;
			begin = now_ms();
		} else if (now_ms() - begin > atomic_load(&shared->limit_ms)) {
			return;
		}
	}
}

static void sleep_while(uint32_t turn)
{
	while (atomic_load(&shared->turn) == turn)
		syscall(SYS_futex, &shared->turn, FUTEX_WAIT, turn, NULL, NULL, 0);
}

static void spin_for_ever(void)
{
	for (;;) {
		uint32_t turn = atomic_load(&shared->turn);

		if (turn % 2)
			spin(turn);
		sleep_while(turn);
	}
}

int awake_init(void)
{
	struct sched_param lowest = {};
	pid_t parent = getpid();

	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	if (shared == MAP_FAILED)
		return -1;
	spinner = fork();
	if (spinner)
		return spinner < 0 ? -1 : 0;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent || sched_setscheduler(0, SCHED_IDLE, &lowest) < 0)
		_exit(1);
	spin_for_ever();
	return 0;
}

void awake_uninit(void)
{
	kill(spinner, SIGKILL);
}

void awake_begin(unsigned limit_ms)
{
	atomic_store(&shared->limit_ms, limit_ms);
	atomic_fetch_add(&shared->turn, 1);
	syscall(SYS_futex, &shared->turn, FUTEX_WAKE, 1, NULL, NULL, 0);
}

void awake_go_on(void)
{
	atomic_fetch_add(&shared->steps, 1);
}

void awake_end(void)
{
	awake_begin(0);
}
