#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# In the guest that all trials are copies of: gets the driver under its workload warm, then waits for
# the word to begin and runs the trial, which a fw_cfg file brings along.
#
# Usage: warm.sh stock|recoverd DRIVER WORKLOAD [ARG...], with the workload's script in /root, which is
# given DRIVER and ARGs.
#
# What is told goes to the second serial port, a line each: "h" is the heartbeat, twice a second,
# "@ KEY VALUE" a result, "@ stuck" that no frame comes through, "@ end" the end; the rest is what
# programs said.
# shellcheck source=../guest/lib/lib.sh
. lib/lib.sh
set +e

MODE=$1
DRIVER=$2
WORKLOAD=$3
shift 3
TRIAL=/sys/firmware/qemu_fw_cfg/by_name/opt/org.recoverd.trial/raw
POLICIES=/etc/recoverd/policies.d

# tell KEY [VALUE]: no program is started for it.
tell() {
	printf '@ %s\n' "$*"
}

# tell_long COMMAND [ARG...]: what it tells in long lines, into which the heartbeat must not fall.
tell_long() {
	kill -STOP "$HEARTBEAT"
	"$@"
	kill -CONT "$HEARTBEAT"
}

# The last words of a guest that does not get warm.
cold() {
	tell cold "$*"
	sleep 3600
}

# limited SECONDS COMMAND [ARG...]: 124 when it has not ended by then. Whoever hangs in the kernel
# cannot be killed, and is left.
limited() {
	local limit=$1 command clock ended=
	shift
	"$@" &
	command=$!
	sleep "$limit" &
	clock=$!
	wait -n -p ended "$command" "$clock"
	set -- $?
	{
		kill -9 $clock && wait $clock
	} 2>/dev/null
	[[ $ended == "$command" ]] && return "$1"
	kill -9 "$command" 2>/dev/null
	echo w >/proc/sysrq-trigger # to the console: who waits, and where
	return 124
}

# ---- A trial ------------------------------------------------------------------------------------

# apply PLAN
apply() {
	recovctl inject apply "$1" --port 2>/run/apply >/dev/null
}

undo() {
	recovctl inject undo "$DRIVER" >/dev/null
}

# tell_events: what the daemon did, in short.
tell_events() {
	local event
	while IFS= read -r event; do
		[[ $event != *'"event":"driver.'* && $event != *'"event":"swap.finished'* ]] ||
			tell event "$event"
	done <"$EVENTS"
}

# serves SECONDS: the workload is served by then.
serves() {
	local end=$((SECONDS + $1))
	until limited 5 workload_check >/dev/null 2>&1; do
		((SECONDS < end)) || return 1
		tell stuck
		sleep 0.5
	done
}

# trial [PLAN]: of the faults in the file, or without faults.
trial() {
	local plan=${1:-} status=0 patience=3 cured=2
	# With recoverd it may be about to come back.
	[[ $MODE == stock ]] || patience=40 cured=40
	tell armed "$(</proc/uptime)"
	if [[ $plan ]]; then
		limited 20 apply "$plan" || status=$?
		if ((status)) && [[ -s /run/apply ]]; then
			tell refused "$(</run/apply)"
			tell end
			return
		fi
	fi
	# Without a word it was what it had planted that ended it.
	((status)) || tell planted
	status=0
	limited 30 workload_run 2>&1 || status=$?
	tell run $status
	# That decides it, and all that follows would have to wait for whoever loops in the kernel.
	if [[ $MODE == stock && $status == 124 ]]; then
		tell end
		return
	fi
	status=0
	serves $patience || status=1
	tell service $status
	limited 140 workload_stop 2>&1 || status=$?
	tell stop $status
	[[ $MODE == stock ]] || tell_long tell_events
	if [[ $plan ]]; then
		limited 20 undo 2>&1
		tell undone $?
		status=0
		serves $cured || {
			limited 20 workload_mend 2>&1
			serves 6 || status=1
		}
		tell cured $status
	fi
	tell end
}

# cover: tells which of the driver's instructions the load executes.
cover() {
	local coverer
	recovctl inject cover "$DRIVER" --for 9s --out /run/coverage.json 2>/run/apply &
	coverer=$!
	sleep 1
	limited 30 workload_run || tell refused "the load fails below the breakpoints"
	if wait $coverer; then
		tell_long tell coverage "$(</run/coverage.json)"
	else
		tell refused "$(</run/apply)"
	fi
	tell end
}

# begin: what is in the file now, as it is another one in each copy.
begin() {
	local payload
	payload=$(tr -d '\0' <$TRIAL)
	eval "$payload"
}

# ---- Getting warm -------------------------------------------------------------------------------

# What a machine with one CPU needs, as no other sees that it loops with interrupts off.
warm_watchdog() {
	modprobe -q i6300esb heartbeat=8 && [[ -e /dev/watchdog ]] && exec 8>/dev/watchdog ||
		echo "no watchdog" >/dev/kmsg
}

warm_recoverd() {
	mkdir -p $POLICIES
	cp heartbeat campaign.policy /etc/recoverd/
	sed "s/@DRIVER@/$DRIVER/" campaign.policy >$POLICIES/10-campaign.policy
	recovctl policy check $POLICIES/10-campaign.policy || cold "the policy is wrong"
	recoverd --background --events "$EVENTS" || cold "recoverd does not start"
	recovctl arm "$DRIVER" >/dev/null || cold "$DRIVER cannot be armed"
}

# shellcheck source=net.sh
. "./$WORKLOAD" || cold "the workload $WORKLOAD cannot be read"
modprobe -a qemu_fw_cfg pvpanic-mmio || cold "a module of the guest is missing"
[[ -r $TRIAL ]] || cold "QEMU gives no trial"
modprobe recov_shadow || cold "recov_shadow cannot be loaded"
if [[ -e $DRIVER.ko ]]; then
	mkdir -p "/lib/modules/$(uname -r)/updates"
	mv "$DRIVER.ko" "/lib/modules/$(uname -r)/updates" && depmod -a
fi
workload_warm "$DRIVER" "$@" || cold "the workload does not start with $DRIVER"
[[ $MODE == stock ]] || warm_recoverd
workload_run || cold "the warm load fails"
serves 20 || cold "the warm load is not served"
workload_start || cold "the load does not start"
exec 8>/dev/null
[[ $MODE == stock ]] || warm_watchdog
(
	mkfifo /run/never
	exec 9<>/run/never
	while :; do
		echo h
		echo >&8
		read -r -t 0.5 -u 9
	done
) &
HEARTBEAT=$!
# Who hangs is made to say where.
sysctl -qw kernel.unknown_nmi_panic=1
tell warm
read -r word </dev/ttyS1
[[ $word == go ]] || cold "what does '$word' mean?"
begin
sleep 3600
