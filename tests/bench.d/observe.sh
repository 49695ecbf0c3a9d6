#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# In a guest: the same loads under no observer, recoverd and others in turn, one JSON object a run.
# An instruction is a nanosecond here. The argument is the number of rounds.
# vm: --icount --timeout 1200 --mem 2048 --file tests/guest/lib --file tests/netstate
# vm: --tool bpftrace --tool trace-cmd
# vm: --qemu "-netdev hubport,id=a,hubid=0 -device e1000,netdev=a"
# vm: --qemu "-netdev hubport,id=b,hubid=0 -device virtio-net-pci,netdev=b"
# shellcheck source=../guest/lib/lib.sh
. lib/lib.sh

ROUNDS=$1
RUNS=3 # of a load at a time
PACKETS=10000
BYTES=50000000
EVENTS_COUNT=2000
NOBODY=192.0.2.99 # the peer's card does not take what is sent there
TRACING=/sys/kernel/tracing

# under MODE NAME LOAD ARG...: one run. Nothing else may run meanwhile, so jq comes later.
under() {
	local result
	result=$(load "${@:3}")
	jq -cM --arg mode "$1" --arg load "$2" '{$mode, $load} + .' <<<"$result"
}

# traffic MODE
traffic() {
	local i
	for ((i = 0; i < RUNS; i++)); do
		under "$1" udp udp "$PEER_V4" $PACKETS
		under "$1" udp_send udp $NOBODY $PACKETS
		under "$1" tcp tcp "$PEER_V4" $BYTES
	done
}

# events MODE: what leaky, which is loaded, is called for, or calls.
events() {
	local i entry
	for ((i = 0; i < RUNS; i++)); do
		under "$1" open open /dev/leaky $EVENTS_COUNT
		under "$1" ioctl ioctl /dev/leaky $EVENTS_COUNT
		under "$1" slab slab 192 $EVENTS_COUNT
		for entry in irq timer work; do
			under "$1" $entry storm $entry $EVENTS_COUNT
		done
	done
}

# traced DRIVER OPTION...: begins; the trace ends with untraced.
traced() {
	: >"$RESULTS/trace"
	recovctl trace "$@" --json >"$RESULTS/trace" 2>"$RESULTS/trace.err" &
	TRACER=$!
	eventually 60 test -s "$RESULTS/trace" || die "no trace: $(<"$RESULTS/trace.err")"
}

untraced() {
	kill -INT "$TRACER"
	wait "$TRACER" || die "the trace failed: $(<"$RESULTS/trace.err")"
}

# detached: what the daemon leaves to a child of its when it ends is done.
detached() {
	! pidof recoverd >/dev/null
}

# begin_recoverd [SETTING...]: watches e1000.
begin_recoverd() {
	mkdir -p /etc/recoverd
	printf '%s\n' '[Observe]' Drivers=e1000 "$@" >/etc/recoverd/recoverd.conf
	start_recoverd >&2
}

end_recoverd() {
	stop_recoverd
	eventually 120 detached || die "recoverd does not end"
	rm /etc/recoverd/recoverd.conf
}

under_recoverd() {
	begin_recoverd
	traffic default
	traced e1000
	traffic trace
	untraced
	traced e1000 --dma-maps
	traffic dma_maps
	untraced
	end_recoverd
	begin_recoverd MemoryBudget=1G
	traffic memory
	end_recoverd
}

events_under_recoverd() {
	insmod "$DRIVERS/leaky_friend.ko"
	insmod "$DRIVERS/leaky.ko"
	eventually 10 test -c /dev/leaky
	events none
	start_recoverd >&2
	traced leaky
	events default
	untraced
	traced leaky --memory
	events memory
	untraced
	stop_recoverd
}

under_bpftrace() {
	bpftrace -e 'kprobe:e1000_* { @[func] = count(); }' >"$RESULTS/bpftrace" 2>&1 &
	TRACER=$!
	eventually 60 grep -q Attaching "$RESULTS/bpftrace" || die "bpftrace: $(<"$RESULTS/bpftrace")"
	# It does not say when it has attached them.
	sleep 30
	traffic bpftrace
	kill -INT "$TRACER"
	wait "$TRACER" || true
	grep -q '^@\[e1000_xmit_frame\]' "$RESULTS/bpftrace" ||
		die "bpftrace saw nothing: $(<"$RESULTS/bpftrace")"
}

under_ftrace() {
	echo ':mod:e1000' >$TRACING/set_ftrace_filter
	echo function >$TRACING/current_tracer
	traffic ftrace
	grep -qm 1 e1000_xmit_frame $TRACING/trace || die "ftrace saw nothing"
	echo nop >$TRACING/current_tracer
	echo >$TRACING/set_ftrace_filter
}

under_trace_cmd() {
	trace-cmd record -p function --module e1000 -o /tmp/trace.dat >"$RESULTS/trace-cmd" 2>&1 &
	TRACER=$!
	eventually 60 grep -qx function $TRACING/current_tracer ||
		die "trace-cmd: $(<"$RESULTS/trace-cmd")"
	sleep 2
	traffic trace_cmd
	kill -INT "$TRACER"
	wait "$TRACER" || true
	(($(stat -c %s /tmp/trace.dat) > PACKETS)) || die "trace-cmd: $(<"$RESULTS/trace-cmd")"
	rm /tmp/trace.dat
	trace-cmd reset >&2
}

nic_pair e1000 virtio_net
ip addr add 192.0.2.1/24 dev "$DEV"
ip link set "$DEV" up
eventually 15 answers "$PEER_V4" || die "no peer"
ip neigh add $NOBODY lladdr 02:00:00:00:00:99 dev "$DEV" nud permanent
ip -n peer addr add $NOBODY/32 dev lo
# What grows by itself grows another way each time.
sysctl -qw net.ipv4.tcp_no_metrics_save=1 net.ipv4.tcp_wmem="4096 262144 262144"
for ((round = 0; round < ROUNDS; round++)); do
	traffic none
	under_recoverd
	traffic none
	under_bpftrace
	under_ftrace
	under_trace_cmd
done
events_under_recoverd
