# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# The same demands on every driver: swapped under load, it keeps its state and its connections.

# swapped_in STATE DRIVER: one swap with the card in that state, under five flows.
swapped_in() {
	local state=$1 driver=$2
	expect "$state: set up" "${state}_state"
	note "set:$(<"$RESULTS/attempted")"
	state_save "$state-before"
	flows_start
	sleep 1
	check_swapped "$state: swapped" "$state" "$driver"
	check "$state: reachable again" reachable 15
	sleep 1
	flows_stop_and_check "$state: no connection lost, no byte corrupt or missing"
	state_save "$state-after"
	check "$state: state identical" state_compare "$state-before" "$state-after"
}

# matrix DRIVER PEER_DRIVER: all states in turn.
matrix() {
	nic_pair "$1" "$2"
	expect "recoverd starts" start_recoverd
	swapped_in rich "$1"
	no_state
	swapped_in bridge "$1"
	check_clean_log
	finish
}
