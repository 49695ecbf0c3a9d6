/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The watch over sound drivers: probes on the functions of the modules snd and snd_pcm that drivers
 * and their users call. They are rarely called: once armed they cost nothing between calls.
 */
#ifndef RECOVERD_SOUND_H
#define RECOVERD_SOUND_H

#include <bpf/libbpf.h>
#include <stdbool.h>

#include "../include/recov_observe.h"
#include "../replug/replug.h"

#define SOUND_PROBES "sound" /* what the probes are for */

/* May the driver, in the kernel's spelling, have to do with sound? True, too, of one that is not
 * installed. Looks into the index of the installed modules. */
bool sound_concerns(const char *driver);

/* Where the fields are that the programs read: by the loaded module snd_pcm, or the installed one.
 * -errno with the sentence in err. */
int sound_fields(struct recov_sound *ret_sound, struct replug_error *err);
/* Attaches the object's programs for sound, whether or not the modules are loaded, and pins them in
 * a folder. Those that can't be attached are logged. -errno with the sentence in err. */
int sound_attach(const struct bpf_object *object, const char *folder, struct replug_error *err);

#endif
