# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# Kills the daemon in a phase of a swap of slow_net, whose steps take as long as they are told.

# How long the step lasts in which the daemon is killed, ms.
SLOW_MS=1500
# shellcheck disable=SC2034	# for those who source this file
PHASES=(plan hold detach unload load attach replay check resume)

# install_slow_net: where modprobe finds it, and with options that it will get next time.
install_slow_net() {
	local dir
	dir=/lib/modules/$(uname -r)/updates
	mkdir -p "$dir" /etc/modprobe.d
	cp "$DRIVERS"/slow_{net,lib}.ko "$dir"
	depmod -a
	insmod "$DRIVERS/lock_hold.ko"
}

# slow_options [OPTION]: what slow_net will be loaded with.
slow_options() {
	echo "${1:+options slow_net $1}" >/etc/modprobe.d/slow_net.conf
}

# slow_parameter MODULE NAME VALUE: of a loaded one.
slow_parameter() {
	echo "$3" >"/sys/module/$1/parameters/$2"
}

# set_slow PHASE: make the step of that phase slow, and no other. What the module will be asked for
# after its load has to be given to that load.
set_slow() {
	local name options=
	for name in match_ms stop_ms remove_ms; do
		slow_parameter slow_net $name 0
	done
	slow_parameter slow_lib exit_ms 0
	case $1 in
	plan) slow_parameter slow_net match_ms $SLOW_MS ;;
	hold) slow_parameter slow_net stop_ms $SLOW_MS ;;
	detach) slow_parameter slow_net remove_ms $SLOW_MS ;;
	unload) slow_parameter slow_lib exit_ms $SLOW_MS ;;
	load) options="init_ms=$SLOW_MS" ;;
	attach) options="probe_ms=$SLOW_MS" ;;
	replay) options="open_ms=$SLOW_MS" ;;
	check | resume) options="carrier_ms=$SLOW_MS" ;;
	esac
	slow_options "$options"
}

# in_phase PHASE: it goes on now. The kernel's log says when a step of the driver has begun, since
# the daemon tells of some phases only when the system call is over.
in_phase() {
	case $1 in
	plan) phase_begun plan && logged 'match takes' ;;
	hold) logged 'stop takes' ;;
	detach) logged 'remove takes' ;;
	unload) logged 'exit of slow_lib takes' ;;
	load) logged 'init takes' ;;
	attach) logged 'probe takes' ;;
	replay) logged 'open takes' ;;
	check) phase_begun check 2 ;;
	resume) phase_begun resume ;;
	esac
}

# logged TEXT: since the swap was asked for.
logged() {
	# Without -q: a grep that ends early would end dmesg with a signal.
	dmesg | sed "1,/$MARK/d" | grep "slow_net: $1" >/dev/null
}

# phase_begun PHASE [TIMES]: since the swap was asked for.
phase_begun() {
	local count
	count=$(sed "1,${EVENTS_BEFORE}d" "$EVENTS" |
		grep -c "\"phase\":\"$1\",\"rollback\":false,\"done\":false") || true
	((count >= ${2:-1}))
}

# swap_and_kill PHASE [VERB]: ask for a swap, and kill the daemon when it is in that phase. Sets MARK
# and EVENTS_BEFORE, so it must not run in a subshell.
swap_and_kill() {
	local phase=$1 verb=${2:-replug} daemon
	daemon=$(daemon_pid)
	set_slow "$phase"
	MARK="test: killing in $phase, ${EPOCHREALTIME}"
	echo "$MARK" >/dev/kmsg
	EVENTS_BEFORE=$(wc -l <"$EVENTS")
	rm -f "$RESULTS/kill-$phase.status"
	{
		local status=0
		recovctl "$verb" slow_net >"$RESULTS/kill-$phase" 2>&1 || status=$?
		echo $status >"$RESULTS/kill-$phase.status"
	} &
	if [[ $phase == resume ]]; then
		# Resuming takes rtnl, and nothing else does that while the link is waited for.
		eventually 20 phase_begun check 2 || return 1
		slow_parameter lock_hold rtnl_ms $((SLOW_MS * 2)) &
	fi
	if ! eventually 20 in_phase "$phase"; then
		note "the phase never came"
		return 1
	fi
	kill -KILL "$daemon"
}

# killed PHASE [VERB]: reports that it was so; the client has noticed.
killed() {
	local phase=$1
	if swap_and_kill "$@" && ! phase_ended "$phase"; then
		pass "$phase: killed in the midst of it"
	else
		fail "$phase: killed in the midst of it"
	fi
	check "$phase: recovctl ends without success" client_failed "$phase"
}

# phase_ended PHASE: the daemon lived to tell that it was over.
phase_ended() {
	local ends
	ends=$(sed "1,${EVENTS_BEFORE}d" "$EVENTS" | grep -c "\"phase\":\"$1\".*\"done\":true") || true
	[[ $1 == check ]] && ends=$((ends - 1))
	((ends > 0))
}

client_failed() {
	eventually 20 test -s "$RESULTS/kill-$1.status" || return 1
	[[ $(<"$RESULTS/kill-$1.status") != 0 ]]
}

# let_go: no swap is on in the kernel, which keeps the module from being unloaded otherwise.
let_go() {
	[[ $(<"/sys/module/recov_shadow/refcnt") == 0 ]]
}
