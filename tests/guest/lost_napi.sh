#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# e1000 forgets to say that a poll is over, and its reset waits for that for ever, as its stop would: it
# is recovered all the same.
# vm-waits
# vm: --timeout 300 --mem 1024 --file tests/guest/lib --file tests/netstate
# vm: --qemu "-netdev hubport,id=a,hubid=0 -device e1000,netdev=a"
# vm: --qemu "-netdev hubport,id=b,hubid=0 -device virtio-net-pci,netdev=b"
. lib/lib.sh
. lib/inject.sh

POLL_IS_OVER='select(.before | test("napi_complete_done"))'

cover() {
	recovctl inject cover e1000 --for 4s --out coverage.json &
	ping -q -c 3 "$PEER_V4"
	wait $!
}

# A plan has fewer mistakes than there are instructions.
one_fault() {
	local seed
	for seed in {1..9}; do
		plan coverage.json "$POLL_IS_OVER" plan.json "$seed" || return
		[[ $(jq '.faults | length' plan.json) != 1 ]] || return 0
	done
	return 1
}

# A task waits in napi_disable(), and still does a second later.
hangs() {
	local stack
	stack=$(grep -ls -m 1 napi_disable /proc/[0-9]*/stack | head -n 1)
	[[ $stack ]] && sleep 1 && grep -qs napi_disable "$stack"
}

nic_pair e1000 virtio_net
ip addr add 192.0.2.1/24 dev "$DEV"
ip link set "$DEV" up
expect "the peer answers" eventually 15 answers "$PEER_V4"
expect "it is known what runs" cover
expect "a plan has that one mistake" one_fault
check "recoverd starts" start_recoverd
check "the driver is armed" recovctl arm e1000 --json
flows_start --rate 50
check "the mistake is planted" recovctl inject apply plan.json
check "the driver's reset does not end" eventually 60 hangs
check "it is recovered all the same" timeout 60 recovctl recover e1000 --json
check "the flows go on" eventually 40 flows_caught_up
flows_stop_and_check
note "longest gap $(longest_gap_ms) ms"
check_clean_log
check "it is disarmed" recovctl disarm e1000 --json
check "and the shadow is unloaded" eventually 10 rmmod recov_shadow
finish
