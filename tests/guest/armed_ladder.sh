#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The steps of policies beyond putting the same image in again: another image, a script's answer, and
# what is done when each of them fails, up to the driver that faults in probe again and again.
# vm: --timeout 420 --mem 1024 --file tests/guest/lib --file tests/netstate
# vm: --append "slub_debug=FZPU page_poison=1"
# vm: --qemu "-device pci-bridge,id=bridge,chassis_nr=1 -device e1000,bus=bridge,addr=1"
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
		select(.name == "faulty_net") | .armed and .faults == $faults and
		.last_fault.cause == "page-fault" and (.last_fault.report | startswith("/var/lib/"))' &&
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

has_reset() {
	grep '<- pci_reset_function.* result=0$' /sys/kernel/tracing/trace
}

bound() {
	[[ -e /sys/bus/platform/drivers/faulty_net/faulty_net.0 ]]
}

# fails_until_given_up N
fails_until_given_up() {
	eventually_told 60 told given-up ".faults == $1" && return
	recovctl events --json | jq -cM --argjson seq "$SEQ" 'select(.seq > $seq and
		.event != "swap.phase") | [.event, .reason, .outcome, .step, .entry]'
	return 1
}

# finished FILTER: what is told of the end of a swap.
finished() {
	recovctl events --json | jq -es --argjson seq "$SEQ" \
		"any(.[]; .seq > \$seq and .event == \"swap.finished\" and $1)"
}

# fails_when WHERE COMMAND...: as it is asked for something.
fails_when() {
	echo "null-read $1" >"$FAULT" || return
	shift
	! "$@" && eventually_told 10 told fault '.first and .context == "task"'
}

# e1000_policy LINE...: a policy for that one, which is well unless there is a file.
e1000_policy() {
	printf '%s\n' '[Match]' 'Driver=e1000' '[Detect]' 'On=heartbeat' 'Heartbeat=/root/pulse' \
		'HeartbeatInterval=300ms' 'HeartbeatMisses=1' '[Recover]' "$@" >$POLICIES/20-e1000.policy
}

e1000_index() {
	cat /sys/bus/pci/drivers/e1000/*:*/net/*/ifindex
}

rx_is() {
	ethtool -k "$DEV" | grep "^rx-checksumming: $1"
}

mtu_is() {
	[[ $(<"/sys/class/net/$DEV/mtu") == "$1" ]]
}

report_tells() {
	jq -e "$1" "$(since fault | tail -n 1 | jq -er .report)"
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

# What it fails in again when it is given it again is left out then.
mkdir -p /etc/modprobe.d
echo 'options faulty_net fault="null-read features"' >/etc/modprobe.d/faulty.conf
policy Steps=restart Interval=1ms '[Detect]' Grace=0
now
check "it fails as its features are set" fails_when features ethtool -K "$DEV" rx off
check "and comes back" eventually_told 20 recovered
check "though it has failed again in that" told fault '.setting == "features"'
check "since that was left out" finished '.outcome == "rolled-back" and .left_out == ["features"]'
check "they are the driver's own" rx_is on
check "the flows go on" flows_go_on
rm /etc/modprobe.d/faulty.conf
policy Steps=restart Interval=1ms '[Detect]' Grace=1min
now
check "it fails as its MTU is set" fails_when mtu ip link set "$DEV" mtu 1400
check "and comes back" eventually_told 20 recovered
check "with it" mtu_is 1400
now
check "it fails again soon" comes_back timer
check "the MTU is what it is not given then" told recovering \
	'.leave_out == {"device": "faulty_net.0", "setting": "mtu"}'
check "as its report tells" report_tells '.treatment.leave_out.setting == "mtu"'
check "and the swap" finished '.outcome == "success" and .left_out == ["mtu"]'
check "it is the driver's own" mtu_is 1500
now
check "it fails once more" comes_back timer
check "and is given all that is left" told recovering '.leave_out == null'

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
check "comes back" eventually_told 20 recovered
check "the script is ended" told step-failed '.reason | test("did not end in time")'
check "with what it has started" nothing_left

script ask 'exit 3'
policy Steps='script:/root/ask rebind restart' Interval=1ms '[Detect]' Grace=0
now
check "a script fails" fault timer
check "the driver comes back all the same" eventually_told 20 recovered
check "the failure is told" told step-failed '.reason == "the script has failed"'
check "a rebind would be of no use" told step-failed '.step == "rebind"'
chmod 777 ask
now
check "a script was opened to others meanwhile" fault timer
check "the driver comes back" eventually_told 20 recovered
check "the script is not run" told step-failed '.reason | test("may write to")'

# The heartbeat of one that faults is of no use, and of one that serves no reason for anything.
script pulse '[[ ! -e /root/sick ]]'
policy Steps=restart Interval=1ms '[Detect]' 'On=fault heartbeat' Heartbeat=/root/pulse \
	HeartbeatInterval=300ms HeartbeatMisses=2 Grace=30s
now
touch sick
check "a driver whose heartbeat is missed is put in again" eventually_told 30 recovered heartbeat
rm sick

# That a bus is reset makes a driver see nothing but its device as it was at first.
# shellcheck disable=SC2016	# it is the kernel's
echo 'r:reset pci_reset_function result=$retval:s32' >/sys/kernel/tracing/kprobe_events
echo 1 >/sys/kernel/tracing/events/kprobes/reset/enable
e1000_policy Steps=bus-reset
policy Steps=restart
now
touch sick
modprobe e1000
check "a driver that came later, not armed, misses its heartbeat" eventually_told 40 told recovered \
	'.device.driver == "e1000" and .cause == "heartbeat"'
rm sick
check "its step is a reset" told recovering '.step == "bus-reset"'
check "which its device has had" has_reset
check "it is bound again" test -e /sys/bus/pci/drivers/e1000/*:*
e1000_policy Steps=rebind
policy Steps=restart
BEFORE=$(e1000_index)
now
touch sick
check "likewise, once more" eventually_told 40 told recovered \
	'.device.driver == "e1000" and .cause == "heartbeat"'
rm sick
check "its step is to be bound again" told recovering '.step == "rebind"'
check "which makes another device of it" test "$(e1000_index)" -gt "$BEFORE"
echo 0 >/sys/kernel/tracing/events/kprobes/reset/enable
echo >/sys/kernel/tracing/kprobe_events
e1000_policy Steps=untrusted Backoff=0 Limit=3 Interval=1ms
policy Steps=restart
now
touch sick
check "a step that is refused each time ends" eventually_told 40 told given-up \
	'.device.driver == "e1000" and .faults == 4'
sleep 3
check "for good" told given-up '.device.driver == "e1000"'
rm sick $POLICIES/20-e1000.policy
rmmod e1000

policy Steps=restart '[Detect]' 'On=fault heartbeat' Heartbeat=net HeartbeatInterval=300ms \
	HeartbeatTimeout=10s HeartbeatMisses=1 Grace=0
now
sleep 2
check "one that lives has a heartbeat" told_nothing heartbeat

policy Steps=restart Interval=1ms 'Parameters=fault="null-read probe"'
now
check "parameters that make it fault in probe" fault timer
check "are left away on the way back" eventually_told 30 recovered
check "which is told" eval "recovctl status --json | jq -e '.drivers[] |
	select(.name == \"faulty_net\") | .last.outcome == \"rolled-back\"'"

policy Steps=give-up GiveUp=unbind
now
check "one that is given up at once" fault timer
check "is unbound" eventually_told 20 told unbound '.outcome == "success"'
check "from its devices" eval '! bound'
check "and recovered on demand" recovctl recover faulty_net --json
check "its devices are there again" eventually 10 bound

# Another daemon: it counts from 0. What it watches would only cost time.
stop_recoverd
rm /etc/recoverd/recoverd.conf
start_recoverd
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
