#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Each hang and storm of the driver leaky is reported once, with its kind, place and measure, and so
# is memory beyond its budget; what only waits is not.
# vm: --smp 4 --timeout 420 --mem 2048 --file tests/guest/lib --file tests/netstate
# vm: --qemu "-device edu" --allow "leaky_friend: (loading out-of-tree|module verification)"
. lib/lib.sh

PARAMETERS=/sys/module/leaky/parameters
BUS=/sys/bus/platform/drivers/leaky
HANG_MS=8000
declare -A USERS=()

ask() {
	echo "$*" >"$PARAMETERS/do"
}

entered() {
	jq ".\"$1\"" "$PARAMETERS/counts"
}

is_entered() {
	(($(entered "$1") > $2))
}

# go_to ENTRY: somebody calls the driver there.
go_to() {
	case $1 in
	open) (: </dev/leaky) & ;;
	release) (exec 9</dev/leaky && exec 9<&-) & ;;
	read) head -c 1 /dev/leaky >/dev/null & ;;
	# devmem maps what is there.
	mmap) devmem 0 >/dev/null & ;;
	ioctl) stty -F /dev/leaky 2>/dev/null & ;;
	probe) echo leaky.0 >"$BUS/bind" & ;;
	esac
	USERS[$1]=$!
}

# hang WAY ENTRY...: at once; returns when all are in there.
hang() {
	local way=$1 entry before
	shift
	USERS=()
	for entry; do
		before=$(entered "$entry")
		ask hang "$entry" "$HANG_MS" "$way" || return
		[[ $entry =~ ^(work|irq|timer)$ ]] || go_to "$entry"
		eventually 30 is_entered "$entry" "$before" || return
	done
}

# hangs TITLE WAY ENTRY...: hang() as a check; not by check(), which would forget whom it has sent.
hangs() {
	local title=$1
	shift
	if hang "$@"; then
		pass "$title"
	else
		fail "$title"
		finish
	fi
}

last_seq() {
	recovctl status --json | jq .seq
}

events() {
	recovctl events --json >"$RESULTS/events"
}

# new KIND...: the events of these kinds since SEQ was set. In a storm the daemon may not answer at
# once.
new() {
	eventually 20 events || return
	jq <"$RESULTS/events" -cM --argjson seq "$SEQ" '. as $event | select(.seq > $seq and
			($ARGS.positional | any("driver.\(.)" == $event.event)))' --args "$@"
}

# reported ENTRY SITE LEAST [PID]: there is one hang of that kind and duration at the place, and
# the process is the one.
reported() {
	new hang | jq -es --arg entry "$1" --arg site "$2" --argjson least "$3" \
		--argjson pid "${4:-null}" --argjson most "$((HANG_MS + 1000))" \
		'[.[] | select(.entry == $entry and ($pid == null or .pid == $pid))] |
		length == 1 and (.[0].site | test("^(\($site))[+]")) and
		.[0].duration_ns / 1e6 >= $least and .[0].duration_ns / 1e6 <= $most'
}

# check_hangs HOW SITE ENTRY...: each that hang() has made is reported.
check_hangs() {
	local how=$1 site=$2 entry kind
	shift 2
	for entry; do
		case $entry in
		read | mmap) kind=task ;;
		*) kind=$entry ;;
		esac
		check "$entry, $how: reported once, with its place" \
			eventually 20 reported "$kind" "$site" 4900 "${USERS[$entry]:-}"
	done
	new hang >"$RESULTS/hangs"
	show "$RESULTS/hangs"
}

# nothing_else N: no more than these events, also when the users are done.
nothing_else() {
	wait "${USERS[@]}" 2>/dev/null || true
	sleep 2
	new hang >"$RESULTS/hangs"
	(($(wc -l <"$RESULTS/hangs") == $1)) || { cat "$RESULTS/hangs"; return 1; }
}

modprobe -q snd
insmod "$DRIVERS/leaky_friend.ko"
insmod "$DRIVERS/leaky.ko"
mkdir -p /etc/recoverd
printf '[Observe]\nDrivers=leaky\n' >/etc/recoverd/recoverd.conf
expect "recoverd watches leaky" start_recoverd
expect "leaky has a device" eventually 10 test -c /dev/leaky
mount --bind /dev/leaky /dev/mem

SEQ=$(last_seq)
# Who opens a misc device keeps others from it.
ENTRIES=(release read mmap ioctl work open)
hangs "six entries sleep" 0 "${ENTRIES[@]}"
check_hangs sleeping leaky_hang_sleeping "${ENTRIES[@]}"
check "each is reported once only" nothing_else 6

SEQ=$(last_seq)
# One that is seldom asleep when it is looked for is found later.
HANG_MS=12000
hangs "two entries wait for a signal as well" 3 ioctl work
WAITER=${USERS[ioctl]}
hangs "two more poll" 2 read release
check_hangs polling leaky_hang_polling read release
check "those that wait are no hangs" nothing_else 2
wait "$WAITER" || true
HANG_MS=8000

for entries in "read mmap open" "release ioctl work"; do
	SEQ=$(last_seq)
	# shellcheck disable=SC2086	# several words
	hangs "three entries spin: $entries" 1 $entries
	# shellcheck disable=SC2086
	check_hangs spinning leaky_hang_spinning $entries
	check "and they are reported once only" nothing_else 3
done

for way in 0:sleeping 1:spinning; do
	echo leaky.0 >"$BUS/unbind"
	SEQ=$(last_seq)
	hangs "probe is called" "${way%:*}" probe
	check_hangs "${way#*:}" "leaky_hang_${way#*:}" probe
	check "probe, ${way#*:}: reported once only" nothing_else 1
	ask hang probe 1
done

# spin WHO ENTRY SITE: in a context that may not sleep.
spin() {
	SEQ=$(last_seq)
	ask hang "$2" "$HANG_MS"
	check "$2, spinning, $1: reported once, with its place" eventually 20 reported "$2" "$3" 900
	check "$2, spinning, $1: reported once only" nothing_else 1
}

# Nobody sees where a CPU is that takes no interrupts.
HANG_MS=4000
spin watched irq "leaky_edu_interrupt|leaky_hang_irq"
# Nor does the daemon run, if it is there.
taskset -pc "$(new hang | jq -s '.[-1].cpu')" "$(daemon_pid)"
spin "watched from that CPU" irq "leaky_edu_interrupt|leaky_hang_irq"
taskset -pc 0-3 "$(daemon_pid)"
spin watched timer leaky_hang_spinning

# What is more a second is a storm.
declare -A LIMITS=([irq]=50000 [timer]=4000 [work]=50000 [alloc]=0)

# too_slow KIND COUNT...: so many do not make a storm of it, on this machine, or just so.
too_slow() {
	local before since
	ask storm "$@"
	before=$(entered "$1")
	since=${EPOCHREALTIME/./}
	sleep 2
	# Of a machine with more to do these are more than two seconds.
	(($(entered "$1") - before < LIMITS[$1] * 3 * (${EPOCHREALTIME/./} - since) / 2000000))
}

# storm KIND FUNCTION COUNT...: it is reported once, with its function and how fast it is.
storm() {
	local kind=$1 function=$2
	shift 2
	SEQ=$(last_seq)
	ask storm "$kind" "$@"
	if ! eventually 30 stormy "$kind" "$function" && too_slow "$kind" "$@"; then
		skip "a storm of $kind" "this machine is too slow for one"
		ask calm
		return
	fi
	check "a storm of $kind: reported" stormy "$kind" "$function"
	sleep 3
	check "a storm of $kind: reported once only" \
		test "$(new {irq,timer,work,alloc}-storm | wc -l)" = 1
	ask calm
	sleep 3
}

stormy() {
	new "$1-storm" | jq -es --arg function "$2" 'last | .rate > 2000 and
		(.function // .sites[0].site | startswith($function + "+"))'
}

# What its policy asks notes what for, and has nothing done.
# shellcheck disable=SC2016	# it is the script's
printf '%s\n' '#!/bin/bash' 'echo "$3" >>/root/asked' 'echo none' >ask
chmod 755 ask
touch asked
mkdir -p /etc/recoverd/policies.d
printf '%s\n' '[Match]' 'Driver=leaky' '[Detect]' 'On=storm' '[Recover]' 'Steps=script:/root/ask' \
	>/etc/recoverd/policies.d/10-leaky.policy
kill -HUP "$(daemon_pid)"

# begun: its policy has begun with storms, if there was any.
begun() {
	local storms
	storms=$(recovctl events --json | jq -s '[.[] | select(.event | endswith("-storm"))] | length')
	((!storms)) || [[ $(sort -u asked) == storm ]]
}

storm irq leaky_edu_interrupt 2000000
storm timer leaky_timers_storm 200000
storm work leaky_works_storm 2000000
storm irq leaky_edu_interrupt 2000000

check "a policy begins with storms" eventually 10 begun
rm /etc/recoverd/policies.d/10-leaky.policy
kill -HUP "$(daemon_pid)"

# traced OPTION...: leaky is traced from now on.
traced() {
	: >"$RESULTS/trace"
	recovctl trace leaky --json "$@" >"$RESULTS/trace" 2>"$RESULTS/trace.err" &
	TRACE=$!
	eventually 60 test -s "$RESULTS/trace"
}

# over BYTES: the newest event tells that leaky has more than that, and where it took it.
over() {
	new budget | jq -es --argjson least "$1" 'last |
		.budget == 1048576 and .bytes >= $least and .bytes < $least + 65536 and
		.sites[0].bytes >= $least and (.sites[0].site | startswith("leaky_storm_alloc+"))'
}

traced --memory --budget 1M
spin traced irq "leaky_edu_interrupt|leaky_hang_irq"
SEQ=$(last_seq)
ask storm alloc 200 4096
sleep 3
check "memory within the budget: not reported" test -z "$(new budget)"
ask storm alloc 200 4096
check "memory beyond it: reported with its place" eventually 30 over $((400 * 4096))
ask storm alloc 10 4096
sleep 3
check "reported once only" test "$(new budget | wc -l)" = 1
ask calm
sleep 3
ask storm alloc 300 4096
check "and again when it was within the budget meanwhile" eventually 30 over $((300 * 4096))
ask calm
sleep 3
storm alloc leaky_storm_alloc 30000 64
kill -INT "$TRACE"
wait "$TRACE" || true
SEQ=0
check "the budget: reported three times all in all" test "$(new budget | wc -l)" = 3
recovctl events --json | jq -cM 'select(.severity | IN("warning", "error")) |
	[.event[7:], .entry, .function, .site, .duration_ns, .rate, .bytes]' >"$RESULTS/all"
check "nothing else is reported" test "$(grep -cvE '^."(hang|[a-z]+-storm|budget|not-recovered)"' "$RESULTS/all")" = 0
show "$RESULTS/all"
check_clean_log
finish
