#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The job of a kernel's CI: a campaign of a kernel image and of a module that somebody built, its verdict,
# and one of its trials run once more.
#
# Usage: campaign_ci.sh KERNEL
# vm-kernel: 6.12
# shellcheck disable=SC2317	# check calls these functions
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=../vm/guest.sh
. tests/vm/guest.sh

stock=build/kernels/$1
own=own-$(<"$stock/release")
[[ ! -e build/kernels/$own ]] || die "build/kernels/$own is somebody's: remove it first"
folder=$(mktemp -d build/campaign-ci.XXXXXX)
trap 'rm -rf "$folder" "build/kernels/$own" "build/kmod/$own"' EXIT

# As it leaves a build: elsewhere, and with an identity of its own, which the faults' plan carries to the
# guest; there they are refused for any other module.
own_module() {
	local at=$folder/e1000.ko
	xz -dc "$(find "$stock/modules/" -name e1000.ko.xz)" >"$at"
	objcopy -O binary --only-section=.note.gnu.build-id "$at" "$folder/note"
	head -c 16 "$folder/note" >"$folder/own-note"
	printf 'somebody\047s e1000.ko' >>"$folder/own-note"
	truncate -s "$(stat -c %s "$folder/note")" "$folder/own-note"
	objcopy --update-section .note.gnu.build-id="$folder/own-note" "$at"
}

# campaign [OPTION...]: on that kernel.
campaign() {
	tests/campaign run --driver e1000 --ko "$folder/e1000.ko" --kernel "$folder/bzImage" \
		--headers "$stock/headers" --seeds 2 --golden 1 --out "$folder/c" "$@"
}

with_modules() {
	campaign --modules "$stock/modules" "$@"
}

# ends STATUS SENTENCE COMMAND [ARG...]
ends() {
	local wanted=$1 sentence=$2 status=0 said
	shift 2
	said=$("$@" 2>&1) || status=$?
	tail -n 5 <<<"$said"
	((status == wanted)) && grep -q "$sentence" <<<"$said"
}

own_module
cp "$stock/vmlinuz" "$folder/bzImage"
check "without its modules it cannot run, which the status tells" \
	ends 4 "name their folder with --modules" campaign --modules "$folder"
check "a campaign of one's own kernel and module is within its thresholds" \
	ends 0 "reports are in" with_modules --min-valid 100 --max-machine-lost 100 --min-served 0
# shellcheck disable=SC2016	# it is jq's
check "its trials are of that kernel" jq -es --arg own "$own" \
	'map([.mode, .kernel, .trials, .valid]) == [["stock", $own, 2, 2], ["recoverd", $own, 2, 2]]' \
	"$folder/c/summary.jsonl"

sed -i '/"mode": "recoverd"/s/"machine_lost": false/"machine_lost": true/' "$folder/c/trials.jsonl"
check "where too many machines are lost, the status tells that as well" \
	ends 1 "machine was lost in 100.0%" with_modules --max-machine-lost 50

outcome=$(jq -r 'select(.id == "stock-1").outcome' "$folder/c/trials.jsonl")
check "a trial that is run once more ends as before" \
	ends 0 "stock-1: $outcome.*; before: $outcome" tests/campaign replay --trial stock-1 "$folder/c"
finish
