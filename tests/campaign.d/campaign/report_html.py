# SPDX-License-Identifier: GPL-2.0-or-later
"""A campaign as one HTML page that needs nothing else."""

from html import escape
from shlex import quote

from . import summary
from .outcome import OUTCOMES

COLOURS = {
    "invalid": "#bbb", "panic": "#8b0000", "reset": "#a52a2a", "hang": "#c0392b",
    "lockup": "#d35400", "oops": "#e67e22", "latent": "#b8860b", "nonfatal": "#f1c40f",
    "recovered": "#27ae60", "flawed": "#9acd32", "warn": "#a3d9a5", "inactive": "#d5e8f7",
    "ok": "#2e86c1",
}
STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 64em; margin: 2em auto; padding: 0 1em; }
table { border-collapse: collapse; margin: 1em 0; }
td, th { padding: .2em .7em; text-align: left; vertical-align: top; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; }
tr { border-bottom: 1px solid #ddd; }
.bar { display: flex; height: 2em; margin: .3em 0 1em; }
.bar span { display: block; overflow: hidden; }
pre { background: #f5f5f5; padding: .6em; overflow-x: auto; font-size: 12px; }
summary { cursor: pointer; }
.key { display: inline-block; width: .8em; height: .8em; margin-right: .4em; }
"""


def table(head, rows):
    """Cells that are numbers stand to the right."""
    def cell(tag, value):
        kind = ' class="n"' if isinstance(value, (int, float)) else ""
        return f"<{tag}{kind}>{'' if value is None else escape(str(value))}</{tag}>"
    lines = ["<table><tr>" + "".join(cell("th", name) for name in head) + "</tr>"]
    lines += ["<tr>" + "".join(cell("td", value) for value in row) + "</tr>" for row in rows]
    return "\n".join(lines) + "</table>"


def bar(outcomes):
    """The outcomes of a mode side by side."""
    spans = [f'<span style="flex:{count};background:{COLOURS[name]}" '
             f'title="{name}: {count}"></span>' for name, count in outcomes.items()]
    return f'<div class="bar">{"".join(spans)}</div>'


def distribution(summaries):
    """Bars, and the table of what they mean."""
    parts = [f"<p>{escape(one['mode'])}, {one['trials']} trials</p>{bar(one['outcomes'])}"
             for one in summaries]
    rows = []
    for name, meaning in OUTCOMES.items():
        counts = [one["outcomes"].get(name, 0) for one in summaries]
        if any(counts):
            rows.append((name, *counts, meaning))
    body = table(("outcome", *(one["mode"] for one in summaries), "meaning"), rows)
    for name, colour in COLOURS.items():
        body = body.replace(f"<td>{name}</td>",
                            f'<td><span class="key" style="background:{colour}"></span>{name}</td>')
    return "".join(parts) + body


def totals(summaries):
    """The summary objects side by side."""
    names = ("trials", "valid", "activated", "machine_lost", "service_lost", "recovered",
             "connections_lost", "corrupt", "ok", "cpu_seconds_per_trial", "trials_per_hour")
    rows = [(name.replace("_", " "), *(one[name] for one in summaries)) for name in names]
    for share in ("median", "p95", "max"):
        rows.append((f"ms to recovery, {share}",
                     *(one["recovery_ms"][share] for one in summaries)))
    return table(("", *(one["mode"] for one in summaries)), rows)


def by_class(trials):
    """What became of the trials in which a fault of each class was executed."""
    rows = {}
    for trial in trials:
        if not trial["valid"]:
            continue
        for name in {fault["class"] for fault in trial["faults"] if fault.get("hit") is not False}:
            counts = rows.setdefault((name, trial["mode"]), [0, 0, 0, 0])
            counts[0] += 1
            counts[1 + summary.rank(trial)] += 1
    return table(("class", "mode", "trials", "served", "service lost", "machine lost"),
                 [(*key, *counts) for key, counts in sorted(rows.items())])


def histogram(trials):
    """Times to recovery in steps of a second."""
    times = [trial["recovery_ms"] for trial in trials if trial["recovery_ms"] is not None]
    if not times:
        return "<p>Nothing was recovered.</p>"
    counts = {}
    for time in times:
        counts[int(time // 1000)] = counts.get(int(time // 1000), 0) + 1
    most = max(counts.values())
    rows = [f'<tr><td class="n">{second}-{second + 1} s</td><td class="n">{counts.get(second, 0)}'
            f'</td><td><span class="key" style="background:#27ae60;'
            f'width:{30 * counts.get(second, 0) / most:.1f}em"></span></td></tr>'
            for second in range(min(counts), max(counts) + 1)]
    return f"<table>{''.join(rows)}</table>"


def fault_text(fault):
    """One fault in a line."""
    state = {True: "executed", False: "not executed"}.get(fault.get("hit"), "")
    if "function" in fault:
        where = f"{fault['function']}+{fault.get('function_offset', 0):#x}"
        what = f"{fault.get('before', '')}  →  {fault.get('after', '')}" if "before" in fault \
            else f"{fault.get('import', '')} fails"
    else:
        where, what = fault.get("device", ""), ""
    return f"{fault['id']}  {fault['class']:<12} {where:<36} {what}  {state}".rstrip()


def failure(trial, folder):
    """One that ended as its mode is not to."""
    again = f", again: {trial['again']}" if trial.get("again") else ""
    lines = [f"<details><summary><b>{escape(trial['id'])}</b> {escape(trial['outcome'])}{again}: "
             f"{escape(trial['why'])}</summary>",
             f"<p>Seed {trial['seed']}. To repeat it, in the top of the tree: <code>"
             f"tests/campaign replay --trial {trial['id']} {escape(quote(folder))}</code></p>",
             "<pre>" + escape("\n".join(map(fault_text, trial["faults"]))) + "</pre>"]
    if trial["events"]:
        lines.append("<pre>" + escape("\n".join(
            " ".join(f"{key}={value}" for key, value in event.items())
            for event in trial["events"])) + "</pre>")
    if trial["console"]:
        lines.append("<pre>" + escape("\n".join(trial["console"])) + "</pre>")
    return "\n".join(lines) + "</details>"


def failures(trials, folder):
    """Those of recoverd first; those of a stock kernel are what it is all for."""
    parts = []
    for mode in reversed(summary.MODES):
        bad = [trial for trial in trials if trial["mode"] == mode and summary.failed(trial)]
        if bad:
            parts.append(f"<h3>{mode}: {len(bad)}</h3>")
            parts += [failure(trial, folder) for trial in bad]
    return "".join(parts) or "<p>None.</p>"


def render(trials, summaries, folder):
    """The text. FOLDER is named in the commands that repeat trials."""
    first = summaries[0]
    title = f"{first['driver']} on {first['kernel']}: {len(trials)} trials"
    parts = [f'<!DOCTYPE html><html lang="en"><meta charset="utf-8"><title>{escape(title)}</title>'
             f"<style>{STYLE}</style><h1>{escape(title)}</h1>",
             f"<p>Seeds {escape(first['seeds'])}.</p>", totals(summaries),
             "<h2>Outcomes</h2>", distribution(summaries)]
    both = summary.pairs(trials)
    if both:
        worse = summary.worse(trials)
        parts.append(f"<p>{len(both)} pairs of the same seed; recoverd made {len(worse)} worse"
                     + (": " + ", ".join(str(ours["seed"]) for _, ours in worse) if worse else "")
                     + ".</p>")
    parts += ["<h2>By class of fault</h2>", by_class(trials), "<h2>Times to recovery</h2>",
              histogram(trials), "<h2>Failures</h2>", failures(trials, folder), "</html>"]
    return "\n".join(parts) + "\n"
