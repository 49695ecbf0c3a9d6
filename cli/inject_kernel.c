// SPDX-License-Identifier: GPL-2.0-or-later
/* What recovctl inject asks of the shadow module, and what its errors mean. */
#include <inttypes.h>
#include <string.h>
#include <sys/ioctl.h>

#include "../recoverd/shadow.h"
#include "../recoverd/text.h"
#include "inject_live.h"

#define NOTE_HEAD 16 /* bytes before a build id */

int inject_open(int *ret_fd)
{
	struct replug_error err = {};
	int r = shadow_open(ret_fd, &err);

	return r < 0 ? inject_fail(&err, r) : 0;
}

void inject_spell(const char *operand, char name[RECOV_NAME_LEN])
{
	name[0] = '\0';
	if (!text_is_module_name(operand))
		return;
	for (size_t i = 0; i < RECOV_NAME_LEN; i++) {
		name[i] = operand[i] == '-' ? '_' : operand[i];
		if (!operand[i])
			break;
	}
}

static int not_loaded(const char *driver)
{
	complain("%s is not loaded", driver);
	return EXIT_USAGE;
}

int inject_explain(const char *driver, int error)
{
	switch (error) {
	case ENOENT:
		return not_loaded(driver);
	case EBUSY:
		complain("%s is being loaded, unloaded or swapped", driver);
		return EXIT_REFUSED;
	case EEXIST:
		complain("%s has faults planted already: recovctl inject undo %s", driver, driver);
		return EXIT_REFUSED;
	case ETIMEDOUT:
		complain("a CPU does not stop, which changing %s has to wait for", driver);
		return EXIT_FAILED;
	case ENOTTY:
		complain("the shadow module that is loaded cannot inject faults");
		return EXIT_UNSUPPORTED;
	default:
		complain("%s: %s", driver, strerror(error));
		return EXIT_FAILED;
	}
}

int inject_base(const char *driver, const char *section, uint64_t *ret_address)
{
	_cleanup_fclose_ FILE *file = NULL;
	_cleanup_free_ char *path = NULL;

	if (asprintf(&path, "/sys/module/%s/sections/%s", driver, section) < 0)
		return inject_explain(driver, ENOMEM);
	file = fopen(path, "re");
	if (!file && access("/sys/module/recov_shadow/sections", F_OK) < 0) {
		complain("this kernel does not tell where a module's sections are");
		return EXIT_UNSUPPORTED;
	}
	if (!file && errno == ENOENT) {
		complain("%s is not loaded, or has no section %s", driver, section);
		return EXIT_USAGE;
	}
	if (!file || fscanf(file, "%" SCNx64, ret_address) != 1 || !*ret_address) {
		complain("%s can't be read", path);
		return EXIT_UNSUPPORTED;
	}
	return 0;
}

int inject_function_end(const char *driver, uint64_t start, uint64_t *ret_end)
{
	_cleanup_fclose_ FILE *file = fopen("/proc/kallsyms", "re");
	uint64_t address, end = UINT64_MAX;
	char line[512], module[64];

	while (file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%" SCNx64 " %*c %*s [%63[^]]]", &address, module) == 2 &&
		    strcmp(module, driver) == 0 && address > start && address < end)
			end = address;
	}
	if (end == UINT64_MAX) {
		complain("this kernel does not tell where the functions of %s are", driver);
		return EXIT_UNSUPPORTED;
	}
	*ret_end = end;
	return 0;
}

int inject_build_id(int fd, const char *driver, char ret_hex[2 * REPLUG_BUILD_ID_MAX + 1])
{
	uint8_t note[NOTE_HEAD + REPLUG_BUILD_ID_MAX + 1], turn = 0;
	struct recov_armed armed = {};
	_cleanup_fclose_ FILE *file = NULL;
	char path[160];
	size_t n;

	snprintf(path, sizeof(path), "/sys/module/%s/notes/.note.gnu.build-id", driver);
	file = fopen(path, "re");
	if (!file)
		return not_loaded(driver);
	n = fread(note, 1, sizeof(note), file);
	if (n <= NOTE_HEAD || n == sizeof(note)) {
		complain("%s has no build id", driver);
		return EXIT_UNSUPPORTED;
	}
	/* An armed image has its text where the one has that it was made of, whose bits of the id it
	 * has the other way round. */
	memccpy(armed.driver, driver, '\0', sizeof(armed.driver) - 1);
	if (ioctl(fd, RECOV_IOC_ARMED, &armed) == 0)
		turn = 0xff;
	for (size_t i = 0; i < n - NOTE_HEAD; i++)
		snprintf(ret_hex + 2 * i, 3, "%02x", note[NOTE_HEAD + i] ^ turn);
	return 0;
}

int inject_read_text(int fd, const char *driver, uint64_t address, void *bytes, size_t size)
{
	struct recov_inject_text text = {
		.address = address, .bytes = (uintptr_t)bytes, .size = (uint32_t)size};

	memccpy(text.driver, driver, '\0', sizeof(text.driver) - 1);
	if (ioctl(fd, RECOV_IOC_INJECT_TEXT, &text) == 0)
		return 0;
	if (errno == ERANGE) {
		complain("what is to be changed lies outside of the text of %s", driver);
		return EXIT_USAGE;
	}
	return inject_explain(driver, errno);
}

static int explain_call(const struct recov_inject *inject, int error)
{
	const struct recov_inject_call *calls =
		(const struct recov_inject_call *)(uintptr_t)inject->calls;
	const char *symbol = calls[inject->failed - inject->n_sites].symbol;

	if (error == ENXIO) {
		complain("the kernel exports no %s", symbol);
		return EXIT_USAGE;
	}
	complain("calls of %s can't be left out: %s", symbol, strerror(error));
	return EXIT_UNSUPPORTED;
}

static int explain_site(const struct recov_inject *inject, int error)
{
	const struct recov_inject_site *sites =
		(const struct recov_inject_site *)(uintptr_t)inject->sites;
	uint64_t address = sites[inject->failed].address;

	switch (error) {
	case ESTALE:
		complain("at 0x%" PRIx64 " %s is not as expected: somebody has changed it", address,
			 inject->driver);
		return EXIT_REFUSED;
	case ERANGE:
		complain("0x%" PRIx64 " lies outside of the text of %s", address, inject->driver);
		return EXIT_USAGE;
	default:
		return inject_explain(inject->driver, error);
	}
}

int inject_plant(int fd, struct recov_inject *inject)
{
	int error;

	if (ioctl(fd, RECOV_IOC_INJECT, inject) == 0)
		return 0;
	error = errno;
	if (error == ENOTTY || inject->failed >= inject->n_sites + inject->n_calls)
		return inject_explain(inject->driver, error);
	return inject->failed < inject->n_sites ? explain_site(inject, error)
						: explain_call(inject, error);
}

int inject_take_out(int fd, const char *driver, struct recov_injected *ret_injected)
{
	struct recov_injected injected = {};

	memccpy(injected.driver, driver, '\0', sizeof(injected.driver) - 1);
	if (ioctl(fd, RECOV_IOC_INJECT_UNDO, &injected) < 0)
		return errno == ENOENT ? -ENOENT : inject_explain(driver, errno);
	*ret_injected = injected;
	return 0;
}

int inject_ask(int fd, const char *driver, struct recov_injected *ret_injected,
	       struct recov_inject_hit **ret_hits)
{
	struct recov_injected injected = {};
	struct recov_inject_hits hits = {};
	_cleanup_free_ struct recov_inject_hit *array = NULL;

	memccpy(injected.driver, driver, '\0', sizeof(injected.driver) - 1);
	if (ioctl(fd, RECOV_IOC_INJECTED, &injected) < 0)
		return errno == ENOENT ? -ENOENT : inject_explain(driver, errno);
	hits.n = injected.n_sites + injected.n_calls;
	array = calloc(hits.n + 1, sizeof(*array));
	if (!array)
		return inject_explain(driver, ENOMEM);
	memccpy(hits.driver, driver, '\0', sizeof(hits.driver) - 1);
	hits.hits = (uintptr_t)array;
	if (ioctl(fd, RECOV_IOC_INJECT_HITS, &hits) < 0)
		return errno == ENOENT ? -ENOENT : inject_explain(driver, errno);
	*ret_injected = injected;
	*ret_hits = TAKE_PTR(array);
	return 0;
}
