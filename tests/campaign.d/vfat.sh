# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# The workload of the file system FAT, on RAM disks: checked files on one, while another one is
# mounted, unmounted and compared; see net.sh.

# shellcheck source=files.sh
. ./files.sh

KIB=16384
OTHER=/mnt/other

files_mount() {
	mount -t vfat /dev/ram0 "$AT"
}

workload_warm() {
	modprobe brd rd_nr=2 rd_size=$KIB && modprobe -a "$1" vfat nls_cp437 nls_ascii || return
	mkdosfs -n LOAD /dev/ram0 $KIB && mkdosfs -n OTHER /dev/ram1 $KIB || return
	mkdir -p "$AT" "$OTHER"
	files_mount
}

# Names are found in any case, files can be cut and hidden.
look_around() {
	[[ -e "$OTHER/some files/a FILE of many words, the 0. OF them.TEXT" ]] || return
	: >"$OTHER/short.txt" && echo "a line that is appended" >>"$OTHER/SHORT.TXT" &&
		truncate -s 100000 "$OTHER/short.txt" && truncate -s 10 "$OTHER/short.txt" &&
		[[ $(<"$OTHER/Short.Txt") == "a line tha" ]] && fatattr +h "$OTHER/short.txt" &&
		mv "$OTHER/short.txt" "$OTHER/Some Files/It has a longer name here" &&
		rm "$OTHER/some files/it has a longer name HERE"
}

other_round() {
	mount -t vfat /dev/ram1 "$OTHER" || return
	files write "$OTHER/Some Files" 3 4 32768 && look_around && umount "$OTHER" &&
		mount -t vfat -o ro /dev/ram1 "$OTHER" &&
		files check "$OTHER/Some Files" 3 4 32768 && umount "$OTHER" &&
		mount -t vfat /dev/ram1 "$OTHER" && files remove "$OTHER/Some Files" 3 4 32768
}

workload_run() {
	local status=0
	other_round || status=1
	! mounted "$OTHER" || umount "$OTHER" || status=1
	files_run && return $status
}
