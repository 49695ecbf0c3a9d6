# SPDX-License-Identifier: GPL-2.0-or-later
"""Which devices, workload and modes a driver gets, and which it is refused."""

import itertools
import pathlib
import types
import unittest
from unittest import mock

import fixture    # noqa: F401  pylint: disable=unused-import

from campaign import device, main, template
from campaign.error import UNSUPPORTED, USAGE, CampaignError


def line_of(driver, copy):
    """QEMU's arguments for a guest, or for a copy of it."""
    guest = types.SimpleNamespace(device=device.find(driver), disk="/dev/shm/disk")
    return " ".join(template.Template.devices(guest, copy))


def refusal(*arguments):
    """(status, sentence) with which the command line is refused."""
    try:
        main.complete(main.parser().parse_args(["run", *arguments]))
    except CampaignError as error:
        return error.status, str(error)
    return 0, ""


class Devices(unittest.TestCase):
    def test_each_has_a_workload_that_is_there(self):
        for driver, found in device.DEVICES.items():
            self.assertTrue((template.HERE / found.workload).is_file(), driver)

    def test_workload_is_that_of_the_class(self):
        for driver, workload in (("virtio_net", "net"), ("virtio_blk", "disk"),
                                 ("virtio_scsi", "disk"), ("sym53c8xx", "disk"),
                                 ("snd_intel8x0", "sound"), ("snd_hda_intel", "sound"),
                                 ("vfat", "vfat")):
            self.assertEqual(device.find(driver).workload, f"{workload}.sh")

    def test_cards_have_a_peer_of_another_driver(self):
        self.assertEqual(device.find("e1000").words, ("virtio_net",))
        self.assertEqual(device.find("virtio_net").words, ("e1000",))

    def test_copies_keep_what_they_write_for_themselves(self):
        self.assertNotIn("snapshot", line_of("virtio_blk", False))
        self.assertIn("file=/dev/shm/disk,snapshot=on", line_of("virtio_blk", True))
        self.assertIn("drive=disk", line_of("virtio_blk", True))

    def test_only_disks_have_one(self):
        self.assertNotIn("-drive", line_of("e1000", True))
        self.assertEqual(line_of("vfat", True), "")


class Modes(unittest.TestCase):
    def test_paired_where_recoverd_swaps_the_driver(self):
        self.assertEqual(device.modes("e1000", None), ["stock", "recoverd"])
        self.assertEqual(device.modes("e1000", "paired"), ["stock", "recoverd"])
        self.assertEqual(device.modes("e1000", "recoverd"), ["recoverd"])

    def test_stock_elsewhere(self):
        for driver, found in device.DEVICES.items():
            if found.workload != "net.sh":
                self.assertEqual(device.modes(driver, None), ["stock"])
                self.assertEqual(device.modes(driver, "stock"), ["stock"])

    def test_refused_in_one_sentence(self):
        for driver, mode in itertools.product(("virtio_blk", "snd_intel8x0", "vfat"),
                                              ("recoverd", "paired")):
            status, said = refusal("--driver", driver, "--mode", mode)
            self.assertEqual(status, UNSUPPORTED)
            self.assertIn(f"recoverd does not swap {driver}", said)
        status, said = refusal("--driver", "no_driver")
        self.assertEqual(status, USAGE)
        self.assertIn("'no_driver'", said)


class Workload(unittest.TestCase):
    def complete(self, *arguments):
        options = main.parser().parse_args(["run", *arguments])
        with mock.patch.object(main, "needs_qemu"), mock.patch.object(main.kernel, "find"):
            main.complete(options)
        return options

    def test_ones_own_replaces_that_of_the_class(self):
        mine = str(pathlib.Path(__file__))
        self.assertEqual(str(self.complete("--driver", "vfat", "--workload", mine).workload), mine)
        self.assertEqual(self.complete("--driver", "vfat").workload.name, "vfat.sh")


if __name__ == "__main__":
    unittest.main()
