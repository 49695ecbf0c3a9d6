#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A swap takes out all cards of a driver: one in use, one that is down and has another name, one in
# a network namespace of its own.
# vm: --timeout 240 --file tests/guest/lib --file tests/netstate
# vm: --qemu "-netdev hubport,id=a,hubid=0 -device e1000,netdev=a"
# vm: --qemu "-netdev hubport,id=b,hubid=0 -device virtio-net-pci,netdev=b"
# vm: --qemu "-netdev hubport,id=c,hubid=1 -device e1000,netdev=c"
# vm: --qemu "-netdev hubport,id=d,hubid=0 -device e1000,netdev=d"
. lib/lib.sh

# all_states NAME: of the three.
all_states() {
	state_save "$1"
	./netstate idle0 >"$RESULTS/state-$1/idle0"
	ip netns exec far ./netstate far0 >"$RESULTS/state-$1/far0"
}

far_answers() {
	eventually 15 ip netns exec far ping -U -c 1 -W 1 "$PEER_V4"
}

nic_pair e1000 virtio_net
# shellcheck disable=SC2034	# read by the library
DEV=$(basename /sys/bus/pci/devices/0000:00:02.0/net/*)
idle=$(basename /sys/bus/pci/devices/0000:00:04.0/net/*)
far=$(basename /sys/bus/pci/devices/0000:00:05.0/net/*)
ip link set "$idle" name idle0
ip link set idle0 mtu 1350 address 02:00:00:00:00:1d
ip addr add 192.0.2.129/26 dev idle0
ip netns add far
ip link set "$far" netns far name far0
ip -n far addr add 192.0.2.9/24 dev far0
ip -n far link set far0 up

expect "set up" rich_state
expect "the card in the other namespace is reachable" far_answers
expect "recoverd starts" start_recoverd
all_states before
flows_start
check_swapped "swapped" swap e1000
check "all three were swapped" test "$(result swap '.devices | length')" = 3
check "reachable again" reachable 15
check "the card in the other namespace is reachable again" far_answers
flows_stop_and_check
all_states after
check "the state of all three is identical" state_compare before after
check "the idle card can be used" ip link set idle0 up
check_clean_log
finish
