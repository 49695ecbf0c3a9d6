#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A driver that faults is recovered by its policy, again and again, with more and more patience,
# until the policy gives it up; without a policy it is only told of.
# vm-waits
# vm: --timeout 420 --mem 1024 --file tests/guest/lib --file tests/netstate
. lib/lib.sh
. lib/faulty.sh
. lib/policy.sh

wrong_is_told() {
	recovctl events --json | jq -es --argjson seq "$SEQ" 'any(.[]; .seq > $seq and
		.event == "policy.refused" and .line == 4 and (.file | endswith("05-bad.policy")))'
}

comes_back_on_demand() {
	recovctl recover faulty_net --json && flows_go_on
}

faulty_pair
check "recoverd starts" start_recoverd
check "the driver is armed" recovctl arm faulty_net --json
flows_start --rate 50

now
check "without a policy" fault timer
check "it is only told of" eventually_told 10 told not-recovered '.policy == null'
check "it stays as it is" state_is faulted
check "and is recovered on demand" comes_back_on_demand

policy Steps=none
now
check "a policy may be to do nothing" fault timer
check "which is told" eventually_told 10 told not-recovered '.policy == "10-faulty.policy"'
check "and it is recovered on demand" comes_back_on_demand

policy Steps=restart Backoff=1s BackoffMax=2s Limit=6 Interval=5min
now
check "it comes back by itself" comes_back napi
since recovered >"$RESULTS/recovered"
note "fault to service: $(jq -s '.[0].duration_ns / 1e6 | round' "$RESULTS/recovered") ms"
check "a step was told, the third fault's" told recovering \
	'.step == "restart" and .faults == 3 and .delay_ns == 2e9'
now
check "once more" comes_back hardirq
check "after the longest wait" told recovering '.faults == 4 and .delay_ns == 2e9'
now
check "from a work" comes_back work
now
ip link add link "$DEV" name below type vlan id 7
check "from a transmission" comes_back xmit
check "who depends on its card was told" told recovering \
	".dependants == [{kind: \"device\", name: \"below\", on: \"$DEV\"}]"
ip link delete below
check "the flows go on" flows_alive
now
check "one too many" fault timer
check "is given up" eventually_told 10 told given-up '.faults == 7'
check "it stays as it is" state_is faulted

policy Steps='restart installed' Limit=20 Backoff=0 Interval=1ms
check "it is recovered on demand once more" comes_back_on_demand
now
check "faults of long ago do not count" comes_back timer
check "it is armed as before" test "$(taps)" -gt 10
policy Steps=untrusted Limit=20 Backoff=0 Interval=1ms
now
check "it comes back without having been called" comes_back napi
check "which was its policy" told recovering '.step == "untrusted"'
policy Steps='restart installed' Limit=20 Backoff=0 Interval=30min
now
check "the second step of a policy" comes_back timer
check "puts the installed image in" test "$(taps)" = 0

now
printf '[Match]\nDriver=faulty_net\n[Recover]\nSteps=reboot\n' >$POLICIES/05-bad.policy
kill -HUP "$(daemon_pid)"
check "what is wrong with a policy is told, and where" eventually 10 wrong_is_told
check "recovctl tells it, too" refused 1 '05-bad.policy:4: Steps= has a step that is not known' \
	policy check $POLICIES/05-bad.policy
check "a good one is good" recovctl policy check $POLICIES/10-faulty.policy
check "the policy of a driver is shown" test "$(recovctl policy show faulty_net --json |
	jq -cM '[.[] | .name, .steps]')" = '["10-faulty.policy",["restart","installed"]]'
check "in lines, too" test "$(recovctl policy show faulty_net | sed -n 2p | cut -d';' -f1)" = \
	'  restart, then installed'
sleep 5
flows_stop_and_check
check "the kernel log is clean" faulty_log_is_clean
finish
