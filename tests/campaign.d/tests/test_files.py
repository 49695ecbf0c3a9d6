# SPDX-License-Identifier: GPL-2.0-or-later
"""The program that the loads of disks and file systems consist of finds what has been lost."""

import json
import os
import pathlib
import subprocess
import tempfile
import unittest

import fixture    # noqa: F401  pylint: disable=unused-import

from campaign.template import BUILD

FILES = BUILD / "tests/files/files"
TREE = ("7", "3", "131072")


def files(*arguments):
    """(status, what it says)"""
    done = subprocess.run([FILES, *arguments], capture_output=True, text=True, check=False,
                          stdin=subprocess.DEVNULL, timeout=60)
    return done.returncode, done.stderr


class Files(unittest.TestCase):
    def setUp(self):
        # Not below /tmp, which may be where nothing can be read past the page cache.
        self.top = tempfile.TemporaryDirectory(dir=BUILD)
        self.addCleanup(self.top.cleanup)
        self.folder = pathlib.Path(self.top.name) / "tree"
        self.assertEqual(files("write", self.folder, *TREE), (0, ""))
        self.first = next(self.folder.glob("*the 0.*"))

    def finds(self, words, seed=TREE[0]):
        status, said = files("check", self.folder, seed, *TREE[1:])
        self.assertEqual(status, 1)
        self.assertRegex(said, words)

    def test_all_is_there(self):
        self.assertEqual(files("check", self.folder, *TREE), (0, ""))
        self.assertEqual(files("write", self.folder, *TREE), (0, ""))
        self.assertEqual(files("remove", self.folder, *TREE), (0, ""))
        self.assertFalse(self.folder.exists())

    def test_one_other_byte(self):
        data = bytearray(self.first.read_bytes())
        data[70000] ^= 1
        self.first.write_bytes(data)
        self.finds(r"^files: 1 bytes below \S+ are not what was written$")

    def test_blocks_that_changed_places(self):
        data = self.first.read_bytes()
        self.first.write_bytes(data[4096:8192] + data[:4096] + data[8192:])
        self.finds("are not what was written")

    def test_files_of_another_time(self):
        self.finds("are not what was written", seed="8")

    def test_file_is_gone(self):
        os.unlink(self.first)
        self.finds("131072 bytes below")

    def test_file_is_too_short_or_long(self):
        os.truncate(self.first, 4096)
        self.finds("are not what was written")
        os.truncate(self.first, 131072 + 4096)
        self.finds("are not what was written")

    def test_file_too_many(self):
        (self.folder / "who is this").touch()
        self.finds("list ")

    def test_run_counts_its_rounds(self):
        stop = pathlib.Path(self.top.name) / "stop"
        with subprocess.Popen([FILES, "run", self.top.name, stop], stdout=subprocess.PIPE) as running:
            while not (pathlib.Path(self.top.name) / "Folder 3").exists():
                self.assertIsNone(running.poll())
            stop.touch()
            told = json.loads(running.communicate(timeout=60)[0])
        self.assertEqual(running.returncode, 0)
        self.assertGreaterEqual(told["rounds"], 4)
        self.assertEqual((told["errors"], told["corrupt_bytes"]), (0, 0))

    def test_awake_returns_the_command_s_status(self):
        self.assertEqual(files("awake", "sh", "-c", "exit 7")[0], 7)
        self.assertEqual(files("awake", "no-such-command")[0], 126)

    def test_usage(self):
        for arguments in ((), ("check", "x"), ("write", "x", "1", "1", "1000"), ("run",)):
            self.assertEqual(files(*arguments)[0], 2)


if __name__ == "__main__":
    unittest.main()
