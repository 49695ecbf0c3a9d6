#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The load of sound cards: samples that come too late do not pass.
#
# Usage: campaign_sound.sh KERNEL
# vm-kernel: 6.1
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=lib/load.sh
. tests/host/lib/load.sh

# shellcheck disable=SC2016	# for the guest
load_test snd_intel8x0 "$1" sound.sh '.outcome == "ok" and .errors == 0 and .longest_gap_ms < 100' '
workload_run() {
	local player
	stream play "$PLAYBACK" 1000 &
	player=$!
	sleep 0.5
	if [[ -e /run/again ]]; then
		kill -STOP $player
		sleep 0.2
		kill -CONT $player
	fi
	echo >/run/again
	wait $player
}'
