#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# recoverd killed in each phase of a swap and never started again: the kernel lets go by itself
# before the deadline, and the machine stays healthy.
# vm-waits
# vm: --timeout 400 --file tests/guest/lib --file tests/netstate
# vm: --qemu "-netdev hubport,id=a,hubid=0 -device virtio-net-pci,netdev=a"
# vm: --qemu "-netdev hubport,id=b,hubid=0 -device e1000,netdev=b"
. lib/lib.sh
. lib/kill.sh

# shellcheck disable=SC2034	# read by lib/flows.sh
FLOWS_RATE=100
DEADLINE_S=10

# A device that has a driver, or will get it from the system call under way, serves again.
serves_again() {
	local phase=$1
	flows_start
	killed "$phase"
	check "$phase: let go before the deadline" eventually $((DEADLINE_S - 2)) let_go
	check "$phase: reachable" reachable 15
	flows_stop_and_check "$phase: no connection lost, no byte corrupt or missing"
}

# Without a driver the device is kept for one that somebody loads.
modprobe_serves_again() {
	local phase=$1
	flows_start
	killed "$phase"
	# The worker process ends with its system call.
	eventually 5 not_loaded slow_net
	[[ $phase != unload ]] || eventually 5 not_loaded slow_lib
	check "$phase: the device is kept" test -e "/sys/class/net/$DEV"
	slow_options
	check "$phase: somebody loads the driver" modprobe slow_net
	check "$phase: let go before the deadline" eventually $((DEADLINE_S - 2)) let_go
	check "$phase: reachable" reachable 15
	flows_stop_and_check "$phase: no connection lost, no byte corrupt or missing"
}

# If nobody does, it goes the stock way at the deadline.
goes_at_deadline() {
	local phase=$1 begun=$SECONDS
	killed "$phase"
	check "$phase: let go at the deadline" eventually $((DEADLINE_S + 5)) let_go
	note "$phase: let go after $((SECONDS - begun)) s, the deadline being $DEADLINE_S s"
	check "$phase: the device is gone, as by a plain unload" test ! -e "/sys/class/net/$DEV"
	check "$phase: its VLAN is gone, as by a plain unload" test ! -e "/sys/class/net/vlan$VLAN"
	slow_options
	modprobe slow_net
	DEV=$(netdev_of slow_net)
	check "$phase: a new device works" plain_state
}

not_loaded() {
	[[ ! -e /sys/module/$1 ]]
}

install_slow_net
mkdir -p /etc/recoverd
printf '[Swap]\nDeadline=%ds\n' $DEADLINE_S >/etc/recoverd/recoverd.conf
nic_pair slow_net e1000
expect "set up" plain_state
state_save before
for phase in "${PHASES[@]}"; do
	expect "$phase: recoverd starts" start_recoverd
	case $phase in
	detach | unload) modprobe_serves_again "$phase" ;;
	*) serves_again "$phase" ;;
	esac
	# What is left of it would be finished by the next daemon, which is another test.
	rm -rf /run/recoverd
done
state_save after
check "state identical after all of it" state_compare before after
for phase in detach unload; do
	expect "$phase: recoverd starts" start_recoverd
	goes_at_deadline "$phase"
	rm -rf /run/recoverd
done
expect "recoverd starts in the end" start_recoverd
check_swapped "a swap works in the end" last slow_net
check "reachable in the end" reachable 15
check_clean_log
finish
