// SPDX-License-Identifier: GPL-2.0
/*
 * Sound drivers: their cards, PCM devices and controls, and what is asked of these. The functions are
 * those of the modules snd and snd_pcm, which need not be loaded: the daemon puts probes on them,
 * and says in `sound` where the fields are. A card belongs to the driver that made it.
 */
#include "entry.h"

#define CALLS_MAX 256 /* that have not returned */

/* The kernel's and its ABI's numbers. */
#define SNDRV_DEV_PCM			4
#define SNDRV_PCM_TRIGGER_PAUSE_PUSH	3
#define SNDRV_PCM_TRIGGER_PAUSE_RELEASE 4
#define HW_PARAMS_SIZE			608  /* struct snd_pcm_hw_params */
#define SW_PARAMS_SIZE			136  /* struct snd_pcm_sw_params */
#define ELEM_VALUE_SIZE			1224 /* struct snd_ctl_elem_value */
#define ELEM_ID_NAME			16   /* in struct snd_ctl_elem_id */

struct recov_sound sound SEC(".data.sound");

/* What is known of a call when it begins, for when it returns. */
struct sound_call {
	int slot;
	u32 kind; /* enum recov_entry_kind, or one of the two below */
	u64 object;
	u64 more; /* of a control, its card; of a write to one, the value */
	u64 size;
	u64 site;
	struct device *device;
};

enum {
	CALL_CARD = RECOV_ENTRY_KIND_COUNT,
	CALL_CONTROL,
};

struct sound_call_key {
	u64 function;
	u64 task;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, CALLS_MAX);
	__type(key, struct sound_call_key);
	__type(value, struct sound_call);
} sound_calls SEC(".maps");

static __always_inline u64 pointer_at(u64 object, u32 offset)
{
	u64 value = 0;

	bpf_probe_read_kernel(&value, sizeof(value), (void *)object + offset);
	return value;
}

static __always_inline u32 number_at(u64 object, u32 offset)
{
	u32 value = 0;

	bpf_probe_read_kernel(&value, sizeof(value), (void *)object + offset);
	return value;
}

static __always_inline struct device *device_of_card(u64 card)
{
	return (struct device *)pointer_at(card, sound.card_parent);
}

static __always_inline int slot_of_card(u64 card)
{
	return slot_of_module((void *)pointer_at(card, sound.card_module));
}

static __always_inline struct sound_call_key key_of_call(void *ctx)
{
	return (struct sound_call_key){.function = bpf_get_func_ip(ctx),
				       .task = bpf_get_current_pid_tgid()};
}

static __always_inline void call_begin(void *ctx, struct sound_call *call)
{
	struct sound_call_key key = key_of_call(ctx);

	if (call->slot < 0)
		return;
	if (call->kind < RECOV_ENTRY_KIND_COUNT)
		entry_begin(call->slot, call->kind, 0, call->device);
	if (bpf_map_update_elem(&sound_calls, &key, call, BPF_ANY))
		count(RECOV_COUNTER_RUNNING_FULL);
}

/* ---- objects ---- */

SEC("kprobe")
int BPF_KPROBE(on_card_init, u64 card, struct device *parent, int index, u64 id, u64 module)
{
	int slot = slot_of_module((void *)module);

	call_begin(ctx, &(struct sound_call){.slot = slot,
					     .kind = CALL_CARD,
					     .object = card,
					     .size = sound.card_size + ctx->r9,
					     .site = slot < 0 ? 0 : site_on_stack(ctx, slot),
					     .device = parent});
	return 0;
}

/* Whoever frees a card, this is where it ends, and all that is its with it. */
SEC("kprobe")
int BPF_KPROBE(on_card_release, u64 device)
{
	struct recov_object_key key = {.object = device - sound.card_device,
				       .class = RECOV_OBJECT_CARD};

	if (!bpf_map_lookup_elem(&objects, &key))
		return 0;
	give_back_children(&key.object);
	requests_forget(&key.object);
	give_back(RECOV_OBJECT_CARD, key.object, 0, 0, false);
	return 0;
}

SEC("kprobe")
int BPF_KPROBE(on_sound_device, u64 card, int type, u64 pcm)
{
	int slot = slot_of_card(card);

	if (slot < 0 || type != SNDRV_DEV_PCM)
		return 0;
	take(&(struct taking){.slot = slot,
			      .class = RECOV_OBJECT_PCM,
			      .object = pcm,
			      .size = 1,
			      .site = site_on_stack(ctx, slot),
			      .parent = card,
			      .device = device_of_card(card),
			      .name = (void *)pcm + sound.pcm_id});
	return 0;
}

SEC("kprobe")
int BPF_KPROBE(on_pcm_free, u64 pcm)
{
	give_back(RECOV_OBJECT_PCM, pcm, 0, 0, false);
	return 0;
}

SEC("kprobe")
int BPF_KPROBE(on_control_add, u64 card, u64 control)
{
	int slot = slot_of_card(card);

	call_begin(ctx, &(struct sound_call){.slot = slot,
					     .kind = CALL_CONTROL,
					     .object = control,
					     .more = card,
					     .site = slot < 0 ? 0 : site_on_stack(ctx, slot)});
	return 0;
}

SEC("kprobe")
int BPF_KPROBE(on_control_remove, u64 card, u64 control)
{
	give_back(RECOV_OBJECT_CONTROL, control, 0, 0, false);
	return 0;
}

/* ---- requests ---- */

/* Which substream it is: device, number and direction. */
static __always_inline u64 what_of_substream(u64 substream, u64 pcm)
{
	return (u64)number_at(pcm, sound.pcm_device) << 16 |
	       (number_at(substream, sound.substream_number) & 0xff) << 8 |
	       (number_at(substream, sound.substream_stream) & 0xff);
}

static __always_inline void substream_begin(void *ctx, u32 kind, u64 substream, const void *data,
					    u64 size)
{
	u64 pcm = pointer_at(substream, sound.substream_pcm);
	u64 card = pointer_at(pcm, sound.pcm_card);
	int slot = slot_of_card(card);

	if (slot < 0)
		slot = slot_of_address(pointer_at(substream, sound.substream_ops));
	call_begin(ctx, &(struct sound_call){
				.slot = slot, .kind = kind, .device = device_of_card(card)});
	request_ask(&(struct request){.slot = slot,
				      .kind = kind,
				      .object = substream,
				      .what = what_of_substream(substream, pcm),
				      .data = data,
				      .size = size,
				      .device = device_of_card(card)});
}

SEC("kprobe")
int BPF_KPROBE(on_hw_params, u64 substream, u64 params)
{
	substream_begin(ctx, RECOV_ENTRY_PCM_PARAMS, substream, (void *)params, HW_PARAMS_SIZE);
	return 0;
}

SEC("kprobe")
int BPF_KPROBE(on_sw_params, u64 substream, u64 params)
{
	substream_begin(ctx, RECOV_ENTRY_PCM_SW_PARAMS, substream, (void *)params, SW_PARAMS_SIZE);
	return 0;
}

SEC("kprobe")
int BPF_KPROBE(on_pcm_prepare, u64 substream)
{
	substream_begin(ctx, RECOV_ENTRY_PCM_PREPARE, substream, NULL, 0);
	return 0;
}

/* The cookie is the command; one function has two of them. */
SEC("kprobe")
int BPF_KPROBE(on_pcm_trigger, u64 substream, u64 pushed)
{
	u32 command = bpf_get_attach_cookie(ctx);

	if (command == SNDRV_PCM_TRIGGER_PAUSE_PUSH && !(u8)pushed)
		command = SNDRV_PCM_TRIGGER_PAUSE_RELEASE;
	substream_begin(ctx, RECOV_ENTRY_PCM_TRIGGER, substream, &command, sizeof(command));
	return 0;
}

/* What a substream was asked for ends when it is closed. */
SEC("kprobe")
int BPF_KPROBE(on_pcm_detach, u64 substream)
{
	if (state.span.end)
		requests_forget(&substream);
	return 0;
}

SEC("kprobe")
int BPF_KPROBE(on_control_write, u64 card, u64 file, u64 value)
{
	call_begin(ctx, &(struct sound_call){.slot = slot_of_card(card),
					     .kind = RECOV_ENTRY_CONTROL,
					     .object = card,
					     .more = value,
					     .device = device_of_card(card)});
	return 0;
}

/* ---- the return of those that may fail ---- */

static __always_inline void take_card(const struct sound_call *call)
{
	struct device *device = (void *)call->object + sound.card_device;

	take(&(struct taking){.slot = call->slot,
			      .class = RECOV_OBJECT_CARD,
			      .object = call->object,
			      .size = call->size,
			      .site = call->site,
			      .device = call->device,
			      .name = BPF_CORE_READ(device, kobj.name)});
}

static __always_inline void take_control(const struct sound_call *call)
{
	take(&(struct taking){.slot = call->slot,
			      .class = RECOV_OBJECT_CONTROL,
			      .object = call->object,
			      .size = number_at(call->object, sound.control_count),
			      .site = call->site,
			      .parent = call->more,
			      .device = device_of_card(call->more),
			      .name = (void *)call->object + sound.control_id + ELEM_ID_NAME});
}

/* Which control it was is in the value now: struct snd_ctl_elem_id begins with its number. */
static __always_inline void log_write(const struct sound_call *call, s64 result)
{
	request_log(&(struct request){.slot = call->slot,
				      .kind = RECOV_ENTRY_CONTROL,
				      .object = call->object,
				      .what = number_at(call->more, 0),
				      .result = result,
				      .data = (void *)call->more,
				      .size = ELEM_VALUE_SIZE,
				      .device = call->device});
}

SEC("kprobe")
int BPF_KRETPROBE(on_sound_done, int result)
{
	struct sound_call_key key = key_of_call(ctx);
	struct sound_call *found = bpf_map_lookup_elem(&sound_calls, &key), call;

	if (!found)
		return 0;
	call = *found;
	bpf_map_delete_elem(&sound_calls, &key);
	if (call.kind < RECOV_ENTRY_KIND_COUNT)
		entry_end(call.slot, call.kind, result);
	if (call.kind == CALL_CARD && !result)
		take_card(&call);
	else if (call.kind == CALL_CONTROL && !result)
		take_control(&call);
	else if (call.kind == RECOV_ENTRY_CONTROL)
		log_write(&call, result);
	else if (call.kind < RECOV_ENTRY_KIND_COUNT)
		request_done(call.kind, result);
	return 0;
}
