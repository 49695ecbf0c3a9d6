# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# Coverages of e1000 and plans of faults for it.

# executed COVERAGE: how many instructions.
executed() {
	jq '[.sections[].executed | length] | add' "$1"
}

# note_functions: where e1000's are now. To read all of the kernel's symbols takes seconds.
note_functions() {
	grep '\[e1000\]$' /proc/kallsyms | sort >functions
}

# only_in COVERAGE FUNCTION: of the text, those of its instructions.
only_in() {
	local base from to
	base=$((16#$(cut -c 3- /sys/module/e1000/sections/.text)))
	read -r from to < <(awk -v name="$2" 'on { print from, $1; exit }
		$3 == name { on = 1; from = $1 }' functions)
	jq --argjson from $((16#$from - base)) --argjson to $((16#$to - base)) \
		'(.sections[] | select(.name == ".text").executed) |=
			map(select(. >= $from and . < $to))' "$1"
}

# executed_in COVERAGE FUNCTION: how many of its instructions.
executed_in() {
	only_in "$@" | jq '[.sections[] | select(.name == ".text").executed[]] | length'
}

# same_text COVERAGE COVERAGE: in all sections.
same_text() {
	cmp <(jq -c '[.sections[] | [.name, .text]]' "$1") \
		<(jq -c '[.sections[] | [.name, .text]]' "$2")
}

# covered_text COVERAGE: its text is in memory now.
covered_text() {
	recovctl inject cover e1000 --for 10ms --out "$RESULTS/now.json" &&
		same_text "$1" "$RESULTS/now.json"
}

# cover_and_kill: its breakpoints stay.
cover_and_kill() {
	recovctl inject cover e1000 --for 1min &
	eventually 10 reported '.state == "planted"' && kill -KILL $!
}

# plan COVERAGE FILTER FILE [SEED]: the faults of the class nop that the filter leaves, of as many as a
# plan can have.
plan() {
	local coverage=$1 filter=$2 file=$3 seed=${4:-1} image n
	image=$(modinfo -n e1000)
	n=$(recovctl inject classes --image "$image" --coverage "$coverage" --json |
		jq '.classes[] | select(.class == "nop").sites | if . > 1000 then 1000 else . end') &&
		recovctl inject plan --image "$image" --coverage "$coverage" --seed "$seed" --class nop \
			--faults "$n" --out all.json >/dev/null &&
		jq -cM ".faults |= ([.[] | $filter] | to_entries | map(.value + {id: (.key + 1)}))" \
			all.json >"$file"
}

# stores_left_out COVERAGE PLAN: what e1000_get_ringparam tells it does not store. With an instruction
stores_left_out() {
	plan "$1" 'select(.function == "e1000_get_ringparam" and (.before | test("^mov .* ptr \\[rsi")))' \
		"$2" || return
	jq -cM '.faults |= [.[0] + {new: "0f0b90", after: "ud2"}]' "$2" >fatal.json
	[[ $(jq '.faults | length' "$2") == 4 ]]
}

# override_plan FUNCTION PLAN [CALLER]: fails when e1000_request_irq calls it, or that one.
override_plan() {
	recovctl inject plan --image "$(modinfo -n e1000)" --seed 1 --class override --faults 41 \
		--out all.json >/dev/null &&
		jq -cM --arg name "$1" --arg caller "${3:-e1000_request_irq}" '.faults |= [.[] | select(.import == $name and
			.function == $caller) + {id: 1}][:1]' all.json >"$2" &&
		[[ $(jq '.faults | length' "$2") == 1 ]]
}

# bad_plan STATUS REGEX FILTER: plan.json, changed so, is refused.
bad_plan() {
	jq -cM "$3" plan.json >bad.json && refused "$1" "$2" inject apply bad.json
}

# device_fault WHAT FILTER: of the card, behind those of plan.json that the filter leaves.
device_fault() {
	jq -cM --arg device "$1" ".faults = [.faults | $2] + [{class: \"device:\(\$device)\",
		device: \$device}] | .faults |= (to_entries | map(.value + {id: (.key + 1)}))" \
		plan.json >device.json
	recovctl inject apply device.json
}

rings() {
	ethtool -g "$DEV" | tr -s '\n\t ' ' '
}

rings_differ() {
	[[ $(rings) != "$RINGS" ]]
}

rings_are_back() {
	[[ $(rings) == "$RINGS" ]]
}

# reported FILTER: of e1000.
reported() {
	recovctl inject status e1000 --json | tee "$RESULTS/injection" | jq -e "$1" ||
		! cat "$RESULTS/injection"
}

# fails_with REGEX COMMAND...
fails_with() {
	local regex=$1 said
	shift
	! said=$("$@" 2>&1) || return
	echo "$said"
	[[ $said =~ $regex ]]
}

silent() {
	! answers "$PEER_V4" && ! answers "$PEER_V4"
}

# fault_told CAUSE FUNCTION: the last one.
fault_told() {
	recovctl events --json | jq -es --arg cause "$1" --arg function "$2" \
		'map(select(.event == "driver.fault")) | last | .cause == $cause and
			(.site | startswith($function + "+"))'
}
