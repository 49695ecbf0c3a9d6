// SPDX-License-Identifier: GPL-2.0-or-later
/* How many messages may be sent by now: see pace.h. */
#include "pace.h"

#define MESSAGE	  1000000000ull
#define BURST_NS  50000000ull
#define LONGEST_S 1ull /* keeps rate * time within 64 bits */

void pace_refill(struct pace *pace, uint64_t now_ns)
{
	uint64_t passed = now_ns - pace->last_ns, most = pace->rate * BURST_NS;

	if (most < MESSAGE)
		most = MESSAGE;
	if (!pace->last_ns || passed > LONGEST_S * MESSAGE)
		passed = LONGEST_S * MESSAGE;
	pace->last_ns = now_ns;
	pace->credit += pace->rate * passed;
	if (pace->credit > most)
		pace->credit = most;
}

int pace_take(struct pace *pace)
{
	if (!pace->rate)
		return 1;
	if (pace->credit < MESSAGE)
		return 0;
	pace->credit -= MESSAGE;
	return 1;
}

void pace_return(struct pace *pace)
{
	if (pace->rate)
		pace->credit += MESSAGE;
}
