#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Stock drivers that are watched unload at once and leak nothing, a swap under a trace works, and
# what cannot be watched is refused in one sentence. The first argument is the number of loads (3).
# vm: --timeout 420 --mem 2048 --file tests/guest/lib --file tests/netstate
# vm: --qemu "-netdev hubport,id=a,hubid=0 -device e1000,netdev=a"
# vm: --qemu "-netdev hubport,id=b,hubid=0 -device virtio-net-pci,netdev=b"
# vm: --qemu "-netdev hubport,id=c,hubid=1 -device pcnet,netdev=c"
# vm: --qemu "-netdev hubport,id=d,hubid=1 -device rtl8139,netdev=d"
# vm: --qemu "-audiodev none,id=s -device AC97,audiodev=s -device qemu-xhci -device usb-storage,drive=u"
# vm: --qemu "-drive driver=null-co,read-zeroes=on,size=67108864,if=none,id=u"
# vm: --qemu "-drive driver=null-co,read-zeroes=on,size=67108864,if=none,id=n"
# vm: --qemu "-device nvme,serial=1,drive=n"
# vm: --qemu "-drive driver=null-co,read-zeroes=on,size=67108864,if=none,id=v"
# vm: --qemu "-device virtio-blk-pci,drive=v"
. lib/lib.sh

CYCLES=${1:-3}

# use DRIVER: something for it to do while it is loaded.
use() {
	local path
	for path in "/sys/module/$1"/drivers/*/*/net/*; do
		[[ ! -e $path ]] || ip link set "${path##*/}" up
	done
	for path in "/sys/module/$1"/drivers/*/*/{block,nvme/*,host*/target*/*/block}/*; do
		[[ ! -b /dev/${path##*/} ]] ||
			dd if="/dev/${path##*/}" of=/dev/null bs=64k count=16 status=none
	done
	sleep 0.1
}

cycle() {
	local driver=$1 i
	for ((i = 0; i < CYCLES; i++)); do
		modprobe "$driver" && use "$driver" && rmmod "$driver" || return
	done
}

leaks_of() {
	recovctl leaks "$1" --json | jq -cM '.leaks[] | [.class, .site, .name, .size]'
}

no_leaks() {
	local leaks
	leaks=$(leaks_of "$1")
	[[ ! $leaks ]] || {
		echo "$leaks" | sort | uniq -c
		return 1
	}
}

# first_look OPTIONS COMMAND [ARG...]: trace, run the command meanwhile; the first look is kept.
first_look() {
	local options trace
	read -ra options <<<"$1"
	shift
	: >"$RESULTS/look"
	recovctl trace "${options[@]}" --json >"$RESULTS/look" 2>/dev/null &
	trace=$!
	eventually 50 test -s "$RESULTS/look" || return
	"$@"
	kill -INT "$trace"
	wait "$trace"
}

DRIVERS_WATCHED=(e1000 virtio_net pcnet32 8139cp snd_intel8x0 nvme virtio_blk usb_storage)
mkdir -p /etc/recoverd
echo "[Observe]" >/etc/recoverd/recoverd.conf
echo "Drivers=${DRIVERS_WATCHED[*]}" >>/etc/recoverd/recoverd.conf
check "recoverd watches drivers that are not loaded" start_recoverd
check "timers are watched, since pcnet32 arms some" test -e /sys/fs/bpf/recoverd/*/timers
for driver in "${DRIVERS_WATCHED[@]}"; do
	if ! modinfo "$driver" >/dev/null 2>&1; then
		skip "$driver: the kernel has it"
		continue
	fi
	check "$driver: loaded and unloaded $CYCLES times" cycle "$driver"
	check "$driver: no false leak" no_leaks "$driver"
done

modprobe e1000
eventually 50 netdev_of e1000 >/dev/null
ip link set "$(netdev_of e1000)" up mtu 1400
check "its objects are known" eventually 50 \
	test "$(recovctl objects e1000 --json | jq '.objects | length > 10')" = true
check "what was set is known" \
	jq -e '.requests[] | select(.kind == "net-mtu" and .data == "78050000")' \
	<(recovctl requests e1000 --json)
ethtool -A "$(netdev_of e1000)" rx off tx off autoneg off || true
ethtool "$(netdev_of e1000)" >/dev/null
ethtool_requests() {
	recovctl requests e1000 --json | jq -cM '[.requests[] | select(.kind == "net-ethtool") | .what]'
}
check "of ethtool only what sets a state" test "$(ethtool_requests)" = '["0x8000000000000016"]'
modprobe dummy numdummies=0
ip link add dummy0 type dummy
ip link set dummy0 mtu 1234
for driver in "${DRIVERS_WATCHED[@]}"; do
	check "$driver: what is asked of others is not taken for its own" \
		jq -e '[.requests[] | select(.data == "d2040000")] | length == 0' \
		<(recovctl requests "$driver" --json)
done
ip link del dummy0
rmmod dummy
check "a swap of a watched driver works" replug swap e1000
check "what was set is known after it" test "$(ethtool_requests)" = '["0x8000000000000016"]'
check "the swap leaks nothing" no_leaks e1000
check "the new copy is watched from its first instruction" \
	test "$(recovctl objects e1000 --json | jq '.watch.from_load')" = true
check "its memory is watched for a while" first_look "e1000 --memory" \
	ip link set "$(netdev_of e1000)" down
rmmod e1000
check "what was taken in that while is no leak" no_leaks e1000
modprobe e1000
eventually 50 netdev_of e1000 >/dev/null
rss=$(awk '/^VmRSS/ { print $2 }' "/proc/$(daemon_pid)/status")
note "recoverd has $rss kB resident"
check "recoverd stays below 20 MB" test "$rss" -lt 20480
check "unknown driver: exit 2" refused 2 'no driver nosuch is loaded' trace nosuch
check "misspelt, from load: exit 2" refused 2 'no driver e1000x is loaded' trace e1000x --from-load

# from_load DRIVER: watched so, with the objects it had at a known time.
from_load() {
	recovctl objects "$1" --json | jq -e '.watch.from_load'
}
objects_before=$(recovctl objects e1000 --json | jq -cM '[.objects[] | [.class, .object]] | sort')
kill -KILL "$(daemon_pid)"
ip link set "$(netdev_of e1000)" mtu 1300
check "recoverd starts again after it was killed" start_recoverd
check "it knows that nothing was missed" from_load e1000
check "and the same objects" test "$(recovctl objects e1000 --json |
	jq -cM '[.objects[] | [.class, .object]] | sort')" = "$objects_before"
check "what was set meanwhile is known" \
	jq -e '.requests[] | select(.kind == "net-mtu" and .data == "14050000")' \
	<(recovctl requests e1000 --json)
kill -USR1 "$(daemon_pid)"
eventually 50 start_recoverd
rmmod e1000
modprobe e1000
check "it goes on after a restart" from_load e1000
check "no false leak in all that" no_leaks e1000
rmmod e1000
check "a trace tells each object" first_look "e1000 --from-load --events" \
	sh -c 'modprobe e1000; sleep 1'
check "with its place and its device" jq -es '[.[].events[]] | any(.event == "taken" and
	.class == "mmio" and .device == "0000:00:02.0" and (.site | startswith("e1000_probe")))' \
	"$RESULTS/look"
check "and each entry" jq -es '[.[].events[]] | any(.event == "entry" and .kind == "probe" and
	.result == 0 and .duration_ns > 0)' "$RESULTS/look"
check "recoverd stops at once" stop_recoverd
check "and leaves nothing behind" test ! -e /sys/fs/bpf/recoverd
rm /etc/recoverd/recoverd.conf
check "recoverd starts without a driver to watch" start_recoverd
net=$(netdev_of e1000)
modprobe virtio_net
check "a trace begins and ends" first_look e1000 ip link set "$net" down
check "a trace of another driver" first_look virtio_net true
check "knows nothing of the first one" \
	test "$(head -n 1 "$RESULTS/look" | jq '.entries | length')" = 0
check "not watched: says what to do" refused 1 'virtio_net is not watched: name it in' \
	objects virtio_net
check "no hang and no storm was seen" test "$(grep -cE '"driver\.(hang|[a-z]+-storm)"' "$EVENTS")" = 0
check_clean_log
finish
