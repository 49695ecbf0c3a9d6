# SPDX-License-Identifier: GPL-2.0-or-later
"""The JSON object that a trial leaves behind."""

import json
import re

from . import outcome

SCHEMA = "recov.trial/1"
CONSOLE_LINES = 40
# The first line on the console that matters.
TROUBLE = re.compile("|".join(pattern.pattern for pattern in (
    outcome.OOPS, outcome.LOCKUP, outcome.WARNING, outcome.PANIC)))
EVENT_FIELDS = ("event", "cause", "site", "entry", "context", "step", "reason", "outcome",
                "duration_ns", "pause_ns")


def excerpt(console):
    """From the first line that tells of trouble on, or the end."""
    lines = console.splitlines()
    for number, line in enumerate(lines):
        if TROUBLE.search(line):
            return lines[number:number + CONSOLE_LINES]
    return lines[-CONSOLE_LINES:]


def faults_of(plan, evidence):
    """The plan's faults, each with `hit`: whether it was executed, or None if that is not known.

    The kernel counts sites in the order of their addresses, and calls behind them.
    """
    faults = [dict(fault) for fault in (plan["faults"] if plan else [])]
    sites = [fault for fault in faults if "new" in fault]
    calls = [fault for fault in faults if "new" not in fault and "offset" in fault]
    one_section = len({fault["section"] for fault in sites}) < 2
    met = outcome.hits(evidence)
    for number, fault in enumerate([*sorted(sites, key=lambda site: site["offset"]), *calls]):
        fault["hit"] = number in met if one_section else None
    return faults


def number(value, digits=1):
    """Rounded, for people who read the file; None stays."""
    return None if value is None else round(value, digits)


def make(name, mode, seed, plan, evidence, options):
    """The record of one trial."""
    kind, why = outcome.classify(evidence, plan)
    events = outcome.recoveries(evidence)
    back = [event for event in events if event["event"] == "driver.recovered"]
    try:
        load = json.loads(evidence.first("load") or "{}")
    except ValueError:
        load = {}
    lost = kind in outcome.MACHINE_LOST
    return {
        "schema": SCHEMA, "id": name, "mode": mode, "seed": seed,
        "driver": options.driver, "kernel": options.kernel,
        "outcome": kind, "why": why, "valid": kind != "invalid",
        "machine_lost": lost,
        "service": None if kind == "invalid" else outcome.serves(kind, evidence),
        "activated": outcome.activated(evidence, plan),
        "recoveries": len(back),
        "recovery_ms": number(back[0]["duration_ns"] / 1e6) if back else None,
        "lost_connections": load.get("lost_connections"),
        "errors": load.get("errors"),
        "corrupt_bytes": load.get("corrupt_bytes"),
        "longest_gap_ms": number(load.get("longest_gap_ms")),
        "cpu_seconds": number(evidence.cpu_seconds, 2), "seconds": number(evidence.seconds, 2),
        "faults": faults_of(plan, evidence),
        "plan": plan and {key: value for key, value in plan.items() if key != "faults"},
        "events": [{key: event[key] for key in EVENT_FIELDS if key in event} for event in events
                   if event["event"] != "driver.heartbeat"],
        "said": evidence.said[-5:],
        "console": [] if kind in ("ok", "inactive") else excerpt(evidence.console),
    }


def plan_of(trial):
    """The very plan of a record; None for a golden run."""
    if not trial["plan"]:
        return None
    return {**trial["plan"], "faults": [
        {key: value for key, value in fault.items() if key != "hit"} for fault in trial["faults"]]}
