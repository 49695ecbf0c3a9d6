# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# A network card whose driver is armed, fails where it is told to, and comes back.

PLANTER=/sys/module/planter/parameters/fault

# taps DRIVER
taps() {
	grep -c "\.tap.*\[$1\]" /proc/kallsyms
}

# events_of NAME FILTER
events_of() {
	recovctl events --json | jq -cM --arg event "$1" "select(.event == \$event) | $2"
}

# state_is DRIVER STATE
state_is() {
	recovctl status --json | jq -e --arg driver "$1" --arg state "$2" \
		'.drivers[] | select(.name == $driver) | .state == $state'
}

# faulty_image DRIVER FUNCTION FILE: its image, in which that function reads from NULL at once.
# Behind the call of the tracer the code is its own.
faulty_image() {
	local at
	image_of "$1" "$3"
	at=$(objdump -d -F --no-show-raw-insn --disassemble="$2" "$3" |
		sed -n 's/.*(File Offset: 0x\([0-9a-f]*\)).*/\1/p' | head -n 1)
	at=$((16#$at))
	# endbr64, where the kernel has it
	[[ $(od -An -tx1 -j $at -N 4 "$3" | tr -d ' ') != f30f1efa ]] || at=$((at + 4))
	# xor %eax, %eax; mov (%rax), %rax
	poke "$3" $((at + 5)) '\x31\xc0\x48\x8b\x00'
	# It is another build: its id begins in another way.
	at=$((16#$(objdump -h -j .note.gnu.build-id "$3" | awk '$2 ~ /build-id/ { print $6 }')))
	poke "$3" $((at + 16)) '\x01\x02\x03\x04'
}

# take VERB DRIVER [ARG...]: it is taken out and something put in.
take() {
	recovctl "$@" --json >"$RESULTS/swap.json" || {
		cat "$RESULTS/swap.json"
		return 1
	}
}

# drvinfo_fails DRIVER
drvinfo_fails() {
	ethtool -i "$DEV" 2>&1 | tee "$RESULTS/drvinfo"
	eventually 10 state_is "$1" faulted
}

# null_read_told FUNCTION: the last fault.
null_read_told() {
	events_of driver.fault . | jq -es --arg site "$1" 'last | .cause == "page-fault" and
		.address == "0x0" and .first and .context == "task" and .comm == "ethtool" and
		(.site | startswith($site + "+")) and (.entry | startswith($site + "+0x0/"))'
}

cannot_be_unloaded() {
	! rmmod "$1"
}

# faulted_in FUNCTION: since SEQ.
faulted_in() {
	[[ $(events_of driver.fault "select(.seq > $SEQ and .first) | .entry") == "\"$1+0x0/"* ]]
}

# survives DRIVER FUNCTION ARGUMENT: called once with NULL for that, it fails, and comes back; the
# connections live.
survives() {
	SEQ=$(recovctl status --json | jq .seq)
	echo "$1:$2 $3" >$PLANTER || return
	eventually 10 faulted_in "$2" || {
		events_of driver.fault .
		return 1
	}
	take recover "$1" && flows_go_on
}

# armed_nic DRIVER PEER_DRIVER DRVINFO FUNCTION:ARGUMENT...: under load it is armed, recovered and
# disarmed; DRVINFO, its operation of ethtool, is faulty in another image; the FUNCTIONs are called
# with NULL for an ARGUMENT.
armed_nic() {
	local driver=$1 peer=$2 drvinfo=$3 at
	shift 3
	nic_pair "$driver" "$peer"
	ip addr add 192.0.2.1/24 dev "$DEV"
	ip link set "$DEV" up
	expect "the peer answers" eventually 15 answers "$PEER_V4"
	insmod "$DRIVERS/planter.ko"
	check "recoverd starts" start_recoverd
	flows_start
	check "what is not armed is not disarmed" refused 5 "$driver is not armed" disarm "$driver"
	check "it could be armed" recovctl arm "$driver" --check
	check "it is armed under load" take arm "$driver"
	check "its functions are reached through taps" test "$(taps "$driver")" -ge 20
	check "it is not armed twice" refused 5 'cannot be armed: it is armed already' arm "$driver"
	check "it is recovered under load" take recover "$driver"
	check "it is armed as before" test "$(taps "$driver")" -ge 20
	check "the flows go on" flows_alive
	for at in "$@"; do
		check "a fault in ${at%:*} is survived" survives "$driver" "${at%:*}" "${at#*:}"
	done
	check "it is disarmed under load" take disarm "$driver"
	check "it has no taps any more" test "$(taps "$driver")" = 0

	faulty_image "$driver" "$drvinfo" "/root/$driver.ko"
	check "another image is put in" take replug "$driver" --to "/root/$driver.ko"
	check "and armed" take arm "$driver"
	check "the fault ends the call, and the driver with it" drvinfo_fails "$driver"
	check "it is told" null_read_told "$drvinfo"
	check "it can't be unloaded as it is" cannot_be_unloaded "$driver"
	check "it is recovered" take recover "$driver"
	check "it serves" state_is "$driver" live
	check "the flows still go on" flows_alive
	check "the next fault is survived, too" drvinfo_fails "$driver"
	check "the installed image takes over" take disarm "$driver"
	check "which does not fault" ethtool -i "$DEV"
	flows_stop_and_check
	check "each fault was told" test "$(events_of driver.fault 'select(.first) | .seq' |
		wc -l)" = $(($# + 2))
	check "the shadow can be unloaded" eventually 10 rmmod recov_shadow
	check_clean_log
	finish
}
