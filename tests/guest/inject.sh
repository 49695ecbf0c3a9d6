#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Faults are planted into e1000 while it works: what is executed is known, what was activated is told,
# and all of it is undone, whoever ends it.
# vm-waits
# vm: --timeout 240 --mem 1024 --file tests/guest/lib --file tests/netstate
# vm: --qemu "-netdev hubport,id=a,hubid=0 -device e1000,netdev=a"
# vm: --qemu "-netdev hubport,id=b,hubid=0 -device virtio-net-pci,netdev=b"
. lib/lib.sh
. lib/inject.sh

nic_pair e1000 virtio_net
FILE=$(modinfo -n e1000)
cp "$FILE" before
ip addr add 192.0.2.1/24 dev "$DEV"
ip link set "$DEV" up
expect "the peer answers" eventually 15 answers "$PEER_V4"

# ---- What is executed ----------------------------------------------------------------------------

check "an echo load is covered" recovctl inject cover e1000 --out load.json -- \
	ping -U -q -c 60 -i 0.05 "$PEER_V4"
note "executed: $(executed load.json) of its instructions"
check "more than 1000 instructions were executed" test "$(executed load.json)" -gt 1000
note_functions
for name in e1000_xmit_frame e1000_clean e1000_intr; do
	check "$name was" test "$(executed_in load.json $name)" -gt 5
done
for name in e1000_probe e1000_remove e1000_open e1000_close e1000_diag_test e1000_set_ringparam; do
	check "$name was not" test "$(executed_in load.json $name)" = 0
done

# ---- A plan is applied, and undone ---------------------------------------------------------------

RINGS=$(rings)
check "asking for the rings is covered" recovctl inject cover e1000 --out rings.json -- \
	ethtool -g "$DEV"
check "its text was the same before and after" same_text load.json rings.json
expect "a plan is drawn from it" stores_left_out rings.json plan.json

check "the plan is applied" recovctl inject apply plan.json --json
check "nothing was activated yet" reported '.state == "planted" and .activated == 0'
check "it is not applied twice" refused 5 'has faults planted already' inject apply plan.json
check "its rings are not told any more" rings_differ
check "each fault was activated, later than it was planted" reported '(.faults | length) == 4 and
	all(.faults[]; .activated and .hits == 1) and all(.faults[].activated_ns; . > 0) and
	.planted_ns < (.faults | map(.activated_ns) | min)'
check "it is undone" recovctl inject undo e1000
check "its rings are told again" rings_are_back
check "its text is the same again" covered_text load.json
check "undone twice there is nothing" refused 2 'nothing is planted in e1000' inject undo e1000

# ---- What is refused -----------------------------------------------------------------------------

check "refused: a plan for another build" bad_plan 2 'another build of e1000' \
	'.build_id |= (.[1:] + .[:1])'
check "refused: a driver that is not loaded" bad_plan 2 'e1000e is not loaded' \
	'.driver = "e1000e"'
check "refused: a place outside of its text" bad_plan 2 'outside of the text of e1000' \
	'.faults[0].offset = 16777216'
check "refused: something else in memory" bad_plan 5 'somebody has changed it' \
	'.faults[0].old = "909090"'
check "refused: a function that there is not" bad_plan 2 'the kernel exports no no_such_function' \
	'.faults = [.faults[0] | {id, section, offset, function, function_offset, class: "override",
		import: "no_such_function", result: -1}]'
check "refused: a damaged plan" bad_plan 2 'no class of faults "none"' '.faults[0].class = "none"'
check "nothing is planted by these" refused 2 'nothing is planted' inject status e1000

# ---- What ends by itself -------------------------------------------------------------------------

check "faults for 200 ms" recovctl inject apply plan.json --for 200ms
check "end by themselves" eventually 5 reported '.state == "undone" and .ended_ns > .planted_ns'
check "and its rings are told" rings_are_back
check "they give way to others, until one is activated" recovctl inject apply plan.json --hits 1
check "which its rings do" rings
check "and end then" eventually 5 reported '.state == "undone" and .activated >= 1'
check "and its rings are told, too" rings_are_back

recovctl inject apply plan.json --wait 1min 2>"$RESULTS/waits" &
check "one waits until each was activated" eventually 5 reported '.state == "planted"'
check "somebody else undoes them" recovctl inject undo e1000
waited=0
wait $! || waited=$?
check "which ends the waiting" test $waited = 1
check "with a sentence" grep -q 'e1000: somebody has undone it meanwhile' "$RESULTS/waits"

check "with faults planted" recovctl inject apply plan.json
check "the shadow can't be unloaded" fails_with 'in use' rmmod recov_shadow
check "undone" recovctl inject undo e1000
check "it can" rmmod recov_shadow
check "its rings are told" rings_are_back
check "its text is the same to the last byte" covered_text load.json
check "a watcher is killed" cover_and_kill
check "the peer answers" answers "$PEER_V4"
check "and leaves breakpoints" reported '.state == "planted" and .sites > 15000 and .activated > 0'
check "others take them out" recovctl inject undo e1000
check "to the last byte" covered_text load.json
check "the peer answers" answers "$PEER_V4"

# ---- Functions of the kernel that fail -----------------------------------------------------------

check "a plan for request_irq" override_plan request_threaded_irq override.json
check "it is applied for one call" recovctl inject apply override.json --calls 1
ip link set "$DEV" down
check "the driver fails as told" fails_with 'Device or resource busy' ip link set "$DEV" up
check "which is told" reported '.faults[0].activated and .faults[0].hits == 1'
check "the next call does not fail" ip link set "$DEV" up
check "it is undone, too" recovctl inject undo e1000
check "it is applied for the second call from now" recovctl inject apply override.json \
	--from-call 2 --calls 1
ip link set "$DEV" down
check "the first call does not fail" ip link set "$DEV" up
ip link set "$DEV" down
check "the second one does" fails_with 'Device or resource busy' ip link set "$DEV" up
check "the third one does not" ip link set "$DEV" up
check "it is undone" recovctl inject undo e1000
check "the peer answers again" eventually 15 answers "$PEER_V4"

# ---- Faults of the device, and swaps -------------------------------------------------------------

check "recoverd starts" start_recoverd
check "the card no longer reaches memory, and more is planted" device_fault bus-master '.[]'
check "nothing goes through" silent
recovctl replug e1000 >"$RESULTS/replug" 2>&1 &
check "refused: a driver that is being swapped" eventually 5 \
	refused 5 'being loaded, unloaded or swapped' inject apply device.json
swapped=0
wait $! || swapped=$?
check "the swap cures it" test $swapped = 0
check "the peer answers" eventually 5 answers "$PEER_V4"
check "the faults went with the old copy" reported '.state == "gone"'
check "its interrupts are lost" device_fault intx empty
check "nothing goes through" silent
check "a swap cures that, too" recovctl replug e1000
check "the peer answers" eventually 5 answers "$PEER_V4"

# ---- An armed driver -----------------------------------------------------------------------------

check "it is armed" recovctl arm e1000
check "an invalid instruction is planted" recovctl inject apply fatal.json
check "the fault ends the call, which tells no rings" rings_differ
check "and is told as activated" reported '.faults[0].activated'
check "and as a fault of the driver" eventually 5 fault_told invalid-opcode e1000_get_ringparam
check "it is recovered" recovctl recover e1000
check "and serves as before" rings_are_back
check "the peer answers" eventually 5 answers "$PEER_V4"
check "a plan for its rings" override_plan dma_alloc_attrs override.json e1000_setup_all_tx_resources
check "is applied to an armed one, too" recovctl inject apply override.json --calls 1
ip link set "$DEV" down
check "which fails as told" fails_with 'Cannot allocate memory' ip link set "$DEV" up
check "once" ip link set "$DEV" up
check "it is undone" recovctl inject undo e1000
check "the driver's file is what it was" cmp before "$FILE"
check_clean_log
finish
