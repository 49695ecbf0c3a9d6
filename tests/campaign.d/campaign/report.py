# SPDX-License-Identifier: GPL-2.0-or-later
"""Writes the reports of a campaign, from one folder or from those of its shards."""

import json
import pathlib

from . import report_html, report_junit, report_ktap, report_seeds, summary
from .error import FAILED, USAGE, CampaignError
from .store import SAME, Store, digest, latest
from .template import TOP


def merge(folders):
    """The trials and sessions of all folders, which have to be of one campaign, and what that is
    about."""
    trials, sessions, first = [], [], {}
    for folder in folders:
        store = Store.existing(folder)
        about = store.about()
        coverage = store.folder / "coverage.json"
        if coverage.exists():
            about["coverage"] = digest(coverage)
        first = about | first
        for name in (*SAME, "coverage"):
            # Of modes that were run apart the pairs are looked at.
            if name != "modes" and about.get(name, first.get(name)) != first.get(name):
                raise CampaignError(USAGE, f"{folder} and {folders[0]} are of different campaigns: "
                                           f"their {name} differs")
        trials += store.trials
        sessions += store.sessions
    return latest(trials), sessions, first


def missing(folders):
    """The names of the trials that have not been run of those that the shards are parts of."""
    wanted, done = {}, set()
    for folder in folders:
        store = Store.existing(folder)
        about = store.about()
        wanted |= dict.fromkeys(f"{mode}-{seed}" for seed in about.get("seeds", [])
                                for mode in about["modes"])
        done |= {trial["id"] for trial in store.trials}
    return [name for name in wanted if name not in done]


def place(folder):
    """The folder as a command in the top of the tree names it."""
    folder = pathlib.Path(folder).resolve()
    return str(folder.relative_to(TOP) if folder.is_relative_to(TOP) else folder)


def write(folders, out):
    """All reports into the folder OUT; returns trials and summaries."""
    trials, sessions, about = merge(folders)
    seeded = [trial for trial in trials if trial["seed"] is not None]
    summary.check_pairs(trials)
    summaries = [one for mode in summary.MODES if (one := summary.summarize(trials, mode, sessions))]
    if not summaries:
        raise CampaignError(FAILED, f"there are no trials in {' '.join(map(str, folders))}")
    out.mkdir(parents=True, exist_ok=True)
    texts = {
        "summary.jsonl": "".join(json.dumps(one) + "\n" for one in summaries),
        "seeds.jsonl": report_seeds.render(seeded),
        "report.ktap": report_ktap.render(trials),
        "junit.xml": report_junit.render(trials),
        "report.html": report_html.render(seeded, summaries, place(out)),
    }
    if out.resolve() not in [folder.resolve() for folder in folders]:
        # As much as a campaign's folder has to have for replay.
        texts["trials.jsonl"] = "".join(json.dumps(line) + "\n" for line in trials + sessions)
        texts["campaign.json"] = json.dumps(about | {"shard": [1, 1]}) + "\n"
    for name, text in texts.items():
        (out / name).write_text(text, encoding="utf-8")
    return seeded, summaries


def show(trials, summaries):
    """A table for people."""
    lines = [f"{'':<18}" + "".join(f"{one['mode']:>12}" for one in summaries)]
    for name in ("trials", "valid", "activated", "machine_lost", "service_lost", "recovered", "ok"):
        lines.append(f"{name.replace('_', ' '):<18}" +
                     "".join(f"{one[name]:>12}" for one in summaries))
    names = [name for name in summaries[0]["outcomes"] | summaries[-1]["outcomes"]
             if name not in ("recovered", "ok")]
    for name in names:
        lines.append(f"  {name:<16}" +
                     "".join(f"{one['outcomes'].get(name, 0):>12}" for one in summaries))
    for one in summaries:
        times = one["recovery_ms"]
        if times["median"] is not None:
            lines.append(f"recovered within {times['median'] / 1000:.1f} s (median), "
                         f"{times['p95'] / 1000:.1f} s (95%), {times['max'] / 1000:.1f} s (all)")
    worse = summary.worse(trials)
    if summary.pairs(trials):
        lines.append(f"worse with recoverd than without: {len(worse)} of "
                     f"{len(summary.pairs(trials))} pairs" +
                     "".join(f" {ours['seed']}" for _, ours in worse))
    cpu = sum(one["cpu_seconds_per_trial"] * one["trials"] for one in summaries)
    lines.append(f"{cpu / len(trials):.2f} s of a CPU a trial" +
                 (f", {summaries[0]['trials_per_hour']} trials an hour"
                  if summaries[0]["trials_per_hour"] else ""))
    return "\n".join(lines)
