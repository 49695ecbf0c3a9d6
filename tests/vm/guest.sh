# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# What a script running in a guest can use: `. guest.sh` finds it.
#
# A test reports with pass, fail and skip, one line each in KTAP, and ends with `finish`, which
# makes the exit status: 0 all passed, 1 something failed, 4 everything was skipped.

TESTS_PASSED=0
TESTS_FAILED=0
TESTS_SKIPPED=0
# Test-only drivers, some broken on purpose: insmod "$DRIVERS/NAME.ko".
# shellcheck disable=SC2034	# for those who source this file
DRIVERS=/usr/lib/recoverd/tests/drivers

tests_done() {
	echo $((TESTS_PASSED + TESTS_FAILED + TESTS_SKIPPED))
}

# note TEXT: a diagnostic line.
note() {
	printf '# %s\n' "$*"
}

# pass NAME
pass() {
	TESTS_PASSED=$((TESTS_PASSED + 1))
	printf 'ok %d - %s\n' "$(tests_done)" "$*"
}

# fail NAME
fail() {
	TESTS_FAILED=$((TESTS_FAILED + 1))
	printf 'not ok %d - %s\n' "$(tests_done)" "$*"
}

# skip NAME WHY
skip() {
	TESTS_SKIPPED=$((TESTS_SKIPPED + 1))
	printf 'ok %d - %s # SKIP %s\n' "$(tests_done)" "$1" "$2"
}

# die SENTENCE: what was needed to test at all is missing.
die() {
	printf 'Bail out! %s\n' "$*"
	exit 1
}

# check NAME COMMAND [ARG...]: passes when the command succeeds; its output is shown if not.
check() {
	local name=$1 out line status=0
	shift
	out=$("$@" 2>&1) || status=$?
	if ((status == 0)); then
		pass "$name"
		return
	fi
	fail "$name"
	note "status $status: $*"
	[[ ! $out ]] || while IFS= read -r line; do
		note "$line"
	done <<<"$out"
}

# finish: the plan, and the exit status.
finish() {
	printf '1..%d\n' "$(tests_done)"
	((TESTS_FAILED == 0)) || exit 1
	((TESTS_PASSED || !TESTS_SKIPPED)) || exit 4
	exit 0
}

# pause: 50 ms, without the process that `sleep` would be, which an emulated CPU takes as long for.
exec {VM_SILENCE}<> <(:)
pause() {
	read -rt 0.05 -u "$VM_SILENCE" || true
}

# eventually SECONDS COMMAND [ARG...]: try every 50 ms until it succeeds; fails at the limit.
eventually() {
	local limit=$((${EPOCHREALTIME/./} + $1 * 1000000))
	shift
	until "$@" >/dev/null 2>&1; do
		((${EPOCHREALTIME/./} < limit)) || return 1
		pause
	done
}

# now_ms: milliseconds of the wall clock.
now_ms() {
	echo $((${EPOCHREALTIME/./} / 1000))
}

# netdev_of DRIVER: the first network device bound to it.
netdev_of() {
	local link
	for link in /sys/class/net/*/device/driver; do
		if [[ -e $link && $(basename "$(realpath "$link")") == "$1" ]]; then
			link=${link#/sys/class/net/}
			echo "${link%%/*}"
			return 0
		fi
	done
	return 1
}

# load_net DRIVER...: load them and name the device that the last one brought.
load_net() {
	local driver
	for driver in "$@"; do
		modprobe "$driver" || return 1
	done
	eventually 10 netdev_of "$driver" || return 1
	netdev_of "$driver"
}

# net_pair DEVICE PEER: give DEVICE 192.0.2.1/24 and 2001:db8::1/64; move PEER into the network
# namespace `peer` with .2 and ::2; wait until they reach each other.
net_pair() {
	local device=$1 peer=$2
	ip netns add peer 2>/dev/null
	ip link set "$peer" netns peer &&
		ip -n peer link set lo up &&
		ip -n peer addr add 192.0.2.2/24 dev "$peer" &&
		ip -n peer addr add 2001:db8::2/64 dev "$peer" nodad &&
		ip -n peer link set "$peer" up &&
		ip addr add 192.0.2.1/24 dev "$device" &&
		ip addr add 2001:db8::1/64 dev "$device" nodad &&
		ip link set "$device" up &&
		eventually 15 ping -c 1 -W 1 192.0.2.2
}
