# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# The workload of sound cards: playback and capture that keep up with the clock; see net.sh.

LOAD_MS=4000
PLAYBACK=/dev/snd/pcmC0D0p
CAPTURE=/dev/snd/pcmC0D0c
CONTROLS=/dev/snd/controlC0

workload_warm() {
	modprobe "$1" && eventually 20 test -e "$PLAYBACK" -a -e "$CAPTURE" -a -e "$CONTROLS"
}

workload_start() {
	rm -f /run/stream.*
	{
		stream capture "$CAPTURE" /run/stream.stop >/run/stream.json
		echo $? >/run/stream.status
	} &
}

workload_run() {
	play "$PLAYBACK" "$CONTROLS" "Master Playback Volume" </dev/null &&
		stream play "$PLAYBACK" $LOAD_MS
}

workload_check() {
	stream play "$PLAYBACK" 300
}

# That every application has ended is all that can be done.
workload_mend() {
	sleep 1
}

workload_stop() {
	touch /run/stream.stop
	eventually 30 test -s /run/stream.status || return 124
	tell load "$(</run/stream.json)"
	return "$(</run/stream.status)"
}
