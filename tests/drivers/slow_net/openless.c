// SPDX-License-Identifier: GPL-2.0
/* Stands in for slow_net and cannot be brought up. */
#define SLOW_OPEN_ERROR (-EIO)
#include "slow_net.c"
