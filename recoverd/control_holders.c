// SPDX-License-Identifier: GPL-2.0-or-later
/* Answers Holders with what a worker process has found. */
#include "control_holders.h"

#include <string.h>

#include "cleanup.h"
#include "control.h"
#include "control_replug.h"
#include "manager.h"
#include "query.h"
#include "text.h"

#define HOLDERS_SCHEMA "recov.holders/1"

struct holders_question {
	struct varlink_call *call;
	char *driver;
};

static void question_free(struct holders_question *question)
{
	varlink_call_unref(question->call);
	free(question->driver);
	free(question);
}

static void question_freep(struct holders_question **question)
{
	if (*question)
		question_free(*question);
}

/* result: why there is no summary, if there is none. */
static json_t *holders_json(const char *driver, const json_t *answers,
			    const struct replug_result *result)
{
	const char *incomplete = result->error.text;
	json_t *holders = json_array(), *references = NULL, *answer, *summary;
	size_t i;

	json_array_foreach((json_t *)answers, i, answer) {
		json_array_extend(holders, json_object_get(answer, "holders"));
		summary = json_object_get(answer, "summary");
		if (json_is_object(summary)) {
			references = json_object_get(summary, "references");
			incomplete = json_string_value(json_object_get(summary, "incomplete"));
		}
	}
	return json_pack("{s:s, s:s, s:o, s:o, s:o}", "schema", HOLDERS_SCHEMA, "driver", driver,
			 "refcount", references ? json_incref(references) : json_null(), "holders",
			 holders, "incomplete", *incomplete ? text_json(incomplete) : json_null());
}

static void on_holders(struct manager *manager, void *ctx, json_t *answers,
		       const struct replug_result *result)
{
	_cleanup_(question_freep) struct holders_question *question = ctx;
	struct varlink_call *call = question->call;

	(void)manager;
	if (result->outcome == REPLUG_REFUSED && result->error.fault == REPLUG_FAULT_USAGE)
		(void)varlink_error(call, CONTROL_INTERFACE ".NoSuchDriver",
				    json_pack("{s:s}", "driver", question->driver));
	else if (result->outcome == REPLUG_REFUSED && result->error.fault == REPLUG_FAULT_REFUSED)
		(void)varlink_error(call, CONTROL_INTERFACE ".BuiltIn",
				    json_pack("{s:s}", "driver", question->driver));
	else
		(void)varlink_reply(call, holders_json(question->driver, answers, result), false);
}

int control_holders(struct varlink_call *call, json_t *parameters, void *ctx)
{
	_cleanup_(question_freep) struct holders_question *question = NULL;
	struct manager *manager = ctx;
	const char *driver = NULL;
	const struct varlink_parameter table[] = {
		{.name = "driver", .type = VARLINK_STRING, .required = true, .ret = &driver},
	};
	int r;

	if (varlink_parameters(call, parameters, table, ARRAY_SIZE(table)) < 0)
		return 0;
	if (!text_is_module_name(driver))
		return varlink_error(call, CONTROL_INTERFACE ".NoSuchDriver",
				     json_pack("{s:s}", "driver", driver));
	question = calloc(1, sizeof(*question));
	if (!question)
		return control_fail(call, -ENOMEM);
	question->call = varlink_call_ref(call);
	question->driver = strdup(driver);
	r = question->driver ? query_holders(manager, question->driver, on_holders, question)
			     : -ENOMEM;
	if (r < 0)
		return control_fail(call, r);
	TAKE_PTR(question);
	return 0;
}
