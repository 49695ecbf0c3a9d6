/* SPDX-License-Identifier: GPL-2.0-or-later */
/* org.varlink.service, the interface by which every Varlink service describes itself. */
#ifndef RECOVERD_VARLINK_SERVICE_H
#define RECOVERD_VARLINK_SERVICE_H

#include "varlink.h"

#define VARLINK_SERVICE "org.varlink.service"

int varlink_service_handle(struct varlink_call *call, const char *method, json_t *parameters,
			   const struct varlink_identity *identity,
			   const struct varlink_interface *const *interfaces);

#endif
