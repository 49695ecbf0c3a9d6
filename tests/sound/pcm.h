/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How the tests set up a PCM device, by the kernel's own ABI. */
#ifndef TEST_SOUND_PCM_H
#define TEST_SOUND_PCM_H

#include <sound/asound.h>

#define PCM_CHANNELS	  2
#define PCM_RATE	  48000
#define PCM_PERIOD_FRAMES 1024
#define PCM_PERIODS	  4
#define PCM_START_FRAMES  2048 /* playback begins with so many */

/* 16 bits, stereo, interleaved. A stream that runs dry, or over, goes on. -1 and errno on error. */
int pcm_set_up(int fd);

#endif
