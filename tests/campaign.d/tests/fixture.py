# SPDX-License-Identifier: GPL-2.0-or-later
"""What the tests of the campaign runner share."""

import pathlib
import sys
import types

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from campaign import record, trial    # noqa: E402  pylint: disable=wrong-import-position

PLAN = {"schema": "recov.faults/1", "driver": "e1000", "build_id": "ec", "kernel": "6.1", "seed": 7,
        "faults": [
            {"id": 1, "section": ".text", "offset": 900, "class": "nop", "variant": 0,
             "function": "f", "function_offset": 4, "old": "4889e5", "new": "0f1f00",
             "before": "mov rbp, rsp", "after": "nop dword ptr [rax]"},
            {"id": 2, "section": ".text", "offset": 100, "class": "invert", "variant": 0,
             "function": "g", "function_offset": 8, "old": "7402", "new": "7502",
             "before": "je 2", "after": "jne 2"}]}
DEVICE_PLAN = {**PLAN, "faults": [{"id": 1, "class": "device:intx", "device": "intx"}]}
SERVED = "h\n@ armed 50.00 1.00\n@ planted\nh\n@ run 0\n@ service 0\n"
FLOWS = '@ load {"flow":"all","lost_connections":%d,"corrupt_bytes":0,"longest_gap_ms":60.04}\n'
GOOD = SERVED + FLOWS % 0 + "@ stop 0\n@ undone 0\n@ cured 0\n@ end\n"
BROKEN = ("h\n@ armed 50.00 1.00\n@ planted\n@ run 0\n@ service 1\n" + FLOWS % 3 +
          "@ stop 1\n@ undone 0\n@ cured %d\n@ end\n")
MET = "recov-inject e1000 0\n"


def options(**changes):
    """As the command line would give them."""
    values = {"driver": "e1000", "kernel": "6.1", "cpus": 1, "modes": ["stock", "recoverd"],
              "faults": 5, "classes": None, "preset": None, "workload": pathlib.Path(__file__), "ko": None,
              "coverage": None, "seeds": [1, 2, 3], "shard": (1, 1)}
    return types.SimpleNamespace(**{**values, **changes})


def evidence(output=GOOD, console="", debug=MET, end="end"):
    """Of a trial in which all was well but for what is given."""
    return trial.Evidence(end, output, console, debug, 1.25, 1.5)


def made(mode="stock", seed=7, plan=None, **seen):
    """The record of such a trial."""
    return record.make(f"{mode}-{seed}", mode, seed, plan or PLAN, evidence(**seen), options())


def event(name, mono_ns, **fields):
    """A line of the guest that tells an event of the daemon."""
    words = ",".join([f'"event":"{name}"', f'"mono_ns":{mono_ns}',
                      *(f'"{key}":{value}' for key, value in fields.items())])
    return f"@ event {{{words}}}\n"
