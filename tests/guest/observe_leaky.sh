#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Every mistake that the driver leaky makes is reported with its class, size and place.
# vm: --timeout 420 --mem 2048 --file tests/guest/lib --file tests/netstate --qemu "-device edu"
# leaky makes the kernel complain on purpose: what it may say is another test's matter.
# vm: --allow .
. lib/lib.sh

DO=/sys/module/leaky/parameters/do
LAST=/sys/module/leaky/parameters/last

load() {
	insmod "$DRIVERS/leaky.ko" && eventually 50 test -e "$DO"
}

# truth FILTER: of the mistake that was made last.
truth() {
	jq -rM "$1" "$RESULTS/truth"
}

make_mistake() {
	echo "$*" >"$DO" && cat "$LAST" >"$RESULTS/truth"
}

events_of() {
	recovctl events --json | jq -cM "select(.event == \"driver.$1\")"
}

# leaked CLASS [SIZE]: among the leaks is the object, with its place, and the size if it is said.
leaked() {
	recovctl leaks leaky --json >"$RESULTS/leaks"
	jq -e --arg class "$1" --arg object "$(truth .object)" --arg site "$(truth .site)" \
		--argjson size "${2:-null}" '.leaks[] | select(.class == $class and
			(.object == $object or ($class | IN("irq", "chrdev-region", "pci-regions"))) and
			($size == null or .size == $size) and
			((.site // "" | split("+")[0]) == $site or .class == "timer" or .class == "work"))' \
		"$RESULTS/leaks"
}

# leak VERB CLASS: leaky leaks; after it is unloaded the leak is known.
leak() {
	local verb=$1 class=$2 size=null
	make_mistake leak "$verb" || {
		fail "leak $verb: could be made"
		return
	}
	rmmod leaky || fail "leak $verb: the driver can be unloaded"
	[[ ! $class =~ ^(slab|vmalloc|dma-coherent)$ ]] || size=$(truth '.size // null')
	check "leak $verb: reported with class, size and place" eventually 30 leaked "$class" "$size"
	load
}

# wrong_free KIND: the newest event of that kind is about what was done last.
wrong_free() {
	events_of "$1" | tail -n 1 | tee "$RESULTS/event" |
		jq -es --arg site "$(truth .site)" '.[0].object.site | split("+")[0] == $site'
}

misfree() {
	local verb=$1 class=$2 event=$3
	make_mistake "$verb" "$class" || {
		fail "$verb $class: could be made"
		return
	}
	check "$verb $class: reported with its place" eventually 30 wrong_free "$event"
}

# reported KIND SITE: an event of that kind names a place that begins so.
reported() {
	events_of "$1" | jq -es --arg site "$2" 'last | (.site // .object.site) | startswith($site)'
}

hung() {
	events_of hang | jq -es --arg entry "$1" 'last.entry == $entry'
}

reloaded() {
	recovctl events --json | grep '"daemon.reloaded"'
}

# asked_for TRIGGER...: these and no others, each with its report.
asked_for() {
	cat /root/asked && [[ $(xargs </root/asked) == "$*" ]]
}

mkdir -p /etc/recoverd
printf '[Observe]\nDrivers=leaky\n' >/etc/recoverd/recoverd.conf
modprobe -q snd
insmod "$DRIVERS/leaky_friend.ko"
check "recoverd watches a driver that is not loaded" start_recoverd
check "leaky is loaded" load
# Its slab memory and DMA mappings, too, for as long as this runs.
recovctl trace leaky --memory --dma-maps --json >"$RESULTS/trace" 2>"$RESULTS/trace.err" &
TRACE=$!
eventually 100 test -s "$RESULTS/trace"
rmmod leaky
load
check "a clean load and unload leaks nothing" \
	test "$(recovctl leaks leaky --json | jq '.leaks | length')" = 0

misfree foreign pci-regions bad-free
misfree double slab double-free
misfree double vmalloc double-free
misfree double irq double-free
misfree double mmio double-free
misfree double pci-regions double-free
misfree foreign irq bad-free
misfree foreign vmalloc bad-free
rmmod leaky
load

leak slab slab
leak slab-large slab
leak slab-cache-object slab
leak cache cache
leak vmalloc vmalloc
leak dma-coherent dma-coherent
leak dma-pool dma-pool
leak dma-map dma-map
leak irq irq
leak mmio mmio
leak timer timer
leak delayed-work work
leak work work
leak workqueue workqueue
leak napi napi
leak netdev netdev
leak cdev cdev
leak misc misc
leak chrdev-region chrdev-region
leak device device
leak class class
leak proc proc
leak debugfs debugfs
leak sysfs sysfs
leak pci-regions pci-regions
leak pci-enable pci-enable
leak irq-vectors irq-vectors
leak module module-reference
leak disk disk
leak netdev-registered netdev

# What its policy asks notes what for, and has nothing done.
# shellcheck disable=SC2016	# it is the script's
printf '%s\n' '#!/bin/bash' '[[ -s $5 ]] && echo "$3" >>/root/asked' 'echo none' >ask
chmod 755 ask
mkdir -p /etc/recoverd/policies.d
printf '%s\n' '[Match]' 'Driver=leaky' '[Detect]' 'On=warn hang oops' '[Recover]' \
	'Steps=script:/root/ask' >/etc/recoverd/policies.d/10-leaky.policy
kill -HUP "$(daemon_pid)"
check "it has a policy" eventually 10 reloaded
make_mistake warn
check "a warning in the driver is reported" eventually_told 30 reported warning leaky_
make_mistake hang work 7000
check "a work that does not end is reported" eventually_told 200 hung work
check "a policy begins with both" eventually 10 asked_for warn hang
make_mistake hang ioctl 7000
exec 9<>/dev/leaky
check "a file of the driver is open" test -e /dev/fd/9
exec 9>&-
make_mistake atomic
check "an allocation that may sleep where it must not is reported" eventually 30 \
	reported atomic-sleep leaky_
make_mistake oops
check "an oops is reported" eventually_told 50 reported oops leaky_
check "an oops is reported once" test "$(events_of oops | wc -l)" = 1
check "and a policy begins with it" eventually 10 asked_for warn hang oops
note "its script was asked for: $(xargs </root/asked)"
kill -INT "$TRACE"
status=0
wait "$TRACE" || status=$?
check "the trace ends well" test "$status" = 0
note "$(cat "$RESULTS/trace.err")"
note "events of leaks: $(events_of leak | wc -l)"
finish
