#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# virtio_net is taken out without being called, under load and when its remove() fails: its queues, its
# hotplug states and what was on its way are taken from it, and its connections live on.
# vm: --timeout 300 --mem 1024 --file tests/guest/lib --file tests/netstate
# vm: --append "slub_debug=FZPU page_poison=1"
# vm: --qemu "-netdev hubport,id=a,hubid=0 -device virtio-net-pci,netdev=a"
# vm: --qemu "-netdev hubport,id=b,hubid=0 -device e1000,netdev=b"
. lib/lib.sh
. lib/recover.sh

recover() {
	recover_driver virtio_net "$@" && eventually 40 flows_caught_up
}

# given_back: it is taken out until there are packets on their way.
given_back() {
	for _ in {1..40}; do
		recover --untrusted || return
		! released '.packet >= 1' || return 0
	done
	return 1
}

# fatal_remove: a plan by which virtnet_remove() executes an invalid instruction.
fatal_remove() {
	local seed
	for seed in {1..20}; do
		recovctl inject plan --image "$(modinfo -n virtio_net)" --seed "$seed" --class nop \
			--faults 1000 --out all.json >/dev/null
		jq -cM '.faults |= ([.[] | select(.function == "virtnet_remove" and (.old | length) == 6) +
			{id: 1, new: "0f0b90", after: "ud2"}] | .[:1])' all.json >plan.json
		[[ $(jq '.faults | length' plan.json) == 0 ]] || return 0
	done
	return 1
}

nic_pair virtio_net e1000
ip addr add 192.0.2.1/24 dev "$DEV"
ip link set "$DEV" up
expect "the peer answers" eventually 15 answers "$PEER_V4"
expect "a fault in its remove() is planned" fatal_remove
check "recoverd starts" start_recoverd
check "it is armed" recovctl arm virtio_net --json
flows_start --flows udp-up,tcp-up,tcp-echo --rate 0
check "packets on their way are given back" given_back
flows_stop_and_check
flows_start --rate 200
check "it is taken out without being called" recover --untrusted
check "what it had was taken" released '.virtqueues >= 2 and .cpuhp == 2 and .driver == 1 and .napi >= 2'
for _ in 1 2 3; do
	check "it is taken out once more" recover --untrusted
done
check "its remove() will fail" recovctl inject apply plan.json
check "it is swapped all the same" recover
check "its queues were taken" released '.virtqueues >= 2'
check "and by itself" recover
check "the flows go on" flows_alive
flows_stop_and_check
note "longest gap $(longest_gap_ms) ms"
check "CPUs come and go" eval 'echo 0 >/sys/devices/system/cpu/cpu1/online && echo 1 >/sys/devices/system/cpu/cpu1/online'
check "the installed image takes over" recovctl disarm virtio_net --json
check "the kernel log is clean" clean_log
check "the shadow can be unloaded" eventually 10 rmmod recov_shadow
finish
