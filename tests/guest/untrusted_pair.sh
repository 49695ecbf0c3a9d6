#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A driver that fails while it is taken out, or that is not to be called any more, is taken out
# without it: what it had is given back, and its connections live on with the next copy.
# vm: --timeout 300 --mem 1024 --file tests/guest/lib --file tests/netstate
# vm: --append "slub_debug=FZPU page_poison=1"
. lib/lib.sh
. lib/faulty.sh
. lib/recover.sh

recover() {
	recover_driver faulty_net "$@" && flows_go_on || return
	jq '.released // {} | .timer + .hrtimer + .work' "$RESULTS/swap.json" >>"$RESULTS/pending"
}

# Those that come while the driver is taken out are refused, and not set again: none may be left.
some_were_pending() {
	jq -es 'add >= 1' "$RESULTS/pending"
}

fault() {
	echo "$1" >"$FAULT"
}

# ends CONTEXT: the driver fails there.
ends() {
	fault "null-read $1" && eventually 10 state_is faulted
}

state_is() {
	recovctl status --json | jq -e --arg state "$1" \
		'.drivers[] | select(.name == "faulty_net") | .state == $state'
}

# threads N: as many of the driver's there are.
threads() {
	[[ $(grep -lx 'faulty_net\.[01]' /proc/[0-9]*/comm 2>/dev/null | wc -l) == "$1" ]]
}

handlers() {
	[[ $(grep -c 'faulty_net\.[01]$' /proc/interrupts) == 2 ]]
}

faulty_pair
check "recoverd starts" start_recoverd
check "a driver without taps has to be called" refused 5 'faulty_net is not armed' \
	recover faulty_net --untrusted
check "the driver is armed" recovctl arm faulty_net --json
flows_start --rate 50

check "one that serves is taken out without being called" recover --untrusted
check "what it had was taken" released '.irq == 2 and .napi == 2 and .call == 2 and .driver == 1 and
	."dma-coherent" == 2'
check "its threads are gone but for the new ones" eventually 5 threads 2
check "its interrupts likewise" handlers
check "the flows go on" flows_alive

check "one that has failed in a timer" ends timer
check "likewise" recover --untrusted
check "and in a poll" ends napi
check "likewise" recover --untrusted
check "the new one serves" state_is live

fault "null-read remove"
check "one that fails in its remove() goes without it" recover
check "which is told" released '.irq >= 1'
check "the flows go on" flows_alive
check "a list of its card's leads nowhere" ethtool --set-priv-flags "$DEV" tear on
check "where the kernel goes with locks of its own, as the driver leaves" recover
check "which are given back" released '.irq >= 1'
ethtool --set-priv-flags "$DEV" tear off bug on
check "one that fails below what the kernel does for it, too" recover
check "which is told" released '. != null'
ethtool --set-priv-flags "$DEV" bug off
fault "null-read stop"
check "one that fails when it is stopped, too" recover
check "which is told" released '.driver == 1'
check "without a fault it leaves by itself" recover
check "which is told" test "$(jq -cM .released "$RESULTS/swap.json")" = null
check "timers and works that were pending were taken, too" some_were_pending

check "its threads are gone but for the new ones" eventually 5 threads 2
sleep 2
flows_stop_and_check
note "longest gap $(longest_gap_ms) ms"
check "the kernel log is clean" faulty_log_is_clean
check "it is disarmed" recovctl disarm faulty_net --json
check "and the shadow" eventually 10 rmmod recov_shadow
finish
