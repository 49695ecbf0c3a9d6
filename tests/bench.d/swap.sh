#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# In a guest: swaps and plain reloads of one driver in turn, each measured, one JSON object a line.
# vm: --timeout 400 --file tests/guest/lib --file tests/netstate
# shellcheck source=../guest/lib/lib.sh
. lib/lib.sh

driver=$1 peer_driver=$2 times=$3

nic_pair "$driver" "$peer_driver" >&2
start_recoverd >&2
mapfile -t modules < <(recovctl replug "$driver" --dry-run --json | jq -r '.modules[].old_path')
for ((i = 0; i < times; i++)); do
	plain_state >&2
	replug swap "$driver" || die "the swap failed: $(<"$RESULTS/swap.err")"
	jq -cM '{kind: "swap", pause_ns, phases_ns}' "$RESULTS/swap.json"
	ip link del "vlan$VLAN"
	plain "${modules[@]}" >"$RESULTS/plain" || die "the plain reload failed"
	jq -cM '{kind: "plain"} + .' "$RESULTS/plain"
	DEV=$(netdev_of "$driver")
	ip addr flush dev "$DEV"
	plain_state >&2
	ip link del "vlan$VLAN"
	begin=${EPOCHREALTIME/./}
	modprobe -r "$driver"
	modprobe "$driver"
	DEV=$(netdev_of "$driver")
	ip link set "$DEV" up
	eventually 15 grep -q 1 "/sys/class/net/$DEV/carrier"
	echo "{\"kind\":\"modprobe\",\"total_ns\":$(((${EPOCHREALTIME/./} - begin) * 1000))}"
	ip addr flush dev "$DEV"
done
