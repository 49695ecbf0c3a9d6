#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# recoverd killed while a driver is being armed: the next one tells that this was undone.
# vm: --timeout 200 --file tests/guest/lib --file tests/netstate
# vm: --qemu "-netdev hubport,id=a,hubid=0 -device virtio-net-pci,netdev=a"
# vm: --qemu "-netdev hubport,id=b,hubid=0 -device e1000,netdev=b"
. lib/lib.sh
. lib/kill.sh

# ended OUTCOME: as the next daemon tells.
ended() {
	sed "1,${EVENTS_BEFORE}d" "$EVENTS" | jq -es --arg outcome "$1" 'map(select(
		.event == "swap.finished" and .cause == "interrupted")) | last.outcome == $outcome'
}

taps() {
	grep -c '\.tap.*\[slow_net\]' /proc/kallsyms
}

install_slow_net
nic_pair slow_net e1000
expect "set up" plain_state
expect "recoverd starts" start_recoverd
for phase in hold unload; do
	killed $phase arm
	check "$phase: recoverd starts again" start_recoverd
	check "$phase: it tells that this was undone" eventually 20 ended rolled-back
	check "$phase: the driver is not armed" test "$(taps)" = 0
	check "$phase: reachable" reachable 15
done
check_clean_log
finish
