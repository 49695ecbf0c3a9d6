#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# In a guest: the same loads on drivers as they are and then armed, one JSON object a run. An
# instruction is a nanosecond here. The argument is how often.
# vm: --icount --timeout 1200 --mem 1024 --file tests/guest/lib --file tests/netstate
# vm: --qemu "-netdev hubport,id=a,hubid=0 -device e1000,netdev=a"
# vm: --qemu "-netdev hubport,id=b,hubid=0 -device virtio-net-pci,netdev=b"
# shellcheck source=../guest/lib/lib.sh
. lib/lib.sh
# shellcheck source=../guest/lib/faulty.sh
. lib/faulty.sh

RUNS=$1
PACKETS=10000
# Less than from one tick of the kernel's clock to the next: most runs have none, nor has the median.
CALLS=500
CALL_RUNS=5 # for each run of the others
NOBODY=192.0.2.99 # the peer's card does not take what is sent there

# under MODE NAME LOAD ARG...: one run. Nothing else may run meanwhile, so jq comes later.
under() {
	local result
	result=$(load "${@:3}")
	jq -cM --arg mode "$1" --arg load "$2" '{$mode, $load} + .' <<<"$result"
}

# loads MODE
loads() {
	local i
	for ((i = 0; i < RUNS * CALL_RUNS; i++)); do
		under "$1" call refused "$CARD" $CALLS
		under "$1" call_import private "$CARD" $CALLS
	done
	for ((i = 0; i < RUNS; i++)); do
		under "$1" udp udp "$PEER_V4" $PACKETS
		under "$1" udp_send udp $NOBODY $PACKETS
	done
}

nic_pair e1000 virtio_net
ip addr add 192.0.2.1/24 dev "$DEV"
ip link set "$DEV" up
eventually 15 answers "$PEER_V4" || die "no peer"
ip neigh add $NOBODY lladdr 02:00:00:00:00:99 dev "$DEV" nud permanent
ip -n peer addr add $NOBODY/32 dev lo
faulty_load
CARD=$(card 0)
start_recoverd >&2
loads stock
for driver in e1000 faulty_net; do
	recovctl arm $driver >/dev/null || die "$driver cannot be armed"
done
eventually 15 answers "$PEER_V4" || die "no peer behind the armed card"
loads armed
