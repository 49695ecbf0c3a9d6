#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# e1000 is armed, recovered and disarmed under load; a fault in it ends one call, and its
# connections live on with the next copy.
# vm-waits
# vm: --timeout 300 --mem 1024 --file tests/guest/lib --file tests/netstate --tool objdump
# vm: --qemu "-netdev hubport,id=a,hubid=0 -device e1000,netdev=a"
# vm: --qemu "-netdev hubport,id=b,hubid=0 -device virtio-net-pci,netdev=b"
. lib/lib.sh
. lib/armed.sh

armed_nic e1000 virtio_net e1000_get_drvinfo e1000_xmit_frame:1 e1000_clean:1 e1000_intr:2 \
	e1000_watchdog:1
