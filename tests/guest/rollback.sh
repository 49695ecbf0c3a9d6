#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# An image that does not bring the device back is rolled back by itself, connections alive.
# vm: --timeout 300 --file tests/guest/lib --file tests/netstate
# vm: --qemu "-netdev hubport,id=a,hubid=0 -device e1000,netdev=a"
# vm: --qemu "-netdev hubport,id=b,hubid=0 -device virtio-net-pci,netdev=b"
. lib/lib.sh

# rolled_back NAME: replug ends with status 1, says so, and names the reason.
rolled_back() {
	local status=0
	replug "$1" e1000 --to "/root/$1.ko" || status=$?
	((status == 1)) || {
		echo "status $status"
		return 1
	}
	result "$1" 'select(.outcome == "rolled-back" and (.reason | length > 10))'
}

try_image() {
	local name=$1
	test_image "$name" e1000 "/root/$name.ko"
	flows_start
	sleep 1
	check "$name: rolled back" rolled_back "$name"
	show_result "$name"
	check "$name: reachable again" reachable 15
	flows_stop_and_check "$name: no connection lost, no byte corrupt or missing"
	state_save "$name"
	check "$name: state identical" state_compare before "$name"
	check "$name: the old driver is bound" test "$(netdev_of e1000)" = "$DEV"
	check "$name: the old image is loaded" test "$(stock_size)" = "$SIZE"
}

addresses_are_locked() {
	dmesg | grep 'the addresses of .* are locked'
}

# Once it is held for longer than a swap waits.
lock_is_told() {
	local status=0 holder
	insmod "$DRIVERS/lock_hold.ko" || return
	echo "$DEV" >/sys/module/lock_hold/parameters/addresses &
	holder=$!
	eventually 5 addresses_are_locked || return
	replug locked e1000 || status=$?
	wait $holder
	((status == 1)) || {
		echo "status $status"
		return 1
	}
	result locked 'select(.reason | test("^eth[0-9]+ of .* somebody keeps a lock of the device$"))'
}

# The size of the module in memory tells the stock image from those that stand in for it.
stock_size() {
	cat /sys/module/e1000/coresize
}

nic_pair e1000 virtio_net
SIZE=$(stock_size)
expect "set up" rich_state
expect "recoverd starts" start_recoverd
state_save before
try_image probe_fails
try_image never_registers
check "a lock of the card that is not given back is waited for, but not for ever" lock_is_told
show_result locked
check_swapped "a good image goes in afterwards" good e1000
check "reachable in the end" reachable 15
check "events tell of the images" test \
	"$(jq -s '[.[] | select(.event == "swap.finished" and .outcome == "rolled-back" and
		(.reason | test("lock") | not))] | length' "$EVENTS")" -eq 2
check_clean_log
finish
