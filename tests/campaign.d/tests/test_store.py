# SPDX-License-Identifier: GPL-2.0-or-later
"""A campaign that was stopped goes on where it was."""

import io
import json
import pathlib
import tempfile
import types
import unittest
from unittest import mock

from fixture import evidence, made, options

from campaign import kernel, runner, seeds
from campaign.error import FAILED, UNSUPPORTED, USAGE, CampaignError
from campaign.progress import Progress
from campaign.store import Store, latest


class Folder(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name) / "c"

    def opened(self, **changes):
        store = Store(self.folder)
        store.open(options(**changes))
        return store

    def refused(self, words, call, *arguments):
        with self.assertRaises(CampaignError) as caught:
            call(*arguments)
        self.assertIn(words, str(caught.exception))
        self.assertEqual(caught.exception.status, USAGE)


class Resuming(Folder):
    def left(self, store, **changes):
        values = {"seeds": [1, 2, 3], "shard": (1, 1), "jobs": 1, **changes}
        return [task[0] for task in runner.Campaign(options(**values), store).tasks()]

    def test_only_what_is_missing_is_left(self):
        store = self.opened()
        store.add(made("stock", 1))
        store.add(made("recoverd", 2))
        self.assertEqual(self.left(Store(self.folder)),
                         ["recoverd-1", "stock-2", "stock-3", "recoverd-3"])

    def test_without_verdict_it_is_tried_again(self):
        store = self.opened()
        store.add(made("stock", 1, output="", end="lost"))
        self.assertIn("stock-1", self.left(store))

    def test_half_a_line_is_cut_off(self):
        store = self.opened()
        store.add(made("stock", 1))
        with open(store.path, "a", encoding="utf-8") as file:
            file.write('{"id": "stock-2", "outc')
        store = self.opened()
        store.add(made("stock", 3))
        self.assertEqual([trial["id"] for trial in Store(self.folder).trials],
                         ["stock-1", "stock-3"])

    def test_damage_is_refused(self):
        store = self.opened()
        store.path.write_text("nonsense\n", encoding="utf-8")
        self.refused("line 1 is no JSON object", Store, self.folder)

    def test_other_options_are_another_campaign(self):
        self.opened()
        self.refused("another faults", lambda: self.opened(faults=1))

    def test_a_session_is_no_trial(self):
        store = self.opened()
        store.end_session(10, 20.0, 2)
        self.assertEqual(Store(self.folder).trials, [])
        self.assertEqual(len(Store(self.folder).sessions), 1)

    def test_the_last_record_of_a_trial_counts(self):
        records = [made("stock", 1, output="", end="lost"), made("stock", 1)]
        self.assertEqual([trial["outcome"] for trial in latest(records)], ["ok"])

    def test_unknown_trial(self):
        self.refused("has no trial stock-99", self.opened().find, "stock-99")


class Running(Folder):
    """The runner, with guests that only pretend."""

    def run_with(self, answers, planner=None, **changes):
        store = self.opened()
        values = {"seeds": [1], "shard": (1, 1), "jobs": 1, "golden": 1, "coverage": None,
                  "classes": "device:intx", "modes": ["recoverd"], **changes}
        campaign = runner.Campaign(options(**values), store)
        guests = mock.MagicMock()
        planner = planner or types.SimpleNamespace(plan=lambda seed: {"faults": [], "seed": seed})
        with mock.patch.object(runner, "Template", guests), \
                mock.patch.object(runner, "Planner", lambda *_: planner), \
                mock.patch.object(runner.trial, "run", side_effect=answers), \
                mock.patch("sys.stderr", io.StringIO()):
            campaign.run()
        return Store(self.folder)

    def test_failures_are_run_again(self):
        hung = evidence(output="h\n@ planted\n", end="silent")
        store = self.run_with([evidence(), hung, evidence()])
        self.assertEqual(store.find("recoverd-1")["outcome"], "hang")
        self.assertEqual(store.find("recoverd-1")["again"], "ok")

    def test_failures_of_a_stock_kernel_are_not(self):
        hung = evidence(output="h\n@ planted\n", end="silent")
        store = self.run_with([evidence(), hung], modes=["stock"])
        self.assertNotIn("again", store.find("stock-1"))

    def test_golden_run_that_fails_ends_it(self):
        with self.assertRaises(CampaignError) as caught:
            self.run_with([evidence(output="h\n@ planted\n", end="silent")])
        self.assertEqual(caught.exception.status, FAILED)
        self.assertIn("golden-recoverd-1", str(caught.exception))

    def test_planner_that_refuses_ends_it(self):
        def refuse(_):
            raise CampaignError(UNSUPPORTED, "e1000 has no symbols")
        with self.assertRaises(CampaignError) as caught:
            self.run_with([evidence()], types.SimpleNamespace(plan=refuse))
        self.assertEqual(str(caught.exception), "e1000 has no symbols")


class Kernels(Folder):
    def image(self, text=b"6.1.0-test (x@y) #1\0", magic=b"HdrS"):
        self.folder.mkdir(exist_ok=True)
        head = bytearray(4096)
        head[0x202:0x206] = magic
        head[0x20e:0x210] = (0x400).to_bytes(2, "little")
        head[0x600:0x600 + len(text)] = text
        path = self.folder / "vmlinuz"
        path.write_bytes(head)
        return str(path)

    def test_release_is_read_from_the_image(self):
        self.assertEqual(kernel.release_of(self.image()), "6.1.0-test")
        self.refused("is no kernel image", kernel.release_of, self.image(magic=b"ELF1"))

    def test_what_is_missing_is_named(self):
        self.refused("no kernel '5.10' is here", kernel.find, "5.10", None, None)
        self.refused("there is no such file", kernel.find, "/none/vmlinuz", None, None)
        self.refused("go with a kernel image", kernel.find, "6.1", self.folder, None)
        with self.assertRaises(CampaignError) as caught:
            kernel.find(self.image(), None, None)
        self.assertEqual(caught.exception.status, UNSUPPORTED)
        self.assertIn("no modules of 6.1.0-test in /lib/modules/6.1.0-test", str(caught.exception))


class Seeds(Folder):
    def test_numbers_and_ranges(self):
        self.assertEqual(seeds.parse("3"), [1, 2, 3])
        self.assertEqual(seeds.parse("7-9"), [7, 8, 9])
        self.refused("come", seeds.parse, "9-7")

    def test_files(self):
        self.folder.mkdir()
        path = self.folder / "seeds"
        path.write_text("# of the paper\nseeds 2\n17\n4\n", encoding="ascii")
        self.assertEqual(seeds.parse(str(path)), [17, 4])
        path.write_text("seeds 3\n17\n4\n", encoding="ascii")
        self.refused("is cut short", seeds.parse, str(path))
        path.write_text("17\n4\n", encoding="ascii")
        self.refused("does not begin with", seeds.parse, str(path))
        self.refused("No such file", seeds.parse, str(self.folder / "none"))

    def test_shards_have_all_seeds_once(self):
        parts = [seeds.of_shard(list(range(1, 11)), seeds.shard(f"{i}/3")) for i in (1, 2, 3)]
        self.assertEqual(sorted(sum(parts, [])), list(range(1, 11)))
        for text in ("0/3", "4/3", "1", "a/b"):
            self.refused("--shard", seeds.shard, text)


class ProgressLine(unittest.TestCase):
    def test_tells_rate_and_what_is_left(self):
        stream = io.StringIO()
        progress = Progress(4, stream)
        progress.begin -= 2
        progress.count("ok")
        progress.count("panic")
        progress.end()
        self.assertRegex(stream.getvalue(), r"2/4, 3[56]\d\d an hour, 0:00:0[12] left: 1 ok, 1 panic")


if __name__ == "__main__":
    unittest.main()
