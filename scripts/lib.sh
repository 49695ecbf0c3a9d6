# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# What the scripts of this tree share: where the tree is, how they talk, which kernels there are.

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
BUILD=$TOP/build
# Where depmod and others are, which a user's PATH need not have.
PATH=$PATH:/usr/sbin:/sbin
# The stock Debian kernels that everything is built for and tested on.
# shellcheck disable=SC2034	# read by those who source this file
KERNELS=(6.1 6.12)

say() {
	printf '%s: %s\n' "${0##*/}" "$*" >&2
}

# die STATUS SENTENCE
die() {
	local status=$1
	shift
	say "$@"
	exit "$status"
}

# kernel_dir KERNEL: where scripts/kernels unpacked it, with vmlinuz, modules/, headers/, release.
kernel_dir() {
	printf '%s\n' "$BUILD/kernels/$1"
}

# known_kernel NAME: a stock one, or one of the user's own that tests/campaign has laid out.
known_kernel() {
	local k
	[[ $1 != own-* || ! -e $(kernel_dir "$1")/stamp ]] || return 0
	for k in "${KERNELS[@]}"; do
		[[ $k == "$1" ]] && return 0
	done
	return 1
}

# newer_than FILE PATH...: is one of the files in PATHs newer than FILE (or FILE missing)?
newer_than() {
	local file=$1 found
	shift
	[[ -e $file ]] || return 0
	found=$(find -L "$@" -newer "$file" -print -quit 2>/dev/null) || true
	[[ -n $found ]]
}

# libraries_of PROGRAM: the absolute paths of what the loader would map.
libraries_of() {
	ldd "$1" 2>/dev/null | sed -n 's/^.*[[:space:]]\(\/[^ ]*\) (0x[0-9a-f]*)$/\1/p'
}
