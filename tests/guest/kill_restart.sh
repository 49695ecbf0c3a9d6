#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# recoverd killed in each phase of a swap and started again sees the true state and ends the swap;
# no connection is lost.
# vm-waits
# vm: --timeout 400 --file tests/guest/lib --file tests/netstate
# vm: --qemu "-netdev hubport,id=a,hubid=0 -device virtio-net-pci,netdev=a"
# vm: --qemu "-netdev hubport,id=b,hubid=0 -device e1000,netdev=b"
. lib/lib.sh
. lib/kill.sh

# shellcheck disable=SC2034	# read by lib/flows.sh
FLOWS_RATE=100

# told PHASE: the new daemon tells of the swap that its predecessor left, and in which state the
# kernel has it. That state moves on by itself, but not where there is no driver.
told() {
	local states
	states=$(sed "1,${EVENTS_BEFORE}d" "$EVENTS" | jq -r 'select(.event == "swap.interrupted")
		| "\(.kernel.swap_state) \([.kernel.swap_devices[].state] | join(","))
			\([.modules[] | select(.loaded | not) | .name] | join(","))"' | tr -s '\n\t ' ' ')
	echo "$states"
	case $1 in
	detach) [[ $states =~ ^(held|ending)\ (detached|kept) ]] ;;
	unload) [[ $states =~ ^(held|ending)\ kept\ .*slow_net ]] ;;
	*) [[ $states ]] ;;
	esac
}

serving() {
	recovctl status --json | jq -e '.drivers[] | select(.name == "slow_net") | .state == "live"' &&
		let_go
}

kill_in() {
	local phase=$1
	flows_start
	killed "$phase"
	check "$phase: recoverd starts again" start_recoverd
	check "$phase: the driver serves and the swap is over" eventually 30 serving
	check "$phase: reachable" reachable 15
	flows_stop_and_check "$phase: no connection lost, no byte corrupt or missing"
	check "$phase: the new daemon tells in which state it found the swap" told "$phase"
	note "it was: $(told "$phase" || true)"
	set_slow none
	check "$phase: a swap works afterwards" replug "after-$phase" slow_net
	show_result "after-$phase"
}

install_slow_net
nic_pair slow_net e1000
expect "set up" plain_state
expect "recoverd starts" start_recoverd
state_save before
for phase in "${PHASES[@]}"; do
	kill_in "$phase"
done
state_save after
check "state identical after all of it" state_compare before after
check_clean_log
finish
