#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The card fails below e1000, armed and under load, in each way that can be planted: a swap cures it,
# on demand and by a policy, its connections live, and nothing is written into memory that the driver
# has given back.
# vm: --timeout 420 --mem 1024 --file tests/guest/lib --file tests/netstate
# vm: --append "page_poison=1"
# vm: --qemu "-netdev hubport,id=a,hubid=0 -device e1000,netdev=a"
# vm: --qemu "-netdev hubport,id=b,hubid=0 -device virtio-net-pci,netdev=b"
. lib/lib.sh
. lib/inject.sh

# Of the command register: what a card that works has on, and off.
ON=6	 # it reads and writes memory, its registers answer
OFF=1024 # no interrupts by its line

plan_of() {
	recovctl inject plan --image "$(modinfo -n e1000)" --seed 1 --class "device:$1" --faults 1 \
		--out "$1.json"
}

card_works() {
	local device command
	device=$(readlink -f "/sys/class/net/$DEV/device")
	command=$(od -An -tu2 -j 4 -N 2 "$device/config")
	echo "command register: $command"
	(((command & (ON | OFF)) == ON))
}

# fails WHAT: as planted.
fails() {
	recovctl inject apply "$1.json" && silent
}

# recovered [ARG...]: by recovctl, and the connections with it.
recovered() {
	recovctl recover e1000 --json "$@" >"$RESULTS/swap.json" || {
		cat "$RESULTS/swap.json"
		return 1
	}
	eventually 40 flows_caught_up && flows_alive
}

recovered_by_policy() {
	[[ $(recovctl events --json | jq -cM --argjson seq "$SEQ" \
		'select(.event == "driver.recovered" and .seq > $seq)') ]]
}

# The next copy of the driver gets pages that the last one had, and the kernel looks whether they are
# as it left them.
memory_is_sound() {
	! dmesg | grep -E 'pagealloc: '
}

nic_pair e1000 virtio_net
ip addr add 192.0.2.1/24 dev "$DEV"
ip link set "$DEV" up
expect "the peer answers" eventually 15 answers "$PEER_V4"
for what in memory bus-master intx; do
	expect "a plan for $what is drawn" plan_of $what
done
check "recoverd starts" start_recoverd
check "the driver is armed" recovctl arm e1000 --json
flows_start --rate 50
for what in memory bus-master intx; do
	check "its $what fails" fails $what
	check "a swap cures it" recovered
	check "the card is as it was" card_works
	check "nothing has written into free memory" memory_is_sound
done
check "its memory fails again" fails memory
check "a swap that does not call it cures it, too" recovered --untrusted
check "nothing has written into free memory" memory_is_sound

mkdir -p /etc/recoverd/policies.d
# A driver that finds its link gone resets itself, again and again: nothing times out.
printf '#!/bin/bash\nping -U -q -c 1 -W 1 %s\n' "$PEER_V4" >/etc/recoverd/heartbeat
chmod +x /etc/recoverd/heartbeat
printf '%s\n' '[Match]' 'Driver=e1000' '[Detect]' 'On=fault hang tx-timeout storm heartbeat' \
	'Heartbeat=/etc/recoverd/heartbeat' 'HeartbeatInterval=2s' 'HeartbeatTimeout=1s' \
	'HeartbeatMisses=2' 'Grace=4s' '[Recover]' 'Steps=restart restart untrusted' \
	'Backoff=200ms' >/etc/recoverd/policies.d/10-e1000.policy
kill -HUP "$(daemon_pid)"
for what in memory bus-master; do
	SEQ=$(recovctl status --json | jq .seq)
	check "its $what fails" recovctl inject apply $what.json
	check "a policy notices" eventually 60 recovered_by_policy
	check "the flows go on" eventually 40 flows_caught_up
	check "nothing has written into free memory" memory_is_sound
done
flows_stop_and_check
note "longest gap $(longest_gap_ms) ms"
check_clean_log
finish
