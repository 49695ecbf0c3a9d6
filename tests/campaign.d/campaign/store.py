# SPDX-License-Identifier: GPL-2.0-or-later
"""A campaign's folder: what it is about, and the JSON Lines of its trials, which are its state."""

import fcntl
import hashlib
import json
import os
import pathlib
import threading

from .error import USAGE, CampaignError
from .outcome import OUTCOMES
from .record import SCHEMA
from .template import BUILD

SESSION = "recov.session/1"
# What must be the same for two runs to be of one campaign.
SAME = ("driver", "kernel", "image", "cpus", "modes", "faults", "classes", "preset", "workload",
        "ko")


def digest(path):
    """Of a file's content, or None for no file."""
    return hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()[:16] if path else None


def identity(options):
    """What a campaign is about, as it is written into its folder."""
    about = {name: getattr(options, name, None) for name in SAME}
    image = BUILD / "kernels" / str(options.kernel) / "vmlinuz"
    about["image"] = digest(image if image.exists() else None)
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


def is_trial(value):
    """Has the object what all that reads trials relies on?"""
    return (value.get("schema") == SCHEMA and isinstance(value.get("id"), str) and
            value.get("mode") in ("stock", "recoverd") and value.get("outcome") in OUTCOMES and
            isinstance(value.get("seed"), (int, type(None))))


class Store:
    """The folder of one campaign, or of one shard of it. Its methods may be called by any thread."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.path = self.folder / "trials.jsonl"
        self.lock = threading.Lock()
        self.claim = None
        lines = read_lines(self.path)
        for number, line in enumerate(lines, 1):
            if line.get("schema") != SESSION and not is_trial(line):
                raise CampaignError(USAGE, f"{self.path}: line {number} is no trial")
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
            about = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise CampaignError(USAGE, f"{path} cannot be read: {error}") from None
        if not isinstance(about, dict):
            raise CampaignError(USAGE, f"{path} is no JSON object")
        return about

    def file(self, name):
        """The user's own file that NAME says, which must be what it was, or None."""
        about = self.about()
        path = about["paths"][name] and pathlib.Path(about["paths"][name])
        if path and not path.is_file():
            raise CampaignError(USAGE, f"the campaign's {name} {path} is gone")
        if digest(path) != about[name]:
            raise CampaignError(USAGE, f"the campaign's {name} {path} is not what it was")
        return path

    def open(self, options):
        """Make the folder, or check that it is of the same campaign, and cut off half a line."""
        about = identity(options)
        self.folder.mkdir(parents=True, exist_ok=True)
        self._claim()
        path = self.folder / "campaign.json"
        if path.exists():
            old = self.about()
            for name, value in about.items():
                if old.get(name) != value:
                    raise CampaignError(USAGE, f"{self.folder} has a campaign with other {name}: "
                                               f"{old.get(name)}, not {value}")
        paths = {name: str(value.resolve()) if (value := getattr(options, name)) else None
                 for name in ("workload", "ko")}
        about |= {"paths": paths, "seeds": options.seeds, "shard": options.shard}
        fresh = path.with_suffix(".new")
        fresh.write_text(json.dumps(about) + "\n", encoding="utf-8")
        os.replace(fresh, path)
        if self.path.exists():
            data = self.path.read_bytes()
            with open(self.path, "r+b") as file:
                file.truncate(data.rfind(b"\n") + 1)

    def _claim(self):
        """For as long as this process lives, and on file systems that machines share, too."""
        self.claim = open(self.folder / "lock", "w", encoding="ascii")
        try:
            fcntl.lockf(self.claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            raise CampaignError(USAGE, f"the campaign in {self.folder} is run already") from None

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
        """All of the line, or nothing of it."""
        data = (json.dumps(value) + "\n").encode()
        with open(self.path, "ab", buffering=0) as file:
            end = file.tell()
            try:
                while data:
                    data = data[file.write(data):]
            except OSError:
                file.truncate(end)
                raise

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
