// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Arming an image: the order of the work, and what kind of image it cannot be done to.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "arm.h"
#include "unpack.h"

#define ARM_HELPER_MAX 55 /* MODULE_NAME_LEN of the kernel, with its NUL */

static void arm_end(struct arm *arm)
{
	free(arm->imports);
	free(arm->stubs);
	free(arm->calls);
	free(arm->refs);
	free(arm->functions);
	free(arm->names);
	elf_view_close(&arm->view);
}

int arm_refuse(const struct arm *arm, const char *fmt, ...)
{
	char why[192];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	return replug_fail(arm->err, REPLUG_FAULT_REFUSED, -EOPNOTSUPP, "%s cannot be armed: %s",
			   arm->image->name, why);
}

/* Of these it is known whether they hold numbers of symbols. */
static bool is_known_type(uint32_t type)
{
	switch (type) {
	case SHT_NULL:
	case SHT_PROGBITS:
	case SHT_NOBITS:
	case SHT_NOTE:
	case SHT_STRTAB:
	case SHT_SYMTAB:
	case SHT_RELA:
	case SHT_GROUP:
	case SHT_X86_64_UNWIND:
		return true;
	default:
		return false;
	}
}

static int check_section(const struct arm *arm, size_t i, size_t *total)
{
	const struct elf_section *section = &arm->view.sections[i];
	const Elf64_Shdr *header = &arm->headers[i];

	if (!is_known_type(section->type))
		return arm_refuse(arm, "section %.40s is of the unknown type %#" PRIx32,
				  section->name, section->type);
	if (str_eq(section->name, RECOV_TAPS_SECTION) ||
	    str_eq(section->name, RECOV_THUNKS_SECTION))
		return arm_refuse(arm, "it is armed already");
	if (str_after(section->name, "__version_ext_"))
		return arm_refuse(arm, "it has symbol versions of a new kind (%.40s)",
				  section->name);
	if (section->type == SHT_RELA && (header->sh_link != arm->view.symtab ||
					  ((arm->headers[section->info].sh_flags & SHF_ALLOC) &&
					   !arm->view.sections[section->info].data)))
		return arm_refuse(arm, "section %.40s is damaged", section->name);
	/* What grows has to be what it is called. */
	if (section->type != SHT_PROGBITS &&
	    (str_eq(section->name, ".modinfo") || str_eq(section->name, "__versions") ||
	     str_eq(section->name, ".orc_unwind") || str_eq(section->name, ".orc_unwind_ip")))
		return arm_refuse(arm, "section %.40s is damaged", section->name);
	if (section->type == SHT_GROUP && section->info >= arm->view.n_symbols)
		return arm_refuse(arm, "section %.40s is damaged", section->name);

	/* Those of a real file do not overlap. */
	*total += section->size;
	if (*total > REPLUG_IMAGE_MAX)
		return arm_refuse(arm, "its sections are too large");
	return 0;
}

const char *const replug_arm_exports[] = {
	[REPLUG_ARM_ENTER] = "recov_tap_enter",
	[REPLUG_ARM_ENTER_BALANCED] = "recov_tap_enter_balanced",
	[REPLUG_ARM_ENTER_STACK] = "recov_tap_enter_stack",
	[REPLUG_ARM_STACKS] = "recov_tap_stacks",
	[REPLUG_ARM_LOST] = "recov_tap_lost",
};

static bool is_ours(const char *symbol)
{
	for (size_t i = 0; i < REPLUG_ARM_EXPORTS; i++)
		if (str_eq(symbol, replug_arm_exports[i]))
			return true;
	return str_eq(symbol, RECOV_TAPS_SYMBOL) || str_eq(symbol, RECOV_STUBS_SYMBOL) ||
	       str_after(symbol, RECOV_TWIN_PREFIX);
}

/* New local symbols have to go between the local ones and the others. */
static int check_symbols(const struct arm *arm)
{
	size_t first_global;

	if (!arm->view.symtab)
		return arm_refuse(arm, "it has no symbols");
	first_global = arm->headers[arm->view.symtab].sh_info;
	if (first_global == 0 || first_global > arm->view.n_symbols)
		return arm_refuse(arm, "its symbol table is damaged");
	for (size_t i = 0; i < arm->view.n_symbols; i++) {
		struct elf_symbol symbol;

		if (!elf_view_symbol(&arm->view, i, &symbol) || symbol.section == SHN_XINDEX ||
		    (symbol.bind == STB_LOCAL) != (i < first_global))
			return arm_refuse(arm, "symbol %zu is damaged or out of order", i);
		if (is_ours(symbol.name))
			return arm_refuse(arm, "it has a symbol %.60s", symbol.name);
	}
	return 0;
}

static int check_image(const struct arm *arm)
{
	size_t total = 0;
	int r = replug_image_armed(arm->image) ? arm_refuse(arm, "it is armed already")
					       : check_symbols(arm);

	if (!r && str_eq(arm->image->name, arm->helper))
		r = arm_refuse(arm, "it is what armed images depend on");
	if (!r && replug_image_modinfo(arm->image, "livepatch"))
		r = arm_refuse(arm, "it is a livepatch");
	for (size_t i = 1; i < arm->view.n_sections && !r; i++)
		r = check_section(arm, i, &total);
	return r;
}

static int look(struct arm *arm)
{
	const char *reason;
	int r;

	r = elf_view_open(arm->image->bytes, arm->image->elf_size, &arm->view, &reason);
	if (r)
		return r == -ENOEXEC ? arm_refuse(arm, "it %s", reason) : r;
	arm->headers = (const void *)(arm->image->bytes +
				      ((const Elf64_Ehdr *)arm->image->bytes)->e_shoff);
	r = check_image(arm);
	if (!r)
		r = arm_refs_find(arm);
	if (!r)
		r = arm_calls_find(arm);
	if (!r)
		r = arm_types_find(arm);
	if (!r)
		r = arm_refs_check(arm);
	if (!r && !arm->n_taps)
		r = arm_refuse(arm, "it takes the address of no function that could have a tap");
	return r;
}

static void report_left_alone(const struct arm *arm)
{
	for (size_t i = 0; i < arm->n_functions; i++)
		if (arm->functions[i].left && arm->options->left_alone)
			arm->options->left_alone(arm->options->ctx, arm->functions[i].name,
						 arm->functions[i].left);
}

static int parse(const struct arm *arm, const uint8_t *bytes, size_t size,
		 struct replug_image **ret_armed)
{
	int r = replug_image_parse(arm->image->path, bytes, size, ret_armed, NULL);

	if (r != -ENOEXEC)
		return r;
	return replug_fail(arm->err, REPLUG_FAULT_FAILED, -EBADMSG,
			   "%s was not armed as it should be: it is no usable module",
			   arm->image->name);
}

static int arm_image(struct arm *arm, struct replug_image **ret_armed)
{
	_cleanup_image_ struct replug_image *armed = NULL;
	_cleanup_free_ uint8_t *bytes = NULL;
	size_t size;
	int r;

	r = look(arm);
	if (!r)
		r = arm_write(arm, &bytes, &size);
	if (!r)
		r = parse(arm, bytes, size, &armed);
	if (!r)
		r = arm_check(arm->image, armed, arm->options, arm->n_left, arm->err);
	if (r)
		return r;
	report_left_alone(arm);
	*ret_armed = TAKE_PTR(armed);
	return 0;
}

int replug_image_arm(const struct replug_image *image, const struct replug_arm_options *options,
		     struct replug_image **ret_armed, struct replug_error *err)
{
	_cleanup_(arm_end) struct arm arm = {
		.image = image,
		.options = options,
		.helper = options->helper ? options->helper : ARM_HELPER,
		.err = err,
	};
	int r;

	if (!*arm.helper || strlen(arm.helper) > ARM_HELPER_MAX)
		return replug_fail(err, REPLUG_FAULT_USAGE, -EINVAL, "%.60s is no module name",
				   arm.helper);
	r = arm_image(&arm, ret_armed);
	/* These have been explained. */
	if (r == 0 || r == -EOPNOTSUPP || r == -EBADMSG)
		return r;
	return replug_fail(err, REPLUG_FAULT_FAILED, r, "cannot arm %s: %s", image->name,
			   strerror(-r));
}

bool replug_image_armed(const struct replug_image *image)
{
	size_t size;

	return replug_image_section(image, RECOV_TAPS_SECTION, &size);
}
