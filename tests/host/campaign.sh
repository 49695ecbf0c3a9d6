#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A short campaign with fixed seeds: 20 trials, of the same faults without and with recoverd.
#
# Usage: campaign.sh KERNEL
# vm-kernel: 6.1
# shellcheck disable=SC2317	# check calls these functions
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=../vm/guest.sh
. tests/vm/guest.sh

SEEDS=1-10
kernel=$1
folder=$(mktemp -d build/campaign-test.XXXXXX)
trap 'rm -rf "$folder"' EXIT

campaign() {
	tests/campaign run --kernel "$kernel" --seeds "$SEEDS" --golden 1 --out "$folder/c" "$@"
}

# of MODE FILTER: of its summary.
of() {
	jq -es --arg mode "$1" ".[] | select(.mode == \$mode) | $2" "$folder/c/summary.jsonl"
}

nothing_is_left() {
	campaign 2>&1 >/dev/null | grep 'nothing is left to run'
}

refused() {
	local status=0 said
	said=$(campaign "$@" 2>&1) || status=$?
	echo "status $status: $said"
	((status == 2)) && [[ $said == 'campaign: '* && $said != *$'\n'* ]]
}

check "golden runs are well, and the faults of each seed are planted" campaign --min-valid 100
check "on the stock kernel faults are executed" of stock '.trials == 10 and .activated >= 8'
check "which takes the machine or the service away" of stock '.machine_lost + .service_lost >= 4'
check "with recoverd the same faults are executed" of recoverd '.trials == 10 and .activated >= 8'
check "and fewer machines are lost" test "$(of recoverd .machine_lost)" -lt \
	"$(of stock .machine_lost)"
check "drivers come back by themselves" of recoverd '.recovered >= 3'
check "what has been run is not run again" nothing_is_left
check "an unknown class is refused in one sentence" refused --out "$folder/d" --class nonsense
note "$(jq -c '[.mode, .outcomes, .trials_per_hour, .cpu_seconds_per_trial]' "$folder/c/summary.jsonl" |
	tr '\n' ' ')"
finish
