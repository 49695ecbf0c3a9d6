// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Plays silence on a PCM device and writes a control, by the kernel's own ABI: what the tests take
 * for a sound application. Says what it has set as a JSON object, and stays until its standard input
 * ends.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "pcm.h"

static void must(int r, const char *what)
{
	if (r >= 0)
		return;
	fprintf(stderr, "play: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void play(int fd)
{
	static int16_t silence[PCM_START_FRAMES * PCM_CHANNELS];
	struct snd_xferi transfer = {.buf = silence, .frames = PCM_START_FRAMES};

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
	       PCM_RATE, PCM_START_FRAMES, list.count, info.id.numid, value.value.integer.value[0]);
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
	must(pcm_set_up(pcm), "set up");
	play(pcm);
	write_control(control, argv[3]);
	fflush(stdout);
	while (getchar() != EOF)
		;
	return 0;
}
