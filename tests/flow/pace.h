/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How many messages may be sent by now, given a rate. */
#ifndef FLOW_PACE_H
#define FLOW_PACE_H

#include <stdint.h>

struct pace {
	uint64_t rate;	  /* messages a second; 0: without a limit */
	uint64_t last_ns; /* CLOCK_MONOTONIC */
	uint64_t credit;  /* message-nanoseconds: 1e9 of them are one message */
};

/* Adds what the time since the last call is worth. What could not be sent in a pause is not made
 * up for: the credit never exceeds 50 ms, so that a pause is not followed by a burst. */
void pace_refill(struct pace *pace, uint64_t now_ns);
/* Takes one message; 0 if none is due. */
int pace_take(struct pace *pace);
/* Gives back a message that could not be sent. */
void pace_return(struct pace *pace);

#endif /* FLOW_PACE_H */
