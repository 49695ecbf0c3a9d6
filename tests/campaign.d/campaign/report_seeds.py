# SPDX-License-Identifier: GPL-2.0-or-later
"""What each seed planted and what came of it, a short line each: to be kept, and compared with."""

import json

SCHEMA = "recov.seeds/1"


def faults(plan):
    """Those of a plan, or of a trial's record, in short."""
    return [[fault[key] for key in ("class", "section", "offset", "variant") if key in fault]
            for fault in plan["faults"]]


def render(trials):
    """A line of what all seeds have in common, and a line a seed with an outcome for each mode."""
    plan = trials[0]["plan"] or {}
    lines = [{"schema": SCHEMA, "driver": trials[0]["driver"], "build_id": plan.get("build_id"),
              "kernel": plan.get("kernel", trials[0]["kernel"])}]
    by_seed = {}
    for trial in trials:
        line = by_seed.setdefault(trial["seed"], {
            "seed": trial["seed"], "faults": faults(trial)})
        line[trial["mode"]] = trial["outcome"]
    lines += [by_seed[seed] for seed in sorted(by_seed)]
    return "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines)
