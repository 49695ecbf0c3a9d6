// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Plays silence on a PCM device and writes a control, by the kernel's own ABI: what the tests take
 * for a sound application. Says what it has set as a JSON object, and stays until its standard input
 * ends.
 */
#include <errno.h>
#include <fcntl.h>
#include <sound/asound.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define CHANNELS      2
#define RATE	      48000
#define PERIOD_FRAMES 1024
#define PERIODS	      4
#define START_FRAMES  2048

static void must(int r, const char *what)
{
	if (r >= 0)
		return;
	fprintf(stderr, "play: %s: %s\n", what, strerror(errno));
	exit(1);
}

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

static void set_hw_params(int fd)
{
	struct snd_pcm_hw_params params = {};

	memset(params.masks, 0xff, sizeof(params.masks));
	for (int i = SNDRV_PCM_HW_PARAM_FIRST_INTERVAL; i <= SNDRV_PCM_HW_PARAM_LAST_INTERVAL; i++)
		interval(&params, i)->max = ~0U;
	params.rmask = ~0U;
	set_mask(&params, SNDRV_PCM_HW_PARAM_ACCESS, SNDRV_PCM_ACCESS_RW_INTERLEAVED);
	set_mask(&params, SNDRV_PCM_HW_PARAM_FORMAT, SNDRV_PCM_FORMAT_S16_LE);
	set_interval(&params, SNDRV_PCM_HW_PARAM_CHANNELS, CHANNELS);
	set_interval(&params, SNDRV_PCM_HW_PARAM_RATE, RATE);
	set_interval(&params, SNDRV_PCM_HW_PARAM_PERIOD_SIZE, PERIOD_FRAMES);
	set_interval(&params, SNDRV_PCM_HW_PARAM_PERIODS, PERIODS);
	must(ioctl(fd, SNDRV_PCM_IOCTL_HW_PARAMS, &params), "hw_params");
}

static void set_sw_params(int fd)
{
	struct snd_pcm_sw_params params = {
		.period_step = 1,
		.avail_min = PERIOD_FRAMES,
		.start_threshold = START_FRAMES,
		.stop_threshold = (snd_pcm_uframes_t)PERIOD_FRAMES * PERIODS * 1024,
		.boundary = (snd_pcm_uframes_t)PERIOD_FRAMES * PERIODS * 1024,
		.proto = SNDRV_PCM_VERSION,
	};

	must(ioctl(fd, SNDRV_PCM_IOCTL_SW_PARAMS, &params), "sw_params");
}

static void play(int fd)
{
	static int16_t silence[START_FRAMES * CHANNELS];
	struct snd_xferi transfer = {.buf = silence, .frames = START_FRAMES};

	must(ioctl(fd, SNDRV_PCM_IOCTL_PREPARE), "prepare");
	must(ioctl(fd, SNDRV_PCM_IOCTL_WRITEI_FRAMES, &transfer), "writei");
}

/* Turns a switch or volume by one, and tells which. */
static void write_control(int fd, const char *name)
{
	struct snd_ctl_elem_info info = {.id = {.iface = SNDRV_CTL_ELEM_IFACE_MIXER}};
	struct snd_ctl_elem_value value = {};
	struct snd_ctl_elem_list list = {}; /* room for none: only their number is told */

	snprintf((char *)info.id.name, sizeof(info.id.name), "%s", name);
	must(ioctl(fd, SNDRV_CTL_IOCTL_ELEM_INFO, &info), name);
	value.id = info.id;
	must(ioctl(fd, SNDRV_CTL_IOCTL_ELEM_READ, &value), "read a control");
	value.value.integer.value[0] +=
		value.value.integer.value[0] == info.value.integer.min ? 1 : -1;
	must(ioctl(fd, SNDRV_CTL_IOCTL_ELEM_WRITE, &value), "write a control");
	must(ioctl(fd, SNDRV_CTL_IOCTL_ELEM_LIST, &list), "list the controls");
	printf("{\"rate\": %d, \"start\": %d, \"controls\": %u, \"numid\": %u, \"value\": %ld}\n",
	       RATE, START_FRAMES, list.count, info.id.numid, value.value.integer.value[0]);
}

int main(int argc, char **argv)
{
	int pcm, control;

	if (argc != 4) {
		fputs("Usage: play PCM_DEVICE CONTROL_DEVICE CONTROL\n", stderr);
		return 2;
	}
	pcm = open(argv[1], O_RDWR);
	must(pcm, argv[1]);
	control = open(argv[2], O_RDWR);
	must(control, argv[2]);
	set_hw_params(pcm);
	set_sw_params(pcm);
	play(pcm);
	write_control(control, argv[3]);
	fflush(stdout);
	while (getchar() != EOF)
		;
	return 0;
}
