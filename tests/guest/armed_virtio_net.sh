#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# virtio_net is armed, recovered and disarmed under load; a fault in it ends one call, and its
# connections live on with the next copy.
# vm: --append "preempt=full threadirqs"
# vm: --timeout 300 --mem 1024 --file tests/guest/lib --file tests/netstate --tool objdump
# vm: --qemu "-netdev hubport,id=a,hubid=0 -device virtio-net-pci,netdev=a"
# vm: --qemu "-netdev hubport,id=b,hubid=0 -device e1000,netdev=b"
. lib/lib.sh
. lib/armed.sh

armed_nic virtio_net e1000 virtnet_get_drvinfo start_xmit:1 virtnet_poll:1 skb_recv_done:1
