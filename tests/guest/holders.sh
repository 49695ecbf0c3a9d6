#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# recovctl holders names whoever holds a driver, and once all was done that it says would free it,
# the driver can be unloaded.
# vm-waits
# vm: --timeout 600 --file tests/guest/lib --file tests/netstate
# vm: --qemu "-netdev hubport,id=a,hubid=0 -device e1000,netdev=a"
# vm: --qemu "-netdev hubport,id=b,hubid=0 -device pcnet,netdev=b"
# vm: --qemu "-audiodev none,id=audio -device ES1370,audiodev=audio"
# vm: --qemu "-drive driver=null-co,size=64M,read-zeroes=on,snapshot=on,if=none,id=n"
# vm: --qemu "-drive driver=null-co,size=64M,read-zeroes=on,snapshot=on,if=none,id=v"
# vm: --qemu "-device nvme,serial=1,drive=n -device virtio-blk-pci,drive=v"
. lib/lib.sh

# ask DRIVER: who holds it, as $RESULTS/holders.json.
ask() {
	recovctl holders --json "$1" >"$RESULTS/holders.json" || return
	jq -e '.schema == "recov.holders/1" and .incomplete == null' "$RESULTS/holders.json" \
		>/dev/null || jq . "$RESULTS/holders.json"
}

# held DRIVER FILTER: one of its holders is like that. Else they are shown.
held() {
	ask "$1" && jq -e "any(.holders[]; $2)" "$RESULTS/holders.json" >/dev/null && return
	recovctl holders "$1"
	return 1
}

not_held() {
	ask "$1" && ! jq -e "any(.holders[]; $2)" "$RESULTS/holders.json"
}

# free_all DRIVER FILTER: do what is said to free such holders, where it is a command.
free_all() {
	local how
	ask "$1" || return
	while read -r how; do
		echo "> ${how%,*}"
		eval "${how%%[,;]*}" || return
	done < <(jq -r "[.holders[] | select($2)] | reverse | .[].free" "$RESULTS/holders.json")
}

# nothing_pins DRIVER: and it can be unloaded.
nothing_pins() {
	not_held "$1" .pins
}

is_in_use() {
	! rmmod "$1" 2>/dev/null
}

# shown DRIVER: the table, for those who read the log.
shown() {
	recovctl holders "$1" >"$RESULTS/table" 2>&1 || return
	show "$RESULTS/table"
}

# said STATUS REGEX DRIVER: recovctl ends so, with one such sentence.
said() {
	local status=0
	recovctl holders "$3" >/dev/null 2>"$RESULTS/said" || status=$?
	cat "$RESULTS/said"
	((status == $1)) && [[ $(wc -l <"$RESULTS/said") == 1 ]] && grep -qE "$2" "$RESULTS/said"
}

# catch_worker DRIVER DELAY: begins a look and stops its process DELAY seconds later, if it is still
# at work: when it was stopped with all said, the answer is there in a moment.
catch_worker() {
	local daemon worker=
	daemon=$(daemon_pid)
	recovctl holders --json "$1" >"$RESULTS/cut.json" &
	ASKING=$!
	until [[ $worker ]]; do
		kill -0 "$ASKING" 2>/dev/null || return
		read -r worker <"/proc/$daemon/task/$daemon/children" || true
	done
	sleep "$2"
	kill -STOP "$worker" 2>/dev/null || return
	sleep 1
	if [[ -s $RESULTS/cut.json ]]; then
		kill -CONT "$worker"
		return 1
	fi
}

# cut_short DRIVER: a look that does not end is given up. What it had found is told, and the daemon
# answers others in the meantime.
cut_short() {
	local delay
	for delay in 0.2 0.1 0.05 0.02 0; do
		! catch_worker "$1" "$delay" || break
		wait "$ASKING"
	done
	echo "caught after $delay s"
	timeout 5 recovctl devices || return
	wait "$ASKING" || return
	cat "$RESULTS/cut.json"
	jq -e '.refcount == null and (.incomplete | test("did not end within"))' "$RESULTS/cut.json"
}

in_own_netns() {
	[[ $(readlink "/proc/$1/ns/net") != "$(readlink /proc/self/ns/net)" ]]
}

unloads() {
	rmmod "$1" && [[ ! -e /sys/module/$1 ]]
}

expect "recoverd starts" start_recoverd
check "no such driver" said 2 'no driver no_such_driver is loaded' no_such_driver
check "not a name" said 2 'no driver' ../e1000
check "not loaded" said 2 'no driver e1000 is loaded' e1000
check "built in" said 5 '8250 is built into the kernel' 8250

# ---- network devices ----

DEV=$(load_net e1000) || die "no card for e1000"
check "an idle card holds nothing" nothing_pins e1000
check "but is told of" held e1000 ".kind == \"netdev\" and .name == \"$DEV\" and (.pins | not)
	and (.detail | test(\"^down\"))"
ip addr add 192.0.2.1/24 dev "$DEV"
ip addr add 2001:db8::1/64 dev "$DEV" nodad
ip link set "$DEV" up
ip link add link "$DEV" name vlan7 type vlan id 7
ip link add br0 type bridge
ip link set "$DEV" master br0
check "its addresses, its VLAN and its bridge" held e1000 ".kind == \"netdev\" and (.detail |
	test(\"^up, 192.0.2.1/24, 2001:db8::1/64.*below vlan7\") and test(\"port of br0\"))"
check "a bridge has its device" held bridge '.kind == "netdev" and .name == "br0"'
check "a VLAN has its device" held 8021q '.kind == "netdev" and .name == "vlan7"'

busybox arping -I "$DEV" 192.0.2.99 >/dev/null 2>&1 &
ARPING=$!
check "a packet socket and its process" eventually 10 held e1000 ".kind == \"process\" and
	.pid == $ARPING and (.name | test(\"packet socket on $DEV\")) and (.pins | not)"
shown e1000
kill "$ARPING"
check "it is gone with its process" eventually 10 not_held e1000 '.kind == "process"'

ip link set "$DEV" nomaster
ip netns add away
ip link set "$DEV" netns away
ip -n away addr add 192.0.2.5/24 dev "$DEV"
check "a card in another network namespace" held e1000 ".kind == \"netdev\" and .name == \"$DEV\"
	and (.detail | test(\"192.0.2.5/24.*network namespace away\"))"
ip -n away link set "$DEV" netns 1
ip netns del away
unshare -n sleep 1000 &
SLEEP=$!
eventually 5 in_own_netns "$SLEEP" || die "no network namespace"
ip link set "$DEV" netns "$SLEEP"
check "a card in the namespace of a process" held e1000 ".kind == \"netdev\" and (.detail |
	test(\"namespace of process $SLEEP\"))"
kill "$SLEEP"
DEV=$(eventually 10 netdev_of e1000 && netdev_of e1000)

# ---- BPF ----

# Compiled from, for the function e1000_xmit_frame, or "xdp":
#	__attribute__((section("fentry/e1000_xmit_frame"), used)) int seen(void *ctx) { return 0; }
#	char _license[] __attribute__((section("license"), used)) = "GPL";
fentry_program() {
	base64 -d <<'END' | gzip -dc >fentry.o
H4sIAAAAAAACA6t39XFjYmRkgAFGhu8MCB4CfEBiO0BJdqDK7VCxqVDaPcCHAR9gB2IhBmY4XwBKSwGxIAMLXBzGYmJm0CtJrShh
KE5NzWPQy8kpy41PTEkpKs5MZ4jPyUxOzStOZUhLzSspqtRPNTQwMIivyM0siU8rSsxNZdArLikqSUwC0pW5IJoKwBqImbGIL4LS
3mjijFj4IMyGJu6Awz4WNL4yAf0CaOIcaHxpqH50PwTgsA/d/TwgvT7/84FUA7L4Alh8EdDvjEUNCERAaQ+0cIK5XwIaeQAFGMhv
sAIAAA==
END
}

xdp_program() {
	base64 -d <<'END' | gzip -dc >xdp.o
H4sIAAAAAAACA6t39XFjYmRkgAFGhu8MCB4CPEBiO0BJdqDK7UAWExBPhcq5B/gw4APsQCzEwAznC0BpOSAWZGCBi8NYTMwM
eiWpFSUMBYnFxQwVKQUMejk5ZbnxiSkpRcWZ6QzxOZnJqXnFqQx6xSVFJYlJQLoyF0RTCagDMTMW8UVQ2hxNnBELH4TZ0MQd
cNjHgsbnIaBfAE2cA40vD9WP7ocAHPahux9kPrPP/3wg1YAsvgAWPwT062NRAwIRUNoDLZxg7peA0gAaPlVdoAIAAA==
END
}

fentry_program
xdp_program
attach fentry.o /sys/fs/bpf/seen
check "a tracing program with a pin" held e1000 '.kind == "bpf" and .pins and .pid == null and
	(.name | test("tracing program [0-9]+ .seen.")) and .uncertain == null'
check "it explains every reference" not_held e1000 '.kind == "reference"'
check "it holds the module" is_in_use e1000
rm /sys/fs/bpf/seen
check "without its pin it is gone" eventually 10 nothing_pins e1000
attach fentry.o &
ATTACH=$!
check "a tracing program with a process" eventually 10 held e1000 ".kind == \"bpf\" and .pins and
	.pid == $ATTACH and .comm == \"attach\" and .uncertain == null"
shown e1000
kill "$ATTACH"
check "without its process it is gone" eventually 10 nothing_pins e1000
if ip link set dev "$DEV" xdpgeneric obj xdp.o sec xdp; then
	check "an XDP program" held e1000 ".kind == \"bpf\" and (.pins | not) and
		.object == \"$DEV\" and (.name | test(\"XDP program [0-9]+\"))"
	shown e1000
	check "what is said to free it can be done" free_all e1000 '.kind == "bpf"'
	check "it is gone" not_held e1000 '.kind == "bpf"'
else
	skip "an XDP program" "ip cannot attach one here"
fi
check "e1000 can be unloaded" unloads e1000

# ---- modules ----

modprobe pcnet32
check "a module that uses another" held mii '.kind == "module" and .name == "pcnet32" and .pins and
	(.free | test("unload pcnet32"))'
check "nothing else holds mii" not_held mii '.kind == "reference"'
check "it is in use" is_in_use mii
rmmod pcnet32
check "mii is free" nothing_pins mii
check "mii can be unloaded" unloads mii

# ---- open files ----

modprobe snd-ens1370
eventually 10 test -c /dev/snd/controlC0 || die "no sound card"
check "an idle sound card" nothing_pins snd_ens1370
sleep 1000 5</dev/snd/controlC0 7</dev/snd/controlC0 &
SLEEP=$!
check "an open device file" eventually 5 held snd_ens1370 ".kind == \"process\" and .pins and
	.pid == $SLEEP and .comm == \"sleep\" and .name == \"/dev/snd/controlC0\" and
	.detail == \"open as 5, 7\""
check "nothing is left unexplained" not_held snd_ens1370 '.kind == "reference"'
check "snd by its alias" held snd ".kind == \"process\" and .pid == $SLEEP"
shown snd_ens1370
shown snd
check "the module is in use" is_in_use snd_ens1370
kill "$SLEEP"
check "without the process nothing pins it" eventually 5 nothing_pins snd_ens1370
check "snd_ens1370 can be unloaded" unloads snd_ens1370

modprobe tun && mkdir -p /dev/net && { [[ -e /dev/net/tun ]] || mknod /dev/net/tun c 10 200; }
sleep 1000 5<>/dev/net/tun &
SLEEP=$!
check "a device without a driver, by its number" eventually 5 held tun ".kind == \"process\" and
	.pins and .pid == $SLEEP and .uncertain == null"
kill "$SLEEP"
check "without the process nothing pins tun" eventually 5 nothing_pins tun
check "tun can be unloaded" unloads tun

# ---- mounts ----

modprobe nvme
eventually 10 test -b /dev/nvme0n1 || die "no NVMe disk"
printf '%s\n' n p 1 '' +32M n p 2 '' '' w | fdisk /dev/nvme0n1 >/dev/null 2>&1 || true
eventually 5 test -b /dev/nvme0n1p2 || die "no partitions"
mkfs.ext4 -qF /dev/nvme0n1p1
modprobe ext4
mkdir -p "/mnt/a b"
mount /dev/nvme0n1p1 "/mnt/a b"
check "a mounted partition" held nvme '.kind == "mount" and .name == "/mnt/a b" and .pins and
	.object == "nvme0n1p1" and (.detail | test("ext4 on /dev/nvme0n1p1"))'
check "nothing is left unexplained" not_held nvme '.kind == "reference"'
mkswap /dev/nvme0n1p2 >/dev/null && swapon /dev/nvme0n1p2
check "a swap area" held nvme '.kind == "mount" and .name == "/dev/nvme0n1p2" and .pins'
sleep 1000 5</dev/nvme0 &
SLEEP=$!
check "its character device" eventually 5 held nvme ".kind == \"process\" and .pins and
	.name == \"/dev/nvme0\" and .pid == $SLEEP"
truncate -s 8M "/mnt/a b/image"
modprobe loop && losetup /dev/loop0 "/mnt/a b/image"
mkfs.ext4 -qF /dev/loop0 && mkdir -p /mnt/loop && mount /dev/loop0 /mnt/loop
check "a loop device on a file" held nvme '.kind == "mount" and .name == "/dev/loop0"'
check "and what is mounted from it" held nvme '.kind == "mount" and .name == "/mnt/loop" and
	(.detail | test("ext4 on /dev/loop0, which stands on /dev/nvme0n1p1"))'
check "the loop driver is held, too" held loop '.kind == "mount" and .name == "/mnt/loop"'
shown nvme
# So many processes that the look is found at work.
for _ in {1..300}; do
	sleep 1000 &
done
check "a look that does not end is cut short" cut_short nvme
note "it had found $(jq '.holders | length' "$RESULTS/cut.json") holders"
mapfile -t SLEEPS < <(jobs -p)
kill "${SLEEPS[@]}"
umount /mnt/loop
losetup -d /dev/loop0
check "what was freed is gone" eventually 5 not_held nvme '.name == "/mnt/loop" or
	.name == "/dev/loop0" or .kind == "process"'
check "what is said to free the mount can be done" free_all nvme '.name == "/mnt/a b"'
check "what is said to free the swap area can be done" free_all nvme '.name == "/dev/nvme0n1p2"'
check "nothing pins nvme" eventually 5 nothing_pins nvme
check "nvme can be unloaded" unloads nvme

modprobe virtio_blk
eventually 10 test -b /dev/vda || die "no virtio disk"
if command -v dmsetup >/dev/null && modprobe dm-mod; then
	dmsetup --noudevsync create stack --table "0 65536 linear /dev/vda 0"
	dmsetup mknodes
	check "a device-mapper device" held virtio_blk '.kind == "mount" and .pins and
		.name == "/dev/mapper/stack" and (.detail | test("dm-0 on /dev/vda"))'
	mkfs.ext4 -qF /dev/mapper/stack && mount /dev/mapper/stack /mnt/loop
	check "and what is mounted from it" held virtio_blk '.name == "/mnt/loop" and
		(.detail | test("dm-0, which stands on /dev/vda"))'
	check "nothing is left unexplained" not_held virtio_blk '.kind == "reference"'
	check "dm_mod knows its device" held dm_mod '.name == "/mnt/loop"'
	shown virtio_blk
	check "what is said to free them can be done" free_all virtio_blk '.kind == "mount"'
	check "they are gone" not_held virtio_blk '.kind == "mount"'
else
	skip "a device-mapper device" "no dmsetup"
fi
check "virtio_blk can be unloaded" unloads virtio_blk

check_clean_log
finish
