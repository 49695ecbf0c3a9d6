#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What would not be safe is refused before anything is held, in one sentence that names it.
# vm: --timeout 300 --file tests/guest/lib --file tests/netstate
# vm: --qemu "-netdev hubport,id=a,hubid=0 -device e1000,netdev=a"
# vm: --qemu "-netdev hubport,id=b,hubid=0 -device virtio-net-pci,netdev=b"
. lib/lib.sh

# was_refused NAME STATUS REGEX ARG...: replug ends with STATUS and one sentence that matches
# REGEX, and says the same in its object.
was_refused() {
	local name=$1 wanted=$2 regex=$3 status=0 reason
	shift 3
	replug "$name" "$@" || status=$?
	((status == wanted)) || {
		echo "status $status, not $wanted"
		cat "$RESULTS/$name".{err,json}
		return 1
	}
	reason=$(jq -r 'select(.outcome == "refused") | .reason' "$RESULTS/$name.json")
	echo "reason: $reason"
	[[ $reason != *$'\n'* && $reason =~ $regex ]]
}

# untouched: since the begin no module has been replaced and nothing was held.
untouched() {
	[[ $(module_stamp e1000) == "$STAMP" ]] &&
		[[ $(./netstate --carrier "$DEV") == "$CARRIER" ]] &&
		! grep -q '"phase":"hold"' "$EVENTS"
}

# refused TITLE STATUS REGEX ARG...
refused() {
	local title=$1
	shift
	check "refused: $title" was_refused "refusal" "$@"
	note "$(result refusal .reason || true)"
	untouched || fail "$title: the driver is untouched"
}

# image TITLE STATUS REGEX COMMAND [ARG...]: e1000's own image changed by COMMAND FILE ARG...
image() {
	local title=$1 status=$2 regex=$3 command=$4
	shift 4
	cp good.ko bad.ko
	if ! "$command" bad.ko "$@"; then
		fail "$title: the image could be made"
		return
	fi
	refused "$title" "$status" "$regex" e1000 --to /root/bad.ko
}

is_text() {
	echo "not a module, just words" >"$1"
}

is_truncated() {
	truncate -s $(($(stat -c %s "$1") / 2)) "$1"
}

is_empty() {
	: >"$1"
}

no_daemon() {
	local status=0
	recovctl replug e1000 >/dev/null 2>"$RESULTS/no-daemon" || status=$?
	((status == 3)) && [[ $(wc -l <"$RESULTS/no-daemon") == 1 ]]
}

# A program that lets every packet pass, compiled from:
#	__attribute__((section("xdp"), used)) int pass(void *ctx) { return 2; }
#	char _license[] __attribute__((section("license"), used)) = "GPL";
xdp_program() {
	base64 -d <<'END' | gzip -dc >xdp.o
H4sIAAAAAAACA6t39XFjYmRkgAFGhu8MCB4CPEBiO0BJdqDK7UAWExBPhcq5B/gw4APsQCzEwAznC0BpOSAWZGCBi8NYTMwM
eiWpFSUMBYnFxQwVKQUMejk5ZbnxiSkpRcWZ6QzxOZnJqXnFqQx6xSVFJYlJQLoyF0RTCagDMTMW8UVQ2hxNnBELH4TZ0MQd
cNjHgsbnIaBfAE2cA40vD9WP7ocAHPahux9kPrPP/3wg1YAsvgAWPwT062NRAwIRUNoDLZxg7peA0gAaPlVdoAIAAA==
END
}

xdp_refused() {
	xdp_program
	if ! ip link set dev "$DEV" xdpgeneric obj xdp.o sec xdp; then
		skip "refused: XDP program attached" "ip cannot attach one here"
		return
	fi
	refused "XDP program attached" 5 "$DEV.*XDP|XDP.*$DEV" e1000
	ip link set dev "$DEV" xdpgeneric off
}

first_ended() {
	eventually 60 test -s "$RESULTS/first-status" || return 124
	return "$(<"$RESULTS/first-status")"
}

# While one swap waits for its link, another one is refused, and so is the same again.
busy_refused() {
	{
		local status=0
		recovctl replug e1000 >"$RESULTS/first" 2>&1 || status=$?
		echo $status >"$RESULTS/first-status"
	} &
	eventually 20 grep -q '"phase":"hold"' "$EVENTS"
	check "refused: another swap under way" was_refused busy 5 e1000 virtio_net
	note "$(result busy .reason || true)"
	check "refused: the same swap under way" was_refused same 5 e1000 e1000
	check "the swap under way succeeds" first_ended
	check "reachable after it" reachable 15
}

nic_pair e1000 virtio_net
image_of e1000 good.ko
expect "set up" plain_state
check "without a daemon recovctl ends with 3" no_daemon
expect "recoverd starts" start_recoverd
STAMP=$(module_stamp e1000)
CARRIER=$(./netstate --carrier "$DEV")
flows_start

refused "unknown driver" 2 no_such_driver no_such_driver
refused "not a driver's name" 2 'name of a driver' ../e1000
refused "driver that is not loaded" 5 '8139cp.*not loaded' 8139cp
refused "built-in driver" 5 '8250.*built' 8250
modprobe ne2k-pci
refused "no bound device" 5 'device.*ne2k_pci' ne2k_pci
refused "image that is not there" 2 no_such_file e1000 --to /root/no_such_file.ko
refused "image that is a folder" 2 /root e1000 --to /root
image "text instead of a module" 2 'bad.ko.*module' is_text
image "empty file" 2 bad.ko is_empty
image "truncated image" 2 bad.ko is_truncated
image "another architecture" 2 'bad.ko.*(machine|architecture|AArch64)' image_machine
image "another module" 5 'bad.ko.*other' image_rename e1000 other
image "another vermagic" 5 '9\.9\.9' image_vermagic
image "unresolved symbol" 5 register_netdzz image_no_symbol register_netdev
image "symbol CRC differs" 5 register_netdev image_bad_crc register_netdev
test_image big_private e1000 big_private.ko
refused "private area too large" 5 '1048576' e1000 --to /root/big_private.ko
xdp_refused

check "the good image would be taken" replug good e1000 --to /root/good.ko --check
check "nothing was touched" untouched
flows_stop_and_check "no connection lost, no byte corrupt or missing"
busy_refused
check_clean_log
finish
