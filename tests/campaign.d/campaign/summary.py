# SPDX-License-Identifier: GPL-2.0-or-later
"""What trials come to as a whole."""

from .error import USAGE, CampaignError
from .outcome import OUTCOMES
from .record import plan_of

SCHEMA = "recov.campaign/1"
MODES = ("stock", "recoverd")


def shorten(seeds):
    """[1, 2, 3, 7] as "1-3,7"."""
    runs = []
    for seed in sorted(seeds):
        if runs and seed == runs[-1][1] + 1:
            runs[-1][1] = seed
        else:
            runs.append([seed, seed])
    return ",".join(str(a) if a == b else f"{a}-{b}" for a, b in runs)


def percentile(values, share):
    """The value that the given share of the values does not exceed; None without values."""
    if not values:
        return None
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def trials_per_hour(sessions):
    """Over all sessions; shards that ran side by side count as one machine each."""
    seconds = sum(session["seconds"] for session in sessions)
    trials = sum(session["trials"] for session in sessions)
    return round(trials * 3600 / seconds) if seconds else None


def summarize(trials, mode, sessions):
    """One object for the trials of a mode, golden runs left out; None when there are none."""
    mine = [trial for trial in trials if trial["mode"] == mode and trial["seed"] is not None]
    if not mine:
        return None
    valid = [trial for trial in mine if trial["valid"]]
    times = [trial["recovery_ms"] for trial in valid if trial["recovery_ms"] is not None]
    cpu = [trial["cpu_seconds"] for trial in mine]
    return {
        "schema": SCHEMA,
        "driver": mine[0]["driver"], "kernel": mine[0]["kernel"], "mode": mode,
        "trials": len(mine), "valid": len(valid),
        "activated": sum(trial["activated"] > 0 for trial in valid),
        "machine_lost": sum(trial["machine_lost"] for trial in valid),
        "service_lost": sum(not trial["machine_lost"] and not trial["service"] for trial in valid),
        "recovered": sum(trial["outcome"] == "recovered" for trial in valid),
        "connections_lost": sum(bool(trial["lost_connections"]) for trial in valid
                                if trial["service"]),
        "corrupt": sum(bool(trial["corrupt_bytes"]) for trial in valid),
        "ok": sum(trial["outcome"] == "ok" for trial in valid),
        "outcomes": {name: count for name in OUTCOMES
                     if (count := sum(trial["outcome"] == name for trial in mine))},
        "recovery_ms": {"median": percentile(times, 0.5), "p95": percentile(times, 0.95),
                        "max": max(times, default=None)},
        "cpu_seconds_per_trial": round(sum(cpu) / len(cpu), 2),
        "trials_per_hour": trials_per_hour(sessions),
        "seeds": shorten(trial["seed"] for trial in mine),
    }


def pairs(trials):
    """(stock, recoverd) records of each seed that has both, in the order of the seeds."""
    by_seed = {}
    for trial in trials:
        if trial["seed"] is not None:
            by_seed.setdefault(trial["seed"], {})[trial["mode"]] = trial
    return [(both["stock"], both["recoverd"]) for _, both in sorted(by_seed.items())
            if len(both) == 2]


def check_pairs(trials):
    """CampaignError when a seed stands for other faults in one mode than in the other: then the
    campaign has gone on with another planner, module or coverage."""
    for stock, ours in pairs(trials):
        if plan_of(stock) != plan_of(ours):
            raise CampaignError(USAGE, f"seed {stock['seed']} has other faults with recoverd than "
                                       "without: the two cannot be compared")


def rank(trial):
    """How bad it was for who uses the machine: 0 served, 1 service lost, 2 machine lost."""
    return 2 if trial["machine_lost"] else 0 if trial["service"] else 1


def worse(trials):
    """The pairs in which recoverd made it worse."""
    return [(stock, ours) for stock, ours in pairs(trials)
            if stock["valid"] and ours["valid"] and rank(ours) > rank(stock)]


def failed(trial):
    """Is this what the mode is not to end as?"""
    return not trial["valid"] or trial["machine_lost"] or not trial["service"]


def percent(part, whole):
    """Of the whole, or 0 of nothing."""
    return 100 * part / whole if whole else 0.0
