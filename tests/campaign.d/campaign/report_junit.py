# SPDX-License-Identifier: GPL-2.0-or-later
"""Trials as JUnit XML, a suite a mode."""

import re
from xml.sax.saxutils import escape, quoteattr

from . import summary

# What XML 1.0 has no way to write.
FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def clean(text):
    """Without characters that no XML may have."""
    return FORBIDDEN.sub("?", text)


def _case(trial):
    name = (f"    <testcase classname={quoteattr(trial['driver'] + '.' + trial['mode'])} "
            f"name={quoteattr(trial['id'])} time=\"{trial['seconds']}\"")
    message = quoteattr(clean(f"{trial['outcome']}: {trial['why']}"))
    if not trial["valid"]:
        return f"{name}><skipped message={message}/></testcase>"
    if summary.failed(trial):
        console = escape(clean("\n".join(trial["console"])))
        return f"{name}><failure message={message}>{console}</failure></testcase>"
    return f"{name}/>"


def render(trials):
    """The text."""
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', "<testsuites>"]
    for mode in summary.MODES:
        mine = [trial for trial in trials if trial["mode"] == mode]
        if not mine:
            continue
        failures = sum(trial["valid"] and bool(summary.failed(trial)) for trial in mine)
        skipped = sum(not trial["valid"] for trial in mine)
        lines.append(f"  <testsuite name={quoteattr('campaign.' + mode)} tests=\"{len(mine)}\" "
                     f"failures=\"{failures}\" skipped=\"{skipped}\">")
        lines += [_case(trial) for trial in mine]
        lines.append("  </testsuite>")
    lines.append("</testsuites>")
    return "\n".join(lines) + "\n"
