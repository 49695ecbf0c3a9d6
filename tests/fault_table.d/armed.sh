#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# In a guest: the armed driver fails in one cell of the table after the other, and is recovered by
# its policy. Ends at the first cell that is not survived: nothing behind that one could be trusted.
#
# Usage: armed.sh FLOWS, with the cells in the file `cells`, "FAULT CONTEXT" a line. FLOWS is 1 when
# five flows are to go through the cards meanwhile, and 0 when the cards go in these cells.
#
# Prints "> FAULT CONTEXT" before a cell and its JSON object behind it; at the end one more, of a
# minute of load.
# vm: --mem 1024 --file tests/guest/lib --file tests/netstate
# shellcheck source=../guest/lib/lib.sh
. lib/lib.sh
# shellcheck source=../guest/lib/faulty.sh
. lib/faulty.sh

LOAD=60 # s
FAULT_LIMIT=20 # s; a call that may sleep is told of when it has done so for five
RECOVERY_LIMIT=40
flows=$1

# since EVENT FILTER: of the events behind SEQ.
since() {
	recovctl events --json | jq -cM --argjson seq "$SEQ" --arg event "$1" \
		"select(.event == \$event and .seq > \$seq) | $2"
}

told() {
	since "$1" . | head -n 1 >"$RESULTS/$1"
	[[ -s $RESULTS/$1 ]]
}

# told_of_it: as a fault, or as a call that hangs.
told_of_it() {
	told driver.fault || told driver.hang
}

# recovered CONTEXT: by its policy or, when its remove() fails in a swap, by that one.
recovered() {
	if [[ $1 == remove ]]; then
		since swap.finished 'select(.outcome == "success")'
	else
		since driver.recovered .
	fi | head -n 1 >"$RESULTS/recovered"
	[[ -s $RESULTS/recovered ]]
}

# reach CONTEXT: has the driver called there; its remove() by a swap.
reach() {
	if [[ $1 == remove ]]; then
		recovctl recover faulty_net
	else
		faulty_reach "$1"
	fi
}

# plumb: the first card up, and the second one back with its peer, if a cell took it away.
plumb() {
	local peer
	peer=$(card 1 2>/dev/null) || true
	if [[ $peer ]]; then
		ip link set "$peer" netns peer
		ip -n peer addr add "$PEER_V4/24" dev "$peer"
		ip -n peer link set "$peer" up
	fi
	ip link set "$DEV" up
}

# no_fault: why there was none. The file can't be read while the call goes on from which it was
# planted.
no_fault() {
	cat /sys/module/faulty_net/parameters/last >"$RESULTS/last" &
	if eventually 2 test -s "$RESULTS/last" && jq -e '.reached | not' "$RESULTS/last" >/dev/null; then
		echo "the driver was not called there"
	elif jq -e .returned "$RESULTS/last" >/dev/null 2>&1; then
		echo "it did no harm"
	else
		echo "no watchdog: the call did not end within $FAULT_LIMIT s"
	fi
}

# not_recovered: what the daemon says of it.
not_recovered() {
	local said
	said=$(recovctl events --json | jq -r --argjson seq "$SEQ" 'select(.seq > $seq) |
		select(.event | IN("driver.given-up", "driver.not-recovered", "driver.failed",
			"swap.finished", "swap.refused")) | .reason // empty' | tail -n 1)
	echo "not recovered: ${said:-the daemon is silent}"
}

complaint() {
	dmesg | grep -v 'list_del corruption' | grep -oE "($COMPLAINTS).*" | head -n 1
}

# cell FAULT CONTEXT: prints why it was not survived, or the time from the fault to service in ms.
cell() {
	SEQ=$(recovctl status --json | jq .seq)
	: >"$RESULTS/last"
	{
		echo "$1 $2" >"$FAULT"
		reach "$2"
	} &>"$RESULTS/reach" &
	eventually_told $FAULT_LIMIT told_of_it || {
		no_fault
		return 1
	}
	eventually_told $RECOVERY_LIMIT recovered "$2" || {
		not_recovered
		return 1
	}
	plumb &>"$RESULTS/plumb" || {
		echo "recovered, but a card is missing"
		return 1
	}
	eventually 15 answers "$PEER_V4" || {
		echo "recovered, but nothing gets through"
		return 1
	}
	if ((flows)) && ! eventually 30 flows_caught_up; then
		echo "recovered, but a connection is stalled"
		return 1
	fi
	if ((flows)) && (($(flows_connected) != CONNECTED)); then
		echo "recovered, but a connection is lost"
		return 1
	fi
	if [[ $(complaint) ]]; then
		echo "the kernel complained: $(complaint)"
		return 1
	fi
	jq '.duration_ns / 1e6 | round' "$RESULTS/recovered"
}

# report FAULT CONTEXT STATUS TEXT
report() {
	jq -ncM --arg kernel "$VM_KERNEL" --arg fault "$1" --arg context "$2" --arg status "$3" \
		--arg text "$4" '{$kernel, $fault, $context} + if $status == "0"
			then {outcome: "survived-and-recovered", ms_to_recovery: ($text | tonumber? // null)}
			else {outcome: "not-survived", why: $text} end'
}

# load: nothing has been left behind that shows in a minute.
load() {
	sleep $LOAD
	flows_stop &>/dev/null || {
		echo "not everything arrived: $(grep -A 1 '^tcp' "$RESULTS/flows" | tr -s ' \n' ' ')"
		return 1
	}
	if [[ $(complaint) ]]; then
		echo "the kernel complained under load: $(complaint)"
		return 1
	fi
}

mkdir -p /etc/recoverd/policies.d
printf '%s\n' '[Match]' 'Driver=faulty_*' '[Recover]' Steps='restart untrusted' Backoff=0 Limit=1000 \
	Interval=1ms '[Detect]' 'On=fault hang' Grace=0 >/etc/recoverd/policies.d/10-faulty.policy
faulty_pair
start_recoverd
recovctl arm faulty_net >/dev/null
eventually 60 recovctl objects faulty_net >/dev/null # it is watched
if ((flows)); then
	flows_start --rate 50
	CONNECTED=$(flows_connected)
fi
dmesg -c >/dev/null
while read -r fault context <&3; do
	echo "> $fault $context"
	status=0
	text=$(cell "$fault" "$context") || status=$?
	report "$fault" "$context" $status "$text"
	((status == 0)) || exit 1
done 3<cells
context=$( ((flows)) && echo kept || echo replaced)
echo "> load $context"
status=0
# Not below $(), which would wait for the server.
((flows)) || flows_start --rate 50
text=$(load) || status=$?
report load "$context" $status "$text"
