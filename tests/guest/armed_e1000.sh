#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# e1000 is armed, recovered and disarmed under load; a fault in it ends one call, and its
# connections live on with the next copy.
# vm: --timeout 300 --mem 1024 --file tests/guest/lib --file tests/netstate --tool objdump
# vm: --qemu "-netdev hubport,id=a,hubid=0 -device e1000,netdev=a"
# vm: --qemu "-netdev hubport,id=b,hubid=0 -device virtio-net-pci,netdev=b"
. lib/lib.sh

taps() {
	grep -c '\.tap.*\[e1000\]' /proc/kallsyms
}

# events_of NAME FILTER
events_of() {
	recovctl events --json | jq -cM --arg event "$1" "select(.event == \$event) | $2"
}

state_is() {
	recovctl status --json | jq -e --arg state "$1" \
		'.drivers[] | select(.name == "e1000") | .state == $state'
}

# plant FUNCTION FILE: e1000's image, in which that function reads from NULL at once. Behind the
# call of the tracer the code is its own.
plant() {
	local at
	image_of e1000 "$2"
	at=$(objdump -d -F --no-show-raw-insn --disassemble="$1" "$2" |
		sed -n 's/.*(File Offset: 0x\([0-9a-f]*\)).*/\1/p' | head -n 1)
	at=$((16#$at))
	# endbr64, where the kernel has it
	[[ $(od -An -tx1 -j $at -N 4 "$2" | tr -d ' ') != f30f1efa ]] || at=$((at + 4))
	# xor %eax, %eax; mov (%rax), %rax
	poke "$2" $((at + 5)) '\x31\xc0\x48\x8b\x00'
	# It is another build: its id begins in another way.
	at=$((16#$(objdump -h -j .note.gnu.build-id "$2" | awk '$2 ~ /build-id/ { print $6 }')))
	poke "$2" $((at + 16)) '\x01\x02\x03\x04'
}

# take VERB [ARG...]: e1000 is taken out and something put in.
take() {
	recovctl "$1" e1000 "${@:2}" --json >"$RESULTS/swap.json" || {
		cat "$RESULTS/swap.json"
		return 1
	}
}

drvinfo_fails() {
	ethtool -i "$DEV" 2>&1 | tee "$RESULTS/drvinfo"
	eventually 10 state_is faulted
}

cannot_be_unloaded() {
	! rmmod e1000
}

nic_pair e1000 virtio_net
ip addr add 192.0.2.1/24 dev "$DEV"
ip link set "$DEV" up
expect "the peer answers" eventually 15 answers "$PEER_V4"
check "recoverd starts" start_recoverd
flows_start
check "what is not armed is not disarmed" refused 5 'e1000 is not armed' disarm e1000
check "it could be armed" recovctl arm e1000 --check
check "it is armed under load" take arm
check "its functions are reached through taps" test "$(taps)" -ge 50
check "it is not armed twice" refused 5 'cannot be armed: it is armed already' arm e1000
check "it is recovered under load" take recover
check "it is armed as before" test "$(taps)" -ge 50
check "the flows go on" flows_alive
check "it is disarmed under load" take disarm
check "it has no taps any more" test "$(taps)" = 0

plant e1000_get_drvinfo /root/e1000.ko
check "another image is put in" take replug --to /root/e1000.ko
check "and armed" take arm
check "the fault ends the call, and the driver with it" drvinfo_fails
check "it is told" jq -es '.[0] | .cause == "page-fault" and .address == "0x0" and .first and
	.context == "task" and .comm == "ethtool" and (.site | startswith("e1000_get_drvinfo+")) and
	(.entry | startswith("e1000_get_drvinfo+0x0/"))' <(events_of driver.fault .)
check "it can't be unloaded as it is" cannot_be_unloaded
check "it is recovered" take recover
check "it serves" state_is live
check "the flows still go on" flows_alive
check "the next fault is survived, too" drvinfo_fails
check "the installed image takes over" take disarm
check "which does not fault" ethtool -i "$DEV"
flows_stop_and_check
check "two faults were told" test "$(events_of driver.fault .seq | wc -l)" = 2
check "the shadow can be unloaded" eventually 10 rmmod recov_shadow
check_clean_log
finish
