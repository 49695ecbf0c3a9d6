# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs what is left of a campaign, several guests at a time."""

import contextlib
import os
import queue
import sys
import tempfile
import threading
import time

from . import record, trial
from .error import FAILED, USAGE, CampaignError
from .plan import Planner, cover, needs_coverage
from .progress import Progress
from .seeds import of_shard
from .template import Template

# What a driver with recoverd is not to end as: such trials are run once more, and so are those
# without a verdict.
UNEXPECTED = ("panic", "reset", "hang", "lockup", "oops", "latent", "nonfatal", "invalid")


def say(text):
    """To people, not to programs."""
    print(f"campaign: {text}", file=sys.stderr, flush=True)


def publish(path, shared):
    """Copy the file PATH to SHARED, whole, unless another process is faster."""
    with tempfile.NamedTemporaryFile(dir=shared.parent) as copy:
        copy.write(path.read_bytes())
        copy.flush()
        os.chmod(copy.name, 0o644)
        with contextlib.suppress(FileExistsError):
            os.link(copy.name, shared)


class Campaign:
    """What is left to do in the folder STORE, with OPTIONS."""

    def __init__(self, options, store):
        self.options = options
        self.store = store
        self.templates = {}
        self.planner = None
        self.plans = {}
        self.lock = threading.Lock()
        self.stop = threading.Event()
        self.failure = None

    def tasks(self):
        """(name, mode, seed) of what is not done yet; the modes of a seed follow each other."""
        done = self.store.done()
        names = [(f"{mode}-{seed}", mode, seed)
                 for seed in of_shard(self.options.seeds, self.options.shard)
                 for mode in self.options.modes]
        return [task for task in names if task[0] not in done]

    def run(self):
        """All that is left. CampaignError when it cannot be; golden runs that fail end it."""
        tasks = self.tasks()
        if not tasks:
            say("nothing is left to run")
            return
        with contextlib.ExitStack() as stack:
            for mode in self.options.modes:
                begin = time.monotonic()
                self.templates[mode] = stack.enter_context(Template(self.options, mode))
                say(f"the guest for {mode} trials is warm after {time.monotonic() - begin:.0f} s")
            self._golden()
            self._plan_from_coverage()
            self._run_all(tasks)

    def _golden(self):
        """Without faults all must be well, or nothing that follows would mean anything."""
        for mode, template in self.templates.items():
            for number in range(1, self.options.golden + 1):
                name = f"golden-{mode}-{number}"
                evidence = trial.run(template, trial.script(None))
                result = record.make(name, mode, None, None, evidence, self.options)
                self.store.add(result, evidence.console)
                if result["outcome"] != "ok":
                    raise CampaignError(FAILED, f"{name}, without faults, ended as "
                                                f"{result['outcome']}: {result['why']}")

    def _plan_from_coverage(self):
        coverage = self._coverage() if needs_coverage(self.options) else None
        self.planner = Planner(self.options, coverage)

    def _coverage(self):
        """The file with it. Shards that name the same one all have that of the first."""
        own, shared = self.store.folder / "coverage.json", self.options.coverage
        if not own.exists() and not (shared and shared.exists()):
            cover(self.templates[self.options.modes[0]], own)
            say(f"coverage is kept in {own}")
        if shared:
            if not shared.exists():
                publish(own, shared)
            data = shared.read_bytes()
            if not own.exists() or own.read_bytes() != data:
                if any(one["seed"] is not None for one in self.store.trials):
                    raise CampaignError(USAGE, f"{self.store.folder} has trials of another coverage "
                                               f"than {shared}")
                own.write_bytes(data)
        return own

    def _run_all(self, tasks):
        todo = queue.SimpleQueue()
        for task in tasks:
            todo.put(task)
        progress = Progress(len(tasks))
        workers = [threading.Thread(target=self._work, args=(todo, progress))
                   for _ in range(self.options.jobs)]
        for worker in workers:
            worker.start()
        try:
            for worker in workers:
                while worker.is_alive():
                    worker.join(1)
        finally:
            # Also when interrupted: what runs comes to its end, and is kept.
            self.stop.set()
            for worker in workers:
                worker.join()
            progress.end()
            self.store.end_session(sum(progress.counts.values()),
                                   time.monotonic() - progress.begin, self.options.jobs)
        if self.failure:
            raise self.failure

    def _work(self, todo, progress):
        while not self.stop.is_set():
            try:
                name, mode, seed = todo.get_nowait()
            except queue.Empty:
                return
            try:
                progress.count(self._one(name, mode, seed))
            except Exception as error:    # pylint: disable=broad-except
                # Told by the thread that waits; the others stop.
                self.failure = error
                self.stop.set()

    def _one(self, name, mode, seed):
        plan = self._plan(seed)
        result, console = self.attempt(name, mode, seed, plan)
        if result["outcome"] in UNEXPECTED and (mode != "stock" or not result["valid"]):
            again, console_again = self.attempt(name, mode, seed, plan)
            if result["valid"]:
                result["again"] = again["outcome"]
            else:
                result, console = again, console_again
        self.store.add(result, console)
        return result["outcome"]

    def attempt(self, name, mode, seed, plan):
        """The record of one trial, and its console."""
        evidence = trial.run(self.templates[mode], trial.script(plan))
        return record.make(name, mode, seed, plan, evidence, self.options), evidence.console

    def _plan(self, seed):
        """Made once for all modes."""
        with self.lock:
            if seed not in self.plans:
                self.plans[seed] = self.planner.plan(seed)
            return self.plans[seed]


def replay(options, wanted):
    """Run the trial of the record WANTED once more, with the very plan; returns record, evidence."""
    plan = record.plan_of(wanted)
    with Template(options, wanted["mode"]) as template:
        evidence = trial.run(template, trial.script(plan))
    return (record.make(wanted["id"], wanted["mode"], wanted["seed"], plan, evidence, options),
            evidence)
