# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# For tests of the load of a class of drivers, which source it in the top folder: a short campaign.
# shellcheck disable=SC2317	# check calls these functions

# shellcheck source=../../vm/guest.sh
. tests/vm/guest.sh

mkdir -p build
folder=$(mktemp -d build/campaign-test.XXXXXX)
trap 'rm -rf "$folder"' EXIT

# campaign NAME [ARG...]
campaign() {
	tests/campaign run --driver "$driver" --kernel "$kernel" --golden 1 --out "$folder/$1" "${@:2}"
}

# ends_with STATUS WORDS COMMAND [ARG...]: and with a last sentence that has the words.
ends_with() {
	local status=0
	"${@:3}" 2>"$folder/said" >/dev/null || status=$?
	echo "status $status: $(<"$folder/said")"
	((status == $1)) && [[ $(tail -n 1 "$folder/said") == "campaign: "*"$2"* ]]
}

# golden FILTER: of the record of the run without faults.
golden() {
	jq -es ".[] | select(.id == \"golden-stock-1\") | $1" "$folder/load/trials.jsonl"
}

# spoiled CODE: the load with CODE behind it, which loses something in the trial, but not before it.
spoiled() {
	cat "tests/campaign.d/$load" - <<<"$1" >"$folder/spoiled.sh"
	ends_with 1 'golden-stock-1, without faults, ended as ' \
		campaign spoiled --seeds 1 --workload "$folder/spoiled.sh"
}

# load_test DRIVER KERNEL LOAD FILTER CODE: LOAD is the class's script.
load_test() {
	driver=$1
	kernel=$2
	load=$3
	check "faults of all seeds are planted below the load" campaign load --seeds 1-3 --min-valid 100
	check "without faults nothing is lost or late" golden "$4"
	check "with faults the service or the machine is" jq -e \
		'.activated == .trials and .machine_lost + .service_lost >= 1' "$folder/load/summary.jsonl"
	check "what is lost without a word of the kernel is noticed" spoiled "$5"
	check "with recoverd it is refused" ends_with 4 "recoverd does not swap $driver" \
		campaign refused --mode paired
	note "$(jq -c '[.outcomes, .cpu_seconds_per_trial]' "$folder/load/summary.jsonl")"
	finish
}
