/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether the driver of a network device answers. For a process of its own: a driver that hangs does
 * not let go of it. */
#ifndef RECOVERD_LIVENESS_H
#define RECOVERD_LIVENESS_H

/* Calls into the driver of each network device of the device in folder that is in this network
 * namespace, for what they tell; and if it holds packets that it was to send, looks for up to wait_ms
 * whether it sends any. 0: all live; -ETIME: one sends nothing; -errno: one fails calls. */
int liveness_check_net(const char *folder, const char *device, unsigned wait_ms);

#endif
