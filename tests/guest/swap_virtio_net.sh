#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# virtio_net is swapped under load, alone and as a bridge port, and keeps its state.
# vm: --timeout 300 --file tests/guest/lib --file tests/netstate
# vm: --qemu "-netdev hubport,id=a,hubid=0 -device virtio-net-pci,netdev=a,rss=on,hash=on"
# vm: --qemu "-netdev hubport,id=b,hubid=0 -device e1000,netdev=b"
. lib/lib.sh
. lib/matrix.sh

matrix virtio_net e1000
