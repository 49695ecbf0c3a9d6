#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Calls into an armed driver that sleep for ever, with the lock of the network or without it: they are
# told as hangs, the driver's policy takes it out and puts it back in, and the connections live.
# vm-waits
# vm: --timeout 600 --mem 1024 --file tests/guest/lib --file tests/netstate
. lib/lib.sh
. lib/faulty.sh
. lib/policy.sh

# sleeps FAULT CONTEXT: whoever calls the driver there waits.
sleeps() {
	now
	{
		echo "$1 $2" >"$FAULT"
		[[ $2 != process ]] || ethtool -i "$DEV"
	} &>/dev/null &
	CALLER=$!
}

# told_of FAULT: and where.
told_of() {
	eventually_told 40 told hang "(.site | startswith(\"faulty_${1//-/_}+\"))"
}

comes_back_by_policy() {
	eventually_told 60 recovered hang && told recovering '.step == "untrusted"' && flows_go_on &&
		eventually 10 test ! -e "/proc/$CALLER"
}

is_left_asleep() {
	dmesg | grep 'which left them asleep'
}

sleeps_there() {
	echo "$1" >"$FAULT" && eventually 10 jq -e .reached "${FAULT%/*}/last"
}

passed_over() {
	eventually_told 60 told step-failed '.step == "restart" and (.reason | test("would wait"))'
}

rolled_back() {
	recovctl status --json | jq -e '.drivers[] | select(.name == "faulty_net") |
		.last.outcome == "rolled-back"'
}

# There is one event of its driver's, and one of each of its cards.
comes_back_once() {
	eventually_told 60 recovered hang && flows_go_on && sleep 6 && told recovering && recovered hang
}

refused_while_it_sleeps() {
	refused 5 'a call of its own keeps the lock of the network' recover faulty_net
}

# Whoever loads the programs that watch for hangs is killed in the midst of it.
watching_fails() {
	local process
	for process in /proc/[0-9]*; do
		[[ $(<"$process/comm") == recoverd-worker && $(ls -l "$process/fd") == *bpf-prog* ]] &&
			kill -KILL "${process#/proc/}" && return
	done 2>/dev/null
	return 1
}

faulty_pair
mkdir -p /etc/recoverd
printf '[Swap]\nDeadline=14s\n' >/etc/recoverd/recoverd.conf
check "recoverd starts" start_recoverd
policy Steps=untrusted Limit=20 Backoff=0 Interval=1ms '[Detect]' 'On=fault hang' Grace=0
check "watching it fails" eventually 60 watching_fails
check "the driver is armed" recovctl arm faulty_net --json
check "it is watched all the same" eventually 200 recovctl objects faulty_net
flows_start --rate 50
CONNECTED=$(flows_connected)
for sleep in 'wait process' 'wait work' 'wait kthread' 'down-twice process'; do
	read -r fault context <<<"$sleep"
	sleeps "$fault" "$context"
	check "$fault in $context is told" told_of "$fault"
	check "it comes back" comes_back_by_policy
done
now
check "a work sleeps" sleeps_there "wait work"
check "and so does a thread" sleeps_there "wait kthread"
check "for both it comes back, once" comes_back_once
check "no connection was lost" test "$(flows_connected)" = "$CONNECTED"

policy Steps=none '[Detect]' 'On=fault hang' Grace=0
sleeps wait process
check "without a step it is told" told_of wait
check "to be called to leave it has to be awake" refused_while_it_sleeps
check "it is not taken for one that has failed" state_is live
check "it is recovered on demand" recovctl recover faulty_net --untrusted --json
check "the flows go on" flows_go_on

# The probe's own question is what sleeps.
policy Steps=untrusted Limit=20 Backoff=0 Interval=1ms '[Detect]' 'On=fault heartbeat' Heartbeat=net \
	HeartbeatInterval=500ms HeartbeatTimeout=1s HeartbeatMisses=1 Grace=0
now
echo "wait process" >"$FAULT"
check "a heartbeat of the network's is missed" eventually_told 40 told heartbeat
check "it comes back" eventually_told 60 recovered heartbeat
check "sooner than a swap has patience with the lock" told recovered \
	".device.object == \"$DEV\" and .duration_ns < 13e9"
check "the flows go on" flows_go_on
# Its remove() waits for the thread; where nothing else may be done it has half of the swap's time.
policy Steps='restart untrusted' Limit=20 Backoff=0 Interval=1ms '[Detect]' 'On=fault hang' Grace=0
now
check "a thread sleeps again" sleeps_there "wait kthread"
check "what would wait for it is passed over" passed_over
check "and it comes back" eventually_told 60 recovered hang
check "the flows go on" flows_go_on
policy Steps=none
now
check "it is left by a thread that sleeps" sleeps_there "wait kthread"
check "its remove() is ended in the midst" recovctl recover faulty_net --json
check "which is told as a fault of it" told fault '.cause == "hang" and .duration_ns >= 5e9 and
	(.entry | startswith("faulty_net_remove+"))'
check "the flows go on" flows_go_on
# The swap itself stops it, with the lock of the network.
now
echo "wait stop" >"$FAULT"
check "its stop is ended in the midst" recovctl recover faulty_net --json
check "which is told, too" told fault '.cause == "hang" and (.entry | startswith("faulty_net_stop+"))'
check "the flows go on" flows_go_on
for context in probe open; do
	policy Steps=restart Interval=1ms "Parameters=fault=\"wait $context\""
	now
	check "parameters with which it sleeps in $context" fault timer
	check "are left away on the way back" eventually_told 60 recovered
	check "which is told" rolled_back
	check "the flows go on" flows_go_on
done
flows_stop_and_check
note "longest gap $(longest_gap_ms) ms"
# The driver waits for its work for two seconds, then it goes without; its card does not come back.
policy Steps=restart Limit=20 Backoff=0 Interval=1ms '[Detect]' 'On=fault hang' Grace=0
sleeps down-twice work
check "a call that it leaves asleep ends before its memory goes" eventually 60 is_left_asleep
sleep 2 # s: such a call looks twice a second whether it may go on
check "the kernel log is clean" faulty_log_is_clean
finish
