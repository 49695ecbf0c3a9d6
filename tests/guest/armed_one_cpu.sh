#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A machine with one CPU, which an armed driver takes for itself: by interrupts whose cause it does not
# see to any more, and by a loop with interrupts off, out of which the NMI of a hardware watchdog gets.
# It is recovered by its policy.
# vm-waits
# vm: --smp 1 --timeout 200 --mem 1024 --file tests/guest/lib --file tests/netstate
# vm: --qemu "-netdev hubport,id=a,hubid=0 -device e1000,netdev=a"
# vm: --qemu "-netdev hubport,id=b,hubid=0 -device virtio-net-pci,netdev=b"
# vm: --qemu "-device i6300esb -action watchdog=inject-nmi"
. lib/lib.sh
. lib/inject.sh
. lib/faulty.sh

# storm_plan COVERAGE PLAN: a card's interrupts are claimed at once, and its registers not read.
storm_plan() {
	note_functions
	only_in "$1" e1000_intr >intr.json
	plan intr.json 'select(.function == "e1000_intr" and .before == "add rax, 0xc0")' "$2" || return
	jq -cM '.faults |= [.[0] + {id: 1, new: "b801000000c3", after: "mov eax, 1; ret"}]' "$2" >storm.json
	jq -e '.faults[0].class == "nop"' storm.json
}

# told DRIVER EVENT FILTER [N]: one such event and no other, or N.
told() {
	recovctl events --json | jq -cM --arg driver "$1" --arg event "driver.$2" \
		'select(.device.driver == $driver and .event == $event)' | tee "$RESULTS/events" |
		jq -es "length == ${4:-1} and all($3)"
}

# Once it has not been written to for eight seconds it sends an NMI.
feed_the_watchdog() {
	modprobe i6300esb heartbeat=8
	exec 3>/dev/watchdog
	while echo >&3; do
		sleep 0.5
	done
}

nic_pair e1000 virtio_net
ip addr add 192.0.2.1/24 dev "$DEV"
ip link set "$DEV" up
expect "the peer answers" eventually 15 answers "$PEER_V4"
mkdir -p /etc/recoverd/policies.d
printf '%s\n' '[Match]' 'Driver=*' '[Recover]' 'Steps=restart' >/etc/recoverd/policies.d/10-all.policy
check "recoverd starts" start_recoverd
check "it is armed" recovctl arm e1000
flows_start
recovctl inject cover e1000 --for 1s --out load.json
check "a plan is drawn" storm_plan load.json plan.json
recovctl inject apply storm.json
check "a storm is told, once" eventually_told 60 told e1000 fault '.cause == "irq-storm" and
	.context == "hardirq" and .first and (.entry | startswith("e1000_intr+0x0/"))'
check "the driver comes back" eventually_told 20 told e1000 recovered true
show "$RESULTS/events"
check "the flows go on" eventually 20 flows_caught_up
flows_stop_and_check
check "the fault went with the old copy" reported '.state == "gone"'

feed_the_watchdog &
faulty_load
check "another driver is armed" recovctl arm faulty_net
echo "loop-irqs-off timer" >"$FAULT"
check "a loop in a timer with interrupts off is told" eventually_told 30 told faulty_net fault \
	'.cause == "hang" and .first and (.duration_ns | . > 15e8 and . < 10e9)'
check "the driver comes back with both cards" eventually_told 20 told faulty_net recovered true 2
echo "loop timer" >"$FAULT"
check "one with interrupts on, too" eventually_told 30 told faulty_net fault '.cause == "hang"' 2
check "the driver comes back again" eventually_told 20 told faulty_net recovered true 4
echo "mutex-circle work" >"$FAULT"
check "works that wait for each other's mutex are told" eventually_told 30 told faulty_net fault true 3
check "the driver comes back once more" eventually_told 20 told faulty_net recovered true 6
check_clean_log
finish
