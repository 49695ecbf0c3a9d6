#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A card that belongs to a NUMA node, as on any larger machine, is swapped; and one that is removed
# from the bus while its driver is out goes at once.
# vm-waits
# vm: --timeout 200 --file tests/guest/lib --file tests/netstate
# vm: --qemu "-object memory-backend-ram,id=m0,size=1024M -numa node,memdev=m0,cpus=0-1"
# vm: --qemu "-device pxb,id=pxb,bus_nr=128,numa_node=0,bus=pci.0"
# vm: --qemu "-netdev hubport,id=a,hubid=0 -device e1000,netdev=a,bus=pxb,addr=1"
# vm: --qemu "-netdev hubport,id=b,hubid=0 -device virtio-net-pci,netdev=b,bus=pci.0"
. lib/lib.sh

nic_pair e1000 virtio_net
expect "set up" plain_state
parent=$(realpath "/sys/class/net/$DEV/device")
check "the card has a node" test "$(<"$parent/numa_node")" = 0
expect "recoverd starts" start_recoverd
state_save before
check_swapped "swapped" swap e1000
check "reachable again" reachable 15
state_save after
check "state identical" state_compare before after
check "the card has its node again" test "$(<"$parent/numa_node")" = 0

# removed_when_kept: as soon as its driver has given the device up.
removed_when_kept() {
	eventually 20 grep -q '"phase":"load"' "$EVENTS" && echo 1 >"$parent/remove"
}

: >"$EVENTS"
removed_when_kept &
replug removed e1000 || true
wait
note "$(result removed '"\(.outcome): \(.reason)"' || true)"
check "the swap failed" test "$(result removed .outcome)" = failed
check "the device is gone" test ! -e "/sys/class/net/$DEV"
echo 1 >/sys/bus/pci/rescan
modprobe e1000
eventually 10 netdev_of e1000
DEV=$(netdev_of e1000)
check "plugged in again it works" plain_state
check "what was left of the swap is ended" replug rest e1000
check_swapped "and it is swapped" again e1000
check "reachable in the end" reachable 15
check_clean_log
finish
