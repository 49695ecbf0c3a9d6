/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The request that a driver was asked last before it failed, if a swap would ask the same again. */
#ifndef RECOVERD_SUSPECT_H
#define RECOVERD_SUSPECT_H

#include <jansson.h>
#include <stdint.h>

#include "../replug/replug.h"

struct manager;

struct suspect {
	uint32_t setting; /* enum recov_setting; 0: there is no suspect */
	char device[REPLUG_NAME_MAX];
};

/* Of a watched driver: what was asked last before that time, if that was within_ms before or in the
 * middle of it, and is a setting. */
struct suspect suspect_find(struct manager *manager, const char *driver, uint64_t fault_ns,
			    uint32_t within_ms);
/* {device, setting}; null: there is none. */
json_t *suspect_json(const struct suspect *suspect);

#endif
