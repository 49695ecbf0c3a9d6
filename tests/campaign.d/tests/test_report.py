# SPDX-License-Identifier: GPL-2.0-or-later
"""What is reported of trials."""

import html
import html.parser
import io
import json
import pathlib
import tempfile
import unittest
import unittest.mock
import xml.etree.ElementTree

from fixture import BROKEN, GOOD, PLAN, SERVED, event, made, options

from campaign import (main, report, report_html, report_junit, report_ktap, report_seeds,
                      summary)
from campaign.error import USAGE, CampaignError
from campaign.record import plan_of
from campaign.store import Store

PANIC = "<b>\x01 Oops\n[ 1.0] Kernel panic - not syncing: Fatal <exception>\n"


def recovered(seed, duration_ns=3e9):
    told = event("driver.recovered", 60e9, duration_ns=duration_ns, cause='"fault"')
    return made("recoverd", seed, output=GOOD.replace("@ end", told + "@ end"))


def panicked(mode, seed):
    return made(mode, seed, output=SERVED, console=PANIC, end="panicked")


TRIALS = [panicked("stock", 1), made("stock", 2, output=BROKEN % 0), made("stock", 3),
          made("stock", 4, output="", end="lost"),
          recovered(1), recovered(2, 5e9), panicked("recoverd", 3), made("recoverd", 4)]


class Summary(unittest.TestCase):
    def test_counts(self):
        one = summary.summarize(TRIALS, "stock", [{"trials": 8, "seconds": 16}])
        self.assertEqual({name: one[name] for name in (
            "schema", "driver", "kernel", "mode", "trials", "valid", "activated", "machine_lost",
            "service_lost", "recovered", "ok", "trials_per_hour", "seeds")},
            {"schema": "recov.campaign/1", "driver": "e1000", "kernel": "6.1", "mode": "stock",
             "trials": 4, "valid": 3, "activated": 3, "machine_lost": 1, "service_lost": 1,
             "recovered": 0, "ok": 1, "trials_per_hour": 1800, "seeds": "1-4"})

    def test_recovery_times(self):
        one = summary.summarize(TRIALS, "recoverd", [])
        self.assertEqual(one["recovered"], 2)
        self.assertEqual(one["recovery_ms"], {"median": 5000.0, "p95": 5000.0, "max": 5000.0})
        self.assertIsNone(one["trials_per_hour"])

    def test_worse_pairs(self):
        self.assertEqual([ours["id"] for _, ours in summary.worse(TRIALS)], ["recoverd-3"])

    def test_no_trials_of_a_mode(self):
        self.assertIsNone(summary.summarize(TRIALS[:2], "recoverd", []))

    def test_thresholds(self):
        one = summary.summarize(TRIALS, "recoverd", [])
        def status(**limits):
            values = {"min_valid": None, "max_machine_lost": None, "min_served": None, **limits}
            with unittest.mock.patch.object(main.runner, "say"):
                return main.verdict(options(**values), [one])
        self.assertEqual(status(), 0)
        self.assertEqual(status(max_machine_lost=25, min_served=75), 0)
        self.assertEqual(status(max_machine_lost=24), 1)
        self.assertEqual(status(min_served=76), 1)
        self.assertEqual(status(min_valid=100), 0)
        stock = summary.summarize(TRIALS, "stock", [])    # 3 of 4 are valid
        with unittest.mock.patch.object(main.runner, "say"):
            values = {"max_machine_lost": None, "min_served": None}
            self.assertEqual(main.verdict(options(min_valid=None, **values), [stock]), 1)
            self.assertEqual(main.verdict(options(min_valid=75, **values), [stock]), 0)


    def test_nothing_valid_serves_nothing(self):
        one = summary.summarize([made("recoverd", 1, output="", end="lost")], "recoverd", [])
        with unittest.mock.patch.object(main.runner, "say"):
            self.assertEqual(main.verdict(options(min_valid=0, max_machine_lost=0, min_served=90),
                                          [one]), 1)

    def test_pairs_have_the_same_faults(self):
        summary.check_pairs(TRIALS)
        other = {**PLAN, "faults": PLAN["faults"][:1]}
        with self.assertRaises(CampaignError) as caught:
            summary.check_pairs([made("stock", 5), made("recoverd", 5, plan=other)])
        self.assertEqual(caught.exception.status, USAGE)
        self.assertIn("seed 5", str(caught.exception))


class Formats(unittest.TestCase):
    def test_ktap(self):
        lines = report_ktap.render(TRIALS).splitlines()
        self.assertEqual(lines[:2], ["KTAP version 1", "1..8"])
        self.assertTrue(lines[2].startswith("not ok 1 - stock-1: panic, "))
        self.assertEqual(lines[4], "ok 3 - stock-3")
        self.assertEqual(lines[5], "ok 4 - stock-4 # SKIP QEMU failed")

    def test_ktap_is_what_the_kernels_parser_takes(self):
        lines = report_ktap.render([made(console="Oops: 0000 [#1] PREEMPT SMP\n"),
                                    *TRIALS]).splitlines()
        for line in lines[2:]:
            # tools/testing/kunit/kunit_parser.py, TEST_RESULT
            self.assertRegex(line, r"^\s*(ok|not ok) ([0-9]+) ?(- )?([^#]*)( # .*)?$")

    def test_seeds_have_what_they_planted_and_what_came_of_it(self):
        about, *lines = map(json.loads, report_seeds.render(TRIALS[::-1]).splitlines())
        self.assertEqual(about, {"schema": "recov.seeds/1", "driver": "e1000", "build_id": "ec",
                                 "kernel": "6.1"})
        self.assertEqual(lines[0], {"seed": 1, "stock": "panic", "recoverd": "recovered", "faults": [
            ["nop", ".text", 900, 0], ["invert", ".text", 100, 0]]})
        self.assertEqual([line["seed"] for line in lines], [1, 2, 3, 4])
        self.assertEqual(lines[3]["stock"], "invalid")

    def test_junit_is_xml_whatever_the_console_says(self):
        suites = xml.etree.ElementTree.fromstring(report_junit.render(TRIALS))
        stock, ours = suites.findall("testsuite")
        self.assertEqual((stock.get("tests"), stock.get("failures"), stock.get("skipped")),
                         ("4", "2", "1"))
        self.assertEqual(ours.get("failures"), "1")
        self.assertIn("<exception>", stock.find("testcase/failure").text)

    def test_page_is_whole_and_escaped(self):
        summaries = [summary.summarize(TRIALS, mode, []) for mode in summary.MODES]
        page = report_html.render(TRIALS, summaries, "build/campaign/x")
        html.parser.HTMLParser().feed(page)
        self.assertNotIn("<exception>", page)
        self.assertNotRegex(page, r'(?:src|href)=')
        for words in ("tests/campaign replay --trial recoverd-3 build/campaign/x",
                      "mov rbp, rsp", "4 pairs of the same seed; recoverd made 1 worse: 3",
                      "Kernel panic - not syncing"):
            self.assertIn(words, page)


class Shards(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.top = pathlib.Path(folder.name)

    def shard(self, name, trials, **changes):
        store = Store(self.top / name)
        store.open(options(**changes))
        for trial in trials:
            store.add(trial)
        return store.folder

    def test_are_merged(self):
        folders = [self.shard("1", TRIALS[::2]), self.shard("2", TRIALS[1::2])]
        out = self.top / "all"
        trials, summaries = report.write(folders, out)
        self.assertEqual(len(trials), 8)
        self.assertEqual([one["trials"] for one in summaries], [4, 4])
        lines = (out / "trials.jsonl").read_text(encoding="utf-8").splitlines()
        self.assertEqual({json.loads(line)["id"] for line in lines},
                         {trial["id"] for trial in TRIALS})
        self.assertIn("1 of 4 pairs 3", report.show(trials, summaries))

    def test_of_different_campaigns_are_not(self):
        folders = [self.shard("1", TRIALS[:1]), self.shard("2", TRIALS[1:2], kernel="6.12")]
        with self.assertRaises(CampaignError) as caught:
            report.write(folders, self.top / "all")
        self.assertEqual(caught.exception.status, USAGE)
        self.assertIn("their kernel differs", str(caught.exception))

    def test_of_different_coverage_are_not(self):
        folders = [self.shard("1", TRIALS[:1]), self.shard("2", TRIALS[1:2])]
        (folders[0] / "coverage.json").write_text("1", encoding="ascii")
        self.assertEqual(len(report.merge(folders)[0]), 2)
        (folders[1] / "coverage.json").write_text("2", encoding="ascii")
        with self.assertRaises(CampaignError) as caught:
            report.merge(folders)
        self.assertIn("their coverage differs", str(caught.exception))

    def test_what_is_missing_fails_the_report(self):
        seeds = {"seeds": [1, 2, 3, 4]}
        one = self.shard("1", TRIALS[::2], shard=(1, 2), **seeds)
        two = self.shard("2", TRIALS[1::2], shard=(2, 2), **seeds)
        def status(*folders):
            with unittest.mock.patch("sys.stderr", io.StringIO()), \
                    unittest.mock.patch("builtins.print"):
                return main.main(["report", *map(str, folders), "--min-valid", "75"])
        self.assertEqual(status(one), 1)
        self.assertEqual(report.missing([one]), ["stock-2", "recoverd-2", "stock-4", "recoverd-4"])
        self.assertEqual(status(one, two), 0)

    def test_merged_folder_is_a_campaign_of_its_own(self):
        folders = [self.shard("1", TRIALS[::2]), self.shard("2", TRIALS[1::2])]
        out = self.top / "all of it"
        report.write(folders, out)
        page = (out / "report.html").read_text(encoding="utf-8")
        self.assertIn(html.escape(f"replay --trial stock-2 '{out.resolve()}'"), page)
        self.assertEqual(Store.existing(out).find("stock-2")["outcome"], "nonfatal")
        self.assertEqual(len(report.write([out], out)[0]), 8)

    def test_replay_has_the_very_plan(self):
        trial = Store(self.shard("1", TRIALS[:1])).find("stock-1")
        self.assertEqual(plan_of(trial)["seed"], 7)
        self.assertNotIn("hit", plan_of(trial)["faults"][0])

    def test_replay_needs_the_very_workload(self):
        workload = self.top / "load.sh"
        workload.write_text("one", encoding="ascii")
        store = Store(self.shard("1", TRIALS[:1], workload=workload))
        self.assertEqual(store.file("workload"), workload.resolve())
        self.assertIsNone(store.file("ko"))
        workload.write_text("two", encoding="ascii")
        with self.assertRaisesRegex(CampaignError, "is not what it was"):
            store.file("workload")
        workload.unlink()
        with self.assertRaisesRegex(CampaignError, "is gone"):
            store.file("workload")


if __name__ == "__main__":
    unittest.main()
