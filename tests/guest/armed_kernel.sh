#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Faults of armed drivers are survived, too, by a kernel that panics at an oops and has a crash
# kernel loaded; one that loads only signed modules gets no armed images that are not, and keeps
# the drivers that it has.
# vm-waits
# vm: --timeout 300 --mem 1024 --file tests/guest/lib --file tests/netstate --tool perl
# vm: --file build/kernels/6.1/vmlinuz --append crashkernel=192M
# What the kernel says before it gives up on a list.
# vm: --allow "list_del corruption"
. lib/lib.sh
. lib/faulty.sh

# load_crash_kernel: kexec_file_load() with KEXEC_FILE_ON_CRASH and KEXEC_FILE_NO_INITRAMFS.
load_crash_kernel() {
	LC_ALL=C perl -e 'open(my $image, "<", $ARGV[0]) or die "open: $!";
		my $line = "panic=-1\0";
		syscall(320, fileno($image), -1, length($line), $line, 6) == 0
			or die "kexec_file_load: $!"' vmlinuz* && [[ $(</sys/kernel/kexec_crash_loaded) == 1 ]]
}

faults() {
	[[ $(recovctl events --json | jq 'select(.event == "driver.fault" and .first) | .seq' | wc -l) == "$1" ]]
}

# survives FAULT CONTEXT: the Nth that is told.
FAULTS=0
survives() {
	echo "$1 $2" >"$FAULT"
	[[ $2 != process ]] || ethtool -i "$DEV" >/dev/null || true
	eventually 10 faults $FAULTS && recovctl recover faulty_net --json &&
		eventually 10 answers "$PEER_V4"
}

taps() {
	grep -c '\.tap.*\[faulty_net\]' /proc/kallsyms
}

faulty_pair
check "a crash kernel can be loaded" load_crash_kernel
check "an oops is to be a panic" sysctl -w kernel.panic_on_oops=1
check "recoverd starts" start_recoverd
check "the driver is armed" recovctl arm faulty_net --json
for fault in null-read wild-read bug divide canary bad-list; do
	for context in process work timer hardirq; do
		FAULTS=$((FAULTS + 1))
		check "$fault in $context is survived" survives $fault $context
	done
done
check "a crash kernel is loaded still" test "$(</sys/kernel/kexec_crash_loaded)" = 1

cp /run/recoverd/images/faulty_net-*.ko /root/armed.ko
check "the driver is disarmed" recovctl disarm faulty_net --json
check "an armed image can be put in from a file" \
	recovctl replug faulty_net --to /root/armed.ko --json
check "it is armed then" test "$(taps)" -gt 10
check "and disarmed" recovctl disarm faulty_net --json
# Neither can be taken back: each kernel shows one of them.
if [[ $(uname -r) == 6.1.* ]]; then
	check "the kernel can be locked down" sh -c 'echo integrity >/sys/kernel/security/lockdown'
else
	check "signatures can be demanded" sh -c 'echo 1 >/sys/module/module/parameters/sig_enforce'
fi
check "then no driver is armed" refused 5 \
	'faulty_net cannot be armed: this kernel loads only signed modules; .* how to sign' \
	arm faulty_net
check "no unsigned driver is taken out" refused 5 \
	'faulty_net is not signed, and this kernel loads only signed modules: it would not come back' \
	recover faulty_net
check "no unsigned image is put in" refused 5 'armed: this kernel loads only signed modules' \
	replug faulty_net --to /root/armed.ko
check "the driver serves" eventually 10 answers "$PEER_V4"
check "the kernel log is clean" faulty_log_is_clean
finish
