#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# In a guest: how long a call of an armed driver that loops for ever takes until it is ended, one JSON
# object a call, in milliseconds. With interrupts on and off in turns; the driver is recovered between.
#
# Usage: hang.sh TIMES
# vm: --timeout 1200 --file tests/guest/lib --file tests/netstate
# shellcheck source=../guest/lib/lib.sh
. lib/lib.sh
# shellcheck source=../guest/lib/faulty.sh
. lib/faulty.sh

times=$1

# ends_in_error LOAD...: the call does.
ends_in_error() {
	! load "$@" >/dev/null 2>"$RESULTS/said" && grep -q 'Input/output error' "$RESULTS/said"
}

faulty_load
start_recoverd >&2
recovctl arm faulty_net >/dev/null || die "faulty_net cannot be armed"
for ((i = 0; i < times; i++)); do
	for fault in loop loop-irqs-off; do
		echo "$fault process" >"$FAULT"
		begin=${EPOCHREALTIME/./}
		ends_in_error private "$(card 0)" 1 || die "the call did not end: $(<"$RESULTS/said")"
		end=${EPOCHREALTIME/./}
		printf '{"fault":"%s","ms":%d.%03d}\n' $fault $(((end - begin) / 1000)) $(((end - begin) % 1000))
		recovctl recover faulty_net >/dev/null || die "faulty_net cannot be recovered"
	done
done
