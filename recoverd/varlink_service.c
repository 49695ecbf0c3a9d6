// SPDX-License-Identifier: GPL-2.0-or-later
/* org.varlink.service: what this service is and which interfaces it has. */
#include "varlink_service.h"

#include <string.h>

#include "cleanup.h"

static const char service_description[] =
	"# The Varlink Service Interface is provided by every varlink service. It\n"
	"# describes the service and the interfaces it implements.\n"
	"interface org.varlink.service\n"
	"\n"
	"# Get a list of all the interfaces a service provides and information\n"
	"# about the implementation.\n"
	"method GetInfo() -> (\n"
	"  vendor: string,\n"
	"  product: string,\n"
	"  version: string,\n"
	"  url: string,\n"
	"  interfaces: []string\n"
	")\n"
	"\n"
	"# Get the description of an interface that is implemented by this service.\n"
	"method GetInterfaceDescription(interface: string) -> (description: string)\n"
	"\n"
	"# The requested interface was not found.\n"
	"error InterfaceNotFound (interface: string)\n"
	"\n"
	"# The requested method was not found\n"
	"error MethodNotFound (method: string)\n"
	"\n"
	"# The interface defines the requested method, but the service does not\n"
	"# implement it.\n"
	"error MethodNotImplemented (method: string)\n"
	"\n"
	"# One of the passed parameters is invalid.\n"
	"error InvalidParameter (parameter: string)\n"
	"\n"
	"# Client is denied access\n"
	"error PermissionDenied ()\n"
	"\n"
	"# Method is expected to be called with 'more' set to true, but wasn't\n"
	"error ExpectedMore ()\n";

static int get_info(struct varlink_call *call, const struct varlink_identity *identity,
		    const struct varlink_interface *const *interfaces)
{
	json_t *names;

	names = json_pack("[s]", VARLINK_SERVICE);
	for (; *interfaces; interfaces++)
		json_array_append_new(names, json_string((*interfaces)->name));
	return varlink_reply(call,
			     json_pack("{s:s, s:s, s:s, s:s, s:o}", "vendor", identity->vendor,
				       "product", identity->product, "version", identity->version,
				       "url", identity->url, "interfaces", names),
			     false);
}

static int get_description(struct varlink_call *call, json_t *parameters,
			   const struct varlink_interface *const *interfaces)
{
	const char *name = NULL, *description = NULL;
	const struct varlink_parameter table[] = {
		{.name = "interface", .type = VARLINK_STRING, .required = true, .ret = &name},
	};

	if (varlink_parameters(call, parameters, table, ARRAY_SIZE(table)) < 0)
		return 0;
	if (strcmp(name, VARLINK_SERVICE) == 0)
		description = service_description;
	for (; *interfaces; interfaces++) {
		if (strcmp((*interfaces)->name, name) == 0)
			description = (*interfaces)->description;
	}
	if (!description)
		return varlink_error(call, "org.varlink.service.InterfaceNotFound",
				     json_pack("{s:s}", "interface", name));
	return varlink_reply(call, json_pack("{s:s}", "description", description), false);
}

int varlink_service_handle(struct varlink_call *call, const char *method, json_t *parameters,
			   const struct varlink_identity *identity,
			   const struct varlink_interface *const *interfaces)
{
	if (strcmp(method, "GetInfo") == 0) {
		if (varlink_parameters(call, parameters, NULL, 0) < 0)
			return 0;
		return get_info(call, identity, interfaces);
	}
	if (strcmp(method, "GetInterfaceDescription") == 0)
		return get_description(call, parameters, interfaces);
	return varlink_error(call, "org.varlink.service.MethodNotFound",
			     json_pack("{s:s+}", "method", VARLINK_SERVICE ".", method));
}
