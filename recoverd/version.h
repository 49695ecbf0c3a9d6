/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The version of daemon and client; the build may give another one. */
#ifndef RECOVERD_VERSION
#define RECOVERD_VERSION "0.1"
#endif
