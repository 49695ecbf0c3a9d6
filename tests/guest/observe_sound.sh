#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A sound driver's card, PCM devices and controls are known, and what an application asks of them, in
# the order to ask it again; a card that is left behind is reported, others are not. The first
# argument is the number of loads (3).
# vm: --timeout 420 --mem 2048 --file tests/guest/lib --file tests/netstate
# vm: --qemu "-audiodev none,id=s -device AC97,audiodev=s"
. lib/lib.sh

CYCLES=${1:-3}
RUNNING_MIXER="Master Playback Volume"

# objects CLASS FILTER: of the driver's objects of a class, as a list.
objects() {
	recovctl objects snd_intel8x0 --json |
		jq -rcM --arg class "$1" "[.objects[] | select(.class == \$class)] | $2"
}

# requests FILTER: of the requests, as a list.
requests() {
	recovctl requests snd_intel8x0 --json | jq -rcM ".requests | $1"
}

# data KIND FROM LENGTH: bytes of that request, as they are in memory.
data() {
	requests ".[] | select(.kind == \"$1\").data[2 * $2 : 2 * ($2 + $3)]"
}

# number VALUE BYTES: as it is in memory.
number() {
	local i value=$1
	for ((i = 0; i < $2; i++, value >>= 8)); do
		printf %02x $((value & 255))
	done
}

# kinds KIND...: what was asked of sound is of these, in this order.
kinds() {
	test "$(requests '[.[].kind | select(test("pcm|control"))] | join(" ")')" = "$*"
}

played() {
	jq -r "$1" "$RESULTS/played"
}

unload_core() {
	rmmod snd_ac97_codec ac97_bus snd_pcm snd_timer snd soundcore
}

cycle() {
	local i
	for ((i = 0; i < CYCLES; i++)); do
		modprobe snd_intel8x0 && rmmod snd_intel8x0 && unload_core || return
	done
}

leaks() {
	recovctl leaks "$1" --json | jq -cM '.leaks[] | [.class, .size, .site, .name, .device]'
}

leaked_card() {
	recovctl leaks leaky_snd --json | jq -e --arg object "$(jq -r .object "$RESULTS/truth")" \
		--arg site "$(jq -r .site "$RESULTS/truth")" \
		--arg name "card$(jq -r .name "$RESULTS/truth")" \
		'.leaks[] | select(.class == "sound-card" and .object == $object and .size > 1000 and
			(.site | split("+")[0]) == $site and .name == $name and
			.device == "leaky_snd.0" and .certain)'
}

no_events() {
	! grep recoverd_ /sys/kernel/tracing/kprobe_events
}

mkdir -p /etc/recoverd
printf '[Observe]\nDrivers=leaky_snd snd_intel8x0\n' >/etc/recoverd/recoverd.conf
expect "recoverd watches sound drivers before there is any sound" start_recoverd
check "which it does not load" test ! -e /sys/module/snd
modprobe snd_intel8x0
kill -KILL "$(daemon_pid)"
expect "a daemon after one that was killed" start_recoverd
recovctl trace snd_intel8x0 --json >"$RESULTS/looks" 2>/dev/null &
TRACE=$!
eventually 20 test -s "$RESULTS/looks"

check "its card is known" test "$(objects sound-card \
	'map([.name, .device, (.size > 1000), (.site | test("snd_intel8x0"))])')" = \
	'[["card0","0000:00:02.0",true,true]]'
folders=(/proc/asound/card0/pcm*)
folders=("${folders[@]%?}")
mapfile -t folders < <(printf '%s\n' "${folders[@]}" | sort -u)
check "its PCM devices are known" test "$(objects sound-pcm length)" = "${#folders[@]}"
check "with their names" test "$(objects sound-pcm '[.[].name] | sort[0]')" = "Intel ICH"

mkfifo "$RESULTS/stay"
play /dev/snd/pcmC0D0p /dev/snd/controlC0 "$RUNNING_MIXER" <"$RESULTS/stay" >"$RESULTS/played" &
PLAY=$!
exec 9>"$RESULTS/stay"
expect "an application plays" eventually 20 test -s "$RESULTS/played"
note "$(cat "$RESULTS/played")"
check "its controls are known, each element of them" \
	test "$(objects sound-control 'map(.size) | add')" = "$(played .controls)"
check "with their names" test "$(objects sound-control \
	"map(select(.name == \"$RUNNING_MIXER\")) | length")" = 1
show <(requests '.[] | [.order, .kind, .what, .device, .result, .size, .data[0:32]]')
check "what it asked for is known in its order" \
	kinds pcm-hw-params pcm-sw-params pcm-prepare pcm-trigger control-write
check "all of it worked, on that device" test "$(requests \
	'[.[] | select(.kind | test("pcm|control")) | [.device, .result >= 0]] | unique')" = \
	'[["0000:00:02.0",true]]'
check "the parameters are whole" test "$(requests \
	'[.[] | select(.kind | test("params")) | [.size, (.data | length)]]')" = \
	'[[608,1216],[136,272]]'
check "the rate is in them" test "$(data pcm-hw-params 296 8)" = \
	"$(number "$(played .rate)" 4)$(number "$(played .rate)" 4)"
check "so is the threshold" test "$(data pcm-sw-params 32 8)" = "$(number "$(played .start)" 8)"
check "it was started" test "$(data pcm-trigger 0 4)" = "$(number 1 4)"
check "the control was written" test "$(data control-write 72 8)" = \
	"$(number "$(played .value)" 8)"
check "which one is told" test "$(requests '.[] | select(.kind == "control-write").what')" = \
	"$(printf '0x%x' "$(played .numid)")"
exec 9>&-
status=0
wait "$PLAY" || status=$?
check "the application ends" test "$status" = 0
check "what was set of the stream ends with it" eventually 5 kinds control-write
sleep 1.2
check "the calls were timed" test "$(tail -n 1 "$RESULTS/looks" | jq -cM \
	'[.entries[] | select(.kind | test("pcm|control")) |
		select(.calls > 0 and .max_ns > 0 and .errors == 0).kind] | sort')" = \
	'["control-write","pcm-hw-params","pcm-prepare","pcm-sw-params","pcm-trigger"]'
kill -INT "$TRACE"
status=0
wait "$TRACE" || status=$?
check "the trace ends well" test "$status" = 0
check "nothing holds the driver" rmmod snd_intel8x0
check "it leaves nothing" test "$(leaks snd_intel8x0)" = ""
check "nothing holds the sound core" unload_core
check "loaded and unloaded $CYCLES times, the sound core, too" cycle
check "no false leak" test "$(leaks snd_intel8x0)" = ""

modprobe snd
insmod "$DRIVERS/leaky_snd.ko"
eventually 10 test -e /sys/module/leaky_snd/parameters/do
echo leak card >/sys/module/leaky_snd/parameters/do
cat /sys/module/leaky_snd/parameters/last >"$RESULTS/truth"
rmmod leaky_snd
check "a card that is left behind is reported with size, place and device" \
	eventually 5 leaked_card
show <(leaks leaky_snd)
check "and nothing but it and its folder in proc" \
	test "$(recovctl leaks leaky_snd --json | jq -cM '[.leaks[].class] | sort')" = \
	'["proc","sound-card"]'
check "recoverd stops" stop_recoverd
expect "another starts while the probes of that one are removed" start_recoverd
check "it watches" eventually 20 recovctl objects snd_intel8x0
check "it stops" stop_recoverd
check "all probes are removed" eventually 30 no_events
check_clean_log
finish
