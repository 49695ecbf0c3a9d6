#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A card that gets more than can be polled is swapped: its polls, which go on and on, come to an end
# before its driver goes.
# vm: --smp 2 --timeout 300 --mem 1024 --file tests/guest/lib --file tests/netstate
. lib/lib.sh
. lib/faulty.sh

flood() {
	ethtool --set-priv-flags "$DEV" flood "$1"
}

faulty_pair
check "recoverd starts" start_recoverd
check "the peer answers" eventually 15 answers "$PEER_V4"
for i in 1 2 3; do
	check "polls do not end any more" flood on
	check "the peer answers" eventually 15 answers "$PEER_V4"
	check_swapped "swapped" "polled$i" faulty_net
	check "what was on is on" grep -q '^flood *: on$' <(ethtool --show-priv-flags "$DEV")
	check "the peer answers" eventually 15 answers "$PEER_V4"
done
check "polls end" flood off
check_clean_log
finish
