# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# The pair of cards whose driver fails on command.

# shellcheck disable=SC2034	# for those who source this file
FAULT=/sys/module/faulty_net/parameters/fault

card() {
	ls "/sys/bus/platform/devices/faulty_net.$1/net"
}

# faulty_load: the driver of both cards, which is where modprobe finds it; what they are plugged in
# stays when it goes.
faulty_load() {
	mkdir -p "/lib/modules/$(uname -r)/updates"
	cp "$DRIVERS"/faulty_{bus,net}.ko "/lib/modules/$(uname -r)/updates"
	depmod -a
	modprobe faulty_bus stay=1
	modprobe faulty_net
}

# faulty_pair: both cards up, one of them in the namespace `peer`; sets DEV.
faulty_pair() {
	faulty_load
	DEV=$(card 0)
	net_pair "$DEV" "$(card 1)"
}

# faulty_reach CONTEXT: what the driver cannot have itself called for.
faulty_reach() {
	case $1 in
	process) ethtool -i "$DEV" ;;
	xmit) ping -c 1 -W 1 "$PEER_V4" ;;
	disabled) ethtool -G "$DEV" rx 64 ;;
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

# What the kernel says before it gives up on a list is a test's doing.
faulty_log_is_clean() {
	! dmesg | grep -v 'list_del corruption' | grep -E "$COMPLAINTS"
}
