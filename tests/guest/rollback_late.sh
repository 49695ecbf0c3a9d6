#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# An image that brings the device back but cannot use it, by itself without a link or refusing to be
# brought up, is rolled back after the load has succeeded.
# vm: --timeout 240 --file tests/guest/lib --file tests/netstate
# vm: --qemu "-netdev hubport,id=a,hubid=0 -device virtio-net-pci,netdev=a"
# vm: --qemu "-netdev hubport,id=b,hubid=0 -device e1000,netdev=b"
. lib/lib.sh
. lib/kill.sh

# rolled_back IMAGE REGEX: with a reason that matches.
rolled_back() {
	local status=0 reason
	replug "$1" slow_net --to "/root/$1.ko" || status=$?
	reason=$(result "$1" 'select(.outcome == "rolled-back") | .reason')
	echo "status $status, reason: $reason"
	((status == 1)) && [[ $reason =~ $2 ]]
}

# try_image IMAGE REGEX
try_image() {
	test_image "$1" slow_net "/root/$1.ko"
	flows_start
	check "$1: rolled back" rolled_back "$1" "$2"
	show_result "$1"
	check "$1: reachable again" reachable 15
	flows_stop_and_check "$1: no connection lost, no byte corrupt or missing"
	state_save "$1"
	check "$1: state identical" state_compare before "$1"
}

install_slow_net
mkdir -p /etc/recoverd
printf '[Swap]\nLinkLimit=2s\n' >/etc/recoverd/recoverd.conf
nic_pair slow_net e1000
expect "set up" rich_state
expect "recoverd starts" start_recoverd
state_save before
try_image linkless link
try_image openless "$DEV"
check_swapped "a good image goes in afterwards" good slow_net
check "reachable in the end" reachable 15
check_clean_log
finish
