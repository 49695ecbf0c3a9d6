# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# In the guest that the cells of the kernel as it is are copies of: the workload of campaign.d/warm.sh
# that has the two cards of faulty_net up, and what the copies run.
# shellcheck source=../guest/lib/faulty.sh
. lib/faulty.sh

CELL_LIMIT=4 # s
LAST=/sys/module/faulty_net/parameters/last

workload_warm() {
	insmod "$DRIVERS/faulty_bus.ko" && insmod "$DRIVERS/faulty_net.ko" || return
	DEV=$(card 0)
	net_pair "$DEV" "$(card 1)" >/dev/null
	dmesg -c >/dev/null
}

workload_start() {
	:
}

workload_run() {
	:
}

workload_check() {
	answers "$PEER_V4"
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
	cat $LAST >/run/last &
	if ! eventually 2 test -s /run/last; then
		echo hang
	else
		jq -rM 'if .reached | not then "not reached" elif .returned then "continues" else "hang" end' \
			/run/last
	fi
}

# cell FAULT CONTEXT
cell() {
	{
		echo "$1 $2" >"$FAULT"
		faulty_reach "$2"
	} &>/dev/null &
	eventually $CELL_LIMIT oopsed
	# What follows from an oops follows soon.
	sleep 1
	tell said "$(dmesg | grep -m 1 -oE \
		'(BUG: |Oops: |general protection|kernel BUG|invalid opcode|divide error).*')"
	tell outcome "$(outcome)"
	tell end
}

# faults: which there are, a line each, with the contexts in which it cannot be.
faults() {
	local line
	while read -r line; do
		tell fault "$line"
	done </sys/module/faulty_net/parameters/faults
	tell end
}
