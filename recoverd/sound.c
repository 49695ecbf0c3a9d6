// SPDX-License-Identifier: GPL-2.0-or-later
/* Puts the programs for sound drivers where they belong, and finds out where fields are. */
#include "sound.h"

#include <bpf/btf.h>
#include <libkmod.h>
#include <sound/asound.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>

#include "cleanup.h"
#include "installed.h"
#include "log.h"
#include "probe.h"

/* What the programs take for granted of the kernel's ABI. */
_Static_assert(sizeof(struct snd_pcm_hw_params) == 608, "snd_pcm_hw_params");
_Static_assert(sizeof(struct snd_pcm_sw_params) == 136, "snd_pcm_sw_params");
_Static_assert(sizeof(struct snd_ctl_elem_value) == 1224, "snd_ctl_elem_value");
_Static_assert(offsetof(struct snd_ctl_elem_id, name) == 16, "snd_ctl_elem_id");

#define FUNCTIONS_MAX 12

/* The commands that a driver's trigger function gets; the kernel's own numbers. */
enum {
	TRIGGER_STOP,
	TRIGGER_START,
	TRIGGER_PAUSE_PUSH = 3,
	TRIGGER_SUSPEND = 5,
	TRIGGER_RESUME,
};

static const struct place {
	const char *name, *program;
	const char *functions[FUNCTIONS_MAX];
	bool returns;
	uint64_t cookie;
} places[] = {
	{.name = "card_init", .program = "on_card_init", .functions = {"snd:snd_card_init"}},
	{.name = "card_release",
	 .program = "on_card_release",
	 .functions = {"snd:release_card_device"}},
	{.name = "device_new", .program = "on_sound_device", .functions = {"snd:snd_device_new"}},
	{.name = "pcm_free", .program = "on_pcm_free", .functions = {"snd_pcm:snd_pcm_free"}},
	{.name = "control_add",
	 .program = "on_control_add",
	 .functions = {"snd:snd_ctl_add_replace"}},
	{.name = "control_remove",
	 .program = "on_control_remove",
	 .functions = {"snd:__snd_ctl_remove"}},
	{.name = "control_write",
	 .program = "on_control_write",
	 .functions = {"snd:snd_ctl_elem_write"}},
	{.name = "hw_params",
	 .program = "on_hw_params",
	 .functions = {"snd_pcm:snd_pcm_hw_params"}},
	{.name = "sw_params",
	 .program = "on_sw_params",
	 .functions = {"snd_pcm:snd_pcm_sw_params"}},
	{.name = "prepare",
	 .program = "on_pcm_prepare",
	 .functions = {"snd_pcm:snd_pcm_do_prepare"}},
	{.name = "start",
	 .program = "on_pcm_trigger",
	 .functions = {"snd_pcm:snd_pcm_do_start"},
	 .cookie = TRIGGER_START},
	{.name = "stop",
	 .program = "on_pcm_trigger",
	 .functions = {"snd_pcm:snd_pcm_do_stop"},
	 .cookie = TRIGGER_STOP},
	{.name = "pause",
	 .program = "on_pcm_trigger",
	 .functions = {"snd_pcm:snd_pcm_do_pause"},
	 .cookie = TRIGGER_PAUSE_PUSH},
	{.name = "suspend",
	 .program = "on_pcm_trigger",
	 .functions = {"snd_pcm:snd_pcm_do_suspend"},
	 .cookie = TRIGGER_SUSPEND},
	{.name = "resume",
	 .program = "on_pcm_trigger",
	 .functions = {"snd_pcm:snd_pcm_do_resume"},
	 .cookie = TRIGGER_RESUME},
	{.name = "detach",
	 .program = "on_pcm_detach",
	 .functions = {"snd_pcm:snd_pcm_detach_substream"}},
	{.name = "done",
	 .program = "on_sound_done",
	 .functions = {"snd:snd_card_init", "snd:snd_ctl_add_replace", "snd:snd_ctl_elem_write",
		       "snd_pcm:snd_pcm_hw_params", "snd_pcm:snd_pcm_sw_params",
		       "snd_pcm:snd_pcm_do_prepare", "snd_pcm:snd_pcm_do_start",
		       "snd_pcm:snd_pcm_do_stop", "snd_pcm:snd_pcm_do_pause",
		       "snd_pcm:snd_pcm_do_suspend", "snd_pcm:snd_pcm_do_resume"},
	 .returns = true},
};

static const struct field {
	const char *type, *member;
	size_t offset; /* in struct recov_sound */
} fields[] = {
	{"snd_card", "dev", offsetof(struct recov_sound, card_parent)},
	{"snd_card", "module", offsetof(struct recov_sound, card_module)},
	{"snd_card", "card_dev", offsetof(struct recov_sound, card_device)},
	{"snd_pcm", "card", offsetof(struct recov_sound, pcm_card)},
	{"snd_pcm", "id", offsetof(struct recov_sound, pcm_id)},
	{"snd_pcm", "device", offsetof(struct recov_sound, pcm_device)},
	{"snd_pcm_substream", "pcm", offsetof(struct recov_sound, substream_pcm)},
	{"snd_pcm_substream", "number", offsetof(struct recov_sound, substream_number)},
	{"snd_pcm_substream", "stream", offsetof(struct recov_sound, substream_stream)},
	{"snd_pcm_substream", "ops", offsetof(struct recov_sound, substream_ops)},
	{"snd_kcontrol", "id", offsetof(struct recov_sound, control_id)},
	{"snd_kcontrol", "count", offsetof(struct recov_sound, control_count)},
};

bool sound_concerns(const char *driver)
{
	struct kmod_ctx *kmod = kmod_new(NULL, NULL);
	struct kmod_module *module = NULL;
	struct kmod_list *needs, *at;
	bool found = false;

	if (!kmod || kmod_module_new_from_name(kmod, driver, &module) < 0 ||
	    !kmod_module_get_path(module))
		found = true;
	needs = module ? kmod_module_get_dependencies(module) : NULL;
	kmod_list_foreach(at, needs)
	{
		struct kmod_module *need = kmod_module_get_module(at);

		found |= strcmp(kmod_module_get_name(need), "snd") == 0;
		kmod_module_unref(need);
	}
	kmod_module_unref_list(needs);
	kmod_module_unref(module);
	kmod_unref(kmod);
	return found;
}

/* ---- fields ---- */

/* The library takes split types from files only. */
static struct btf *parse_types(const void *bytes, size_t size, struct btf *kernel)
{
	_cleanup_close_ int fd = memfd_create("types", MFD_CLOEXEC);
	char path[32];

	if (fd < 0 || write(fd, bytes, size) != (ssize_t)size)
		return NULL;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return btf__parse_raw_split(path, kernel);
}

/* The types of snd_pcm, and with them those of snd, from the loaded module, or the installed one. */
static struct btf *load_types(struct btf *kernel, struct replug_error *err)
{
	struct replug_image *image = NULL;
	const void *bytes = NULL;
	struct btf *types;
	size_t size = 0;

	types = btf__load_module_btf("snd_pcm", kernel);
	if (types)
		return types;
	if (installed_open("snd_pcm", &image, err) >= 0)
		bytes = replug_image_section(image, BTF_ELF_SEC, &size);
	types = bytes ? parse_types(bytes, size, kernel) : NULL;
	replug_image_free(image);
	return types;
}

/* Among the module's own types; those of the kernel come first and are many. */
static const struct btf_type *find_struct(const struct btf *types, uint32_t first, const char *name)
{
	for (uint32_t id = first; id < btf__type_cnt(types); id++) {
		const struct btf_type *type = btf__type_by_id(types, id);

		if (btf_is_struct(type) &&
		    strcmp(btf__name_by_offset(types, type->name_off), name) == 0)
			return type;
	}
	return NULL;
}

static int find_field(const struct btf *types, uint32_t first, const struct field *field,
		      uint32_t *ret_offset)
{
	const struct btf_type *type = find_struct(types, first, field->type);
	const struct btf_member *members = type ? btf_members(type) : NULL;

	for (unsigned i = 0; type && i < btf_vlen(type); i++) {
		if (strcmp(btf__name_by_offset(types, members[i].name_off), field->member) == 0) {
			*ret_offset = btf_member_bit_offset(type, i) / 8;
			return 0;
		}
	}
	return -ENOENT;
}

static int find_fields(const struct btf *types, uint32_t first, struct recov_sound *ret_sound)
{
	struct recov_sound sound = {};
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		r = find_field(types, first, &fields[i],
			       (uint32_t *)((char *)&sound + fields[i].offset));
		if (r < 0)
			return r;
	}
	sound.card_size = find_struct(types, first, "snd_card")->size;
	*ret_sound = sound;
	return 0;
}

int sound_fields(struct recov_sound *ret_sound, struct replug_error *err)
{
	struct btf *kernel, *types = NULL;
	int r = -ENOENT;

	kernel = btf__load_vmlinux_btf();
	if (kernel)
		types = load_types(kernel, err);
	if (types)
		r = find_fields(types, btf__type_cnt(kernel), ret_sound);
	btf__free(types);
	btf__free(kernel);
	if (r < 0) {
		err->fault = REPLUG_FAULT_UNSUPPORTED;
		snprintf(err->text, sizeof(err->text),
			 "the module snd_pcm does not tell its types, or is not installed");
	}
	return r;
}

/* ---- probes ---- */

static int add_place(struct probe_set *set, const struct bpf_object *object,
		     const struct place *place)
{
	const struct bpf_program *program =
		bpf_object__find_program_by_name(object, place->program);
	struct probe probe = {.name = place->name,
			      .returns = place->returns,
			      .functions = place->functions,
			      .program = bpf_program__fd(program),
			      .cookie = place->cookie};

	while (probe.n_functions < FUNCTIONS_MAX && place->functions[probe.n_functions])
		probe.n_functions++;
	return probe_set_add(set, &probe, NULL);
}

int sound_attach(const struct bpf_object *object, const char *folder, struct replug_error *err)
{
	struct probe_set *set;
	int r;

	r = probe_set_new(SOUND_PROBES, &set, err);
	if (r < 0)
		return r;
	/* From the last to the first: objects are seen given back before any is seen taken. */
	for (size_t i = ARRAY_SIZE(places); i-- > 0;) {
		r = add_place(set, object, &places[i]);
		if (r < 0)
			log_errno(LOG_WARNING, r, "No probe at %s: %m", places[i].functions[0]);
	}
	r = probe_set_pin(set, folder);
	if (r < 0) {
		err->fault = REPLUG_FAULT_FAILED;
		snprintf(err->text, sizeof(err->text), "the probes cannot be pinned: %s",
			 strerror(-r));
	}
	probe_set_free(set);
	return r;
}
