#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# In a guest: many swaps of a driver below five flows, or the flows alone for as long.
#
# Usage: soak.sh DRIVER PEER_DRIVER swaps N | soak.sh DRIVER PEER_DRIVER idle SECONDS
#
# Prints a JSON object: seconds, swaps, growth of slab memory by objects and by
# pages, connections lost, bytes corrupt.
# vm: --timeout 1500 --file tests/guest/lib --file tests/netstate
# shellcheck source=../guest/lib/lib.sh
. lib/lib.sh

WARM_UP=30
driver=$1 peer_driver=$2 mode=$3 amount=$4

# caches FILE: what slab objects take without what the kernel would give back, the least of five
# looks: lines of CACHE KILOBYTES, and their sum as "total". Pages are no measure: how full they are
# is another matter each time; their sum is told as "pages".
caches() {
	local cache least='' now
	for _ in 1 2 3 4 5; do
		echo 3 >/proc/sys/vm/drop_caches
		for cache in /sys/kernel/slab/*/shrink; do
			echo 1 >"$cache" 2>/dev/null || true
		done
		sleep 0.5
		awk 'NR > 2 { kb = $2 * $4 / 1024; sum += kb; printf "%s %.1f\n", $1, kb }
			END { printf "total %.0f\n", sum }' /proc/slabinfo | sort >"$1.now"
		awk '/^Slab:/ { print "pages", $2 }' /proc/meminfo >>"$1.now"
		now=$(sed -n 's/^total //p' "$1.now")
		if [[ ! $least ]] || ((now < least)); then
			least=$now
			mv "$1.now" "$1"
		fi
	done
}

# growth NAME: of a line of what caches() has written, in kB.
growth() {
	echo $(($(sed -n "s/^$1 //p" "$RESULTS/after") - $(sed -n "s/^$1 //p" "$RESULTS/before")))
}

swap_once() {
	replug swap "$driver" || die "swap $1: $(<"$RESULTS/swap.err")"
	pauses+=("$(jq '.pause_ns / 1e6 | round' "$RESULTS/swap.json")")
}

nic_pair "$driver" "$peer_driver" >&2
start_recoverd >&2
plain_state >&2
flows_start
pauses=()
# What is allocated once and for all is allocated now: slabs grow for some dozens of swaps, with or
# without a shadow, and then no more.
for ((i = 1; i <= WARM_UP; i++)); do
	swap_once "$i"
	sleep 0.3
done
pauses=()
# Without the flows, whose packets are slab memory, too.
flows_stop || die "the flows of the warm-up did not survive it: $(<"$RESULTS/flows")"
caches "$RESULTS/before"
flows_start
begin=$(now_ms)
if [[ $mode == swaps ]]; then
	for ((i = 1; i <= amount; i++)); do
		swap_once "$i"
		flows_alive || die "the flows ended after swap $i"
		((i % 25)) || note "$i swaps, the last took ${pauses[-1]} ms"
		sleep 0.3
	done
else
	sleep "$amount"
fi
seconds=$((($(now_ms) - begin) / 1000))
status=0
flows_stop || status=$?
show "$RESULTS/flows"
caches "$RESULTS/after"
note "caches that grew, in kB:$(join <(grep -v '^pages' "$RESULTS/before") "$RESULTS/after" |
	awk '$3 - $2 >= 2 { printf " %s %.1f", $1, $3 - $2 }')"
printf '%s\n' "${pauses[@]}" | sort -n >"$RESULTS/pauses"
jq -cMn --arg driver "$driver" --arg mode "$mode" --argjson seconds "$seconds" \
	--argjson swaps "${#pauses[@]}" --argjson growth_kb "$(growth total)" --argjson pages_kb "$(growth pages)" \
	--argjson flows_status "$status" \
	--slurpfile pauses <(grep . "$RESULTS/pauses" || true) \
	'{$driver, $mode, $seconds, $swaps, $growth_kb, $pages_kb, $flows_status,
	pause_ms: {median: $pauses[$pauses | length / 2 | floor], longest: $pauses[-1]}}'
clean_log || die "the kernel complained"
finish
