# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# What the workloads of disks and file systems share: checked files on a file system that is mounted
# at AT. Whoever sources it has files_mount.

AT=/mnt/load
KEPT=("$AT/Kept" 1 6 65536)
PROBE=("$AT/Probe" 2 1 4096)
# What is due every five seconds: writing back, ext4's journal.
LOAD_SECONDS=6

# mounted FOLDER
mounted() {
	grep -q " $1 " /proc/mounts
}

workload_start() {
	rm -f /run/files.*
	{
		files run "$AT" /run/files.stop >/run/files.json
		echo $? >/run/files.status
	} &
	eventually 20 test -e "$AT/Folder 3"
}

# What has been written is there from then on.
files_run() {
	rm -f /run/kept
	mounted "$AT" && files write "${KEPT[@]}" && echo >/run/kept || return
	sleep $LOAD_SECONDS
	files check "${KEPT[@]}"
}

workload_check() {
	mounted "$AT" && files write "${PROBE[@]}" && files check "${PROBE[@]}" || return
	[[ ! -e /run/kept ]] || files check "${KEPT[@]}"
}

files_mount_again() {
	files awake umount "$AT" && files_mount
}

workload_mend() {
	mounted "$AT" && files awake umount "$AT"
	files_mount
}

workload_stop() {
	touch /run/files.stop
	eventually 60 test -s /run/files.status || return 124
	tell load "$(</run/files.json)"
	files_mount_again && workload_check && return "$(</run/files.status)"
}
