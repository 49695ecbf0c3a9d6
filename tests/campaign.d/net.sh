# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# The workload of network cards: checked flows that live through the trial, to a peer behind a hub.
#
# A workload has these functions, called in a guest by warm.sh, which end with 0 when all is well:
# workload_warm DRIVER [ARG...] loads the driver and sets everything up; workload_start begins what is to live
# through the trial; workload_run is the load below which the faults come up, limited to 30 s of the
# guest's time; workload_check asks whether the driver serves at this moment; workload_mend is what
# an administrator would try short of a reload; workload_stop ends what goes on, checks it, and says
# how it went, as a JSON object with tell load.

# Twice e1000's watchdog, and whatever else is due every two seconds.
LOAD_SECONDS=5
LOAD_RATE=20 # messages a second of each flow

# workload_warm DRIVER PEER_DRIVER
workload_warm() {
	nic_pair "$1" "$2"
	ip addr add 192.0.2.1/24 dev "$DEV"
	ip addr add 2001:db8::1/64 dev "$DEV" nodad
	ip link set "$DEV" up
	ip netns exec peer flow serve &
	eventually 20 answers "$PEER_V4" || return
	# pcnet32 counts nothing itself.
	STATISTICS=(ethtool -S "$DEV")
	"${STATISTICS[@]}" >/dev/null || STATISTICS=(ip -s link show dev "$DEV")
}

workload_start() {
	local stall=6
	[[ $MODE == stock ]] || stall=40
	rm -f /run/flow.*
	{
		flow run "$PEER_V4" --until /run/flow.stop --ready /run/flow.ready --rate $LOAD_RATE \
			--stall $stall --json >/run/flow.json
		echo $? >/run/flow.status
	} &
	eventually 10 test -e /run/flow.ready
}

workload_run() {
	sleep $LOAD_SECONDS
	"${STATISTICS[@]}" >/run/statistics
	[[ -s /run/statistics ]]
}

workload_check() {
	answers "$PEER_V4"
}

workload_mend() {
	ip link set "$DEV" down
	ip link set "$DEV" up
}

workload_stop() {
	touch /run/flow.stop
	# Who waits for a packet that the driver has lost gives up after a stall, the other end after one more.
	eventually 130 test -s /run/flow.status || return 124
	tell load "$(grep '"flow":"all"' /run/flow.json || tail -n 1 /run/flow.json)"
	return "$(</run/flow.status)"
}
