#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Without anybody who recovers them, the faulty drivers serve as drivers do until they are told to
# fail, and then fail where they were told to. The first argument is the number of loads (5).
# vm-waits
# vm: --timeout 300 --file tests/guest/lib --tool perl
# vm: --allow "BUG: (kernel NULL pointer|unable to handle page fault)" --allow "Oops: "
# vm: --allow "general protection fault" --allow "list_del corruption"
# vm: --allow "(invalid opcode|divide error): "
# What an oops taints the kernel with.
# vm: --allow "kernel is tainted: .* of which 128 is not ours"
. lib/lib.sh

NET=/sys/module/faulty_net/parameters
CHAR=/sys/module/faulty_char/parameters
BUS=/sys/bus/platform/drivers
# In which the cards have their driver called before anybody fails.
CONTEXTS=(process xmit work kthread timer hrtimer tasklet napi hardirq probe open)
ROUNDS=${1:-5}
# Those that just kill the process which called, with nothing held.
FAULTS=(null-read null-write null-exec wild-read wild-write rodata-write user-pointer bug divide
	smashed-return bad-memcpy bad-list bad-kfree)

# card NUMBER [COMMAND...]: its network device, as seen by a command of another namespace.
card() {
	"${@:2}" ls "/sys/bus/platform/devices/faulty_net.$1/net"
}

# load: both cards up, the second one in the network namespace `peer`.
load() {
	insmod "$DRIVERS/faulty_net.ko" && net_pair "$(card 0)" "$(card 1)"
}

answers_now() {
	eventually 10 ping -U -c 1 -W 1 "$PEER_V4"
}

# entered CONTEXT: how often the first card's driver was; or how much of another name there was.
entered() {
	ethtool -S "$DEV" | awk -v name="$1:" '$1 == name { print $2 }'
}

all_entered() {
	local context
	for context in "${CONTEXTS[@]}"; do
		(($(entered "$context"))) || {
			echo "never in $context"
			return 1
		}
	done
}

# flow_passes [OPTION...]: of `flow run`.
flow_passes() {
	flow run "$PEER_V4" "$@" --out "$RESULTS/flows.jsonl" >"$RESULTS/flows" || {
		cat "$RESULTS/flows"
		return 1
	}
}

# fast FLOW: without a limit it carries some, although the emulated CPUs do both ends. It may take
# longer than it was told to, until the last byte has come.
fast() {
	local begin
	begin=$(now_ms)
	flow_passes --flows "$1" --rate 0 --seconds 4 || return
	jq -s --argjson ms $(($(now_ms) - begin)) 'map(select(.flow != "all") | .bytes)
		| add * 8 / 1e3 / $ms | round' "$RESULTS/flows.jsonl" >"$RESULTS/mbits"
	(($(<"$RESULTS/mbits") >= 10))
}

drvinfo() {
	local said
	said=$(ethtool -i "$DEV")
	echo "$said"
	[[ $said == *"driver: faulty_net"*"bus-info: faulty_net.0"* ]]
}

ring_is() {
	[[ $(ethtool -g "$DEV" | awk '/^RX:/ { rx = $2 } END { print rx }') == "$1" ]]
}

flag_is() {
	ethtool --show-priv-flags "$DEV" | grep -q "^no-gro *: $1$"
}

# set_ring FRAMES: of both cards.
set_ring() {
	ethtool -G "$DEV" rx "$1" && ring_is "$1" &&
		ip netns exec peer ethtool -G "$PEER" rx "$1"
}

set_flag() {
	ethtool --set-priv-flags "$DEV" no-gro "$1" && flag_is "$1"
}

# set_mtu MTU: of both cards, which then carry it whole.
set_mtu() {
	ip link set "$DEV" mtu "$1" && ip -n peer link set "$PEER" mtu "$1" &&
		ping -U -c 1 -W 2 -M "do" -s $(($1 - 28)) "$PEER_V4"
}

# net_ioctl: SIOCDEVPRIVATE on the first card, whose kernel counts as many frames sent.
net_ioctl() {
	local sent received
	read -r sent received < <(perl -e '
		socket(my $socket, 2, 2, 0) or die "socket: $!";
		my $state = "\0" x 16;
		my $request = pack("a16 P16 x16", $ARGV[0], $state);
		ioctl($socket, 0x89f0, $request) or die "ioctl: $!";
		printf "%d %d\n", unpack("QQ", $state)' "$DEV")
	echo "sent $sent, received $received"
	((sent && received && sent <= $(<"/sys/class/net/$DEV/statistics/tx_packets")))
}

# char_ioctl NUMBER: what it says, or nothing.
char_ioctl() {
	perl -e 'open(my $file, "+<", "/dev/faulty") or die "open: $!";
		my $value = "\0" x 256;
		ioctl($file, hex $ARGV[0], $value) or die "ioctl: $!";
		print unpack("Q", $value)' "$1"
}

CHAR_CLEAR=4600
CHAR_CALLS=80084601

char_calls() {
	local before
	before=$(char_ioctl $CHAR_CALLS) && (($(char_ioctl $CHAR_CALLS) > before))
}

char_read_write() {
	printf hello >/dev/faulty && [[ $(head -c 5 /dev/faulty) == hello ]]
}

# It maps what /dev/mem is.
char_mmap() {
	ln -sf /dev/faulty /dev/mem
	[[ $(devmem 0 8) == 0x68 ]] && devmem 1 8 0x41 && [[ $(head -c 5 /dev/faulty) == hAllo ]]
}

char_clear() {
	char_ioctl $CHAR_CLEAR >/dev/null && [[ $(head -c 5 /dev/faulty | tr '\0' .) == ..... ]]
}

# refused PARAMETERS FAULT...: with "invalid argument", and nothing is planted.
refused() {
	local parameters=$1 fault said before
	shift
	before=$(<"$parameters/last")
	for fault; do
		said=$(bash -c 'echo "$1" >"$2"' - "$fault" "$parameters/fault" 2>&1) && {
			echo "'$fault' was taken"
			return 1
		}
		[[ $said == *"Invalid argument"* ]] || {
			echo "'$fault': $said"
			return 1
		}
	done
	[[ $(<"$parameters/last") == "$before" ]]
}

combinations() {
	awk '{ n += NF - 1 } END { print n }' "$1/faults"
}

# again: all of it anew, ROUNDS times.
again() {
	local i
	for ((i = 0; i < ROUNDS; i++)); do
		echo "round $i"
		rmmod faulty_net faulty_char && insmod "$DRIVERS/faulty_char.ko" && load &&
			head -c 1 /dev/faulty >/dev/null || return
	done
}

rebind() {
	echo faulty_net.0 >"$BUS/faulty_net/unbind" && [[ ! -e $BUS/faulty_net/faulty_net.0 ]] &&
		echo faulty_net.0 >"$BUS/faulty_net/bind" || return
	echo faulty_char >"$BUS/faulty_char/unbind" && [[ ! -e /dev/faulty ]] &&
		echo faulty_char >"$BUS/faulty_char/bind" && char_read_write || return
	DEV=$(card 0)
	ip addr add 192.0.2.1/24 dev "$DEV" && ip link set "$DEV" up && answers_now
}

# happened PARAMETERS FAULT CONTEXT: it was reached, and the driver did not go on behind it.
happened() {
	jq -e --arg fault "$2" --arg context "$3" '.fault == $fault and .context == $context and
		.reached and (.returned | not)' "$1/last"
}

# told MODULE FUNCTION: the kernel's log has it, at the place of an oops or above that.
told() {
	dmesg | grep -E "(RIP: 0010:| )$2\+.*\[$1\]"
}

# kills FAULT COMMAND...: the command, which calls faulty_char, dies of it in its function. Of a
# stack that is smashed the kernel cannot tell whose it was.
kills() {
	local fault=$1 status=0
	shift
	dmesg -c >/dev/null
	echo "$fault process" >"$CHAR/fault"
	"$@" || status=$?
	echo "status $status: $(<"$CHAR/last")"
	((status > 128)) && happened "$CHAR" "$fault" process || return
	dmesg | grep -E 'RIP: 0010:' || return
	[[ $fault == smashed-return ]] || told faulty_char "$(jq -r .site "$CHAR/last")"
}

# fails_alone FAULT CONTEXT: faulty_net has itself called there.
fails_alone() {
	dmesg -c >/dev/null
	echo "$1 $2" >"$NET/fault"
	cat "$NET/last"
	eventually 10 happened "$NET" "$1" "$2" &&
		eventually 10 told faulty_net "$(jq -r .site "$NET/last")" &&
		told faulty_net "faulty_net_$3"
}

insmod "$DRIVERS/faulty_bus.ko"
expect "the character device is loaded" insmod "$DRIVERS/faulty_char.ko"
expect "two cards come up and reach each other" load
DEV=$(card 0)
PEER=$(card 1 ip netns exec peer)
ip netns exec peer flow serve 2>"$RESULTS/flow-serve" &
eventually 5 ip netns exec peer nc -z -w 1 "$PEER_V4" 5300 || true
check "all flows pass" flow_passes --seconds 5 --rate 400
for flow in tcp-up tcp-down; do
	check "$flow is fast enough" fast $flow
	show "$RESULTS/flows"
	note "$flow: $(<"$RESULTS/mbits") Mbit/s"
done
check "the driver is called in each context" all_entered
note "$(ethtool -S "$DEV" | tr -s '\n ' ' ')"
check "ethtool: driver and device" drvinfo
check "ethtool: ring of 16" set_ring 16
check "flows pass through it" flow_passes --flows tcp-up,tcp-down --rate 0 --seconds 4
show "$RESULTS/flows"
check "meanwhile its queue was stopped" test "$(entered queue-stops)" -gt 0
note "queue stopped $(entered queue-stops) times"
check "ethtool: ring of 256" set_ring 256
check "ethtool: private flag on" set_flag on
check "traffic goes on without GRO" flow_passes --flows tcp-up,tcp-down --rate 400 --seconds 3
check "ethtool: private flag off" set_flag off
check "MTU of 2000" set_mtu 2000
check "ioctl of the card" net_ioctl
check "read and write" char_read_write
check "mmap" char_mmap
check "ioctl: clear" char_clear
check "ioctl: count of calls" char_calls
check "what cannot be planted is refused by faulty_net" refused "$NET" "" null-read \
	"null-read nowhere" "no-such-fault napi" "null-read napi now" "mutex-deadlock napi" \
	"mutex-deadlock xmit" "mutex-deadlock hardirq" "bh-off hardirq" "bh-off hrtimer"
check "what cannot be planted is refused by faulty_char" refused "$CHAR" "null-read xmit" \
	"null-read napi" "null-read work" "no-such-fault process"
note "combinations: faulty_net $(combinations "$NET"), faulty_char $(combinations "$CHAR")"
echo "null-read process" >"$CHAR/fault"
echo none >"$CHAR/fault"
check "a fault that is taken back does not happen" char_read_write
kill %1
check "unloaded and loaded $ROUNDS times" again
check "unbound and bound" rebind
check_clean_log

for fault in "${FAULTS[@]}"; do
	check "$fault: kills the process that calls" kills "$fault" head -c 1 /dev/faulty
	check "$fault: once" char_read_write
done
check "null-read kthread: kills the thread" fails_alone null-read kthread thread
check "divide work: kills the worker" fails_alone divide work work
check "the cards go on" answers_now
check "both drivers can be unloaded" timeout 20 rmmod faulty_net faulty_char
check "and loaded again" load
check "the devices can go" rmmod faulty_net faulty_bus
finish
