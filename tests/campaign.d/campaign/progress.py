# SPDX-License-Identifier: GPL-2.0-or-later
"""Tells on standard error how far a campaign is."""

import sys
import time


def duration(seconds):
    """As people write it."""
    minutes, seconds = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}"


class Progress:
    """A line that is written anew on a terminal, and once a minute elsewhere."""

    def __init__(self, total, stream=None):
        self.total = total
        self.stream = stream or sys.stderr
        self.counts = {}
        self.begin = self.told = time.monotonic()
        self.live = self.stream.isatty()

    def rate(self):
        """Trials an hour."""
        return sum(self.counts.values()) * 3600 / max(time.monotonic() - self.begin, 0.001)

    def count(self, outcome):
        """One trial more has ended."""
        self.counts[outcome] = self.counts.get(outcome, 0) + 1
        now = time.monotonic()
        if self.live or now - self.told >= 60:
            self.told = now
            self._tell()

    def _tell(self):
        done = sum(self.counts.values())
        left = (self.total - done) * 3600 / self.rate()
        line = (f"{done}/{self.total}, {self.rate():.0f} an hour, {duration(left)} left: " +
                ", ".join(f"{n} {name}" for name, n in sorted(self.counts.items())))
        self.stream.write(f"\r{line[:110]}\033[K" if self.live else f"campaign: {line}\n")
        self.stream.flush()

    def end(self):
        """Leave the last state standing."""
        if self.counts:
            self._tell()
        if self.live:
            self.stream.write("\n")
