# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# Checked traffic between the two ends of the test network.

FLOWS_SERVER=
# Messages a second of each flow: what an emulated CPU carries next to everything else.
FLOWS_RATE=200

# flows_start [OPTION...]: five flows to the peer, until flows_stop; OPTIONs of `flow run`.
flows_start() {
	if [[ ! $FLOWS_SERVER ]]; then
		ip netns exec peer flow serve 2>"$RESULTS/flow-serve" &
		FLOWS_SERVER=$!
	fi
	rm -f "$RESULTS"/flow-{stop,ready,status}
	{
		local status=0
		flow run "$PEER_V4" --until "$RESULTS/flow-stop" --ready "$RESULTS/flow-ready" \
			--stall 40 --rate "$FLOWS_RATE" --out "$RESULTS/flows.jsonl" "$@" \
			>"$RESULTS/flows" 2>&1 || status=$?
		echo $status >"$RESULTS/flow-status"
	} &
	if ! eventually 15 test -e "$RESULTS/flow-ready"; then
		show "$RESULTS/flows"
		die "the flows did not begin"
	fi
}

# flows_alive: the run goes on.
flows_alive() {
	[[ ! -e $RESULTS/flow-status ]]
}

# flows_connected: how many connections there are.
flows_connected() {
	ss -tn "dst $PEER_V4" | grep -c ESTAB
}

# flows_caught_up: no connection waits with a packet that was lost. One that is lost again and again,
# before each of its longer and longer waits is over, ends at last.
flows_caught_up() {
	local connections
	connections=$(ss -tin && ip netns exec peer ss -tin) && [[ $connections != *backoff:* ]]
}

# flows_go_on: and each has got over what was lost.
flows_go_on() {
	eventually 40 flows_caught_up && flows_alive
}

# flows_stop: end them; returns what the tool does, with its table in $RESULTS/flows.
flows_stop() {
	touch "$RESULTS/flow-stop"
	eventually 120 test -s "$RESULTS/flow-status" || return 124
	return "$(<"$RESULTS/flow-status")"
}

# flows_stop_and_check [NAME]: all of it arrived, over connections that lived.
flows_stop_and_check() {
	local name=${1:-no connection lost, no byte corrupt or missing}
	check "$name" flows_stop
	show "$RESULTS/flows"
	show "$RESULTS/flow-serve"
	kill -0 "$FLOWS_SERVER" 2>/dev/null || {
		local status=0
		wait "$FLOWS_SERVER" || status=$?
		note "the server has ended with status $status"
		dmesg | grep 'flow\[' >"$RESULTS/flow-killed" || true
		show "$RESULTS/flow-killed"
	}
}

# longest_gap_ms: of the flows that were stopped last, rounded.
longest_gap_ms() {
	jq 'select(.flow == "all") | .longest_gap_ms | round' "$RESULTS/flows.jsonl"
}

# show_path: what both ends count, and count a second later, for one who looks for the place where
# packets get lost.
show_path() {
	local look
	for look in 1 2; do
		{
			grep -E 'CPU|eth|virtio|vmxnet|pcnet|8139' /proc/interrupts
			ip -s link show dev "$DEV"
			tc -s qdisc show dev "$DEV"
			ss -tino
			ip -n peer -s link show dev "$PEER"
			ip netns exec peer tc -s qdisc show dev "$PEER"
			ip netns exec peer ss -tino
		} >"$RESULTS/path" 2>&1 || true
		show "$RESULTS/path"
		((look > 1)) || sleep 1
	done
}
