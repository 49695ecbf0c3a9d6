#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# One build of a driver after the other goes in from the same file, as in work on it; the way back
# is always the one that was loaded, and the installed one comes back when no file is named.
# vm: --timeout 240 --file tests/guest/lib --file tests/netstate
# vm: --qemu "-netdev hubport,id=a,hubid=0 -device e1000,netdev=a"
# vm: --qemu "-netdev hubport,id=b,hubid=0 -device virtio-net-pci,netdev=b"
. lib/lib.sh

# loaded ID: it is the one in the kernel.
loaded() {
	image_loaded e1000 "$1"
}

# swap_to ID: build it, swap, and overwrite the file.
swap_to() {
	image_build e1000 "$1" e1000.ko
	check_swapped "$1 goes in" "$1" e1000 --to /root/e1000.ko
	check "$1 is loaded" loaded "$1"
	echo "being built" >e1000.ko
}

nic_pair e1000 virtio_net
expect "set up" rich_state
expect "recoverd starts" start_recoverd
state_save before
flows_start
swap_to first
swap_to second
test_image probe_fails e1000 broken.ko
check "a broken one is rolled back" test "$(replug broken e1000 --to /root/broken.ko ||
	result broken .outcome)" = rolled-back
check "to the second" loaded second
check_swapped "the installed one comes back" stock e1000
check "it is loaded" test "$(loaded first || loaded second || echo stock)" = stock
check "nothing is kept any more" test -z "$(ls /run/recoverd/images)"
check "reachable" reachable 15
flows_stop_and_check "no connection lost, no byte corrupt or missing"
state_save after
check "state identical" state_compare before after
check_clean_log
finish
