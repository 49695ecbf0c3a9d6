#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The demonstration: below a TCP transfer e1000 is swapped three times and fails once; then it is
# reloaded the plain way.
# vm: --timeout 300 --file tests/guest/lib --file tests/netstate
# vm: --qemu "-netdev hubport,id=a,hubid=0 -device e1000,netdev=a"
# vm: --qemu "-netdev hubport,id=b,hubid=0 -device virtio-net-pci,netdev=b"
# shellcheck source=guest/lib/lib.sh
. lib/lib.sh

title() {
	printf '\n=== %s\n' "$*"
}

# run COMMAND...: shown as typed, then run.
run() {
	printf '$ %s\n' "$*"
	"$@"
}

# verdict NAME COMMAND...: a line that says whether it held.
broken=0
verdict() {
	local name=$1
	shift
	if "$@"; then
		printf '  held    %s\n' "$name"
	else
		printf '  BROKEN  %s\n' "$name"
		broken=1
	fi
}

# shellcheck disable=SC2317	# called by eventually
is_recovered() {
	recovctl events --json | grep -q '"event":"driver.recovered".*"cause":"fault"'
}

# shellcheck disable=SC2317	# called by verdict
same() {
	diff -U 0 <(grep -E "$1" "$RESULTS/before") <(grep -E "$1" "$RESULTS/after")
}

title "A stock kernel, $(uname -r), and a card run by its stock e1000"
nic_pair e1000 virtio_net
rich_state
run ip -br addr show dev "$DEV"
run ip route show dev "$DEV"
run ip -d -br link show "vlan$VLAN"
run tc qdisc show dev "$DEV"
run ip neigh show nud permanent
ethtool -g "$DEV" | awk '/^Current/ { on = 1 } on && /^[RT]X:/' | xargs echo "ring sizes:"
./netstate "$DEV" >"$RESULTS/before"

title "recoverd, and a TCP transfer in both directions that checks every byte"
mkdir -p /etc/recoverd/policies.d
printf '%s\n' '[Match]' 'Driver=e1000' '[Recover]' 'Steps=restart' \
	>/etc/recoverd/policies.d/10-e1000.policy
run recoverd --background --events "$EVENTS"
run recovctl devices
flows_start --flows tcp-up,tcp-down
sleep 1

title "Three swaps; the lines with > are recoverd's events as they come"
mkfifo "$RESULTS/follow"
jq -r 'select(.event != "swap.phase" or .duration_ns)
	| "> \(.ts[11:23]) \(.event)" + (if .phase then " \(.phase)" else "" end)
	+ (if .event == "driver.fault" then " \(.cause) at \(.site), \(.context)" else "" end)
	+ (if .step then " \(.step)" else "" end)
	+ (if .outcome then " \(.outcome)" else "" end)
	+ (if .duration_ns then " \(.duration_ns / 1e6 | round) ms" else "" end)' <"$RESULTS/follow" &
recovctl events --follow --json >"$RESULTS/follow" &
follower=$!
swapped=0
for _ in 1 2 3; do
	before=$(module_stamp e1000)
	run recovctl replug e1000 >"$RESULTS/swap" || cat "$RESULTS/swap"
	sleep 0.3
	tail -n 1 "$RESULTS/swap"
	if [[ $before != "$(module_stamp e1000)" ]]; then
		swapped=$((swapped + 1))
	fi
	sleep 1
done

title "e1000's interrupt handler is given a NULL pointer: elsewhere a panic"
run recovctl arm e1000 >"$RESULTS/swap" || cat "$RESULTS/swap"
sleep 0.3
tail -n 1 "$RESULTS/swap"
insmod "$DRIVERS/planter.ko"
echo "e1000:e1000_intr 2" >/sys/module/planter/parameters/fault
recovered=1
eventually 30 is_recovered || recovered=0
sleep 1
kill -INT "$follower"
wait "$follower" || true

title "What is left of it all"
verdict "e1000 was taken out and put back in three times" test "$swapped" = 3
verdict "it came back after its fault by itself" test "$recovered" = 1
verdict "the transfer is still going on" flows_alive
status=0
flows_stop || status=$?
verdict "no connection was lost, no byte is missing or corrupt" test "$status" = 0
cat "$RESULTS/flows"
./netstate "$DEV" >"$RESULTS/after"
verdict "ifindex, name, addresses, MAC and flags" same '^(link|addr)'
verdict "all the state that netstate knows ($(wc -l <"$RESULTS/before") settings)" \
	diff -U 0 "$RESULTS/before" "$RESULTS/after"
verdict "the peer answers, over the VLAN too" reachable 5
verdict "the kernel log has no complaint" clean_log

title "For contrast, the same set-up and a plain rmmod and modprobe"
flows_start --flows tcp-up,tcp-down --stall 8
index=$(cat "/sys/class/net/$DEV/ifindex")
run rmmod e1000
run modprobe e1000
sleep 0.5
DEV=$(netdev_of e1000)
run ip link set "$DEV" up
sleep 3
status=0
flows_stop || status=$?
grep -E '^(FLOW|tcp)' "$RESULTS/flows" || cat "$RESULTS/flows"
echo "ifindex: $index before, $(cat "/sys/class/net/$DEV/ifindex") now"
./netstate "$DEV" >"$RESULTS/plain" || true
lost=$(diff -U 0 "$RESULTS/before" "$RESULTS/plain" | grep -c '^-[^-]') || true
echo "settings lost or changed: $lost of $(wc -l <"$RESULTS/before")"
run ip -br addr show dev "$DEV"
run ip route show dev "$DEV"
[[ -e /sys/class/net/vlan$VLAN ]] || echo "the VLAN is gone"
if ((status == 0)); then
	echo "the plain way lost no connection this time, which was to be shown"
	broken=1
fi

title "$( ((broken)) && echo "Something did not hold" || echo "Everything held")"
exit "$broken"
