#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# In a guest: what a kernel without the trap does when the driver fails in one cell of the table.
#
# Usage: stock.sh FAULT CONTEXT
#
# Prints "> FAULT CONTEXT" when all is ready, and if the machine lives, its JSON object. With the
# argument `list` alone: the faults, with the contexts of each.
# vm: --timeout 90 --file tests/guest/lib --file tests/netstate
# shellcheck source=../guest/lib/lib.sh
. lib/lib.sh
# shellcheck source=../guest/lib/faulty.sh
. lib/faulty.sh

LIMIT=6 # s
LAST=/sys/module/faulty_net/parameters/last

reach() {
	case $1 in
	process) ethtool -i "$DEV" ;;
	xmit) ping -c 1 -W 1 "$PEER_V4" ;;
	open | stop)
		ip link set "$DEV" down
		ip link set "$DEV" up
		;;
	probe | remove)
		echo faulty_net.1 >/sys/bus/platform/drivers/faulty_net/unbind
		echo faulty_net.1 >/sys/bus/platform/drivers/faulty_net/bind
		;;
	esac
}

oopsed() {
	dmesg | grep -qE 'Oops|general protection|kernel BUG|invalid opcode|divide error'
}

# outcome: the kernel has killed whoever called, nothing happened, or the call goes on for ever: then
# the file can't always be read.
outcome() {
	if oopsed; then
		echo killed
		return
	fi
	cat "$LAST" >"$RESULTS/last" &
	if ! eventually 2 test -s "$RESULTS/last"; then
		echo hang
	else
		jq -r 'if .reached | not then "not reached" elif .returned then "continues" else "hang" end' \
			"$RESULTS/last"
	fi
}

insmod "$DRIVERS/faulty_bus.ko"
insmod "$DRIVERS/faulty_net.ko"
if [[ $1 == list ]]; then
	cat /sys/module/faulty_net/parameters/faults
	exit
fi
DEV=$(card 0)
net_pair "$DEV" "$(card 1)" >/dev/null
dmesg -c >/dev/null
echo "> $*"
{
	echo "$*" >"$FAULT"
	reach "$2"
} &>/dev/null &
eventually $LIMIT oopsed || true
# What follows from an oops follows soon.
sleep 1
said=$(dmesg | grep -oE '(BUG: |Oops: |general protection|kernel BUG|invalid opcode|divide error).*' |
	head -n 1) || true
jq -ncM --arg kernel "$VM_KERNEL" --arg fault "$1" --arg context "$2" --arg said "$said" \
	--arg outcome "$(outcome)" '{$kernel, $fault, $context, stock_outcome: $outcome}
	+ if $said == "" then {} else {stock_said: $said} end'
