#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Tasks that may run are looked at below somebody's kretprobe, which the kernel would complain of if it
# were done as for others.
# vm: --timeout 200 --mem 1024 --file tests/guest/lib --file tests/netstate
# vm: --qemu "-netdev hubport,id=a,hubid=0 -device e1000,netdev=a"
# vm: --qemu "-netdev hubport,id=b,hubid=0 -device virtio-net-pci,netdev=b"
. lib/lib.sh

TRACING=/sys/kernel/tracing

watched() {
	recovctl objects e1000 --json >/dev/null
}

# hits: how often the kretprobe was.
hits() {
	awk '$1 == "busy" { print $2 }' $TRACING/kprobe_profile
}

nic_pair e1000 virtio_net
mkdir -p /etc/recoverd
printf '[Observe]\nDrivers=e1000\n' >/etc/recoverd/recoverd.conf
check "recoverd starts" start_recoverd
check "the driver is watched" eventually 60 watched
[[ -e $TRACING/kprobe_events ]] || mount -t tracefs none $TRACING
echo 'r:busy vfs_read' >$TRACING/kprobe_events
echo 1 >$TRACING/events/kprobes/busy/enable
# More of them than CPUs: some wait below the kretprobe for one.
for _ in 1 2 3 4; do
	dd if=/dev/zero of=/dev/null bs=4M 2>/dev/null &
done
sleep 10 # it looks once a second
# shellcheck disable=SC2046	# a word a process
kill $(jobs -p)
wait || true
check "many reads came back to it" test "$(hits)" -gt 100
check_clean_log
finish
