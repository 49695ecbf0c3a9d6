# SPDX-License-Identifier: GPL-2.0-or-later
"""Plans: which faults a seed stands for. They are made by recovctl, on this machine."""

import json
import os
import subprocess
import tempfile

from .error import FAILED, UNSUPPORTED, USAGE, CampaignError
from .template import BUILD
from .trial import run

RECOVCTL = BUILD / "recovctl"


def environment():
    """For programs that are built and not installed."""
    return {**os.environ, "LD_LIBRARY_PATH": str(BUILD)}


def image(options):
    """The driver's module file: the user's own or the stock kernel's."""
    if options.ko:
        return options.ko
    modules = (BUILD / "kernels" / options.kernel / "modules").resolve()
    names = {options.driver, options.driver.replace("_", "-")}
    for path in modules.rglob("*.ko*"):
        if path.name.split(".")[0] in names:
            return path
    raise CampaignError(USAGE, f"kernel {options.kernel} has no module {options.driver}")


def cover(template, path):
    """Have a copy of the template tell what its load executes, and keep that in the file PATH."""
    evidence = run(template, "cover\n")
    coverage = evidence.first("coverage") or ""
    try:
        json.loads(coverage)
    except ValueError:
        why = evidence.first("refused") or f"the guest ended as {evidence.end}"
        raise CampaignError(UNSUPPORTED, f"no coverage of {template.options.driver}: {why}") \
            from None
    with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False) as file:
        file.write(coverage + "\n")
    os.replace(file.name, path)


def needs_coverage(options):
    """Are there faults of instructions among those that are asked for?"""
    classes = (options.classes or "text").split(",")
    return any(not name.startswith("device:") for name in classes)


class Planner:
    """Makes the plan of each seed, always the same one. COVERAGE is a file, or None: then any
    instruction may be changed, executed or not."""

    def __init__(self, options, coverage):
        self.options = options
        self.line = [str(RECOVCTL), "inject", "plan", "--image", str(image(options)),
                     "--faults", str(options.faults)]
        if coverage:
            self.line += ["--coverage", str(coverage)]
        if options.classes:
            self.line += ["--class", options.classes]
        if options.preset:
            self.line += ["--preset", options.preset]

    def plan(self, seed):
        """CampaignError with the planner's own sentence and status when there is none."""
        done = subprocess.run([*self.line, "--seed", str(seed), "--json"], capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, env=environment(), check=False)
        if done.returncode:
            words = done.stderr.strip().splitlines() or ["recovctl inject plan failed"]
            status = done.returncode if done.returncode in (USAGE, UNSUPPORTED) else FAILED
            raise CampaignError(status, words[-1].removeprefix("recovctl: "))
        return json.loads(done.stdout)
