# SPDX-License-Identifier: GPL-2.0-or-later
"""What became of a trial, from what was seen of it."""

import re

# From the worst to the best, as a trial is looked at: the first that fits is its outcome.
OUTCOMES = {
    "invalid": "the faults were not planted, or QEMU failed: no verdict",
    "panic": "the kernel panicked",
    "reset": "the machine reset without a word",
    "hang": "the machine hung",
    "lockup": "a CPU or a task was locked up, as the kernel said, or a call never came back",
    "oops": "the kernel oopsed and went on",
    "latent": "broken even after the faults were undone and the device taken down and up",
    "nonfatal": "the service was broken until the faults were undone",
    "recovered": "recoverd brought the driver back",
    "flawed": "served at the end, but data or connections were lost",
    "warn": "served, with a warning of the kernel",
    "inactive": "none of the faults was executed",
    "ok": "served as if there were no faults",
}
MACHINE_LOST = ("panic", "reset", "hang", "lockup")


def serves(kind, evidence):
    """Does the driver serve, and still do when the faults are undone?"""
    return (kind not in (*MACHINE_LOST, "latent", "nonfatal") and
            evidence.status("service") == 0 and evidence.status("cured") in (0, None))

PANIC = re.compile(r"Kernel panic - .*")
LOCKUP = re.compile(r"(?:watchdog: BUG: )?soft lockup.*|watchdog: .*hard LOCKUP.*|rcu: INFO: .*|"
                    r"INFO: task .* blocked for more than .*|.*detected stalls? on.*")
# Each oops has a number; what a kernel says before one that was caught has none.
OOPS = re.compile(r".*\[#\d+\].*")
WARNING = re.compile(r"WARNING: .*|BUG: .*|kernel BUG at .*|refcount_t: .*|list_(?:add|del) corruption.*|"
                     r".*(?:scheduling while atomic|sleeping function called).*|Bad page .*")
LIMIT_REACHED = 124    # the status of what the guest gave up waiting for


def _found(pattern, console):
    match = pattern.search(console)
    return match.group(0).strip() if match else None


def hits(evidence):
    """Which injections were met, by their numbers in the kernel; they are written to a port."""
    return sorted({int(number) for number in
                   re.findall(r"recov-inject \S+ (\d+)", evidence.debug)})


def recoveries(evidence):
    """The daemon's events of this trial, without those from before."""
    begin = float((evidence.first("armed") or "0").split()[0]) * 1e9
    return [event for event in evidence.events() if event.get("mono_ns", 0) >= begin]


def _before_the_end(evidence, planted):
    """The outcome and why, if the guest did not come to the end of its script."""
    panic = _found(PANIC, evidence.console)
    if evidence.end == "lost":
        return "invalid", "QEMU failed"
    if evidence.end not in ("panicked", "reset") and not planted:
        return "invalid", "the guest did not come as far as to plant the faults"
    if evidence.end == "silent":
        # It was made to panic afterwards.
        return "hang", "no heartbeat"
    if evidence.end == "slow":
        return "hang", "the trial never came to an end"
    if evidence.end == "panicked" or panic:
        return "panic", panic or "pvpanic tells of a panic"
    return "reset", "the machine was reset"


def _broken(evidence):
    """Which steps of the workload failed."""
    return [f"{key} ended with {evidence.status(key)}" for key in ("run", "service", "stop")
            if evidence.status(key) != 0]


def classify(evidence, plan):
    """(outcome, one sentence why) of a trial of a plan; None: without faults."""
    n_faults = len(plan["faults"]) if plan else 0
    refused = evidence.first("refused")
    planted = evidence.first("planted") is not None or hits(evidence) or n_faults == 0
    if refused is not None:
        return "invalid", refused or "the faults could not be planted"
    if evidence.end != "end":
        return _before_the_end(evidence, planted)
    if not planted:
        return "invalid", "nothing tells that the faults were planted"
    lockup = _found(LOCKUP, evidence.console)
    stuck = [key for key in ("run", "stop", "undone") if evidence.status(key) == LIMIT_REACHED]
    if lockup or stuck:
        return "lockup", lockup or f"{stuck[0]} never came back"
    oops = _found(OOPS, evidence.console)
    if oops:
        return "oops", oops
    broken = _broken(evidence)
    back = [event for event in recoveries(evidence) if event["event"] == "driver.recovered"]
    if n_faults and evidence.status("cured") != 0:
        return "latent", ", ".join(broken) or "it served until the faults were undone"
    if evidence.status("service") != 0:
        return "nonfatal", ", ".join(broken)
    if back:
        return "recovered", f"after {back[0].get('cause')}, in {len(back)} recoveries"
    if broken:
        return "flawed", ", ".join(broken)
    warning = _found(WARNING, evidence.console)
    if warning:
        return "warn", warning
    if n_faults and not activated(evidence, plan):
        return "inactive", "none of the faults was executed"
    return "ok", ""


def activated(evidence, plan):
    """How many of the faults were met. Those of the device are, once they are planted."""
    faults = plan["faults"] if plan else []
    device = sum(fault["class"].startswith("device") for fault in faults)
    return len(hits(evidence)) + (device if evidence.first("planted") is not None else 0)
