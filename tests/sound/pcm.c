// SPDX-License-Identifier: GPL-2.0-or-later
/* Sets up a PCM device. */
#include "pcm.h"

#include <string.h>
#include <sys/ioctl.h>

static struct snd_interval *interval(struct snd_pcm_hw_params *params, int name)
{
	return &params->intervals[name - SNDRV_PCM_HW_PARAM_FIRST_INTERVAL];
}

static void set_interval(struct snd_pcm_hw_params *params, int name, unsigned value)
{
	interval(params, name)->min = value;
	interval(params, name)->max = value;
	interval(params, name)->integer = 1;
}

static void set_mask(struct snd_pcm_hw_params *params, int name, unsigned bit)
{
	struct snd_mask *mask = &params->masks[name - SNDRV_PCM_HW_PARAM_FIRST_MASK];

	memset(mask, 0, sizeof(*mask));
	mask->bits[bit / 32] = 1U << bit % 32;
}

static int set_hw_params(int fd)
{
	struct snd_pcm_hw_params params = {};

	memset(params.masks, 0xff, sizeof(params.masks));
	for (int i = SNDRV_PCM_HW_PARAM_FIRST_INTERVAL; i <= SNDRV_PCM_HW_PARAM_LAST_INTERVAL; i++)
		interval(&params, i)->max = ~0U;
	params.rmask = ~0U;
	set_mask(&params, SNDRV_PCM_HW_PARAM_ACCESS, SNDRV_PCM_ACCESS_RW_INTERLEAVED);
	set_mask(&params, SNDRV_PCM_HW_PARAM_FORMAT, SNDRV_PCM_FORMAT_S16_LE);
	set_interval(&params, SNDRV_PCM_HW_PARAM_CHANNELS, PCM_CHANNELS);
	set_interval(&params, SNDRV_PCM_HW_PARAM_RATE, PCM_RATE);
	set_interval(&params, SNDRV_PCM_HW_PARAM_PERIOD_SIZE, PCM_PERIOD_FRAMES);
	set_interval(&params, SNDRV_PCM_HW_PARAM_PERIODS, PCM_PERIODS);
	return ioctl(fd, SNDRV_PCM_IOCTL_HW_PARAMS, &params);
}

static int set_sw_params(int fd)
{
	struct snd_pcm_sw_params params = {
		.period_step = 1,
		.avail_min = PCM_PERIOD_FRAMES,
		.start_threshold = PCM_START_FRAMES,
		.stop_threshold = (snd_pcm_uframes_t)PCM_PERIOD_FRAMES * PCM_PERIODS * 1024,
		.boundary = (snd_pcm_uframes_t)PCM_PERIOD_FRAMES * PCM_PERIODS * 1024,
		.proto = SNDRV_PCM_VERSION,
	};

	return ioctl(fd, SNDRV_PCM_IOCTL_SW_PARAMS, &params);
}

int pcm_set_up(int fd)
{
	int r = set_hw_params(fd);

	return r < 0 ? r : set_sw_params(fd);
}
