/* SPDX-License-Identifier: GPL-2.0 */
/* What armed images call in place of the kernel's functions, and nobody else; see recov_tap.h. */
#ifndef TWIN_H
#define TWIN_H

#include <linux/export.h>

#define TWIN(name) recov_twin_##name

#endif /* TWIN_H */
