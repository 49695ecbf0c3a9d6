#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Where drivers cannot be watched, recovctl says why in one sentence and the daemon goes on serving:
# without capabilities, without BTF, in a kernel that is locked down.
# vm: --timeout 240 --mem 2048 --file tests/guest/lib --file tests/netstate
# vm: --qemu "-netdev hubport,id=a,hubid=0 -device e1000,netdev=a"
. lib/lib.sh

SOCKET=()

# refused STATUS REGEX ARG...: recovctl ends so, with one sentence.
refused() {
	local wanted=$1 regex=$2 status=0 said
	shift 2
	said=$(recovctl "${SOCKET[@]}" "$@" 2>&1 >/dev/null) || status=$?
	echo "status $status: $said"
	((status == wanted)) && [[ $said =~ $regex && $said != *$'\n'* ]]
}

# check_refused WHERE STATUS REGEX: there a trace is refused so, and nothing else.
check_refused() {
	check "$1: a trace is refused with the reason" refused "$2" "$3" trace e1000
	check "$1: and again" refused "$2" "$3" trace e1000 --memory
	check "$1: the daemon goes on serving" recovctl "${SOCKET[@]}" status
	check "$1: and knows the devices" \
		jq -e '.devices[] | select(.driver == "e1000")' \
		<(recovctl "${SOCKET[@]}" devices --json)
	check "$1: the daemon stops" stop "$(recovctl "${SOCKET[@]}" status --json | jq .pid)"
	SOCKET=()
}

stop() {
	kill "$1" && eventually 10 test ! -e "/proc/$1"
}

# traced: e1000 can be traced.
traced() {
	local status=0
	: >"$RESULTS/look"
	recovctl trace e1000 --json >"$RESULTS/look" &
	eventually 60 test -s "$RESULTS/look" || status=1
	kill -INT $!
	wait $! || status=$?
	return "$status"
}

modprobe e1000
eventually 10 netdev_of e1000 >/dev/null
mkdir -p /etc/recoverd
printf '[Observe]\nDrivers=e1000\n' >/etc/recoverd/recoverd.conf

check "with all it takes, the daemon starts" start_recoverd
check "and e1000 can be traced" traced
status=0
setpriv --reuid 65534 --regid 65534 --clear-groups recovctl trace e1000 2>"$RESULTS/said" || status=$?
check "recovctl of another user: exit 5" test "$status" = 5
check "recovctl of another user: says so" grep -qx 'recovctl: not permitted to talk .*' "$RESULTS/said"
check "the daemon stops" stop_recoverd

for missing in syslog:CAP_SYSLOG bpf,-sys_admin:CAP_BPF perfmon,-sys_admin:CAP_PERFMON; do
	check "without ${missing#*:}: the daemon starts" \
		setpriv "--bounding-set=-${missing%:*}" recoverd --background
	check_refused "without ${missing#*:}" 5 \
		"^recovctl: drivers cannot be watched: recoverd runs without ${missing#*:}$"
done

mkdir -m 755 /tmp/nobody
chown 65534:65534 /tmp/nobody
check "of another user: the daemon starts" \
	setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps=-all \
	recoverd --background --runtime-dir /tmp/nobody --socket /tmp/nobody/socket
SOCKET=(--socket /tmp/nobody/socket)
check_refused "of another user" 5 'recoverd runs without CAP_BPF, CAP_PERFMON, CAP_SYSLOG$'

: >/tmp/empty
check "without BTF: the daemon starts" unshare --mount \
	sh -c 'mount --bind /tmp/empty /sys/kernel/btf/vmlinux && recoverd --background'
check_refused "without BTF" 4 '^recovctl: drivers cannot be watched: this kernel has no BTF'

check "the daemon starts once more" start_recoverd
check "the kernel can be locked down" \
	sh -c 'echo integrity >/sys/kernel/security/lockdown'
check "locked down for integrity: e1000 can be traced" traced
check "the daemon stops" stop_recoverd
echo confidentiality >/sys/kernel/security/lockdown
check "locked down for confidentiality: the daemon starts" start_recoverd
check_refused "locked down for confidentiality" 5 'the kernel is locked down \(confidentiality\)'
check_clean_log
finish
