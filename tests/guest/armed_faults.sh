#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Faults of each kind in each context end one call into an armed driver: it is recovered each time,
# and the connections through it live. The arguments are the kinds to try in each context, or `all`.
# vm: --timeout 600 --mem 1024 --file tests/guest/lib --file tests/netstate
# What the kernel says before it gives up on a list.
# vm: --allow "list_del corruption"
. lib/lib.sh
. lib/faulty.sh

CONTEXTS=(process xmit work kthread timer hrtimer tasklet napi hardirq)
FAULTS=(null-read null-write null-exec wild-read wild-write rodata-write user-pointer bug divide
	canary smashed-return overflow lost-stack bad-memcpy bad-list bad-lock bad-skb bad-work
	bad-timer under-spinlock bad-napi under-bus-spinlock bad-kfree under-bus-mutex irqs-off
	bh-off rcu loop loop-irqs-off spin-deadlock spin-deadlock-irqsave mutex-deadlock
	mutex-circle breakpoint bad-unlock bad-delay smashed-record under-rtnl bad-map kept-lock
	other-stack kept-mutex work-circle wait-for-itself stale-skb bad-coherent bad-queue
	bad-page under-bus-writer rwsem-deadlock rwsem-circle)

# What the kernel is in when it calls the driver there, and what would have been an oops.
declare -A IN=([timer]=softirq [tasklet]=softirq [napi]=softirq [budget]=softirq
	[hrtimer]=hardirq
	[hardirq]=hardirq [prepared]=hardirq)
! grep -qw threadirqs /proc/cmdline || IN+=([hardirq]=task [prepared]=task)
declare -A CAUSES=([wild-read]=general-protection [wild-write]=general-protection
	[bug]=invalid-opcode [divide]=divide-error [breakpoint]=breakpoint [canary]=stack-protector
	[bad-list]=invalid-opcode [overflow]=double-fault [lost-stack]=double-fault
	[other-stack]=double-fault [loop]=hang
	[loop-irqs-off]=hang [spin-deadlock]=deadlock [spin-deadlock-irqsave]=deadlock
	[mutex-deadlock]=deadlock [mutex-circle]=deadlock
	[rwsem-deadlock]=deadlock [rwsem-circle]=deadlock
	[work-circle]=deadlock [wait-for-itself]=deadlock [bad-kfree]=bad-argument
	[bad-page]=bad-argument
	[bad-skb]=bad-argument [stale-skb]=bad-argument [bad-napi]=bad-argument
	[bad-timer]=bad-argument [bad-work]=bad-argument [bad-unlock]=bad-argument
	[bad-delay]=bad-argument [bad-map]=bad-argument [bad-coherent]=bad-argument [bad-queue]=bad-argument
	[no-stats]=bad-answer [kept-lock]=bad-answer
	[kept-mutex]=bad-answer [over-budget]=bad-answer)
# What the driver gives a bad argument to, by either kernel's name.
declare -A SERVICES=([bad-kfree]='kfree' [bad-page]='free_pages'
	[bad-skb]='(__)?dev_kfree_skb_any(_reason)?'
	[stale-skb]='(__)?dev_kfree_skb_any(_reason)?' [bad-napi]='napi_schedule_prep'
	[bad-timer]='mod_timer' [bad-work]='queue_work_on' [bad-unlock]='_raw_spin_unlock'
	[bad-delay]='__udelay' [bad-map]='dma_map_page_attrs' [bad-coherent]='dma_free_attrs'
	[bad-queue]='queue_delayed_work_on')

newest_fault() {
	recovctl events --json | jq -cM --argjson seq "$SEQ" \
		'select(.event == "driver.fault" and .seq > $seq)' | head -n 1 >"$RESULTS/fault"
	[[ -s $RESULTS/fault ]]
}

# plant FAULT CONTEXT
plant() {
	case $2 in
	budget) ethtool --set-priv-flags "$DEV" "$1" on ;;
	stats) ethtool --set-priv-flags "$DEV" "$1" on && cat "/sys/class/net/$DEV/statistics/rx_bytes" ;;
	*) echo "$1 $2" >"$FAULT" ;;
	esac
}

# ends FAULT CONTEXT: the driver is called there and fails; what is told of it is right.
ends() {
	local context=${IN[$2]:-task} cause=${CAUSES[$1]:-}
	SEQ=$(recovctl status --json | jq .seq)
	plant "$@" || return
	[[ ! $2 =~ ^(process|disabled)$ ]] || faulty_reach "$2" >/dev/null || true
	eventually_told 10 newest_fault || return
	cat "$RESULTS/fault"
	jq -e --arg context "$context" --arg cause "$cause" --arg service "^${SERVICES[$1]:-}$" \
		'.first and (.service // "" | test($service)) and
		(.cause != "page-fault" or .trap == 14) and
		(.entry | startswith("faulty_")) and
		($cause == "" or .cause == $cause) and
		(.context == $context or $context == "task")' "$RESULTS/fault"
}

# locks_are_free: those that outlive the driver.
locks_are_free() {
	local held
	held=$(</sys/module/faulty_bus/parameters/held) || return
	[[ -z ${held// /} ]] || echo "held: $held"
	[[ -z ${held// /} ]]
}

survives() {
	ends "$@" || return
	locks_are_free || return
	recovctl recover faulty_net --json >"$RESULTS/swap" || {
		cat "$RESULTS/swap"
		return 1
	}
	flows_go_on && [[ $(flows_connected) == "$CONNECTED" ]]
}

lives() {
	ping -q -c 3 "$PEER_V4" >/dev/null &
	ends "$@" && recovctl recover faulty_net --json && eventually 15 answers "$PEER_V4"
}

# It may be the other card that sends next, which gives back nothing twice.
given_back_twice() {
	for _ in {1..20}; do
		ethtool --set-priv-flags "$DEV" free-twice on
		survives null-read xmit || return
		recovctl events --json | jq -e --argjson seq "$SEQ" 'select(.seq > $seq and
			.event == "driver.fault" and .cause == "bad-argument" and
			(.entry | startswith("faulty_net_stop+")))' && return
	done
	return 1
}

can_be() {
	case $1 in
	bh-off) [[ ! $2 =~ ^(hrtimer|hardirq)$ ]] ;;
	kept-lock) [[ $2 =~ ^(xmit|work|timer|napi|hardirq)$ ]] ;;
	kept-mutex | wait-for-itself) [[ $2 == work ]] ;;
	under-rtnl) [[ $2 =~ ^(work|kthread)$ ]] ;;
	mutex-* | rwsem-* | work-circle | under-bus-mutex | under-bus-writer)
		[[ $2 =~ ^(process|work|kthread)$ ]]
		;;
	esac
}

ASKED=" $* "
# somewhere FAULT NUMBER: the context in which that one is tried, each in another if it can be there.
somewhere() {
	local i=$2
	while ! can_be "$1" "${CONTEXTS[i % ${#CONTEXTS[@]}]}"; do i=$((i + 1)); done
	echo "${CONTEXTS[i % ${#CONTEXTS[@]}]}"
}

# wanted FAULT NUMBER CONTEXT: unless some were asked for, the first kind everywhere, the others
# somewhere.
wanted() {
	if [[ $ASKED == "  " ]]; then
		[[ $1 == null-read || $3 == $(somewhere "$1" "$2") ]]
	else
		[[ $ASKED == *" all "* || $ASKED == *" $1 "* ]]
	fi
}

faulty_pair
check "recoverd starts" start_recoverd
check "the driver is armed" recovctl arm faulty_net --json
flows_start --rate 50
CONNECTED=$(flows_connected)
for context in "${CONTEXTS[@]}"; do
	for i in "${!FAULTS[@]}"; do
		fault=${FAULTS[i]}
		can_be "$fault" "$context" || continue
		wanted "$fault" "$i" "$context" || continue
		check "$fault in $context" survives "$fault" "$context"
	done
done
# What a call's end makes use of: the NAPI, the interrupt.
for context in napi hardirq; do
	check "smashed-record in $context" survives smashed-record "$context"
done
# Nobody polls what it has prepared, and its stop waits until that is over.
check "null-read before NAPI is scheduled" survives null-read prepared
# The stop would wait until somebody switches it on.
check "null-read while NAPI is off" survives null-read disabled
# Who asks would read them at the address that it gets.
check "counters that are nowhere" survives no-stats stats
# The kernel would only say so, and add it to the list of those to be polled.
check "a poll that tells of more than it was asked for" survives over-budget budget
# Whoever wants it next would wait for ever: one has it from the kernel, the others have a CPU less.
for context in xmit timer hardirq; do
	check "kept-lock in $context" survives kept-lock "$context"
done
# Of a call that was cut short there is one more reference, until it shows whether the driver had it.
check "a packet of TCP's is given back twice" given_back_twice
sleep 5
flows_stop_and_check
note "longest gap $(longest_gap_ms) ms"
# The packet: nobody knows any more which it was, so that its connection would wait for it.
check "smashed-record in xmit" lives smashed-record xmit
check "the kernel log is clean" faulty_log_is_clean
finish
