#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# In a guest: two armed drivers under all the load their CPUs carry, of which nothing must be told.
#
# Usage: armed.sh DRIVER PEER_DRIVER SECONDS
#
# Prints a JSON object: seconds, faults and hangs told, connections lost.
# vm: --timeout 3000 --file tests/guest/lib --file tests/netstate
# shellcheck source=../guest/lib/lib.sh
. lib/lib.sh

driver=$1 peer_driver=$2 seconds=$3

# told EVENT: how often.
told() {
	recovctl events --json | jq -sM --arg event "$1" '[.[] | select(.event == $event)] | length'
}

nic_pair "$driver" "$peer_driver" >&2
start_recoverd >&2
plain_state >&2
for armed in "$driver" "$peer_driver"; do
	recovctl arm "$armed" --json >"$RESULTS/swap" || die "arm $armed: $(<"$RESULTS/swap")"
done
flows_start --rate 100000
sleep "$seconds"
status=0
flows_stop || status=$?
show "$RESULTS/flows"
jq -cMn --argjson seconds "$seconds" --argjson faults "$(told driver.fault)" \
	--argjson hangs "$(told driver.hang)" --argjson flows_status "$status" \
	'{mode: "armed", $seconds, $faults, $hangs, $flows_status}'
clean_log || die "the kernel complained"
finish
