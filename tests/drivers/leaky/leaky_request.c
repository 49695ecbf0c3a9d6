// SPDX-License-Identifier: GPL-2.0
/* The parameters: `do` takes a request, `last` tells the truth about it, `requests` lists them. */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/mutex.h>
#include <linux/string.h>

#include "leaky.h"

DEFINE_MUTEX(leaky_lock);

/* Under the kernel's lock for the parameters of a module. */
static char leaky_last[640] = "{}";

/* leaky_done: note where and what; without an object it has not worked. */
int leaky_done(struct leaky_truth *truth, const char *site, u64 object)
{
	truth->site = site;
	truth->object = object;
	return object ? 0 : -ENOMEM;
}

/* leaky_requests_end: in the module's exit, when its state is no longer live. */
void leaky_requests_end(void)
{
	mutex_lock(&leaky_lock);
	mutex_unlock(&leaky_lock);
}

static void leaky_tell(const struct leaky_request *request, const struct leaky_truth *truth)
{
	char *to = leaky_last;
	size_t room = sizeof(leaky_last), n;

	n = scnprintf(to, room, "{\"what\":\"%s\"", request->verb);
	if (request->class)
		n += scnprintf(to + n, room - n, ",\"class\":\"%s\"", request->class);
	if (truth->object)
		n += scnprintf(to + n, room - n, ",\"object\":\"0x%llx\"", truth->object);
	if (truth->size)
		n += scnprintf(to + n, room - n, ",\"size\":%zu", truth->size);
	if (truth->count)
		n += scnprintf(to + n, room - n, ",\"count\":%lu", truth->count);
	if (truth->ms)
		n += scnprintf(to + n, room - n, ",\"ms\":%lu", truth->ms);
	if (truth->name[0])
		n += scnprintf(to + n, room - n, ",\"name\":\"%s\"", truth->name);
	if (truth->site)
		n += scnprintf(to + n, room - n, ",\"site\":\"%s\"", truth->site);
	if (truth->also)
		n += scnprintf(to + n, room - n, ",\"also\":\"%s\"", truth->also);
	if (request->warns)
		n += scnprintf(to + n, room - n, ",\"kernel_warns\":true");
	if (request->says)
		n += scnprintf(to + n, room - n, ",\"kernel_says\":\"%s\"", request->says);
	if (request->when)
		n += scnprintf(to + n, room - n, ",\"kernel_says_at\":\"%s\"", request->when);
	scnprintf(to + n, room - n, "}");
}

static const struct leaky_request *leaky_find(const char *verb, const char *class)
{
	const struct leaky_request *const *table, *request;

	for (table = leaky_tables; *table; table++)
		for (request = *table; request->verb; request++)
			if (!strcmp(request->verb, verb) &&
			    (!request->class || (class && !strcmp(request->class, class))))
				return request;
	return NULL;
}

/* leaky_split: cuts line into at most max words; returns how many, or max + 1 for more. */
static unsigned int leaky_split(char *line, char **words, unsigned int max)
{
	unsigned int count = 0;
	char *word;

	while ((word = strsep(&line, " \t\n"))) {
		if (!*word)
			continue;
		if (count == max)
			return max + 1;
		words[count++] = word;
	}
	return count;
}

static int leaky_do(const char *value, const struct kernel_param *param)
{
	char line[96], *words[2 + LEAKY_ARGS] = {};
	unsigned long args[LEAKY_ARGS] = {};
	const struct leaky_request *request;
	struct leaky_truth truth = {};
	unsigned int count, first, i;
	int err = -EINVAL;

	if (strscpy(line, value, sizeof(line)) < 0) {
		pr_warn("the request is longer than %zu characters\n", sizeof(line) - 1);
		return -EINVAL;
	}
	count = leaky_split(line, words, ARRAY_SIZE(words));
	request = count ? leaky_find(words[0], words[1]) : NULL;
	if (!request) {
		pr_warn("there is no request '%s %s'; the parameter 'requests' lists them\n",
			words[0] ?: "", words[1] ?: "");
		return -EINVAL;
	}
	first = request->class ? 2 : 1;
	if (count < first + request->args || count > first + request->args + request->optional) {
		pr_warn("'%s %s' takes %u numbers and may take %u more\n", request->verb,
			request->class ?: "", request->args, request->optional);
		return -EINVAL;
	}
	for (i = first; i < count; i++) {
		if (kstrtoul(words[i], 0, &args[i - first])) {
			pr_warn("'%s' is not a number\n", words[i]);
			return -EINVAL;
		}
	}
	mutex_lock(&leaky_lock);
	/* Neither from the command line of insmod, nor when everything is being taken down. */
	if (THIS_MODULE->state == MODULE_STATE_LIVE)
		err = request->make(&truth, args);
	else
		err = -EBUSY;
	mutex_unlock(&leaky_lock);
	if (err)
		pr_warn("'%s %s' did not work: error %d\n", request->verb, request->class ?: "",
			err);
	else
		leaky_tell(request, &truth);
	return err;
}

static int leaky_get_last(char *buffer, const struct kernel_param *param)
{
	return scnprintf(buffer, PAGE_SIZE, "%s\n", leaky_last);
}

/* One line each: VERB [CLASS] [NUMBER]..., and what the kernel says to it behind a tab. */
static int leaky_get_requests(char *buffer, const struct kernel_param *param)
{
	const struct leaky_request *const *table, *request;
	size_t n = 0;
	unsigned int i;

	for (table = leaky_tables; *table; table++) {
		for (request = *table; request->verb; request++) {
			n += scnprintf(buffer + n, PAGE_SIZE - n, "%s", request->verb);
			if (request->class)
				n += scnprintf(buffer + n, PAGE_SIZE - n, " %s", request->class);
			for (i = 0; i < request->args + request->optional; i++)
				n += scnprintf(buffer + n, PAGE_SIZE - n, " %s",
					       i < request->args ? "N" : "[N]");
			if (request->says)
				n += scnprintf(buffer + n, PAGE_SIZE - n, "\t%s", request->says);
			n += scnprintf(buffer + n, PAGE_SIZE - n, "\n");
		}
	}
	return n;
}

static const struct kernel_param_ops leaky_do_ops = {.set = leaky_do};
static const struct kernel_param_ops leaky_last_ops = {.get = leaky_get_last};
static const struct kernel_param_ops leaky_requests_ops = {.get = leaky_get_requests};

module_param_cb(do, &leaky_do_ops, NULL, 0200);
MODULE_PARM_DESC(do, "make a mistake");
module_param_cb(last, &leaky_last_ops, NULL, 0400);
MODULE_PARM_DESC(last, "the truth about the last mistake");
module_param_cb(requests, &leaky_requests_ops, NULL, 0400);
MODULE_PARM_DESC(requests, "what can be asked for");
