#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# In a guest: how much a TCP stream carries in 50 seconds while its armed driver fails every so often
# and is recovered by its policy, one JSON object an interval. The link is the narrowest place, as
# with real cards: what is lost is what time is lost. An instruction takes a nanosecond here, so
# that what else runs on this machine does not matter.
# vm: --icount --timeout 3000 --mem 1024 --file tests/guest/lib --file tests/netstate
# shellcheck source=../guest/lib/lib.sh
. lib/lib.sh
# shellcheck source=../guest/lib/faulty.sh
. lib/faulty.sh

SECONDS_EACH=50
LINK=20mbit

crash_every() {
	while sleep "$1"; do
		echo null-read hardirq >"$FAULT"
	done
}

crashes() {
	recovctl events --json | jq --argjson seq "$SEQ" \
		'select(.seq > $seq and .event == "driver.fault" and .first) | .seq' | wc -l
}

# stream EVERY: seconds; 0: never.
stream() {
	local crasher=
	SEQ=$(recovctl status --json | jq .seq)
	if (($1)); then
		crash_every "$1" &
		crasher=$!
	fi
	flow run "$PEER_V4" --flows tcp-up --rate 0 --seconds $SECONDS_EACH \
		--out "$RESULTS/flows.jsonl" >"$RESULTS/flows" ||
		die "every $1 s: $(tail -n 2 "$RESULTS/flows")"
	[[ ! $crasher ]] || kill $crasher
	jq -csM --argjson every "$1" --argjson crashes "$(crashes)" \
		--argjson seconds $SECONDS_EACH '{$every, $crashes, mbits: (map(select(.flow != "all")
			| .bytes) | add * 8 / 1e4 / $seconds | round / 100)}' "$RESULTS/flows.jsonl"
	sleep 5
}

mkdir -p /etc/recoverd/policies.d
printf '%s\n' '[Match]' 'Driver=faulty_*' '[Recover]' Steps=restart Backoff=0 Limit=1000 \
	Interval=1ms >/etc/recoverd/policies.d/10-bench.policy
faulty_pair >&2
tc qdisc replace dev "$DEV" root tbf rate $LINK burst 32k latency 50ms
start_recoverd >&2
recovctl arm faulty_net >/dev/null || die "the driver cannot be armed"
ip netns exec peer flow serve 2>/dev/null &
sleep 1
for every in 0 25 15 8 4 2 1; do
	stream $every
done
