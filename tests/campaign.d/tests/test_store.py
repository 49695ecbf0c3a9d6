# SPDX-License-Identifier: GPL-2.0-or-later
"""A campaign that was stopped goes on where it was."""

import io
import json
import pathlib
import resource
import subprocess
import sys
import tempfile
import types
import unittest
from unittest import mock

from fixture import evidence, made, options

from campaign import kernel, processor, runner, seeds, template
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
        return [task[0] for task in runner.Campaign(options(jobs=1, **changes), store).tasks()]

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
        good = json.dumps(made("stock", 1)) + "\n"
        for line, words in (("nonsense", "is no JSON object"), ("{}", "is no trial"),
                            (json.dumps(made("stock", 1) | {"outcome": "<b>"}), "is no trial"),
                            (json.dumps(made("stock", 1) | {"seed": "<b>"}), "is no trial")):
            store.path.write_text(f"{good}{line}\n", encoding="utf-8")
            self.refused(f"line 2 {words}", Store, self.folder)
        (self.folder / "campaign.json").write_text("[]", encoding="utf-8")
        self.refused("campaign.json", store.about)

    def test_a_full_disk_leaves_no_half_line(self):
        store = self.opened()
        store.add(made("stock", 1))
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (store.path.stat().st_size + 100, limits[1]))
        try:
            with self.assertRaises(OSError):
                store.add(made("stock", 2))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        store.add(made("stock", 3))
        self.assertEqual([trial["id"] for trial in Store(self.folder).trials],
                         ["stock-1", "stock-3"])

    def test_two_at_a_time_are_refused(self):
        self.opened()
        other = (f"import sys; sys.path[:0] = {sys.path!r}; from fixture import options; "
                 f"from campaign.store import Store; store = Store({str(self.folder)!r}); "
                 "store.open(options()); "
                 "print('open', flush=True); sys.stdin.read()")
        with subprocess.Popen([sys.executable, "-c", other], text=True, stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE) as process:
            self.assertEqual(process.stdout.readline(), "open\n")
            self.refused("is run already", self.opened)
            process.stdin.close()
        self.opened()

    def test_other_options_are_another_campaign(self):
        self.opened()
        self.refused("other faults", lambda: self.opened(faults=1))

    def test_a_kernel_that_was_built_anew_is_another_one(self):
        image = self.folder.parent / "kernels" / options().kernel / "vmlinuz"
        image.parent.mkdir(parents=True)
        with mock.patch("campaign.store.BUILD", self.folder.parent):
            image.write_bytes(b"one")
            self.opened()
            self.opened()
            image.write_bytes(b"two")
            self.refused("other image", self.opened)

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
        values = {"seeds": [1], "jobs": 1, "golden": 1, "classes": "device:intx",
                  "modes": ["recoverd"], **changes}
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


class Coverage(Folder):
    """Shards that share a file of it, in guests that only pretend."""

    def setUp(self):
        super().setUp()
        self.folder.mkdir()
        self.shared = self.folder / "coverage.json"

    def shard(self, name, covered):
        """What it plans from, when its own guest would tell COVERED."""
        store = Store(self.folder / name)
        store.folder.mkdir(exist_ok=True)
        campaign = runner.Campaign(options(coverage=self.shared), store)
        campaign.templates = dict.fromkeys(campaign.options.modes)
        planner = mock.MagicMock()
        with mock.patch.object(runner, "cover", lambda _, path: path.write_text(covered)), \
                mock.patch.object(runner, "Planner", planner), \
                mock.patch("sys.stderr", io.StringIO()):
            campaign._plan_from_coverage()    # pylint: disable=protected-access
        return planner.call_args[0][1].read_text(encoding="ascii")

    def test_is_that_of_the_first(self):
        self.assertEqual(self.shard("1", "first"), "first")
        self.assertEqual(self.shared.read_text(encoding="ascii"), "first")
        self.assertEqual(self.shard("2", "second"), "first")
        self.assertEqual(self.shard("1", "again"), "first")
        self.assertEqual([path.name for path in self.folder.glob("tmp*")], [])

    def test_is_that_of_the_first_also_for_who_was_measuring(self):
        store = Store(self.folder / "2")
        store.folder.mkdir()
        (store.folder / "coverage.json").write_text("second", encoding="ascii")
        self.shared.write_text("first", encoding="ascii")
        self.assertEqual(self.shard("2", ""), "first")

    def test_cannot_change_below_trials(self):
        self.shard("1", "first")
        Store(self.folder / "1").add(made("stock", 1))
        self.shared.write_text("second", encoding="ascii")
        self.refused("has trials of another coverage", self.shard, "1", "")


class Warming(unittest.TestCase):
    def test_reason_is_told_whole(self):
        chunks = [b"h\n@ cold ", b"e1000 cannot be armed\n"]
        guest = types.SimpleNamespace(text={"output": bytearray()}, cpu_seconds=lambda: 1.0,
                                      wants_cpu=lambda: True)
        def read(_):
            guest.text["output"] += chunks.pop(0)
            return True
        guest.read = read
        cold = template.Template.__new__(template.Template)
        cold.mode = "recoverd"
        with self.assertRaises(CampaignError) as caught:
            cold._wait_until_warm(guest)    # pylint: disable=protected-access
        self.assertEqual(caught.exception.status, UNSUPPORTED)
        self.assertIn("never got warm: e1000 cannot be armed", str(caught.exception))


class Processors(unittest.TestCase):
    def taken(self, processors):
        """The numbers of those that are locked."""
        return [one.number for one in processors if one.lock is not None]

    def test_each_guest_has_its_own_while_there_are_any(self):
        with tempfile.TemporaryDirectory() as folders, \
                mock.patch.object(processor, "FOLDERS", folders), \
                mock.patch.object(processor.os, "sched_getaffinity", lambda _: {1, 3}):
            for number in (0, 1, 3):
                (pathlib.Path(folders) / f"cpu{number}").mkdir()
            three = [processor.Processor() for _ in range(3)]
            self.assertEqual(self.taken(three), [1, 3])
            self.assertIn(three[2].number, (1, 3))
            three[0].release()
            with subprocess.Popen(["flock", "-n", f"{folders}/cpu1", "true"]) as other:
                self.assertEqual(other.wait(), 0)
            four = [processor.Processor()]
            self.assertEqual(self.taken(four), [1])
            for one in (*three, *four):
                one.release()

    def test_none_are_locked_where_sysfs_shows_none(self):
        with mock.patch.object(processor, "FOLDERS", "/none"):
            self.assertEqual(self.taken([processor.Processor()]), [])


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
        self.refused("neither a kernel that is here", kernel.find, "5.10", None, None)
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
        path.write_text("seeds 2\n17\n4", encoding="ascii")
        self.refused("is cut short", seeds.parse, str(path))
        for text in ("seeds 0\n", "seeds 2\n4\n4\n"):
            path.write_text(text, encoding="ascii")
            self.refused("no seeds, or one of them twice", seeds.parse, str(path))
        path.write_text("seeds 1\n1x\n", encoding="ascii")
        self.refused("'1x' is no seed", seeds.parse, str(path))
        path.write_text("", encoding="ascii")
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
