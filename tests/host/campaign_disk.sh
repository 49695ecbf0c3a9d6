#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The load of disks: a file whose content was replaced does not pass.
#
# Usage: campaign_disk.sh KERNEL
# vm-kernel: 6.12
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=lib/load.sh
. tests/host/lib/load.sh

# shellcheck disable=SC2016	# for the guest
load_test virtio_blk "$1" disk.sh '.outcome == "ok" and .errors == 0 and .longest_gap_ms < 1000' '
workload_run() {
	files write "${KEPT[@]}" && echo >/run/kept
	[[ ! -e /run/again ]] || printf x |
		dd of="$AT/Kept/A File of many Words, the 5. of them.text" bs=1 seek=65535 conv=notrunc
	echo >/run/again
}'
