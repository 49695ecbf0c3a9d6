#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A driver that does not see to the cause of its interrupts any more leaves the only CPU nothing else
# to do: it is noticed, and recovered by its policy.
# vm-waits
# vm: --smp 1 --timeout 200 --mem 1024 --file tests/guest/lib --file tests/netstate
# vm: --qemu "-netdev hubport,id=a,hubid=0 -device e1000,netdev=a"
# vm: --qemu "-netdev hubport,id=b,hubid=0 -device virtio-net-pci,netdev=b"
. lib/lib.sh
. lib/inject.sh

# storm_plan COVERAGE PLAN: a card's interrupts are claimed at once, and its registers not read.
storm_plan() {
	plan "$1" 'select(.function == "e1000_intr" and .before == "add rax, 0xc0")' "$2" || return
	jq -cM '.faults |= [.[0] + {id: 1, new: "b801000000c3", after: "mov eax, 1; ret"}]' "$2" >storm.json
	[[ $(jq '.faults | length' storm.json) == 1 ]]
}

# one EVENT FILTER: exactly one such event.
one() {
	recovctl events --json | jq -cM --arg event "$1" "select(.event == \$event)" |
		tee "$RESULTS/events" | jq -es "length == 1 and (.[0] | $2)"
}

nic_pair e1000 virtio_net
ip addr add 192.0.2.1/24 dev "$DEV"
ip link set "$DEV" up
expect "the peer answers" eventually 15 answers "$PEER_V4"
mkdir -p /etc/recoverd/policies.d
printf '%s\n' '[Match]' 'Driver=e1000' '[Recover]' 'Steps=restart' >/etc/recoverd/policies.d/10-e1000.policy
check "recoverd starts" start_recoverd
check "it is armed" recovctl arm e1000
flows_start
recovctl inject cover e1000 --for 1s --out load.json
check "a plan is drawn" storm_plan load.json plan.json
recovctl inject apply storm.json
check "a storm is told, once" eventually 20 one driver.fault '.cause == "irq-storm" and
	.context == "hardirq" and .first and (.entry | startswith("e1000_intr+0x0/"))'
check "the driver comes back" eventually 20 one driver.recovered true
show "$RESULTS/events"
check "the flows go on" eventually 20 flows_caught_up
flows_stop_and_check
check "the fault went with the old copy" reported '.state == "gone"'
check_clean_log
finish
