// SPDX-License-Identifier: GPL-2.0-or-later
/* Reads what a driver's image imports. */
#include "imports.h"

#include <string.h>

#include "cleanup.h"
#include "installed.h"
#include "inventory.h"
#include "log.h"
#include "manager.h"
#include "programs.h"

/* The functions, or how their names begin, by which drivers get such objects; what core code gets for
 * them, as sk_reset_timer() does, is not counted. */
static const struct {
	const char *prefix;
	enum program_group group;
} functions[] = {
	{"add_timer", PROGRAMS_TIMERS},	      {"mod_timer", PROGRAMS_TIMERS},
	{"timer_reduce", PROGRAMS_TIMERS},    {"kmem_cache_alloc", PROGRAMS_CACHES},
	{"kmem_cache_free", PROGRAMS_CACHES},
};

unsigned imports_groups(const char *driver)
{
	const unsigned all = 1U << PROGRAMS_TIMERS | 1U << PROGRAMS_CACHES;
	const struct replug_symbol *imports;
	struct replug_image *image = NULL;
	struct replug_error why = {};
	unsigned groups = 0;
	size_t n;

	if (installed_open(driver, &image, &why) < 0) {
		log_line(LOG_DEBUG, "What %s imports is not known: %s", driver, why.text);
		return all;
	}
	imports = replug_image_imports(image, &n);
	for (size_t i = 0; i < n; i++) {
		for (size_t j = 0; j < ARRAY_SIZE(functions); j++) {
			const char *prefix = functions[j].prefix;

			if (strncmp(imports[i].name, prefix, strlen(prefix)) == 0)
				groups |= 1U << functions[j].group;
		}
	}
	if (inventory_is_loaded(SYSFS, driver) && !installed_is_loaded(driver, image))
		groups = all;
	replug_image_free(image);
	return groups;
}
