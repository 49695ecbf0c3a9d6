#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A driver whose queue has stopped for good is put in again by its policy as soon as the kernel's own
# watchdog tells of it, armed or not.
# vm-waits
# vm: --timeout 240 --mem 1024 --file tests/guest/lib --file tests/netstate
. lib/lib.sh
. lib/faulty.sh
. lib/policy.sh

stalls() {
	ethtool --set-priv-flags "$DEV" stall on &&
		eventually_told 40 told tx-timeout ".device.object == \"$DEV\" and .queue == 0"
}

faulty_pair
check "recoverd starts" start_recoverd
policy Steps=restart '[Detect]' On=tx-timeout Grace=0
flows_start --rate 50
for image in "stock" "armed"; do
	[[ $image == stock ]] || check "it is armed" recovctl arm faulty_net --json
	now
	check "the queue of a $image one stops for good" stalls
	check "it is put in again" eventually_told 20 told recovered \
		".device.object == \"$DEV\" and .cause == \"tx-timeout\""
	check "the flows go on" eventually 40 flows_caught_up
done
flows_stop_and_check
finish
