# SPDX-License-Identifier: GPL-2.0-or-later
"""One trial: a copy of the warm guest runs a plan's faults below its workload, and is listened to."""

import os
import json
import time

from .qmp import QmpError

# A guest that is silent for so long has hung: of the time of its CPU, or, when it wants none, of ours.
SILENT_CPU_SECONDS = 4.0
SILENT_SECONDS = 30.0
# Nothing that a trial waits for takes so long.
LIMIT_CPU_SECONDS = 90.0
# For a guest that hung or panicked to tell where it was, of the time of its CPU, or of ours.
LAST_WORDS_CPU_SECONDS = 1.0
LAST_WORDS_SECONDS = 10.0

END = b"\n@ end"
# Said in the guest when nothing comes through to the peer.
STUCK = b"\n@ stuck"
# QEMU's events of a guest that is no more.
ENDS = {"RESET", "SHUTDOWN"}


class Evidence:
    """What was seen of one trial.

    `end` is how it came to its end: end (by itself), panicked, reset, silent, slow or lost (QEMU
    failed: no verdict); `told` has what the guest told, a list of values for each key.
    """

    def __init__(self, end, output="", console="", debug="", cpu_seconds=0.0, seconds=0.0):
        self.end = end
        self.told = {}
        self.said = []
        for line in output.splitlines():
            if line.startswith("@ "):
                key, _, value = line[2:].partition(" ")
                self.told.setdefault(key, []).append(value)
            elif line and line != "h":
                self.said.append(line)
        self.console = console.replace("\r", "")
        self.debug = debug
        self.cpu_seconds = cpu_seconds
        self.seconds = seconds

    def first(self, key):
        """The first value for KEY, or None."""
        return self.told.get(key, [None])[0]

    def status(self, key):
        """The first value for KEY as a number, or None."""
        value = self.first(key)
        return int(value) if value and value.lstrip("-").isdigit() else None

    def events(self):
        """The daemon's events about the driver."""
        events = []
        for line in self.told.get("event", []):
            try:
                events.append(json.loads(line))
            except ValueError:
                continue    # the guest died in the middle of it
        return events


def script(plan):
    """What the guest runs for PLAN; None: no faults."""
    if not plan:
        return "trial\n"
    return f"cat >/run/plan.json <<'END'\n{json.dumps(plan)}\nEND\ntrial /run/plan.json\n"


def run(template, commands):
    """Run COMMANDS in a copy of the template; returns Evidence."""
    began = time.monotonic()
    payload = template.payload(commands)
    guest = None
    try:
        guest = template.copy(payload)
        guest.qmp.command("cont")
        end = _listen(guest)
    except QmpError:
        end = "lost"
    finally:
        os.unlink(payload)
        if guest:
            guest.close()
    if not guest:
        return Evidence("lost", seconds=time.monotonic() - began)
    text = {name: data.decode(errors="replace") for name, data in guest.text.items()}
    return Evidence(end, text["output"], text["console"], text["debug"], guest.usage,
                    time.monotonic() - began)


def _listen(guest):
    """Until the trial is over; returns how it ended."""
    output = guest.text["output"]
    beats, stuck = -1, 0
    heard_cpu, heard = 0.0, time.monotonic()
    while True:
        alive = guest.read(0.25)
        events = {event["event"] for event in guest.qmp.events}
        if "GUEST_PANICKED" in events:
            _last_words(guest)
            return "panicked"
        if events & ENDS:
            return "lost" if _ended_from_outside(guest) else "reset"
        if output.find(END) >= 0:
            return "end"
        if not alive:
            return "lost"
        if output.count(STUCK) > stuck:
            stuck = output.count(STUCK)
            guest.clear_wires()
        cpu, now = guest.cpu_seconds(), time.monotonic()
        if len(output) != beats:
            beats, heard_cpu, heard = len(output), cpu, now
        if guest.wants_cpu():
            heard = now
        if cpu - heard_cpu > SILENT_CPU_SECONDS or now - heard > SILENT_SECONDS:
            _ask_where(guest)
            return "silent"
        if cpu > LIMIT_CPU_SECONDS:
            return "slow"


def _ended_from_outside(guest):
    """Was it a signal, or whatever else was not the guest?"""
    return any(event.get("data", {}).get("reason", "").startswith("host-")
               for event in guest.qmp.events)


def _ask_where(guest):
    """Have a hung guest panic, so that its console tells where it is, if it can."""
    try:
        guest.qmp.command("inject-nmi")
    except QmpError:
        return
    _last_words(guest)


def _last_words(guest):
    """After a panic the console may still have to be written, until the guest resets."""
    begin, end = guest.cpu_seconds(), time.monotonic() + LAST_WORDS_SECONDS
    while (guest.cpu_seconds() - begin < LAST_WORDS_CPU_SECONDS and time.monotonic() < end and
           guest.read(0.1)):
        if any(event["event"] in ENDS for event in guest.qmp.events):
            return
