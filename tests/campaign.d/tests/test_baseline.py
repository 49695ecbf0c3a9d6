# SPDX-License-Identifier: GPL-2.0-or-later
"""The seeds that are kept in tests/campaign.d/baseline, with what stock kernels made of them and, as
far as they were run, what recoverd did."""

import json
import pathlib
import unittest

from fixture import options

from campaign import plan, report_seeds
from campaign.error import CampaignError
from campaign.outcome import MACHINE_LOST, OUTCOMES

FOLDER = pathlib.Path(__file__).resolve().parents[1] / "baseline"
TRIALS = 400
FAULTS = 5
TRIED = (1, 2, 17, 399, 400)


def kept():
    """(driver, kernel, what all seeds have in common, the seeds) of each campaign."""
    for path in sorted(FOLDER.glob("*.jsonl")):
        driver, _, kernel = path.stem.rpartition("-")
        about, *seeds = map(json.loads, path.read_text(encoding="utf-8").splitlines())
        yield driver, kernel, about, seeds


class Baseline(unittest.TestCase):
    def test_there_is_what_is_promised(self):
        self.assertEqual([(driver, kernel) for driver, kernel, *_ in kept()], [
            ("8139cp", "6.1"), ("e1000", "6.1"), ("e1000", "6.12"), ("pcnet32", "6.1"),
            ("virtio_net", "6.1")])

    def test_each_seed_is_whole(self):
        for driver, kernel, about, seeds in kept():
            with self.subTest(driver=driver, kernel=kernel):
                self.assertEqual((about["schema"], about["driver"]),
                                 (report_seeds.SCHEMA, driver))
                self.assertEqual([line["seed"] for line in seeds], list(range(1, TRIALS + 1)))
                self.assertTrue(all(line["stock"] in OUTCOMES for line in seeds))
                self.assertTrue(all(line.get("recoverd", "ok") in OUTCOMES for line in seeds))
                self.assertTrue(all(len(line["faults"]) == FAULTS for line in seeds))

    def test_whatever_was_lost_has_its_line(self):
        """First the machines, then what did not serve."""
        told = [line.split(" | ")[:4] for line in
                (FOLDER / "lost.md").read_text(encoding="utf-8").splitlines()
                if line.startswith("| ") and not line.startswith("| Driver ")]
        lost = [[[f"| {driver}", kernel, str(line["seed"]), line["recoverd"]]
                 for driver, kernel, about, seeds in kept() for line in seeds
                 if line.get("recoverd") in outcomes]
                for outcomes in (MACHINE_LOST, ("oops", "latent", "nonfatal"))]
        self.assertEqual(told, lost[0] + lost[1])

    def test_seeds_mean_what_they_meant(self):
        """Of the very builds that they were drawn for: the planner refuses to take others for them."""
        for driver, kernel, about, seeds in kept():
            planner = plan.Planner(options(driver=driver, kernel=kernel),
                                   FOLDER / f"{driver}-{kernel}.coverage.json")
            for seed in TRIED:
                with self.subTest(driver=driver, kernel=kernel, seed=seed):
                    try:
                        drawn = planner.plan(seed)
                    except CampaignError as error:
                        self.assertIn("the coverage is not of this", str(error))
                        continue
                    self.assertEqual(drawn["build_id"], about["build_id"])
                    self.assertEqual(report_seeds.faults(drawn), seeds[seed - 1]["faults"])
