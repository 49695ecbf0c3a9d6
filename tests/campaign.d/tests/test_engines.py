# SPDX-License-Identifier: GPL-2.0-or-later
"""What runs campaigns elsewhere, Slurm, Kubernetes and LAVA, gives options that there are."""

import os
import pathlib
import re
import shlex
import subprocess
import tempfile
import unittest

import yaml
from test_report import TRIALS

from campaign import main, report_ktap
from campaign.seeds import shard

HERE = pathlib.Path(__file__).resolve().parents[1]
TOP = HERE.parents[1]
# Writes down its arguments, and does nothing else.
STUB = """#!/bin/sh
for word; do printf '%s\\0' "$word"; done >>"$CALLS"
printf '\\n' >>"$CALLS"
"""


class Engine(unittest.TestCase):
    """In a folder whose tests/campaign only pretends."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.top = pathlib.Path(folder.name)
        self.calls = self.top / "calls"
        self.stub("tests/campaign")

    def stub(self, name, text=STUB):
        path = self.top / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="ascii")
        path.chmod(0o755)

    def run_as(self, line, **environment):
        """The status of the command LINE there, with PATH and these variables only."""
        return subprocess.run(line, cwd=self.top, check=False, stdin=subprocess.DEVNULL,
                              capture_output=True, env={
            "PATH": f"{self.top}/bin:{os.environ['PATH']}", "CALLS": str(self.calls),
            **environment}).returncode

    def called(self):
        """The arguments of each call of the stub."""
        lines = self.calls.read_text(encoding="ascii").splitlines()
        return [line.split("\0")[:-1] for line in lines]

    def parsed(self):
        """What the command line makes of each call."""
        return [main.parser().parse_args(call) for call in self.called()]

    def check_shards(self, number):
        """Each part once, in a folder of its own, all with one coverage and without thresholds."""
        runs = self.parsed()
        self.assertEqual([shard(run.shard) for run in runs],
                         [(part, number) for part in range(1, number + 1)])
        self.assertEqual(len({run.out for run in runs}), number)
        self.assertEqual(len({run.coverage for run in runs} - {None}), 1)
        for run in runs:
            self.assertEqual((run.verb, run.max_machine_lost, run.min_served, run.min_valid),
                             ("run", None, None, None))


class Slurm(Engine):
    def task(self, number, last, count):
        return self.run_as(["bash", HERE / "campaign.sbatch", "folder", "--seeds", "40"],
                           SLURM_ARRAY_TASK_ID=str(number), SLURM_ARRAY_TASK_MIN="1",
                           SLURM_ARRAY_TASK_MAX=str(last), SLURM_ARRAY_TASK_COUNT=str(count),
                           SLURM_CPUS_PER_TASK="2")

    def test_each_task_runs_its_shard(self):
        self.assertEqual([self.task(number, 3, 3) for number in (1, 2, 3)], [0, 0, 0])
        self.check_shards(3)
        self.assertEqual({(run.seeds, run.jobs) for run in self.parsed()}, {("40", 2)})

    def test_part_of_an_array_is_refused(self):
        self.assertEqual(self.task(3, 3, 2), 2)
        self.assertFalse(self.calls.exists())


class Kubernetes(Engine):
    def setUp(self):
        super().setUp()
        text = (HERE / "kubernetes.yaml").read_text(encoding="ascii")
        jobs = [one["spec"] for one in yaml.safe_load_all(text) if one["kind"] == "Job"]
        self.shards, self.report = jobs

    def start(self, job, **more):
        container = job["template"]["spec"]["containers"][0]
        variables = {one["name"]: one["value"] for one in container.get("env", [])}
        return self.run_as(container["command"] + container["args"], **variables, **more)

    def test_each_index_runs_its_shard(self):
        number = self.shards["completions"]
        for index in range(number):
            self.assertEqual(self.start(self.shards, JOB_COMPLETION_INDEX=str(index)), 0)
        self.check_shards(number)

    def test_report_has_the_folders_of_the_shards(self):
        self.assertEqual(self.start(self.report), 0)
        self.assertEqual(self.start(self.shards, JOB_COMPLETION_INDEX="0"), 0)
        merge, run = self.parsed()
        self.assertEqual(merge.verb, "report")
        self.assertTrue(run.out.match(str(merge.folders[0])))


class Lava(Engine):
    def results(self, status, **parameters):
        """What is told to LAVA when the campaign ends with STATUS."""
        for name in ("scripts/setup", "bin/make"):
            self.stub(name, "#!/bin/sh\n")
        self.stub("bin/lava-test-case", '#!/bin/sh\necho "$1 $3" >>"$RESULTS"\n')
        (self.top / "ktap").write_text(report_ktap.render(TRIALS), encoding="ascii")
        told = self.top / "results"
        self.stub("tests/campaign", STUB + f"""
            mkdir -p build/campaign/lava
            {'cp ktap build/campaign/lava/report.ktap' if status < 2 else ''}
            exit {status}\n""")
        test = yaml.safe_load((HERE / "lava.yaml").read_text(encoding="ascii"))
        lines = [f"{name}={shlex.quote(value)}"
                 for name, value in (test["params"] | parameters).items()] + test["run"]["steps"]
        self.assertEqual(self.run_as(["sh", "-e", "-c", "\n".join(lines)], RESULTS=str(told)), 0)
        return told.read_text(encoding="ascii").splitlines()

    def test_each_trial_is_a_case(self):
        self.assertEqual(self.results(1), ["campaign fail"] + [
            f"stock-{result}" for result in ("1 fail", "2 fail", "3 pass", "4 skip")] + [
            f"recoverd-{result}" for result in ("1 pass", "2 pass", "3 fail", "4 pass")])

    def test_campaign_that_cannot_run_is_skipped(self):
        self.assertEqual(self.results(4), ["campaign skip"])
        self.assertEqual(self.results(2)[-1], "campaign fail")

    def test_parameters_become_options(self):
        self.results(0, KO="/my e1000.ko", HEADERS="/h")
        run = self.parsed()[0]
        self.assertEqual((str(run.ko), str(run.headers), run.modules, run.seeds),
                         ("/my e1000.ko", "/h", None, "100"))
        self.assertEqual((run.max_machine_lost, run.min_served), (2, 95))


class Documents(unittest.TestCase):
    def test_commands_have_options_that_there_are(self):
        found = 0
        for name in ("README.md", "tests/README.md", "tests/campaign.d/campaign.sbatch"):
            text = (TOP / name).read_text(encoding="utf-8").replace("\\\n", "")
            for line in re.findall(r"^ {4,}(tests/campaign .*)|--wrap '(.*)'", text, re.MULTILINE):
                words = shlex.split("".join(line), comments=True)
                with self.subTest(words):
                    main.parser().parse_args(words[1:])
                found += 1
        self.assertGreaterEqual(found, 5)


if __name__ == "__main__":
    unittest.main()
