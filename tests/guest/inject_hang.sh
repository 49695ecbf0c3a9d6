#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Planting and undoing faults waits for no CPU that hangs: it gives up, and says so.
# vm: --timeout 120 --file tests/guest/lib --qemu "-nic none -device e1000"
# vm: --allow "rcu: INFO: rcu_preempt" --allow "soft lockup"
. lib/lib.sh
. lib/inject.sh

# gives_up STATUS REGEX ARG...: recovctl ends so, in time.
gives_up() {
	local begin=$SECONDS
	refused "$@" && ((SECONDS - begin < 20))
}

# A process that waits for what cannot be would not be killed either.
unload_refused() {
	local said pid
	said=$RESULTS/rmmod
	rmmod recov_shadow 2>"$said" &
	pid=$!
	eventually 5 grep 'in use' "$said" && ! wait $pid
}

modprobe e1000
insmod "$DRIVERS/faulty_bus.ko"
insmod "$DRIVERS/faulty_char.ko"
expect "there is a driver that fails" eventually 10 test -c /dev/faulty
expect "breakpoints are planted" cover_and_kill
# For good, with interrupts off, on the second CPU; all else stays on the first.
taskset -p 1 $$ >/dev/null
echo "loop-irqs-off process" >/sys/module/faulty_char/parameters/fault
taskset 2 head -c 1 /dev/faulty &
sleep 1
check "they cannot be undone" gives_up 1 'a CPU does not stop' inject undo e1000
check "and stay" reported '.state == "planted" or .state == "ending"'
check "others cannot be planted" gives_up 1 'a CPU does not stop' inject cover faulty_char \
	--image "$DRIVERS/faulty_char.ko" --for 1ms
check "nor at the next try" gives_up 1 'a CPU does not stop' inject cover faulty_char \
	--image "$DRIVERS/faulty_char.ko" --for 1ms
check "nor can the shadow be unloaded, which is refused at once" unload_refused
finish
