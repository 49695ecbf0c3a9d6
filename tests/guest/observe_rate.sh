#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Of 100,000 events a second, each is seen or counted as lost, and recoverd stays small. A guest in
# which an instruction takes a nanosecond says how many there are in a second.
# vm: --icount --timeout 400 --mem 1024 --file tests/guest/lib --file tests/netstate
# vm: --allow leaky_friend:
. lib/lib.sh

DO=/sys/module/leaky/parameters/do
COUNTS=/sys/module/leaky/parameters/counts
COUNT=200000
OBJECTS=50000 # more than there is room for
RATE=100000   # a second

looks() {
	wc -l <"$RESULTS/trace"
}

looked() {
	(($(looks) >= $1))
}

# look: waits for one that has begun after now, and keeps it.
look() {
	local wanted=$(($(looks) + 2))
	eventually 60 looked $wanted && sed -n "${wanted}p" "$RESULTS/trace" >"$RESULTS/look"
}

# calls FUNCTION: that the last look knows of.
calls() {
	jq --arg function "$1" '[.entries[] | select(.function | startswith($function)) | .calls] |
		add // 0' "$RESULTS/look"
}

# lost NAME...: what the last look knows to have been missed; a program has missed none until it is
# named.
lost() {
	jq '[.missed[$ARGS.positional[]] // 0] | add' "$RESULTS/look" --args "$@"
}

# produced NAME: what leaky has counted itself.
produced() {
	jq ".$1" "$COUNTS"
}

# storm ENTRY FUNCTION: sets PER_SECOND, SEEN, LOST and PRODUCED, so it is for no subshell. What the
# programs of other objects miss meanwhile is none of the entries.
storm() {
	local entry=$1 function=$2
	local -a names=(entries running "on_$entry" "on_${entry}_done")
	look || return
	SEEN=$(calls "$function") LOST=$(lost "${names[@]}") PRODUCED=$(produced "$entry")
	load storm "$entry" $COUNT >"$RESULTS/storm" || return
	look || return
	SEEN=$(($(calls "$function") - SEEN))
	LOST=$(($(lost "${names[@]}") - LOST))
	PRODUCED=$(($(produced "$entry") - PRODUCED))
	PER_SECOND=$(jq '.count / .ns * 1e9 | floor' "$RESULTS/storm")
	note "$entry: $PRODUCED of them, $PER_SECOND a second; $SEEN seen, $LOST lost"
	note "missed of anything: $(jq -c .missed "$RESULTS/look")"
}

resident() {
	awk '/^VmRSS/ { print $2 }' "/proc/$(daemon_pid)/status"
}

insmod "$DRIVERS/leaky_friend.ko"
insmod "$DRIVERS/leaky.ko"
eventually 10 test -c /dev/leaky
expect "recoverd starts" start_recoverd
recovctl trace leaky --memory --json >"$RESULTS/trace" 2>"$RESULTS/trace.err" &
TRACE=$!
expect "leaky is traced" eventually 60 looked 1

storm irq leaky_soft_interrupt || die "the storm of interrupts does not end"
check "there were $RATE a second" test "$PER_SECOND" -ge $RATE
check "all were made" test "$PRODUCED" = $COUNT
check "each was seen or counted as lost" test $((SEEN + LOST)) = "$PRODUCED"
storm work leaky_works_storm || die "the storm of works does not end"
check "each was seen or counted as lost" test $((SEEN + LOST)) = "$PRODUCED"

echo "storm alloc $OBJECTS 64" >$DO
expect "a look at many objects" look
note "objects: $(produced kept) taken; $(jq .objects.slab "$RESULTS/look") known, $(lost objects) not"
check "more objects than there is room for: each is known or counted as lost" \
	test $(($(jq .objects.slab "$RESULTS/look") + $(lost objects))) = "$(produced kept)"
note "recoverd has $(resident) kB resident"
check "recoverd stays below 20 MB" test "$(resident)" -lt 20480
echo calm >$DO
expect "a look at none of them" look
check "what was given back is gone" test "$(jq '.objects.slab // 0' "$RESULTS/look")" = 0
kill -INT "$TRACE"
wait "$TRACE" || fail "the trace ends well"

recovctl trace leaky --events --json >"$RESULTS/trace" 2>"$RESULTS/trace.err" &
TRACE=$!
expect "each single event is traced" eventually 60 looked 1
expect "a second storm of interrupts ends" load storm irq $COUNT
expect "and what is told of it" look
kill -INT "$TRACE"
wait "$TRACE" || fail "the trace ends well"
TOLD=$(jq -s '[.[].events | length] | add' "$RESULTS/trace")
LOST=$(jq -s '.[-1].events_lost + .[-1].missed.records - .[0].missed.records' "$RESULTS/trace")
note "$TOLD events told, $LOST lost"
# The work that raises the interrupts is one entry and some objects more.
check "each event was told or counted as lost" \
	test $((TOLD + LOST - COUNT)) -ge 0 -a $((TOLD + LOST - COUNT)) -le 20
check "some were told" test "$TOLD" -gt 1000
note "recoverd has $(resident) kB resident"
check "recoverd is still below 20 MB" test "$(resident)" -lt 20480
check "recoverd stops at once" stop_recoverd
check_clean_log
finish
