/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/* What /dev/leaky understands. */
#ifndef LEAKY_IOCTL_H
#define LEAKY_IOCTL_H

#include <linux/ioctl.h>
#include <linux/types.h>

struct leaky_state {
	__u64 token; /* comes back as it is */
	__u32 mtu;
	__u32 open; /* how many have it open */
	__u64 sets; /* how often the MTU has been set */
};

#define LEAKY_SET_MTU	_IOW('L', 1, __u32)
#define LEAKY_GET_STATE _IOWR('L', 2, struct leaky_state)

#endif
