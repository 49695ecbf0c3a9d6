// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Fuzzes the arming of module images: a libFuzzer target, best begun with a folder of modules.
 */
#include <bpf/libbpf.h>
#include <stdlib.h>

#include "replug.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	libbpf_set_print(NULL);
	return 0;
}

static void count(void *ctx, const char *function, const char *reason)
{
	if (!*function || !*reason)
		abort();
}

/* What was armed is an image that has taps, no signature, and is not armed again. */
static void look_at(const struct replug_image *armed, const struct replug_arm_options *options)
{
	struct replug_image *again = NULL;
	struct replug_error error = {0};
	size_t size;

	if (replug_image_signed(armed) || !replug_image_section(armed, ".recov.taps", &size))
		abort();
	if (!replug_image_arm(armed, options, &again, &error) || again || !error.text[0])
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint32_t twin_crcs[REPLUG_ARM_TWINS] = {1, [28] = 1, [34] = 1, [59] = 1};
	const struct replug_arm_options options = {
		.export_crcs = {1}, .twin_crcs = twin_crcs, .left_alone = count};
	struct replug_image *image = NULL, *armed = NULL;
	struct replug_error error = {0};

	if (replug_image_parse("fuzz.ko", data, size, &image, &error))
		return 0;
	if (!replug_image_arm(image, &options, &armed, &error))
		look_at(armed, &options);
	else if (armed || error.fault == REPLUG_FAULT_NONE || !error.text[0])
		abort();
	replug_image_free(armed);
	replug_image_free(image);
	return 0;
}
