#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The flow tool on a bad network: what TCP repairs is whole, what UDP loses is counted, and a dead
# path or server is a lost connection.
# vm-kernel: 6.12
# vm-waits
# vm: --timeout 200 --file tests/guest/lib --file tests/netstate
# vm: --qemu "-netdev hubport,id=a,hubid=0 -device e1000,netdev=a"
# vm: --qemu "-netdev hubport,id=b,hubid=0 -device virtio-net-pci,netdev=b"
. lib/lib.sh

# both_ways NETEM...: what both ends send passes through it.
both_ways() {
	# A change would leave on what is not named.
	tc qdisc del dev "$DEV" root 2>/dev/null || true
	ip netns exec peer tc qdisc del dev "$PEER" root 2>/dev/null || true
	tc qdisc add dev "$DEV" root netem "$@"
	ip netns exec peer tc qdisc add dev "$PEER" root netem "$@"
}

# flow_of NAME FILTER: of the last report.
flow_of() {
	jq -se --arg name "$1" "map(select(.flow == \$name)) | first | $2" "$RESULTS/flows.jsonl"
}

# bad_network TITLE FILTER NETEM...: everything of TCP arrives; the filter holds for both UDP flows.
bad_network() {
	local title=$1 filter=$2
	shift 2
	both_ways "$@"
	flows_start
	sleep 4
	flows_stop_and_check "$title: TCP is whole"
	check "$title: seen in what UDP delivered up" flow_of udp-up "$filter"
	check "$title: seen in what UDP delivered down" flow_of udp-down "$filter"
}

# control_port: of the connection that has received its "ok" alone.
control_port() {
	ss -tinOH "dst $PEER_V4" | awk '/ bytes_received:3 / { sub(/.*:/, "", $4); print $4 }'
}

# lost_connections: as many as there are TCP flows.
lost_connections() {
	! flows_stop && [[ $(flow_of all .lost_connections) == 3 ]]
}

nic_pair e1000 virtio_net
expect "set up" plain_state
# shellcheck disable=SC2034	# read by lib/flows.sh
FLOWS_RATE=300
bad_network "no fault" '.lost_messages == 0 and .corrupt_messages == 0' limit 5000
bad_network "loss" '.lost_messages > 0 and .corrupt_messages == 0' loss 3% limit 5000
# A bit is flipped, so the checksum is wrong and the kernel drops it.
bad_network "corruption" '.lost_messages > 0 and .corrupt_messages == 0' corrupt 3% limit 5000
bad_network "duplication" '.duplicate_messages > 0' duplicate 5% limit 5000
bad_network "reordering" '.reordered_messages > 0' delay 30ms reorder 70% limit 5000
bad_network "pause" '.longest_gap_ms > 250' slot 300ms 300ms limit 5000

# What nobody answers for longer than a flow may stall, while all flows go on.
both_ways limit 5000
flows_start --stall 3
tc qdisc replace dev "$DEV" root handle 1: prio
tc filter add dev "$DEV" parent 1: protocol ip u32 match ip sport "$(control_port)" 0xffff action drop
sleep 12
check "an idle control connection may miss what keeps it alive" flows_alive
tc qdisc del dev "$DEV" root
flows_stop_and_check "an idle control connection cost no flow"
both_ways limit 5000
flows_start --stall 3
both_ways loss 100%
check "a dead path loses every connection" lost_connections
show "$RESULTS/flows"
both_ways limit 5000
flows_start --stall 3
kill -KILL "$FLOWS_SERVER"
sleep 1
check "a killed server loses every connection" lost_connections
show "$RESULTS/flows"
finish
