# SPDX-License-Identifier: GPL-2.0-or-later
"""A campaign's folder: what it is about, and the JSON Lines of its trials, which are its state."""

import hashlib
import json
import pathlib
import threading

from .error import USAGE, CampaignError

SESSION = "recov.session/1"
# What must be the same for two runs to be of one campaign.
SAME = ("driver", "kernel", "modes", "faults", "classes", "preset", "workload", "ko")


def digest(path):
    """Of a file's content, or None for no file."""
    return hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()[:16] if path else None


def identity(options):
    """What a campaign is about, as it is written into its folder."""
    about = {name: getattr(options, name) for name in SAME}
    about["workload"] = digest(options.workload)
    about["ko"] = digest(options.ko)
    return about


def read_lines(path):
    """The objects of a JSON Lines file. A last line without its end was being written when the
    writer died, and is left out; anything else that is no object is damage."""
    objects = []
    data = path.read_bytes() if path.exists() else b""
    lines = data.split(b"\n")
    for number, line in enumerate(lines[:-1], 1):
        try:
            value = json.loads(line)
        except ValueError:
            value = None
        if not isinstance(value, dict):
            raise CampaignError(USAGE, f"{path}: line {number} is no JSON object")
        objects.append(value)
    return objects


class Store:
    """The folder of one campaign, or of one shard of it. Its methods may be called by any thread."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.path = self.folder / "trials.jsonl"
        self.lock = threading.Lock()
        lines = read_lines(self.path)
        self.trials = [line for line in lines if line.get("schema") != SESSION]
        self.sessions = [line for line in lines if line.get("schema") == SESSION]

    @classmethod
    def existing(cls, folder):
        """One that was made before; CampaignError if there is none."""
        if not (pathlib.Path(folder) / "campaign.json").exists():
            raise CampaignError(USAGE, f"there is no campaign in {folder}")
        return cls(folder)

    def about(self):
        """What open() wrote; CampaignError when it is damaged."""
        path = self.folder / "campaign.json"
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise CampaignError(USAGE, f"{path} cannot be read: {error}") from None

    def open(self, options):
        """Make the folder, or check that it is of the same campaign, and cut off half a line."""
        about = identity(options)
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / "campaign.json"
        if path.exists():
            old = self.about()
            for name, value in about.items():
                if old.get(name) != value:
                    raise CampaignError(USAGE, f"{self.folder} has a campaign with another {name}: "
                                               f"{old.get(name)}, not {value}")
        else:
            keep = {name: getattr(options, name) for name in ("workload", "ko")}
            path.write_text(json.dumps({**about, "paths": {
                name: str(value) if value else None for name, value in keep.items()}}) + "\n",
                encoding="utf-8")
        if self.path.exists():
            data = self.path.read_bytes()
            with open(self.path, "r+b") as file:
                file.truncate(data.rfind(b"\n") + 1)

    def add(self, trial, console=""):
        """Keep a trial, with all of its console if that told of anything."""
        with self.lock:
            if console and trial["console"]:
                consoles = self.folder / "consoles"
                consoles.mkdir(exist_ok=True)
                (consoles / f"{trial['id']}.txt").write_text(console, encoding="utf-8")
            self._append(trial)
            self.trials.append(trial)

    def end_session(self, trials, seconds, jobs):
        """Keep how fast it went."""
        session = {"schema": SESSION, "trials": trials, "seconds": round(seconds, 1), "jobs": jobs}
        with self.lock:
            self._append(session)
            self.sessions.append(session)

    def _append(self, value):
        with open(self.path, "a", encoding="utf-8") as file:
            file.write(json.dumps(value) + "\n")

    def done(self):
        """The names of trials that need not be run again. Where there was no verdict, it is tried
        again."""
        return {trial["id"] for trial in self.trials if trial["outcome"] != "invalid"}

    def find(self, name):
        """The last record of a trial; CampaignError if there is none."""
        for trial in reversed(self.trials):
            if trial["id"] == name:
                return trial
        raise CampaignError(USAGE, f"{self.folder} has no trial {name}")


def latest(trials):
    """One record for each trial, in the order of modes and seeds."""
    last = {trial["id"]: trial for trial in trials}
    return sorted(last.values(), key=lambda trial: (
        trial["mode"], trial["seed"] is None, trial["seed"] or 0, trial["id"]))
