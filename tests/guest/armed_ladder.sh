#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The steps of policies beyond putting the same image in again: another image, a script's answer, and
# what is done when each of them fails, up to the driver that faults in probe again and again.
# vm: --timeout 420 --mem 1024 --file tests/guest/lib --file tests/netstate
. lib/lib.sh
. lib/faulty.sh
. lib/policy.sh

# script NAME LINE...: a script in /root; it notes what it was called with.
script() {
	local file=/root/$1
	shift
	# shellcheck disable=SC2016	# it is the script's
	printf '%s\n' '#!/bin/bash' 'echo "$*" >/root/asked' "$@" >"$file"
	chmod 755 "$file"
}

asked() {
	cat /root/asked
	local driver device cause count report rest
	read -r driver device cause count report rest </root/asked
	[[ $driver == faulty_net && $device == - && $cause == fault && $count == 1 &&
		-s $report && ! $rest ]]
}

# id_of: the build id of what is installed.
id_of() {
	image_of faulty_net id.ko
	strings -n 3 -t d id.ko | awk '$2 == "GNU" { print $1 }' | while read -r at; do
		[[ $(od -An -tu4 -j $((at - 4)) -N 4 id.ko | xargs) != 3 ]] ||
			od -An -tx1 -j $((at + 4)) -N 20 id.ko | tr -d ' \n'
	done
}

# report_is_good: of the fault that was told last.
report_is_good() {
	local report
	report=$(since fault | jq -er .report)
	[[ $(stat -c %a "$report") == 600 ]] &&
		jq -e --arg kernel "$(uname -r)" --arg id "$(id_of)" '.schema ==
		"recov.report/1" and .kernel == $kernel and .image.armed and
		(.image.build_id == $id) and .event.cause == "page-fault" and
		.treatment.policy == "10-faulty.policy" and
		(.evidence.objects | length) > 0 and (.evidence.requests | type) == "array"' "$report"
}

status_tells() {
	recovctl status --json | jq -e --argjson faults "$1" '.drivers[] |
		select(.name == "faulty_net") | .faults == $faults and
		.last_fault.cause == "page-fault" and (.last_fault.report | startswith("/var/lib/"))'
	recovctl status | grep "faulty_net: $1 faults, the last one at"
}

told_nothing() {
	[[ ! $(since "$1" | tee "$RESULTS/event") ]]
}

# armed_loaded ID: as image_loaded, of an armed image, whose build id has all bits turned.
armed_loaded() {
	[[ $(od -An -tu1 -j 16 -N ${#1} /sys/module/faulty_net/notes/.note.gnu.build-id | xargs) == \
		"$(printf '%s' "$1" | od -An -tu1 | tr -s ' ' '\n' | awk '$1 { print 255 - $1 }' |
			xargs)" ]]
}

is_installed() {
	! armed_loaded older && [[ $(taps) == 0 ]]
}

nothing_left() {
	! pgrep -f '^sleep 777'
}

# wrong WHY LINE...: such a policy is refused, for its last line.
wrong() {
	local why=$1
	shift
	printf '%s\n' '[Match]' 'Driver=faulty_net' '[Recover]' 'Steps=restart' "$@" \
		>/root/wrong.policy
	refused 1 "wrong.policy:$((4 + $#)): $why" policy check /root/wrong.policy
}

bound() {
	[[ -e /sys/bus/platform/drivers/faulty_net/faulty_net.0 ]]
}

# fails_until_given_up N
fails_until_given_up() {
	eventually 60 told given-up ".faults == $1" && return
	recovctl events --json | jq -cM --argjson seq "$SEQ" 'select(.seq > $seq and
		.event != "swap.phase") | [.event, .reason, .outcome, .step, .entry]'
	return 1
}

script knob 'exit 0'
mkdir -m 777 /root/open
cp knob /root/open
cp knob alien
chown 1000 alien
cp knob loose
chmod 775 loose
check "an unknown key is refused" wrong 'Unknown key Step=' Step=restart
check "a unit that is none is, too" wrong 'Backoff= is no time' 'Backoff=5 seconds'
check "a loop of steps" wrong 'Steps= comes back to a step' 'Steps=restart installed restart'
check "a script that is not root's" wrong 'Steps= .* not owned by root' Steps=script:/root/alien
check "one that others may write to" wrong 'Steps= .* may write to' Steps=script:/root/loose
check "one whose folder they may write to" wrong 'Steps= .* in a folder' \
	Steps=script:/root/open/knob

mkdir -p /etc/recoverd
printf '[Observe]\nDrivers=faulty_net\n' >/etc/recoverd/recoverd.conf
faulty_pair
check "recoverd starts" start_recoverd
check "the driver is armed" recovctl arm faulty_net --json
flows_start --rate 50
image_build faulty_net older older.ko

policy Steps='restart replug:/root/older.ko' Backoff=200ms
expect "the policy is good" recovctl policy check $POLICIES/10-faulty.policy
now
check "the first fault" comes_back timer
check "has the same image back" told recovering '.step == "restart"'
check "and leaves a report" report_is_good
check "which the status tells of" status_tells 1
now
check "the second" comes_back napi
check "is for the older one" told recovering '.step == "replug:/root/older.ko"'
check "which goes in" armed_loaded older

script ask 'echo installed'
policy Steps=script:/root/ask Interval=1ms
now
check "a script is asked" comes_back timer
check "about the fault" asked
check "its answer is told" told script '.status == 0 and .answer == "installed"'
check "and obeyed" is_installed
flows_stop_and_check
check "it is armed again" recovctl arm faulty_net --json

script ask 'trap "" TERM' 'sleep 777 &' 'sleep 777'
policy Steps='script:/root/ask restart' ScriptTimeout=1s Interval=1ms
now
check "the driver of a script that hangs" fault timer
check "comes back" eventually 20 recovered
check "the script is ended" told step-failed '.reason | test("did not end in time")'
check "with what it has started" nothing_left

script ask 'exit 3'
policy Steps='script:/root/ask rebind restart' Interval=1ms
now
check "a script fails" fault timer
check "the driver comes back all the same" eventually 20 recovered
check "the failure is told" told step-failed '.reason == "the script has failed"'
check "a rebind would be of no use" told step-failed '.step == "rebind"'
chmod 777 ask
now
check "a script was opened to others meanwhile" fault timer
check "the driver comes back" eventually 20 recovered
check "the script is not run" told step-failed '.reason | test("may write to")'

# The heartbeat of one that faults is of no use, and of one that serves no reason for anything.
script pulse '[[ ! -e /root/sick ]]'
policy Steps=restart Interval=1ms '[Detect]' 'On=fault heartbeat' Heartbeat=/root/pulse \
	HeartbeatInterval=300ms HeartbeatMisses=2 Grace=30s
now
touch sick
check "a driver whose heartbeat is missed is put in again" eventually 30 recovered heartbeat
rm sick
policy Steps=restart '[Detect]' 'On=fault heartbeat' Heartbeat=net HeartbeatInterval=300ms \
	HeartbeatTimeout=10s HeartbeatMisses=1 Grace=0
now
sleep 5
check "one that lives has a heartbeat" told_nothing heartbeat

policy Steps=restart Interval=1ms 'Parameters=fault="null-read probe"'
now
check "parameters that make it fault in probe" fault timer
check "are left away on the way back" eventually 30 recovered
check "which is told" eval "recovctl status --json | jq -e '.drivers[] |
	select(.name == \"faulty_net\") | .last.outcome == \"rolled-back\"'"

# Another daemon: it counts from 0.
stop_recoverd
start_recoverd
mkdir -p /etc/modprobe.d
echo 'options faulty_net fault="null-read probe"' >/etc/modprobe.d/faulty.conf
policy Steps='restart restart restart give-up' Backoff=300ms BackoffMax=500ms GiveUp=unbind
now
check "one that faults in probe, too" fault timer
check "is given up at last" fails_until_given_up 4
check "after each step was tried" test "$(since recovering | jq -r .delay_ns | xargs)" = \
	"0 300000000 500000000"
rm /etc/modprobe.d/faulty.conf
check "and recovered on demand when it is repaired" recovctl recover faulty_net --json
check "its devices are back" eventually 10 bound
check "the kernel log is clean" faulty_log_is_clean
finish
