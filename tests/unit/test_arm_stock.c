// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Arming stock modules, where scripts/kernels has put some: those that the guests' tests use, and a
 * selection of what there is.
 */
#include <errno.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <bpf/libbpf.h>

#include "arm_fixture.h"

#define SELECTED 79 /* modules, at equal distances in the sorted list */
#define WANTED	 75 /* of these */

static const char *const folders[] = {
	"/drivers/net/", "/drivers/block/", "/drivers/usb/", "/sound/", "/fs/",
};

static const char *const named[] = {
	"/e1000.ko", "/pcnet32.ko", "/mii.ko", "/virtio_net.ko", "/8139cp.ko", "/kvm.ko",
};

/* nftw(3) has no argument for this. */
static struct {
	char **paths;
	size_t n;
} found;

static int note_file(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	if (type != FTW_F || !strstr(path, ".ko"))
		return 0;
	found.paths = reallocarray(found.paths, found.n + 1, sizeof(*found.paths));
	assert_non_null(found.paths);
	found.paths[found.n] = strdup(path);
	assert_non_null(found.paths[found.n++]);
	return 0;
}

static int compare_paths(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool is_in(const char *path, const char *const *parts, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strstr(path, parts[i]))
			return true;
	return false;
}

/* Can it be taken out without being called? */
static void check_registers(const char *path, const struct replug_image *image)
{
	static const char *const leaves[] = {"/e1000.ko", "/pcnet32.ko", "/8139cp.ko",
					     "/virtio_net.ko"};

	if (is_in(path, leaves, ARRAY_SIZE(leaves)))
		assert_null(replug_image_registers(image));
	else if (strstr(path, "/kvm.ko"))
		assert_non_null(replug_image_registers(image));
}

/* How many taps it got, or 0 and why not. */
static size_t arm_file(const char *path, struct btf *types)
{
	const struct replug_arm_options options = {
		.types = types, .export_crcs = {CRC}, .twin_crcs = twin_crcs};
	struct replug_image *image = NULL, *armed = NULL;
	struct replug_error error = {0};
	size_t size = 0, old_size, new_size;

	if (replug_image_open(path, &image, &error))
		fail_msg("%s", error.text);
	check_registers(path, image);
	if (replug_image_arm(image, &options, &armed, &error)) {
		print_message("%s\n", error.text);
	} else {
		assert_non_null(replug_image_section(armed, RECOV_TAPS_SECTION, &size));
		replug_image_bytes(image, &old_size);
		replug_image_bytes(armed, &new_size);
		assert_true(new_size < old_size * 2);
	}
	replug_image_free(armed);
	replug_image_free(image);
	return size / sizeof(struct recov_tap);
}

static void arm_named(struct btf *types)
{
	for (size_t i = 0; i < found.n; i++) {
		size_t taps;

		if (!is_in(found.paths[i], named, ARRAY_SIZE(named)))
			continue;
		taps = arm_file(found.paths[i], types);
		print_message("%s: %zu taps\n", strrchr(found.paths[i], '/') + 1, taps);
		assert_true(taps > 0);
	}
}

static void arm_selected(struct btf *types)
{
	size_t n = 0, accepted = 0, taps = 0;

	for (size_t i = 0; i < found.n; i++) {
		if (!is_in(found.paths[i], folders, ARRAY_SIZE(folders)))
			free(found.paths[i]);
		else
			found.paths[n++] = found.paths[i];
	}
	found.n = n;
	assert_true(n >= SELECTED);
	for (size_t i = 0; i < SELECTED; i++) {
		size_t has = arm_file(found.paths[i * n / SELECTED], types);

		accepted += has > 0;
		taps += has;
	}
	print_message("%zu of %d were accepted, with %zu taps\n", accepted, SELECTED, taps);
	assert_true(accepted >= WANTED);
}

static void arm_stock(const char *kernel)
{
	char path[64];
	struct btf *types;

	snprintf(path, sizeof(path), "build/kernels/%s/headers/vmlinux", kernel);
	types = btf__parse(path, NULL);
	if (!types) {
		print_message("no types of kernel %s in %s\n", kernel, path);
		skip();
	}
	snprintf(path, sizeof(path), "build/kernels/%s/modules/kernel", kernel);
	assert_int_equal(nftw(path, note_file, 16, FTW_PHYS), 0);
	qsort(found.paths, found.n, sizeof(*found.paths), compare_paths);
	arm_named(types);
	arm_selected(types);

	while (found.n)
		free(found.paths[--found.n]);
	free(found.paths);
	found.paths = NULL;
	btf__free(types);
}

static void test_stock_modules_of_6_1_are_armed(void **state)
{
	arm_stock("6.1");
}

static void test_stock_modules_of_6_12_are_armed(void **state)
{
	arm_stock("6.12");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stock_modules_of_6_1_are_armed),
		cmocka_unit_test(test_stock_modules_of_6_12_are_armed),
	};

	libbpf_set_print(NULL);
	return cmocka_run_group_tests_name("arm_stock", tests, NULL, NULL);
}
