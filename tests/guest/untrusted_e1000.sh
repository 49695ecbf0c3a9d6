#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# e1000 is taken out several times without being called: what it had of the kernel is taken from it,
# its connections live on, and what is lost of its memory is bounded.
# vm: --timeout 300 --mem 1024 --file tests/guest/lib --file tests/netstate
# The kernel tells of packets that are given back twice.
# vm: --append "slub_debug=F,skbuff_head_cache"
# vm: --qemu "-netdev hubport,id=a,hubid=0 -device e1000,netdev=a"
# vm: --qemu "-netdev hubport,id=b,hubid=0 -device virtio-net-pci,netdev=b"
. lib/lib.sh
. lib/recover.sh

ROUNDS=4
LOST_KB=8192 # at most, in a round: the buffers for what it receives, and what else goes on meanwhile

recover() {
	recover_driver e1000 --untrusted && eventually 40 flows_caught_up
}

available_kb() {
	echo 3 >/proc/sys/vm/drop_caches
	awk '$1 == "MemAvailable:" { print $2 }' /proc/meminfo
}

handlers() {
	[[ $(grep -c " $DEV\$" /proc/interrupts) == 1 ]]
}

mappings() {
	grep -c ioremap /proc/vmallocinfo
}

lost_little() {
	echo "$BEFORE kB before, $AFTER kB after"
	((BEFORE - AFTER < ROUNDS * LOST_KB))
}

# listed: what it had not given back when it was unloaded, and nobody else had, either.
listed() {
	recovctl leaks e1000 --json | jq -cM '[.leaks[].class] | group_by(.) | map({(.[0]): length}) | add' |
		tee "$RESULTS/leaks"
	jq -e '."dma-coherent" >= 2 and (has("irq") or has("mmio") or has("netdev") | not)' "$RESULTS/leaks"
}

nic_pair e1000 virtio_net
mkdir -p /etc/recoverd
printf '[Observe]\nDrivers=e1000\n' >/etc/recoverd/recoverd.conf
ip addr add 192.0.2.1/24 dev "$DEV"
ip link set "$DEV" up
expect "the peer answers" eventually 15 answers "$PEER_V4"
check "recoverd starts" start_recoverd
check "it is armed" recovctl arm e1000 --json
flows_start
check "it is taken out without being called" recover
check "what it had was taken" released '.irq == 1 and .napi == 1 and .driver == 1 and .mmio == 1 and
	."pci-regions" >= 1 and ."pci-enable" == 1 and ."dma-coherent" == 2 and .work + .timer >= 1'
check "it is taken out under load again" recover
check "what it had besides is listed" eventually 10 listed
show "$RESULTS/leaks"
check "the flows go on" flows_alive
flows_stop_and_check
# With frames of more than a page the packet for the next one is kept with the NAPI.
ip link set "$DEV" mtu 6000
ip -n peer link set "$PEER" mtu 6000
flows_start --flows tcp-down --rate 0
check "likewise with large frames" recover
flows_stop_and_check "none is given back twice"
MAPPINGS=$(mappings)
BEFORE=$(available_kb)
for ((i = 1; i <= ROUNDS; i++)); do
	check "it is taken out once more" recover
done
AFTER=$(available_kb)
check "it has one handler" handlers
check "and as many mappings as before" test "$(mappings)" = "$MAPPINGS"
check "the peer answers" eventually 15 answers "$PEER_V4"
check "little memory was lost" lost_little
note "$(((BEFORE - AFTER) / ROUNDS)) kB lost in a round"
check "the installed image takes over" recovctl disarm e1000 --json
check "the kernel log is clean" clean_log
check "the shadow can be unloaded" eventually 10 rmmod recov_shadow
finish
