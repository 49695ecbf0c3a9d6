# SPDX-License-Identifier: GPL-2.0-or-later
"""What is reported of trials."""

import html.parser
import json
import pathlib
import tempfile
import unittest
import unittest.mock
import xml.etree.ElementTree

from fixture import BROKEN, GOOD, SERVED, event, made, options

from campaign import main, report, report_html, report_junit, report_ktap, summary
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
            values = {"min_valid": 90, "max_machine_lost": None, "min_served": None, **limits}
            with unittest.mock.patch.object(main.runner, "say"):
                return main.verdict(options(**values), [one])
        self.assertEqual(status(), 0)
        self.assertEqual(status(max_machine_lost=25, min_served=75), 0)
        self.assertEqual(status(max_machine_lost=24), 1)
        self.assertEqual(status(min_served=76), 1)


class Formats(unittest.TestCase):
    def test_ktap(self):
        lines = report_ktap.render(TRIALS).splitlines()
        self.assertEqual(lines[:2], ["KTAP version 1", "1..8"])
        self.assertTrue(lines[2].startswith("not ok 1 - stock-1: panic, "))
        self.assertEqual(lines[4], "ok 3 - stock-3")
        self.assertEqual(lines[5], "ok 4 - stock-4 # SKIP QEMU failed")

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

    def test_replay_has_the_very_plan(self):
        trial = Store(self.shard("1", TRIALS[:1])).find("stock-1")
        self.assertEqual(plan_of(trial)["seed"], 7)
        self.assertNotIn("hit", plan_of(trial)["faults"][0])


if __name__ == "__main__":
    unittest.main()
