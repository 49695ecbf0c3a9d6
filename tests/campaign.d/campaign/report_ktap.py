# SPDX-License-Identifier: GPL-2.0-or-later
"""Trials as KTAP: what fails is what a mode is not to end as."""

from . import summary


def render(trials):
    """The text."""
    lines = ["KTAP version 1", f"1..{len(trials)}"]
    for number, trial in enumerate(trials, 1):
        verdict = "not ok" if summary.failed(trial) else "ok"
        line = f"{verdict} {number} - {trial['id']}"
        if not trial["valid"]:
            line = f"ok {number} - {trial['id']} # SKIP {trial['why']}"
        elif trial["outcome"] != "ok":
            # What follows a # would be a directive.
            why = trial["why"].replace("#", "no. ")
            line += f": {trial['outcome']}" + (f", {why}" if why else "")
        lines.append(line.replace("\n", " "))
    return "\n".join(lines) + "\n"
