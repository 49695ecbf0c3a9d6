// SPDX-License-Identifier: GPL-2.0
/* Stands in for slow_net and never has a link. */
#define SLOW_CARRIER_MS (3600 * 1000)
#include "slow_net.c"
