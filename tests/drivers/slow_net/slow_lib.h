/* SPDX-License-Identifier: GPL-2.0 */
/* What slow_net needs of slow_lib: to be pinned by it, and to sleep. */
#ifndef SLOW_LIB_H
#define SLOW_LIB_H

void slow_sleep(const char *where, unsigned int ms);

#endif
