# SPDX-License-Identifier: GPL-2.0-or-later
"""The drivers that campaigns are run with: what QEMU emulates for them, and the workload."""

import dataclasses

from .error import UNSUPPORTED, USAGE, CampaignError

# What QEMU leaves to its own thread (ioeventfd, tx=bh) would make no two trials the same.
VIRTIO_NET = "virtio-net-pci,ioeventfd=off,tx=timer"
DISK_MEGABYTES = 64
DRIVE = "drive=disk"


@dataclasses.dataclass(frozen=True)
class Device:
    """WORKLOAD is the script in tests/campaign.d, QEMU has arguments, WORDS go to the workload.

    `disk`: QEMU's arguments refer to a drive that is named disk, of which each guest gets a copy.
    `recoverable`: recoverd swaps the driver.
    """

    workload: str
    qemu: tuple
    words: tuple = ()
    disk: bool = False
    recoverable: bool = False


def _net(card, peer_card=VIRTIO_NET, peer_driver="virtio_net"):
    """The card and its peer behind a hub. The two cannot share a driver."""
    return Device("net.sh", (
        "-netdev", "hubport,id=a,hubid=0", "-netdev", "hubport,id=b,hubid=0",
        "-device", f"{card},netdev=a", "-device", f"{peer_card},netdev=b"),
        words=(peer_driver,), recoverable=True)


def _disk(*devices):
    return Device("disk.sh", tuple(word for device in devices for word in ("-device", device)),
                  disk=True)


def _sound(*devices):
    # What it plays and captures is nothing, at the speed of the guest's clock.
    return Device("sound.sh", ("-audiodev", "none,id=sound") +
                  tuple(word for device in devices for word in ("-device", device)))


DEVICES = {
    "e1000": _net("e1000"),
    "e1000e": _net("e1000e"),
    "pcnet32": _net("pcnet"),
    "8139cp": _net("rtl8139"),
    "vmxnet3": _net("vmxnet3"),
    "virtio_net": _net(VIRTIO_NET, "e1000", "e1000"),
    "virtio_blk": _disk(f"virtio-blk-pci,ioeventfd=off,{DRIVE}"),
    "virtio_scsi": _disk("virtio-scsi-pci,ioeventfd=off,id=scsi", f"scsi-hd,bus=scsi.0,{DRIVE}"),
    "sym53c8xx": _disk("lsi53c895a,id=scsi", f"scsi-hd,bus=scsi.0,{DRIVE}"),
    "snd_intel8x0": _sound("AC97,audiodev=sound"),
    "snd_hda_intel": _sound("intel-hda", "hda-duplex,audiodev=sound"),
    "vfat": Device("vfat.sh", ()),
}


def find(driver):
    """CampaignError with status USAGE if none is known."""
    if driver not in DEVICES:
        raise CampaignError(USAGE, f"no device is known for the driver '{driver}'; there are: "
                                   f"{' '.join(DEVICES)}")
    return DEVICES[driver]


def modes(driver, mode):
    """The list of modes that MODE stands for; None: paired, where recoverd can swap the driver."""
    if mode is None:
        mode = "paired" if find(driver).recoverable else "stock"
    if mode != "stock" and not find(driver).recoverable:
        raise CampaignError(UNSUPPORTED, f"recoverd does not swap {driver}, which drives no network "
                                         f"device: only --mode stock works")
    return ["stock", "recoverd"] if mode == "paired" else [mode]
