#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# pcnet32 is swapped under load, alone and as a bridge port, and keeps its state.
# vm: --timeout 300 --file tests/guest/lib --file tests/netstate
# vm: --qemu "-netdev hubport,id=a,hubid=0 -device pcnet,netdev=a"
# vm: --qemu "-netdev hubport,id=b,hubid=0 -device virtio-net-pci,netdev=b"
. lib/lib.sh
. lib/matrix.sh

# Its own way of setting them frees DMA memory with interrupts off, which the kernel warns about.
# shellcheck disable=SC2034	# read by lib/nic.sh
NO_ATTEMPT=rings
matrix pcnet32 virtio_net
