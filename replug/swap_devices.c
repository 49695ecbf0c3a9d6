// SPDX-License-Identifier: LGPL-2.1-or-later
/* What the shadow module tells of a swap's devices. */
#include "swap.h"

#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>

uint64_t swap_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

int swap_verb(struct swap *s, unsigned long request, void *arg)
{
	return ioctl(s->fd, request, arg) < 0 ? -errno : 0;
}

int swap_failed(struct swap *s, int r, const char *fmt, ...)
{
	char text[sizeof(s->result->error.text)];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return replug_fail(&s->result->error, REPLUG_FAULT_FAILED, r, "%s", text);
}

int swap_device(struct swap *s, uint32_t index, struct recov_device *d)
{
	*d = (struct recov_device){.index = index, .flags = RECOV_DEVICE_OF_SWAP};
	return swap_verb(s, RECOV_IOC_DEVICE, d);
}

uint32_t swap_devices_left_out(struct swap *s)
{
	struct recov_device d;
	uint32_t left_out = 0;

	for (uint32_t i = 0; !swap_device(s, i, &d); i++)
		left_out |= d.left_out;
	return left_out;
}

uint64_t swap_devices_mark(struct swap *s, enum recov_mark mark)
{
	struct recov_device d;
	uint64_t latest = 0;

	for (uint32_t i = 0; !swap_device(s, i, &d); i++) {
		if (!d.mark_ns[mark])
			return swap_now_ns();
		if (d.mark_ns[mark] > latest)
			latest = d.mark_ns[mark];
	}
	return latest ? latest : swap_now_ns();
}

uint64_t swap_devices_first_mark(struct swap *s, enum recov_mark mark)
{
	uint64_t earliest = swap_now_ns();
	struct recov_device d;

	for (uint32_t i = 0; !swap_device(s, i, &d); i++)
		if (d.mark_ns[mark] > s->phase_start_ns && d.mark_ns[mark] < earliest)
			earliest = d.mark_ns[mark];
	return earliest;
}

void swap_devices_not_held(struct swap *s, int r)
{
	struct recov_device d;

	for (uint32_t i = 0; !swap_device(s, i, &d); i++) {
		if (d.error && d.reason[0]) {
			swap_failed(s, r, "%s of %s could not be held: %.*s", d.object, d.device,
				    (int)sizeof(d.reason), d.reason);
			return;
		}
	}
	swap_failed(s, r, "the devices of %s could not be held: %s", s->modules[0].name,
		    strerror(-r));
}

int swap_test_kept(struct swap *s, const struct recov_device *d)
{
	return d->state == RECOV_DEV_KEPT || d->state == RECOV_DEV_RELEASED;
}

int swap_test_bound(struct swap *s, const struct recov_device *d)
{
	if (d->state == RECOV_DEV_BOUND)
		return 1;
	if (d->error && (d->state == RECOV_DEV_KEPT || d->state == RECOV_DEV_ADOPTED))
		return swap_failed(s, d->error, "%s of %s did not come back: %.*s", d->object,
				   d->device, (int)sizeof(d->reason), d->reason);
	return 0;
}

int swap_test_link(struct swap *s, const struct recov_device *d)
{
	return d->link || !d->link_before;
}

static int devices_test(struct swap *s, swap_device_test test, const char **ret_missing)
{
	static _Thread_local char missing[RECOV_NAME_LEN];
	struct recov_device d;
	int r;

	for (uint32_t i = 0; !swap_device(s, i, &d); i++) {
		r = test(s, &d);
		if (r > 0)
			continue;
		memcpy(missing, d.object, sizeof(missing));
		missing[sizeof(missing) - 1] = '\0';
		*ret_missing = missing;
		return r;
	}
	return 1;
}

int swap_devices_wait(struct swap *s, swap_device_test test, uint32_t limit_ms,
		      const char **ret_missing)
{
	uint64_t limit = swap_now_ns() + (uint64_t)limit_ms * 1000000u, now;
	int r;

	for (;;) {
		struct pollfd pollfd = {.fd = s->fd, .events = POLLIN};

		r = devices_test(s, test, ret_missing);
		if (r)
			return r < 0 ? r : 0;
		now = swap_now_ns();
		if (now >= limit)
			return -ETIMEDOUT;
		/* At most 50 ms: usability is a level, not only an event. */
		now = (limit - now) / 1000000u + 1;
		(void)poll(&pollfd, 1, now > 50 ? 50 : (int)now);
	}
}
