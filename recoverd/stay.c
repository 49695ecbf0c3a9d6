// SPDX-License-Identifier: GPL-2.0-or-later
/* Asks the BPF programs who is in a driver's code. */
#include "stay.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/perf_event.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cleanup.h"
#include "log.h"
#include "programs.h"

#define LOOK_NS 1000000000

struct stays {
	int tasks; /* the iterator's link */
	int cpus;  /* the map */
	int look;  /* the program that looks at a CPU */
	int n_cpus;
	int clocks[]; /* one a CPU, or -1 */
};

static int clock_open(int cpu, int program)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_SW_CPU_CLOCK,
		.sample_period = LOOK_NS,
	};
	_cleanup_close_ int fd = -1;

	fd = (int)syscall(SYS_perf_event_open, &attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);
	if (fd < 0 || ioctl(fd, PERF_EVENT_IOC_SET_BPF, program) < 0)
		return -errno;
	return TAKE_FD(fd);
}

int stays_new(struct stays **ret_stays)
{
	int n_cpus = libbpf_num_possible_cpus(), r = 0;
	struct stays *stays;

	if (n_cpus < 0)
		return n_cpus;
	stays = calloc(1, sizeof(*stays) + (size_t)n_cpus * sizeof(*stays->clocks));
	if (!stays)
		return -ENOMEM;
	stays->tasks = programs_open("base/tasks");
	stays->cpus = programs_open("map_stay_on_cpu");
	stays->look = programs_open("program_look_at_cpu");
	for (; stays->n_cpus < n_cpus; stays->n_cpus++) {
		r = clock_open(stays->n_cpus, stays->look);
		stays->clocks[stays->n_cpus] = r;
		/* One that is offline, and thus idle, has no such device. */
		if (r < 0 && r != -ENODEV)
			log_errno(LOG_WARNING, r, "CPU %d can't be looked at: %m", stays->n_cpus);
	}
	*ret_stays = stays;
	return 0;
}

void stays_free(struct stays *stays)
{
	if (!stays)
		return;
	for (int i = 0; i < stays->n_cpus; i++)
		closep(&stays->clocks[i]);
	closep(&stays->tasks);
	closep(&stays->cpus);
	closep(&stays->look);
	free(stays);
}

int stays_tasks(struct stays *stays, void (*on_stay)(void *ctx, const struct recov_stay *stay),
		void *ctx)
{
	_cleanup_close_ int fd = -1;
	struct recov_stay found[64]; /* the kernel gives whole ones */
	ssize_t n;

	fd = bpf_iter_create(stays->tasks);
	if (fd < 0)
		return -errno;
	while ((n = read(fd, found, sizeof(found))) != 0) {
		/* So many tasks, but none of them in a driver. */
		if (n < 0 && errno == EAGAIN)
			continue;
		if (n < 0)
			return -errno;
		for (size_t i = 0; i < (size_t)n / sizeof(*found); i++)
			on_stay(ctx, &found[i]);
	}
	return 0;
}

int stays_cpus(struct stays *stays, void (*on_stay)(void *ctx, const struct recov_stay *stay),
	       void *ctx)
{
	_cleanup_free_ struct recov_stay *values = NULL;
	__u32 zero = 0;

	values = calloc((size_t)stays->n_cpus, sizeof(*values));
	if (!values)
		return -ENOMEM;
	if (bpf_map_lookup_elem(stays->cpus, &zero, values) < 0)
		return -errno;
	for (int i = 0; i < stays->n_cpus; i++) {
		if (values[i].since_ns)
			on_stay(ctx, &values[i]);
	}
	return 0;
}
