// SPDX-License-Identifier: GPL-2.0-or-later
/* recovctl inject undo, status: what is planted is taken out again, or told. */
#include <string.h>
#include <sys/ioctl.h>

#include "inject_live.h"
#include "output.h"

static int nothing_in(const char *operand)
{
	complain("nothing is planted in %s", operand);
	return EXIT_USAGE;
}

static int mend(const char *driver, const struct inject_record *record)
{
	int r = 0;

	for (size_t i = 0; i < record->n_devices; i++)
		r = inject_device_mend(driver, &record->devices[i]) ?: r;
	return r;
}

/* What the kernel tells of, if anything, must be what the record tells of; and without that it has to
 * be of devices. */
static void load_record(const char *driver, const struct recov_injected *injected,
			struct inject_record **ret_record)
{
	struct inject_record *record;

	if (inject_record_load(driver, &record) < 0)
		return;
	if (injected ? record->n_order == injected->n_sites + injected->n_calls
		     : record->n_devices != 0)
		*ret_record = record;
	else
		inject_record_free(record);
}

/* All of it, kernel and devices. */
static int undo(const struct cli *cli, int fd, const char *driver)
{
	_cleanup_(inject_record_freep) struct inject_record *record = NULL;
	_cleanup_free_ struct recov_inject_hit *hits = NULL;
	struct recov_injected injected = {};
	json_auto_t *report = NULL;
	bool planted;
	int r;

	r = inject_ask(fd, driver, &injected, &hits);
	planted = r == 0;
	if (planted)
		r = inject_take_out(fd, driver, &injected);
	if (r > 0)
		return r;
	load_record(driver, planted ? &injected : NULL, &record);
	if (!planted && !record)
		return nothing_in(driver);
	r = record ? mend(driver, record) : 0;
	if (r)
		return r;
	inject_record_remove(driver);
	if (!planted)
		injected.planted_ns = record->began_ns;
	if (injected.state != RECOV_INJECT_GONE)
		injected.state = RECOV_INJECT_UNDONE;
	report = inject_report(driver, record, &injected, hits);
	inject_say_report(cli, report);
	if (injected.differing) {
		complain("%u places in %s had been changed by somebody else: they were left alone",
			 injected.differing, driver);
		return EXIT_FAILED;
	}
	return EXIT_DONE;
}

int verb_inject_undo(const struct cli *cli)
{
	_cleanup_close_ int fd = -1;
	char driver[RECOV_NAME_LEN];
	int r;

	inject_spell(cli->operands[0], driver);
	if (!driver[0])
		return nothing_in(cli->operands[0]);
	r = inject_open(&fd);
	return r ? r : undo(cli, fd, driver);
}

/* -ENOENT: there is nothing. */
static int tell(const struct cli *cli, int fd, const char *driver)
{
	_cleanup_(inject_record_freep) struct inject_record *record = NULL;
	_cleanup_free_ struct recov_inject_hit *hits = NULL;
	struct recov_injected injected;
	json_auto_t *report = NULL;
	int r;

	r = inject_ask(fd, driver, &injected, &hits);
	if (r > 0)
		return r;
	load_record(driver, hits ? &injected : NULL, &record);
	if (r && !record)
		return r;
	report = inject_report(driver, record, hits ? &injected : NULL, hits);
	inject_say_report(cli, report);
	return 0;
}

static int tell_all(const struct cli *cli, int fd)
{
	_cleanup_(inject_record_names_free) char **names = inject_record_names();
	struct recov_injected injected = {};
	int r = 0;

	if (!names)
		return inject_fail(&(struct replug_error){}, -ENOMEM);
	for (uint32_t i = 0; r <= 0; i++) {
		injected = (struct recov_injected){.index = i};
		if (ioctl(fd, RECOV_IOC_INJECTED, &injected) < 0)
			break;
		r = tell(cli, fd, injected.driver);
		for (size_t k = 0; names[k]; k++)
			if (strcmp(names[k], injected.driver) == 0)
				names[k][0] = '\0';
	}
	for (size_t k = 0; names[k] && r <= 0; k++)
		if (names[k][0])
			r = tell(cli, fd, names[k]);
	return r > 0 ? r : EXIT_DONE;
}

int verb_inject_status(const struct cli *cli)
{
	_cleanup_close_ int fd = -1;
	char driver[RECOV_NAME_LEN];
	int r;

	r = inject_open(&fd);
	if (r)
		return r;
	if (!cli->n_operands)
		return tell_all(cli, fd);
	inject_spell(cli->operands[0], driver);
	r = driver[0] ? tell(cli, fd, driver) : -ENOENT;
	return r < 0 ? nothing_in(cli->operands[0]) : r;
}
