/* SPDX-License-Identifier: GPL-2.0 */
/* What programs ask the faulty drivers. */
#ifndef FAULTY_IOCTL_H
#define FAULTY_IOCTL_H

#include <linux/ioctl.h>
#include <linux/types.h>

/* A network card, by SIOCDEVPRIVATE with ifr_data: what it has carried since it was probed. */
struct faulty_net_state {
	__u64 sent; /* frames */
	__u64 received;
};

/* /dev/faulty: all of it zero, and how many calls there were, opens and releases included. */
#define FAULTY_CHAR_CLEAR _IO('F', 0)
#define FAULTY_CHAR_CALLS _IOR('F', 1, __u64)

#endif
