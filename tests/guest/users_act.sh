#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What users do with a device while its driver is out comes true or fails, but is never lost, and
# nobody waits for longer than the swap.
# vm-waits
# vm: --timeout 400 --file tests/guest/lib --file tests/netstate
# vm: --qemu "-netdev hubport,id=a,hubid=0 -device virtio-net-pci,netdev=a"
# vm: --qemu "-netdev hubport,id=b,hubid=0 -device e1000,netdev=b"
. lib/lib.sh
. lib/kill.sh

# during PHASE COMMAND...: the command, given in that phase of a swap. Its status is kept in
# $RESULTS/status.
during() {
	local phase=$1 status=0
	shift
	set_slow "$phase"
	MARK="test: in $phase, $EPOCHREALTIME"
	echo "$MARK" >/dev/kmsg
	EVENTS_BEFORE=$(wc -l <"$EVENTS")
	rm -f "$RESULTS/swap.status"
	replug swap slow_net || true &
	eventually 20 in_phase "$phase" || return 1
	timeout 20 "$@" || status=$?
	echo $status >"$RESULTS/status"
	if ((status == 124)); then
		echo "it did not return"
		return 1
	fi
	eventually 20 test -s "$RESULTS/swap.status" && [[ $(<"$RESULTS/swap.status") == 0 ]]
}

# acts PHASE TITLE VERIFY COMMAND...: VERIFY holds afterwards if and only if the command succeeded.
acts() {
	local phase=$1 title=$2 verify=$3 done=0
	shift 3
	check "$phase: $title during the swap" during "$phase" "$@"
	eval "$verify" >/dev/null 2>&1 || done=1
	if ((done == ($(<"$RESULTS/status") != 0))); then
		pass "$phase: $title, which ended with $(<"$RESULTS/status"), is as it says"
	else
		fail "$phase: $title, which ended with $(<"$RESULTS/status"), is as it says"
	fi
}

# is FILE VALUE: in the device's folder of sysfs.
is() {
	[[ $(<"/sys/class/net/$DEV/$1") == "$2" ]]
}

# looks: what monitoring reads.
looks() {
	ip -s -d link show dev "$DEV" && ethtool -i "$DEV" && ethtool -k "$DEV" &&
		grep -H '' "/sys/class/net/$DEV"/statistics/* && bridge link && ip neigh
	# Some files have nothing to tell without a link or a driver, but they say so.
	grep -sH '' "/sys/class/net/$DEV"/{carrier,speed,duplex,mtu,operstate} || true
	ethtool "$DEV" || true
}

in_phase_of() {
	local phase=$1
	acts "$phase" "looking" true bash -c "$(declare -f looks); DEV=$DEV; looks >/dev/null"
	acts "$phase" "an address" "[[ \$(ip addr show dev $DEV) == *192.0.2.50* ]]" \
		ip addr add 192.0.2.50/24 dev "$DEV"
	ip addr del 192.0.2.50/24 dev "$DEV" 2>/dev/null || true
	acts "$phase" "MTU" "is mtu 1450" ip link set "$DEV" mtu 1450
	ip link set "$DEV" mtu 1500
	acts "$phase" "promiscuous" "[[ \$(ip -d link show dev $DEV) == *'promiscuity 1'* ]]" \
		ip link set "$DEV" promisc on
	ip link set "$DEV" promisc off
	acts "$phase" "MAC" "is address 02:00:00:00:00:ee" \
		ip link set "$DEV" address 02:00:00:00:00:ee
	check "$phase: reachable with it" eventually 15 answers "$PEER_V4"
	acts "$phase" "a VLAN" "ip link show vlan9" \
		ip link add link "$DEV" name vlan9 type vlan id 9
	acts "$phase" "no VLAN" "! ip link show vlan9" ip link del vlan9
	acts "$phase" "queueing discipline" "[[ \$(tc qdisc show dev $DEV) == *'limit 77'* ]]" \
		tc qdisc replace dev "$DEV" root pfifo limit 77
	tc qdisc del dev "$DEV" root 2>/dev/null || true
	acts "$phase" "a multicast group" "[[ \$(ip maddr show dev $DEV) == *01:00:5e:00:00:78* ]]" \
		ip maddr add 01:00:5e:00:00:78 dev "$DEV"
	ip maddr del 01:00:5e:00:00:78 dev "$DEV" 2>/dev/null || true
	acts "$phase" "bringing it down" "[[ ! \$(ip link show dev $DEV up) ]]" \
		ip link set "$DEV" down
	ip link set "$DEV" up
	# As ever, IPv6 addresses went with it.
	check "$phase: reachable once it is up" eventually 15 answers "$PEER_V4"
}

# shellcheck disable=SC2034	# read by lib/kill.sh
SLOW_MS=800
install_slow_net
nic_pair slow_net e1000
expect "set up" plain_state
expect "recoverd starts" start_recoverd
for phase in hold unload attach check; do
	in_phase_of "$phase"
done
set_slow none
check_swapped "a swap works in the end" last slow_net
check "reachable in the end" eventually 15 answers "$PEER_V4"
check_clean_log
finish
