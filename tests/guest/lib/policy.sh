# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# Policies for the driver that fails on command, and what is told of it.

POLICIES=/etc/recoverd/policies.d

# policy LINE...: of the driver, from now on.
policy() {
	mkdir -p $POLICIES
	printf '%s\n' '[Match]' 'Driver=faulty_*' '[Recover]' "$@" >$POLICIES/10-faulty.policy
	kill -HUP "$(daemon_pid)"
	sleep 0.5
}

since() {
	recovctl events --json | jq -cM --argjson seq "$SEQ" --arg event "driver.$1" \
		'select(.event == $event and .seq > $seq)'
}

# told EVENT [FILTER]: one such event came since SEQ was set.
told() {
	since "$1" | tee "$RESULTS/event"
	[[ $(jq -cM "select(${2:-true})" "$RESULTS/event" | wc -l) == 1 ]]
}

# now: what is told from here on counts. Not in a check, which would forget it.
now() {
	SEQ=$(recovctl status --json | jq .seq)
}

# fault CONTEXT: returns when it is told.
fault() {
	echo "null-read $1" >"$FAULT" && eventually_told 10 told fault
}

# comes_back CONTEXT: by itself.
comes_back() {
	fault "$1" && eventually_told 20 recovered && flows_go_on
}

# recovered [CAUSE]: each of its cards.
recovered() {
	[[ $(since recovered | jq -cM --arg cause "${1:-fault}" 'select(.cause == $cause)' |
		wc -l) == 2 ]]
}

state_is() {
	recovctl status --json | jq -e --arg state "$1" \
		'.drivers[] | select(.name == "faulty_net") | .state == $state'
}

taps() {
	grep -c '\.tap.*\[faulty_net\]' /proc/kallsyms
}
