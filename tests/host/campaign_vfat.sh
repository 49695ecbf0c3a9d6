#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The load of the file system FAT: a file that was renamed does not pass.
#
# Usage: campaign_vfat.sh KERNEL
# vm-kernel: 6.1
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=lib/load.sh
. tests/host/lib/load.sh

# shellcheck disable=SC2016	# for the guest
load_test vfat "$1" vfat.sh '.outcome == "ok" and .errors == 0 and .longest_gap_ms < 1000' '
workload_run() {
	files write "${KEPT[@]}" && echo >/run/kept
	[[ ! -e /run/again ]] || mv "$AT/Kept/A File of many Words, the 5. of them.text" "$AT/Kept/5"
	echo >/run/again
}'
