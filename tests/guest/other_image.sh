#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# One build of a driver after the other goes in from the same file, as in work on it; the way back
# is always the one that was loaded, and the installed one comes back when no file is named.
# vm: --timeout 240 --file tests/guest/lib --file tests/netstate
# vm: --qemu "-netdev hubport,id=a,hubid=0 -device e1000,netdev=a"
# vm: --qemu "-netdev hubport,id=b,hubid=0 -device virtio-net-pci,netdev=b"
. lib/lib.sh

# build ID: a build of e1000 of its own, as far as its build id tells.
build() {
	local at type
	image_of e1000 new.ko
	while read -r at; do
		type=$(od -An -tu4 -j $((at - 4)) -N 4 new.ko)
		((type != 3)) || poke new.ko $((at + 4)) "$1"
	done < <(strings -n 3 -t d new.ko | awk '$2 == "GNU" { print $1 }')
	mv new.ko e1000.ko
}

# loaded ID: it is the one in the kernel.
loaded() {
	grep -q "$1" /sys/module/e1000/notes/.note.gnu.build-id
}

# swap_to ID: build, swap, and overwrite the file.
swap_to() {
	build "$1"
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
