# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# The daemon under test, and swaps through its command.

EVENTS=/run/events.jsonl

daemon_pid() {
	recovctl status --json | jq -e '.daemon.pid // .pid'
}

# start_recoverd [OPTION...]: in the background; returns when it is ready.
start_recoverd() {
	recoverd --background --events "$EVENTS" "$@"
}

# stop_recoverd: returns when it is gone; fails if that takes long.
stop_recoverd() {
	local pid
	pid=$(daemon_pid) && kill "$pid" && eventually 5 test ! -e "/proc/$pid"
}

# eventually_told SECONDS COMMAND [ARG...]: as eventually, of what depends on the daemon's events only:
# it is tried again when there are more of them, and each second.
eventually_told() {
	local limit=$((${EPOCHREALTIME/./} + $1 * 1000000)) looked=$RESULTS/looked.$BASHPID i
	shift
	while
		: >"$looked"
		! "$@" >/dev/null 2>&1
	do
		((${EPOCHREALTIME/./} < limit)) || return 1
		for ((i = 0; i < 20; i++)); do
			[[ $looked -nt $EVENTS ]] || break
			pause
		done
	done
}

# refused STATUS REGEX ARG...: recovctl ends so, with one sentence.
refused() {
	local wanted=$1 regex=$2 status=0 said
	shift 2
	said=$(recovctl "$@" 2>&1 >/dev/null) || status=$?
	echo "status $status: $said"
	((status == wanted)) && [[ $said =~ $regex && $said != *$'\n'* ]]
}

# replug NAME DRIVER [OPTION...]: swap, and keep the result as $RESULTS/NAME.json and .status;
# returns what recovctl does.
replug() {
	local name=$1 status=0
	shift
	recovctl replug --json "$@" >"$RESULTS/$name.json" 2>"$RESULTS/$name.err" || status=$?
	echo $status >"$RESULTS/$name.status"
	return $status
}

# result NAME FILTER: of a replug's result.
result() {
	jq -er "$2" "$RESULTS/$1.json"
}

# show_result NAME: outcome, pause and phases on one line, and what was said.
show_result() {
	note "$(jq -r '"\(.driver): \(.outcome), pause \((.pause_ns // 0) / 1e6 | round) ms; "
		+ ([.phases_ns // {} | to_entries[] | "\(.key) \(.value / 1e6 * 10 | round / 10)"]
		| join(", ")) + (if .reason then "; " + .reason else "" end)' \
		"$RESULTS/$1.json" 2>/dev/null || true)"
	[[ ! -s $RESULTS/$1.err ]] || show "$RESULTS/$1.err"
}

# check_swapped TITLE NAME DRIVER [OPTION...]: the swap succeeds, and with it the module is new.
check_swapped() {
	local title=$1 name=$2 driver=$3 before
	shift 2
	before=$(module_stamp "$driver")
	check "$title" replug "$name" "$@"
	show_result "$name"
	if [[ $before == "$(module_stamp "$driver")" ]]; then
		fail "$title: the module in /sys/module was replaced"
	fi
}
