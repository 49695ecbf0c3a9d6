/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a driver's image imports tells which programs would never see anything of it. */
#ifndef RECOVERD_IMPORTS_H
#define RECOVERD_IMPORTS_H

/* Of PROGRAMS_TIMERS and PROGRAMS_CACHES, a bit each, those that the driver, in the kernel's
 * spelling, has something for: by its installed image. Both if there is none, or another one is
 * loaded. Reads the image. */
unsigned imports_groups(const char *driver);

#endif
