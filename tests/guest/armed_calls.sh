#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# From its load on, no function of an armed driver is called by the kernel past its tap: the
# function tracer sees who calls each of them.
# vm-waits
# vm: --timeout 300 --mem 1024 --file tests/guest/lib --file tests/netstate
# vm: --qemu "-netdev hubport,id=a,hubid=0 -device e1000,netdev=a"
# vm: --qemu "-netdev hubport,id=b,hubid=0 -device virtio-net-pci,netdev=b"
. lib/lib.sh

TRACING=/sys/kernel/tracing

# keep_armed DRIVER: its armed image, in $RESULTS.
keep_armed() {
	recovctl arm "$1" --json && cp /run/recoverd/images/"$1"-*.ko "$RESULTS/$1.ko" &&
		recovctl disarm "$1" --json
}

trace_begin() {
	echo >$TRACING/trace
	# Of a driver that is not loaded: from its load on.
	echo ":mod:$1" >$TRACING/set_ftrace_filter
	echo 16384 >$TRACING/buffer_size_kb
	echo function >$TRACING/current_tracer
}

trace_end() {
	echo 0 >$TRACING/tracing_on
	cp $TRACING/trace "$RESULTS/trace"
	echo nop >$TRACING/current_tracer
	echo >$TRACING/set_ftrace_filter
	echo 1 >$TRACING/tracing_on
	echo 4 >$TRACING/buffer_size_kb
}

# use DRIVER: a card that has just got its driver is set up, carries something, is asked, and loses
# its driver.
use() {
	local device
	DEV=$(netdev_of "$1")
	ip addr add 192.0.2.1/24 dev "$DEV"
	ip link set "$DEV" up
	eventually 20 answers "$PEER_V4" || return
	flow run "$PEER_V4" --seconds 3 --rate 200 --out "$RESULTS/flows.jsonl" || return
	ethtool -i "$DEV"
	ethtool -S "$DEV"
	ethtool -g "$DEV"
	ip link set "$DEV" mtu 1400
	ip link set "$DEV" promisc on
	ip link add link "$DEV" name "vlan$VLAN" type vlan id "$VLAN"
	ip link del "vlan$VLAN"
	ip link set "$DEV" down
	device=$(realpath "/sys/class/net/$DEV/device")
	basename "$device" >"$device/driver/unbind"
}

# loaded DRIVER: with its armed image, used and unloaded, all of it traced but for its exit function:
# when the module is gone the tracer does not know its names any more.
loaded() {
	local symbols=$RESULTS/symbols-$1
	trace_begin "$1"
	insmod "$RESULTS/$1.ko" && eventually 10 netdev_of "$1" || return
	awk -v module="[$1]" '$4 == module { print $3 }' /proc/kallsyms >"$symbols"
	use "$1" &>"$RESULTS/use" || {
		cat "$RESULTS/use"
		return 1
	}
	trace_end
	rmmod "$1"
	sed -n 's/^.*: \([^ ]*\) <-\([^ ]*\)$/\1 \2/p' "$RESULTS/trace" | sort | uniq -c \
		>"$RESULTS/calls-$1"
}

nothing_lost() {
	sed -n 's|^# entries-in-buffer/entries-written: \([0-9/]*\).*|\1|p' "$RESULTS/trace" |
		tee "$RESULTS/entries"
	awk '{ split($1, n, "/"); exit !(n[1] == n[2] && n[1] > 0) }' "$RESULTS/entries"
}

# Of some, as the init function, the tap calls another function, which calls the driver.
TAP='^(recov_tap_.*|tap_wrapped)$'

# past_taps DRIVER: calls by neither the driver itself nor a tap.
past_taps() {
	awk -v tap="$TAP" 'NR == FNR { own[$1] = 1; next } !($3 in own) && $3 !~ tap' \
		"$RESULTS/symbols-$1" "$RESULTS/calls-$1"
}

none_past_taps() {
	past_taps "$1"
	[[ ! $(past_taps "$1") ]]
}

# tapped DRIVER: how many of its functions were called through one.
tapped() {
	awk -v tap="$TAP" '$3 ~ tap { print $2 }' "$RESULTS/calls-$1" | sort -u | wc -l
}

# traced DRIVER AT_LEAST
traced() {
	check "$1 is loaded, used and unloaded, armed" loaded "$1"
	check "$1: no call was lost" nothing_lost
	note "$1: $(wc -l <"$RESULTS/calls-$1") pairs of functions in $(<"$RESULTS/entries") calls"
	note "$1: $(tapped "$1") functions called through taps"
	check "$1: at least $2 functions were called through taps" test "$(tapped "$1")" -ge "$2"
	check "$1: none was called past its tap" none_past_taps "$1"
}

nic_pair e1000 virtio_net
ip netns exec peer flow serve 2>/dev/null &
check "recoverd starts" start_recoverd
check "e1000 is armed" keep_armed e1000
rmmod e1000
traced e1000 20
# The other end changes sides.
modprobe e1000
ip netns del peer
sleep 1
rmmod e1000
rmmod virtio_net
nic_pair virtio_net e1000
ip netns exec peer flow serve 2>/dev/null &
check "virtio_net is armed" keep_armed virtio_net
rmmod virtio_net
traced virtio_net 20
check_clean_log
finish
