# SPDX-License-Identifier: GPL-2.0-or-later
"""Which seeds a campaign tries, and which of them a shard."""

import pathlib
import re

from .error import USAGE, CampaignError

HEADER = re.compile(r"seeds (\d+)$")


def parse(text):
    """Seeds as on the command line: a number N for 1..N, a range A-B, or a file."""
    if re.fullmatch(r"[1-9]\d*", text):
        return list(range(1, int(text) + 1))
    if re.fullmatch("0+", text):
        raise CampaignError(USAGE, "--seeds 0: there have to be some")
    match = re.fullmatch(r"(\d+)-(\d+)", text)
    if match:
        first, last = int(match[1]), int(match[2])
        if first <= last:
            return list(range(first, last + 1))
        raise CampaignError(USAGE, f"the seeds {text} are none: the last comes before the first")
    return read(text)


def read(path):
    """The seeds of a file: a line 'seeds N', then one a line; lines with # are comments."""
    try:
        text = pathlib.Path(path).read_text(encoding="ascii")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise CampaignError(USAGE, f"seeds '{path}': neither numbers nor a file of them: {reason}") \
            from None
    lines = [line.strip() for line in text.splitlines() if line.strip() and line[0] != "#"]
    header = HEADER.match(lines[0]) if lines else None
    if not header:
        raise CampaignError(USAGE, f"{path} is no file of seeds: it does not begin with 'seeds N'")
    for line in lines[1:]:
        if not line.isdigit():
            raise CampaignError(USAGE, f"{path}: '{line}' is no seed")
    found = [int(line) for line in lines[1:]]
    if not text.endswith("\n"):
        raise CampaignError(USAGE, f"{path} is cut short: its last line has no end")
    if len(found) != int(header[1]):
        raise CampaignError(USAGE, f"{path} is cut short, or too long: it has {len(found)} of "
                                   f"{header[1]} seeds")
    if len(set(found)) != len(found) or not found:
        raise CampaignError(USAGE, f"{path} has no seeds, or one of them twice")
    return found


def shard(text):
    """(i, n) of "i/n", from 1 on."""
    match = re.fullmatch(r"(\d+)/(\d+)", text)
    if not match or not 1 <= int(match[1]) <= int(match[2]):
        raise CampaignError(USAGE, f"--shard needs i/n with i from 1 to n, not '{text}'")
    return int(match[1]), int(match[2])


def of_shard(seeds, part):
    """Those of the seeds that are this shard's."""
    return seeds[part[0] - 1::part[1]]
