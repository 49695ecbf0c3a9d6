# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# Module files that differ from a good one in one place.

# image_of MODULE FILE: the installed image, unpacked, without its signature, which would not fit
# any more.
image_of() {
	local path
	path=$(modinfo -n "$1")
	case $path in
	*.xz) xz -dc "$path" >"$2" ;;
	*) cp "$path" "$2" ;;
	esac
	unsign "$2"
}

# image_build MODULE ID FILE: a build of it of its own, as far as its build id tells, which begins
# with ID.
image_build() {
	local at type
	image_of "$1" new.ko
	while read -r at; do
		type=$(od -An -tu4 -j $((at - 4)) -N 4 new.ko)
		((type != 3)) || poke new.ko $((at + 4)) "$2"
	done < <(strings -n 3 -t d new.ko | awk '$2 == "GNU" { print $1 }')
	mv new.ko "$3"
}

# image_loaded MODULE ID: that build is the one in the kernel.
image_loaded() {
	grep -q "$2" "/sys/module/$1/notes/.note.gnu.build-id"
}

# unsign FILE: cut what follows the section headers, which come last in a module.
unsign() {
	local file=$1 offset size count
	[[ $(tail -c 28 "$file" | tr -d '\0\n') == "~Module signature appended~" ]] || return 0
	# e_shoff, e_shentsize, e_shnum of the ELF header
	offset=$(od -An -tu8 -j 40 -N 8 "$file")
	size=$(od -An -tu2 -j 58 -N 2 "$file")
	count=$(od -An -tu2 -j 60 -N 2 "$file")
	truncate -s $((offset + size * count)) "$file"
}

# strings_at FILE TEXT: the offsets of TEXT as a whole NUL-terminated string.
strings_at() {
	strings -n ${#2} -t d "$1" | awk -v text="$2" '{ at = $1; sub(/^ *[0-9]+ /, "") }
		$0 == text { print at }'
}

# poke FILE OFFSET BYTES: as printf %b has them.
poke() {
	printf '%b' "$3" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

# padded TEXT LENGTH: TEXT followed by NULs.
padded() {
	local text=$1 i
	for ((i = ${#1}; i < $2; i++)); do
		text+='\0'
	done
	printf '%s' "$text"
}

# image_replace FILE OLD NEW: each string OLD becomes NEW, which must not be longer.
image_replace() {
	local at found=
	for at in $(strings_at "$1" "$2"); do
		poke "$1" "$at" "$(padded "$3" ${#2})"
		found=1
	done
	[[ $found ]]
}

# image_rename FILE OLD NEW: the module's own name, in its struct module and in its modinfo.
image_rename() {
	image_replace "$1" "$2" "$3" && image_replace "$1" "name=$2" "name=$3"
}

# test_image NAME DRIVER FILE: one of tests/drivers that stands in for DRIVER. Its name in the
# tree cannot be that of the driver, since they all lie in one folder.
test_image() {
	cp "$DRIVERS/$1.ko" "$3"
	image_rename "$3" "$1" "$2"
}

# image_bad_crc FILE SYMBOL: as if SYMBOL had another type where the module was built. An entry of
# __versions is a checksum of 8 bytes, the upper 4 of them 0, and the name.
image_bad_crc() {
	local at
	for at in $(strings_at "$1" "$2"); do
		if [[ $(od -An -tu4 -j $((at - 4)) -N 4 "$1" | tr -d ' ') == 0 ]]; then
			poke "$1" $((at - 8)) '\x11\x22\x33\x44'
			return 0
		fi
	done
	return 1
}

# image_no_symbol FILE SYMBOL: the module wants one that is not there.
image_no_symbol() {
	image_replace "$1" "$2" "${2%??}zz"
}

# image_machine FILE: for another architecture (AArch64).
image_machine() {
	poke "$1" 18 '\xb7\x00'
}

# image_vermagic FILE: built for another kernel.
image_vermagic() {
	local magic
	magic=$(modinfo -F vermagic "$1")
	image_replace "$1" "vermagic=$magic" "vermagic=${magic/$(uname -r)/9.9.9}"
}
