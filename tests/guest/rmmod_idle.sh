#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The shadow module can be unloaded at any idle moment and leaves no trace: afterwards a plain
# rmmod of the driver behaves as stock.
# vm-waits
# vm: --timeout 300 --file tests/guest/lib --file tests/netstate
# vm: --qemu "-netdev hubport,id=a,hubid=0 -device e1000,netdev=a"
# vm: --qemu "-netdev hubport,id=b,hubid=0 -device virtio-net-pci,netdev=b"
. lib/lib.sh

HOOKED=/sys/kernel/tracing/enabled_functions

# no_hooks: ftrace calls nobody but those it called before the module was there.
no_hooks() {
	diff "$RESULTS/hooked-before" "$HOOKED"
}

no_trace() {
	no_hooks || return 1
	[[ ! -e /dev/recov_shadow && ! -e /sys/module/recov_shadow ]] || return 1
	! grep -c recov_ /proc/kallsyms
}

# as_stock: a plain unload takes the device with everything on it, a plain load brings a new one.
as_stock() {
	local old
	old=$(<"/sys/class/net/$DEV/ifindex")
	rmmod e1000 || return 1
	[[ ! -e /sys/class/net/$DEV ]] || {
		echo "$DEV is still there"
		return 1
	}
	[[ ! -e /sys/class/net/vlan$VLAN ]] || {
		echo "its VLAN is still there"
		return 1
	}
	[[ ! $(ip route show table all 192.0.2.0/24) ]] || return 1
	modprobe e1000 && eventually 10 netdev_of e1000 || return 1
	[[ $(<"/sys/class/net/$(netdev_of e1000)/ifindex") != "$old" ]] || {
		echo "the device has its old index"
		return 1
	}
}

# A swap, and at once the module out: it may say that it is in use, until it is not.
swap_and_rmmod() {
	replug "swap-$1" e1000 && eventually 5 rmmod recov_shadow
}

cp "$HOOKED" "$RESULTS/hooked-before"
nic_pair e1000 virtio_net
expect "set up" plain_state

modprobe recov_shadow
check "loading it hooks nothing" no_hooks
check "it can be unloaded without ever having been used" rmmod recov_shadow
check "nothing is left of it" no_trace

expect "recoverd starts" start_recoverd
check_swapped "swapped" first e1000
check "after a swap nothing is hooked" eventually 5 no_hooks
check "it can be unloaded while recoverd runs" eventually 5 rmmod recov_shadow
check "nothing is left of it" no_trace
check "the device goes on" reachable 15
for i in 1 2 3; do
	check "unloaded right after swap $i, which loads it" swap_and_rmmod "$i"
	check "nothing is left of it" no_trace
done
check "the device goes on" reachable 15
state_save kept
check "a plain rmmod and modprobe behave as stock" as_stock
DEV=$(netdev_of e1000)
check "the new device works" plain_state
check_clean_log
finish
