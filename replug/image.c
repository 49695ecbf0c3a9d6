// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Images: module files read into memory and looked into.
 */
#include <ctype.h>
#include <endian.h>
#include <string.h>

#include "error.h"
#include "image.h"
#include "unpack.h"

/* Where struct module has its name on x86-64: behind a state and a list head, in every kernel
 * since 2.6. MODULE_NAME_LEN is 64 - sizeof(unsigned long). */
#define THIS_MODULE	 ".gnu.linkonce.this_module"
#define MODULE_NAME_AT	 24
#define MODULE_NAME_SIZE 56

/* What scripts/sign-file appends to a module; see include/linux/module_signature.h. */
#define SIGNATURE_MAGIC "~Module signature appended~\n"

struct module_signature {
	uint8_t algo, hash, id_type, signer_len, key_id_len, pad[3];
	uint32_t sig_len; /* big endian */
};
_Static_assert(sizeof(struct module_signature) == 12, "module_signature");

/* The ELF file's size, whether a signature follows it; or what is wrong with that. */
static const char *find_signature(struct replug_image *image)
{
	const size_t magic = sizeof(SIGNATURE_MAGIC) - 1;
	struct module_signature signature;
	size_t left = image->size;

	image->elf_size = image->size;
	if (left < magic || memcmp(image->bytes + left - magic, SIGNATURE_MAGIC, magic))
		return NULL;
	left -= magic;
	if (left < sizeof(signature))
		return "has a damaged signature";
	left -= sizeof(signature);
	memcpy(&signature, image->bytes + left, sizeof(signature));
	if (signature.sig_len == 0 || be32toh(signature.sig_len) > left)
		return "has a damaged signature";
	image->elf_size = left - be32toh(signature.sig_len);
	image->is_signed = true;
	return NULL;
}

static bool is_module_name(const char *s, size_t n)
{
	if (n == 0 || n >= MODULE_NAME_SIZE)
		return false;
	for (size_t i = 0; i < n; i++)
		if (!isalnum((unsigned char)s[i]) && s[i] != '_' && s[i] != '-')
			return false;
	return true;
}

static void copy_name(char name[REPLUG_NAME_MAX], const char *s)
{
	size_t n = strlen(s);

	for (size_t i = 0; i <= n; i++)
		name[i] = s[i] == '-' ? '_' : s[i];
}

static const char *find_name(struct replug_image *image, const struct elf_view *view)
{
	const struct elf_section *section = elf_view_section(view, THIS_MODULE, NULL);
	const char *modinfo = replug_image_modinfo(image, "name");
	char name[REPLUG_NAME_MAX];
	const char *own;

	if (!section || !section->data)
		return "is an object file but no module";
	if (modinfo && !is_module_name(modinfo, strlen(modinfo)))
		return "has no valid module name";

	/* The kernel goes by the one in struct module; modinfo's is for tools. */
	if (section->size >= MODULE_NAME_AT + MODULE_NAME_SIZE) {
		own = (const char *)section->data + MODULE_NAME_AT;
		if (is_module_name(own, strnlen(own, MODULE_NAME_SIZE))) {
			copy_name(image->name, own);
			if (!modinfo)
				return NULL;
			copy_name(name, modinfo);
			return str_eq(name, image->name) ? NULL : "has two different names";
		}
	}
	if (!modinfo)
		return "has no valid module name";
	copy_name(image->name, modinfo);
	return NULL;
}

/* The next of modinfo's strings after s, or the first for NULL; NULL: no more. */
static const char *next_string(const struct replug_image *image, const char *s)
{
	const char *end = image->modinfo + image->modinfo_size;

	s = s ? s + strlen(s) + 1 : image->modinfo;
	/* Between the strings of two object files there may be padding. */
	while (s < end && *s == '\0')
		s++;
	return s < end ? s : NULL;
}

static const char *value_of(const char *string, const char *key)
{
	const char *rest = str_after(string, key);

	return rest && *rest == '=' ? rest + 1 : NULL;
}

const char *replug_image_modinfo(const struct replug_image *image, const char *key)
{
	for (const char *s = next_string(image, NULL); s; s = next_string(image, s)) {
		const char *value = value_of(s, key);

		if (value)
			return value;
	}
	return NULL;
}

static const char *find_modinfo(struct replug_image *image, const struct elf_view *view)
{
	const struct elf_section *section = elf_view_section(view, ".modinfo", NULL);

	if (!section || !section->size)
		return "is an object file but no module";
	image->modinfo = (const char *)section->data;
	image->modinfo_size = section->size;
	if (image->modinfo[image->modinfo_size - 1] != '\0')
		return "has unterminated module information";
	return NULL;
}

static void find_build_id(struct replug_image *image, const struct elf_view *view)
{
	const struct elf_section *section = elf_view_section(view, ".note.gnu.build-id", NULL);

	if (!section || !section->size)
		return;
	image->build_id = section->data;
	image->build_id_size = section->size;
}

static int read_aliases(struct replug_image *image)
{
	size_t n = 0;

	for (const char *s = next_string(image, NULL); s; s = next_string(image, s))
		n += value_of(s, "alias") != NULL;
	image->aliases = calloc(n + 1, sizeof(*image->aliases));
	if (!image->aliases)
		return -ENOMEM;
	n = 0;
	for (const char *s = next_string(image, NULL); s; s = next_string(image, s)) {
		const char *alias = value_of(s, "alias");

		if (alias)
			image->aliases[n++] = alias;
	}
	return 0;
}

/* Names that depmod would not look for are damage: they would end up in paths. */
static int read_depends(struct replug_image *image, const char **ret_reason)
{
	const char *value = replug_image_modinfo(image, "depends");
	char *state = NULL;
	size_t n = 1;

	image->depends_list = strdup(value ? value : "");
	if (!image->depends_list)
		return -ENOMEM;
	for (const char *s = image->depends_list; *s; s++)
		n += *s == ',';
	image->depends = calloc(n + 1, sizeof(*image->depends));
	if (!image->depends)
		return -ENOMEM;

	n = 0;
	for (char *s = strtok_r(image->depends_list, ",", &state); s;
	     s = strtok_r(NULL, ",", &state)) {
		if (!is_module_name(s, strlen(s))) {
			*ret_reason = "depends on something that is no module name";
			return -ENOEXEC;
		}
		copy_name(s, s);
		image->depends[n++] = s;
	}
	return 0;
}

static int read_elf(struct replug_image *image, const char **ret_reason)
{
	_cleanup_(elf_view_close) struct elf_view view = ELF_VIEW_NONE;
	const char *reason;
	int r;

	reason = find_signature(image);
	if (!reason) {
		r = elf_view_open(image->bytes, image->elf_size, &view, ret_reason);
		if (r)
			return r;
		reason = find_modinfo(image, &view);
	}
	if (!reason)
		reason = find_name(image, &view);
	if (reason) {
		*ret_reason = reason;
		return -ENOEXEC;
	}

	find_build_id(image, &view);
	r = read_aliases(image);
	if (!r)
		r = read_depends(image, ret_reason);
	return r ? r : replug_image_read_symbols(image, &view, ret_reason);
}

static int image_new(const char *path, struct replug_image **ret_image)
{
	_cleanup_image_ struct replug_image *image = calloc(1, sizeof(*image));

	if (!image)
		return -ENOMEM;
	image->path = strdup(path);
	if (!image->path)
		return -ENOMEM;
	*ret_image = TAKE_PTR(image);
	return 0;
}

/* Says in err why a file's bytes could not be had; those that mean "no module" become -ENOEXEC. */
static int fail_to_read(struct replug_error *err, const char *path, int r)
{
	path = replug_path_tail(path);
	switch (r) {
	case -ENOENT:
	case -ENOTDIR:
		return replug_fail(err, REPLUG_FAULT_USAGE, r, "there is no file %s", path);
	case -EISDIR:
		return replug_fail(err, REPLUG_FAULT_USAGE, -ENOEXEC,
				   "%s is a directory, not a module", path);
	case -EINVAL:
		return replug_fail(err, REPLUG_FAULT_USAGE, -ENOEXEC,
				   "%s is not a regular file, so no module", path);
	case -EFBIG:
		return replug_fail(err, REPLUG_FAULT_USAGE, -ENOEXEC,
				   "%s is not a usable module: it is larger than %zu MiB", path,
				   REPLUG_IMAGE_MAX >> 20);
	case -EBADMSG:
		return replug_fail(err, REPLUG_FAULT_USAGE, -ENOEXEC,
				   "%s is not a usable module: it cannot be decompressed", path);
	default:
		return replug_fail(err, REPLUG_FAULT_FAILED, r, "cannot read %s: %s", path,
				   strerror(-r));
	}
}

/* Takes over image and looks into its bytes. */
static int image_finish(struct replug_image *taken, struct replug_image **ret_image,
			struct replug_error *err)
{
	_cleanup_image_ struct replug_image *image = taken;
	const char *path = replug_path_tail(image->path), *reason = "is damaged";
	int r;

	r = read_elf(image, &reason);
	if (r == -ENOEXEC)
		return replug_fail(err, REPLUG_FAULT_USAGE, r, "%s is not a usable module: it %s",
				   path, reason);
	if (r)
		return replug_fail(err, REPLUG_FAULT_FAILED, r, "cannot look into %s: %s", path,
				   strerror(-r));
	*ret_image = TAKE_PTR(image);
	return 0;
}

int replug_image_open(const char *path, struct replug_image **ret_image, struct replug_error *err)
{
	_cleanup_image_ struct replug_image *image = NULL;
	_cleanup_free_ uint8_t *raw = NULL;
	size_t size;
	int r;

	r = image_new(path, &image);
	if (!r)
		r = replug_read_file(path, &raw, &size);
	if (!r)
		r = replug_unpack(raw, size, &image->bytes, &image->size);
	if (r)
		return fail_to_read(err, path, r);
	return image_finish(TAKE_PTR(image), ret_image, err);
}

int replug_image_parse(const char *path, const void *bytes, size_t size,
		       struct replug_image **ret_image, struct replug_error *err)
{
	_cleanup_image_ struct replug_image *image = NULL;
	int r;

	r = image_new(path, &image);
	if (!r)
		r = replug_unpack(bytes, size, &image->bytes, &image->size);
	if (r)
		return fail_to_read(err, path, r);
	return image_finish(TAKE_PTR(image), ret_image, err);
}

void replug_image_free(struct replug_image *image)
{
	if (!image)
		return;
	free(image->exports);
	free(image->imports);
	free(image->aliases);
	free(image->depends);
	free(image->depends_list);
	free(image->bytes);
	free(image->path);
	free(image);
}

/* Of two images without any identity, only equal bytes are the same. */
bool replug_image_same(const struct replug_image *a, const struct replug_image *b)
{
	return a == b || (a->size == b->size && !memcmp(a->bytes, b->bytes, a->size)) ||
	       (a->build_id && b->build_id && a->build_id_size == b->build_id_size &&
		!memcmp(a->build_id, b->build_id, a->build_id_size));
}

const void *replug_image_build_id(const struct replug_image *image, size_t *ret_size)
{
	*ret_size = image->build_id_size;
	return image->build_id;
}

const char *replug_image_path(const struct replug_image *image)
{
	return image->path;
}

const char *replug_image_name(const struct replug_image *image)
{
	return image->name;
}

const char *replug_image_vermagic(const struct replug_image *image)
{
	const char *vermagic = replug_image_modinfo(image, "vermagic");

	return vermagic ? vermagic : "";
}

const char *replug_image_version(const struct replug_image *image)
{
	const char *version = replug_image_modinfo(image, "version");

	if (!version)
		version = replug_image_modinfo(image, "srcversion");
	return version ? version : "";
}

bool replug_image_signed(const struct replug_image *image)
{
	return image->is_signed;
}

const void *replug_image_bytes(const struct replug_image *image, size_t *ret_size)
{
	*ret_size = image->size;
	return image->bytes;
}

const char *const *replug_image_depends(const struct replug_image *image)
{
	return image->depends;
}

const char *const *replug_image_aliases(const struct replug_image *image)
{
	return image->aliases;
}

const struct replug_symbol *replug_image_imports(const struct replug_image *image, size_t *ret_n)
{
	*ret_n = image->n_imports;
	return image->imports;
}

const struct replug_symbol *replug_image_exports(const struct replug_image *image, size_t *ret_n)
{
	*ret_n = image->n_exports;
	return image->exports;
}
