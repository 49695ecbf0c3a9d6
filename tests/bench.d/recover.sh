#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# In a guest: an armed driver fails in its interrupt and is recovered by its policy, below a ping,
# one JSON object a fault, in milliseconds: told, from the fault until the daemon tells it; prepare,
# until the swap begins; the phases of the swap; first_byte, from the begin of its resume until the next
# answer; and the total.
#
# Usage: recover.sh faulty_net|e1000|virtio_net TIMES
# vm: --timeout 400 --file tests/guest/lib --file tests/netstate
# shellcheck source=../guest/lib/lib.sh
. lib/lib.sh
# shellcheck source=../guest/lib/faulty.sh
. lib/faulty.sh

driver=$1 times=$2
# Functions that are called for an interrupt, as planter takes them.
declare -A FAULTS=([e1000]='e1000:e1000_intr 2' [virtio_net]='virtio_net:skb_recv_done 1')
declare -A PEERS=([e1000]=virtio_net [virtio_net]=e1000)

now_us() {
	echo "${EPOCHREALTIME/./}"
}

# us FILTER: when the first event of that kind behind SEQ was told; fails if there is none.
us() {
	local at
	at=$(recovctl events --json | jq -rM --argjson seq "$SEQ" \
		"select(.seq > \$seq and $1) | .ts" | sed -n 1p)
	[[ $at ]] && date -d "$at" +%s%6N
}

recovered() {
	us '.event == "driver.recovered"'
}

# answer_after US: when the first answer came behind that.
answer_after() {
	sed -n 's/^\[\([0-9]*\)\.\([0-9]*\)\].* bytes from .*/\1\2/p' "$RESULTS/ping" |
		awk -v from="$1" '$1 > from { print; exit }'
}

answered_after() {
	[[ $(answer_after "$1") ]]
}

plant() {
	if [[ $driver == faulty_net ]]; then
		echo null-read hardirq >"$FAULT"
	else
		echo "${FAULTS[$driver]}" >/sys/module/planter/parameters/fault
	fi
}

mkdir -p /etc/recoverd/policies.d
printf '%s\n' '[Match]' "Driver=$driver" '[Recover]' Steps=restart Backoff=0 Limit=1000 \
	Interval=1ms >/etc/recoverd/policies.d/10-bench.policy
if [[ $driver == faulty_net ]]; then
	faulty_pair
else
	nic_pair "$driver" "${PEERS[$driver]}"
	ip addr add 192.0.2.1/24 dev "$DEV"
	ip link set "$DEV" up
	eventually 15 answers "$PEER_V4" || die "no peer"
	insmod "$DRIVERS/planter.ko"
fi >&2
start_recoverd >&2
recovctl arm "$driver" >/dev/null || die "$driver cannot be armed"
for ((i = 0; i < times; i++)); do
	eventually 15 answers "$PEER_V4" || die "no peer"
	ping -U -D -n -i 0.005 "$PEER_V4" >"$RESULTS/ping" &
	pinger=$!
	sleep 1
	SEQ=$(recovctl status --json | jq .seq)
	begin=$(now_us)
	plant
	eventually 30 recovered || die "not recovered"
	# An answer can be before the swap has told its end.
	held=$(us '.event == "swap.phase" and .phase == "resume"')
	eventually 30 answered_after "$held" || die "no answer"
	kill $pinger
	wait $pinger || true
	told=$(us '.event == "driver.fault"')
	planned=$(us '.event == "swap.phase" and .phase == "plan"')
	recovctl events --json | jq -cM --argjson seq "$SEQ" \
		'select(.seq > $seq and .event == "swap.phase" and .done)' >"$RESULTS/phases"
	jq -csM --argjson begin "$begin" --argjson told "$told" --argjson planned "$planned" \
		--argjson held "$held" --argjson answer "$(answer_after "$held")" '
		{told: (($told - $begin) / 1e3), prepare: (($planned - $told) / 1e3)}
		+ (map({key: .phase, value: (.duration_ns / 1e6)}) | from_entries)
		+ {first_byte: (($answer - $held) / 1e3), total: (($answer - $begin) / 1e3)}' \
		"$RESULTS/phases"
done
