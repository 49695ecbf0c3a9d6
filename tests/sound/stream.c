// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * stream: plays or captures on a PCM device, and checks by the clock that each of its samples takes
 * the time of a sample.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "pcm.h"

#define SILENT_MS	 500 /* without a period, something is wrong */
#define TOLERANCE_FRAMES (2 * PCM_PERIOD_FRAMES)
#define AGAIN_USEC	 100000

struct stream {
	const char *device;
	bool capture;
	int fd;
	int16_t samples[PCM_PERIOD_FRAMES * PCM_CHANNELS];
	/* Of this opening: what the position is compared with. */
	unsigned periods;
	double begin_ms;
	snd_pcm_uframes_t begin_frames;
	/* Of all of it. */
	unsigned long done, errors;
	char first_error[128];
	double last_ms, gap_ms, off_ms;
};

static double now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static int failed(struct stream *stream, const char *what, int error)
{
	if (!stream->errors++)
		snprintf(stream->first_error, sizeof(stream->first_error), "%s: %s: %s",
			 stream->device, what, strerror(error));
	return -1;
}

static int begin(struct stream *stream)
{
	stream->fd = open(stream->device, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (stream->fd < 0)
		return failed(stream, "open", errno);
	stream->periods = 0;
	if (pcm_set_up(stream->fd) < 0 || ioctl(stream->fd, SNDRV_PCM_IOCTL_PREPARE) < 0)
		return failed(stream, "set up", errno);
	if (stream->capture && ioctl(stream->fd, SNDRV_PCM_IOCTL_START) < 0)
		return failed(stream, "start", errno);
	return 0;
}

static int transfer(struct stream *stream)
{
	struct snd_xferi part = {.buf = stream->samples, .frames = PCM_PERIOD_FRAMES};
	struct pollfd ready = {stream->fd, stream->capture ? POLLIN : POLLOUT, 0};
	int n = poll(&ready, 1, SILENT_MS);

	if (n <= 0)
		return failed(stream, "wait", n < 0 ? errno : ETIMEDOUT);
	if (ioctl(stream->fd,
		  stream->capture ? SNDRV_PCM_IOCTL_READI_FRAMES : SNDRV_PCM_IOCTL_WRITEI_FRAMES,
		  &part) < 0)
		return failed(stream, "transfer", errno);
	return part.result == PCM_PERIOD_FRAMES ? 0 : failed(stream, "transfer", EIO);
}

/* The card's position is where its clock should have brought it, and not past what it was given. */
static int check_position(struct stream *stream)
{
	struct snd_pcm_status status = {};
	double now, off;

	if (ioctl(stream->fd, SNDRV_PCM_IOCTL_STATUS, &status) < 0)
		return failed(stream, "status", errno);
	now = now_ms();
	if (status.state != SNDRV_PCM_STATE_RUNNING)
		return failed(stream, "it does not run", EPIPE);
	if (stream->periods == PCM_PERIODS) {
		stream->begin_ms = now;
		stream->begin_frames = status.hw_ptr;
	}
	off = (double)(status.hw_ptr - stream->begin_frames) -
	      (now - stream->begin_ms) * PCM_RATE / 1e3;
	if (off < 0)
		off = -off;
	if (off * 1e3 / PCM_RATE > stream->off_ms)
		stream->off_ms = off * 1e3 / PCM_RATE;
	if (off > TOLERANCE_FRAMES)
		return failed(stream, "its position is not that of the clock", EIO);
	if (stream->capture ? status.hw_ptr < status.appl_ptr : status.hw_ptr > status.appl_ptr)
		return failed(stream, "its position is past the samples", EPIPE);
	return 0;
}

static int go_on(struct stream *stream)
{
	double now;

	if (stream->fd < 0 && begin(stream) < 0)
		return -1;
	if (transfer(stream) < 0)
		return -1;
	/* A buffer of them has been filled at once. */
	if (stream->periods++ >= PCM_PERIODS - 1 && check_position(stream) < 0)
		return -1;
	now = now_ms();
	if (now - stream->last_ms > stream->gap_ms)
		stream->gap_ms = now - stream->last_ms;
	stream->last_ms = now;
	stream->done++;
	return 0;
}

static void end(struct stream *stream)
{
	if (stream->fd >= 0)
		close(stream->fd);
	stream->fd = -1;
}

int main(int argc, char **argv)
{
	static struct stream stream;
	double until;
	char *rest;

	if (argc != 4 || (strcmp(argv[1], "play") != 0 && strcmp(argv[1], "capture") != 0)) {
		fputs("Usage: stream play|capture PCM_DEVICE MILLISECONDS|STOP_FILE\n", stderr);
		return 2;
	}
	stream.capture = argv[1][0] == 'c';
	stream.device = argv[2];
	stream.fd = -1;
	stream.last_ms = now_ms();
	until = stream.last_ms + strtod(argv[3], &rest);
	while (*rest ? access(argv[3], F_OK) < 0 : now_ms() < until) {
		if (go_on(&stream) == 0)
			continue;
		end(&stream);
		usleep(AGAIN_USEC);
	}
	end(&stream);
	if (now_ms() - stream.last_ms > stream.gap_ms)
		stream.gap_ms = now_ms() - stream.last_ms;
	if (stream.errors)
		fprintf(stderr, "stream: %s\n", stream.first_error);
	printf("{\"periods\":%lu,\"errors\":%lu,\"worst_off_ms\":%.1f,\"longest_gap_ms\":%.1f}\n",
	       stream.done, stream.errors, stream.off_ms, stream.gap_ms);
	return stream.errors || !stream.done;
}
