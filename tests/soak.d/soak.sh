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

# caches FILE: what slab objects take without what the kernel would give back: lines of CACHE
# KILOBYTES, and their sum as "total". The kernel counts all of the slab that a CPU allocates from
# as in use, so what else goes on adds to a look: of each cache counts the least of some. Pages are
# no measure: how full they are is another matter each time; their sum is told as "pages".
LOOKS=10
caches() {
	local cache
	for ((look = 0; look < LOOKS; look++)); do
		echo 3 >/proc/sys/vm/drop_caches
		for cache in /sys/kernel/slab/*/shrink; do
			echo 1 >"$cache" 2>/dev/null || true
		done
		sleep 0.5
		awk 'NR > 2 { print $1, $2 * $4 / 1024 }' /proc/slabinfo
	done | awk '!($1 in least) || $2 < least[$1] { least[$1] = $2 }
		END {
			for (cache in least) { sum += least[cache]; printf "%s %.1f\n", cache, least[cache] }
			printf "total %.0f\n", sum
		}' | sort >"$1"
	awk '/^Slab:/ { print "pages", $2 }' /proc/meminfo >"$1.pages"
}

# growth NAME [SUFFIX]: of a line of what caches() has written, in kB.
growth() {
	echo $(($(sed -n "s/^$1 //p" "$RESULTS/after${2:-}") -
		$(sed -n "s/^$1 //p" "$RESULTS/before${2:-}")))
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
		if ! flows_alive; then
			show "$RESULTS/flows"
			show_path
			die "the flows ended after swap $i"
		fi
		((i % 25)) || note "$i swaps, the last took ${pauses[-1]} ms"
		# A peer whose segments were lost waits up to as long again before it sends the next
		# one; it must not meet swap after swap.
		sleep "$(jq -n "${pauses[-1]} / 1000 + 0.3")"
	done
else
	sleep "$amount"
fi
seconds=$((($(now_ms) - begin) / 1000))
status=0
flows_stop || status=$?
show "$RESULTS/flows"
((!status)) || show_path
caches "$RESULTS/after"
note "caches that grew, in kB:$(awk 'NR == FNR { before[$1] = $2; next }
	$2 - before[$1] >= 1 { printf " %s %.1f", $1, $2 - before[$1] }' \
	"$RESULTS/before" "$RESULTS/after")"
printf '%s\n' "${pauses[@]}" | sort -n >"$RESULTS/pauses"
jq -cMn --arg driver "$driver" --arg mode "$mode" --argjson seconds "$seconds" \
	--argjson swaps "${#pauses[@]}" --argjson growth_kb "$(growth total)" --argjson pages_kb "$(growth pages .pages)" \
	--argjson flows_status "$status" \
	--slurpfile pauses <(grep . "$RESULTS/pauses" || true) \
	'{$driver, $mode, $seconds, $swaps, $growth_kb, $pages_kb, $flows_status,
	pause_ms: {median: $pauses[$pauses | length / 2 | floor], longest: $pauses[-1]}}'
clean_log || die "the kernel complained"
finish
