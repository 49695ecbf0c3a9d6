#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The functions of a driver are counted from its first instruction on, over reloads and a swap and on
# all CPUs, without holding it; and nothing of that is left behind.
# vm: --timeout 420 --mem 2048 --smp 2 --file tests/guest/lib --file tests/netstate
# vm: --qemu "-netdev hubport,id=a,hubid=0 -device e1000,netdev=a"
. lib/lib.sh

TRACING=/sys/kernel/tracing

# begin_trace NAME OPTION...: of e1000; its first look is waited for.
begin_trace() {
	local name=$1
	shift
	: >"$RESULTS/looks"
	recovctl trace e1000 "$@" --json >"$RESULTS/looks" 2>"$RESULTS/trace.err" &
	TRACE=$!
	expect "$name" eventually 60 test -s "$RESULTS/looks"
}

# calls FUNCTION: by the last look.
calls() {
	tail -n 1 "$RESULTS/looks" | jq --arg function "$1 [e1000]" \
		'[.entries[] | select(.kind == "inside" and .function == $function).calls] | add // 0'
}

called() {
	test "$(calls "$1")" = "$2"
}

events_left() {
	grep -c recoverd_ "$TRACING/kprobe_events"
}

no_events() {
	test "$(events_left)" = 0
}

# up_on CPU: opens and closes the card there.
up_on() {
	taskset -c "$1" ip link set "$(netdev_of e1000)" up
	taskset -c "$1" ip link set "$(netdev_of e1000)" down
}

check "recoverd starts" start_recoverd
check "an unknown function of a driver that is not loaded is refused" refused 2 \
	'e1000 has no function e1000_opn that' trace e1000 --from-load --inside=e1000_opn
check "the module's exit cannot be counted" refused 2 'has no function e1000_exit_module that' \
	trace e1000 --from-load --inside=e1000_exit_module
check "nothing was written for these" no_events

begin_trace "a driver that is not loaded is traced" --from-load '--inside=e1000_[io]*'
check "timers are not watched: e1000 arms none" test ! -e /sys/fs/bpf/recoverd/*/timers
check "the calls of its interrupts are" test -e /sys/fs/bpf/recoverd/*/interrupts
check "only what was named" test "$(grep recoverd_ $TRACING/kprobe_events |
	grep -cv 'e1000:e1000_[io]')" = 0
modprobe e1000
eventually 10 netdev_of e1000 >/dev/null
check "its init function was counted" eventually 10 called e1000_init_module 1
check "so far it was not opened" called e1000_open 0
up_on 0
check "calls on the first CPU are counted" eventually 10 called e1000_open 1
up_on 1
check "calls on the second one are, too" eventually 10 called e1000_open 2
check "the driver can be unloaded" rmmod e1000
modprobe e1000
eventually 10 netdev_of e1000 >/dev/null
up_on 0
check "the next load is counted from its first instruction" eventually 10 called e1000_init_module 2
check "and its calls are" eventually 10 called e1000_open 3
check "a swap works" replug inside e1000
check "so is the new copy" eventually 10 called e1000_init_module 3
kill -INT "$TRACE"
status=0
wait "$TRACE" || status=$?
check "the trace ends well" test "$status" = 0
check "its events are removed" eventually 30 no_events
check "there were no misses" test ! -s "$RESULTS/trace.err"

check "an unknown function of a loaded driver is refused" refused 2 \
	'e1000 has no function \*nosuch\* that' trace e1000 '--inside=*nosuch*'
begin_trace "all functions of a loaded driver are counted" --inside
check "they are many" test "$(head -n 1 "$RESULTS/looks" | jq .inside.functions)" -gt 100
check "none of them is part of another" test "$(grep recoverd_ $TRACING/kprobe_events |
	grep -cE '\.cold|\.part|__pfx')" = 0
up_on 1
check "a call is counted" eventually 20 called e1000_open 1
check "the driver with all of it can be unloaded" rmmod e1000
modprobe e1000
eventually 10 netdev_of e1000 >/dev/null
up_on 0
check "and goes on to be counted" eventually 20 called e1000_open 2
kill -KILL "$(daemon_pid)"
wait "$TRACE" || true
check "a daemon that is killed leaves its events" test "$(events_left)" -gt 100
check "the next one starts" start_recoverd
check "and removes them" eventually 60 no_events

umount "$TRACING"
check "without tracefs it says so" refused 4 'tracefs not mounted' trace e1000 --inside
mount -t tracefs tracefs "$TRACING"
check "recoverd stops" stop_recoverd
check_clean_log
finish
