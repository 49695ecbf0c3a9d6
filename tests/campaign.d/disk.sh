# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# The workload of disks: checked files of ext4 on the guest's only disk; see net.sh.

# shellcheck source=files.sh
. ./files.sh

# the_disk: its name; it is no RAM disk.
the_disk() {
	local disk
	for disk in /sys/block/[vs]d?; do
		[[ -e $disk ]] && DISK=/dev/${disk##*/}
	done
	[[ $DISK ]]
}

files_mount() {
	files awake mount -t ext4 -o errors=remount-ro "$DISK" "$AT"
}

workload_warm() {
	DISK=
	modprobe -a "$1" sd_mod ext4 || return
	for _ in {1..40}; do
		the_disk && break
		sleep 0.5
	done
	mkdir -p "$AT"
	files awake mkfs.ext4 -q -F -E lazy_itable_init=0,lazy_journal_init=0 "$DISK" && files_mount
}

workload_run() {
	files_run
}
