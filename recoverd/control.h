/* SPDX-License-Identifier: GPL-2.0-or-later */
/* io.recoverd.Control: what the control socket offers. */
#ifndef RECOVERD_CONTROL_H
#define RECOVERD_CONTROL_H

#include "varlink.h"

#define CONTROL_INTERFACE "io.recoverd.Control"

/* Handlers get a struct manager as ctx. */
extern const struct varlink_interface control_interface;
extern const char control_interface_text[]; /* varlink_interface.c */

#endif
