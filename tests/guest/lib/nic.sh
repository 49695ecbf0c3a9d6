# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# The network card under test, its peer in another network namespace, and the state that it must
# keep.
#
# The names and addresses are the same in all tests: DEV with 192.0.2.1 and 2001:db8::1, behind
# the hub the card PEER in the namespace `peer` with .2 and ::2, and VLAN 7 between both with
# 203.0.113.1 and .2.

PEER_V4=192.0.2.2
# shellcheck disable=SC2034	# for those who source this file
PEER_V6=2001:db8::2
PEER_VLAN=203.0.113.2
VLAN=7

# nic_pair DRIVER PEER_DRIVER [MODULE...]: load both drivers, MODULEs before DRIVER, and sets DEV
# and PEER. The cards must not share a driver, since a swap takes out all cards of it.
nic_pair() {
	local driver=$1 peer_driver=$2
	shift 2
	PEER=$(load_net "$peer_driver") || die "no card for $peer_driver"
	ip netns add peer
	ip link set "$PEER" netns peer
	ip -n peer link set lo up
	ip -n peer link set "$PEER" up
	ip -n peer addr add "$PEER_V4/24" dev "$PEER"
	ip -n peer addr add "$PEER_V6/64" dev "$PEER" nodad
	ip -n peer link add link "$PEER" name vlan$VLAN type vlan id $VLAN
	ip -n peer link set vlan$VLAN up
	ip -n peer addr add "$PEER_VLAN/24" dev vlan$VLAN
	DEV=$(load_net "$@" "$driver") || die "no card for $driver"
}

# attempt WHAT COMMAND...: for what not every driver supports. $RESULTS/attempted tells what was
# set, and in parentheses what was not.
# What is named in NO_ATTEMPT is left alone.
ATTEMPTED=
NO_ATTEMPT=
attempt() {
	local what=$1
	shift
	if [[ " $NO_ATTEMPT " != *" $what "* ]] && "$@" >/dev/null 2>&1; then
		ATTEMPTED+=" $what"
	else
		ATTEMPTED+=" ($what)"
	fi
}

# half_rings DEV: half as many descriptors as there are.
half_rings() {
	local rx tx
	read -r rx tx < <(ethtool -g "$1" | awk '/^Current/ { on = 1 } on && /^RX:/ { rx = $2 }
		on && /^TX:/ { print rx, $2 }')
	ethtool -G "$1" rx $((rx / 2)) tx $((tx / 2))
}

# nic_settings: what a user may have set on the card itself, as far as its driver allows.
nic_settings() {
	local feature
	ATTEMPTED=
	# A card that is down takes more of it.
	ip link set "$DEV" down
	ip link set "$DEV" address 02:00:00:00:00:a1
	ip link set "$DEV" alias "uplink of the test" group 7 txqueuelen 500
	attempt mtu ip link set "$DEV" mtu 1400
	attempt rings half_rings "$DEV"
	attempt rx-usecs ethtool -C "$DEV" rx-usecs 120
	attempt tx-frames ethtool -C "$DEV" tx-frames 1
	attempt pause ethtool -A "$DEV" autoneg off rx on tx off
	attempt wake-on-lan ethtool -s "$DEV" wol g
	attempt rx-flow-hash ethtool -N "$DEV" rx-flow-hash tcp4 sd
	attempt msglevel ethtool -s "$DEV" msglvl 0x3
	attempt advertise ethtool -s "$DEV" autoneg on advertise 0x28
	for feature in gro tso rx rxvlan tx-nocache-copy; do
		attempt "$feature" ethtool -K "$DEV" "$feature" off
	done
	attempt tx-nocache-copy ethtool -K "$DEV" tx-nocache-copy on
	ip link set "$DEV" up promisc on allmulticast on
	ip maddr add 01:00:5e:00:00:77 dev "$DEV"
	attempt fdb bridge fdb add 02:00:00:00:00:55 dev "$DEV" self permanent
	attempt gro_flush_timeout eval "echo 20000 >/sys/class/net/$DEV/gro_flush_timeout"
	attempt napi_defer eval "echo 2 >/sys/class/net/$DEV/napi_defer_hard_irqs"
	attempt rps eval "echo 1 >/sys/class/net/$DEV/queues/rx-0/rps_cpus"
	attempt xps eval "echo 1 >/sys/class/net/$DEV/queues/tx-0/xps_cpus"
	tc qdisc replace dev "$DEV" root handle 77: fq limit 5000 flow_limit 200
	sysctl -qw "net.ipv4.conf.$DEV.rp_filter=2" "net.ipv6.conf.$DEV.accept_ra=0"
	echo "$ATTEMPTED" >"$RESULTS/attempted"
}

# ip_state DEVICE: addresses, routes, neighbours and a VLAN on it.
ip_state() {
	local dev=$1
	ip addr add 192.0.2.1/24 dev "$dev"
	ip addr add 192.0.2.3/32 dev "$dev" label "$dev:x"
	ip addr add 2001:db8::1/64 dev "$dev" nodad
	ip route add 198.51.100.0/24 via "$PEER_V4" dev "$dev" metric 50 mtu 1300
	ip route add 198.51.101.0/24 via "$PEER_V4" dev "$dev" table 77
	ip -6 route add 2001:db8:1::/48 via "$PEER_V6" dev "$dev"
	ip neigh add 192.0.2.77 lladdr 02:00:00:00:00:77 dev "$dev" nud permanent
	ip neigh add 2001:db8::77 lladdr 02:00:00:00:00:77 dev "$dev" nud permanent
	ip link add link "$dev" name "vlan$VLAN" type vlan id "$VLAN"
	ip link set "vlan$VLAN" up
	ip addr add 203.0.113.1/24 dev "vlan$VLAN"
	ip route add 198.51.102.0/24 via "$PEER_VLAN" dev "vlan$VLAN"
}

# rich_state: the card in use as a user may have it: everything set, addresses on it.
rich_state() {
	nic_settings
	ip_state "$DEV"
	settled
}

# bridge_state: the card as a port of br0, which has the addresses.
bridge_state() {
	nic_settings
	# The card's own number is an address behind the bridge then.
	ip link add br0 type bridge stp_state 0 forward_delay 0
	ip link set br0 address 02:00:00:00:00:b0
	ip link set "$DEV" master br0
	bridge link set dev "$DEV" cost 23 priority 9
	bridge fdb add 02:00:00:00:00:99 dev "$DEV" master static
	ip link set br0 up
	ip_state br0
	settled
}

# plain_state: just addresses and up.
plain_state() {
	ip link set "$DEV" up
	ip_state "$DEV"
	settled
}

# no_state: everything that the functions above have made is taken away.
no_state() {
	ip link del "vlan$VLAN" 2>/dev/null || true
	ip link del br0 2>/dev/null || true
	ip link set "$DEV" promisc off allmulticast off
	ip maddr del 01:00:5e:00:00:77 dev "$DEV" 2>/dev/null || true
	bridge fdb del 02:00:00:00:00:55 dev "$DEV" self 2>/dev/null || true
	ip addr flush dev "$DEV"
	ip neigh flush dev "$DEV" nud permanent
	tc qdisc del dev "$DEV" root 2>/dev/null || true
}

# reachable SECONDS: the peer answers, over the VLAN too.
reachable() {
	eventually "$1" answers "$PEER_V4" && eventually "$1" answers "$PEER_V6" &&
		eventually "$1" answers "$PEER_VLAN"
}

# answers ADDRESS: without -U, ping has the kernel patch its receive path for time stamps, back and
# forth, and an emulated CPU that is running there then may go on with the breakpoint that is only
# there for the moment, for ever.
answers() {
	ping -U -c 1 -W 1 "$1"
}

# settled: the peer answers, and IPv6 addresses are no longer tentative, which takes a second.
settled() {
	reachable 15 && eventually 15 no_tentative
}

no_tentative() {
	[[ ! $(ip -6 addr show tentative) ]]
}

# state_save NAME: of the card and all that stands on it.
state_save() {
	local dir=$RESULTS/state-$1 dev
	mkdir -p "$dir"
	for dev in "$DEV" "vlan$VLAN" br0; do
		[[ ! -e /sys/class/net/$dev ]] || ./netstate "$dev" >"$dir/$dev"
	done
	./netstate --carrier "$DEV" >"$dir/carrier"
}

# state_compare NAME NAME: shows what differs.
state_compare() {
	diff -r -U 0 "$RESULTS/state-$1" "$RESULTS/state-$2"
}

# module_stamp DRIVER: changes when the module is taken out and put back in.
module_stamp() {
	stat -c '%i %w %y %z' "/sys/module/$1"
}
