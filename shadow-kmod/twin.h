/* SPDX-License-Identifier: GPL-2.0 */
/* What armed images call in place of the kernel's functions, and nobody else; see recov_tap.h. */
#ifndef TWIN_H
#define TWIN_H

#include <linux/export.h>
#include <linux/instruction_pointer.h>

#include "trap.h"

#define TWIN(name) recov_twin_##name

#define TWIN_DEFINE(type, name, ...)                                                               \
	type TWIN(name)(__VA_ARGS__);                                                              \
	EXPORT_SYMBOL_GPL(recov_twin_##name);                                                      \
	type TWIN(name)(__VA_ARGS__)

/* In a twin: ends the driver's call for its argument. */
#define TWIN_CHECK(name, right, argument)                                                          \
	do {                                                                                       \
		if (unlikely(!(right)))                                                            \
			trap_argument(#name, (unsigned long)(argument), _RET_IP_);                 \
	} while (0)

#endif /* TWIN_H */
