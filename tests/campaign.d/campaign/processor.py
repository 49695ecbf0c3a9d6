# SPDX-License-Identifier: GPL-2.0-or-later
"""The host's processor that a guest runs on: the threads of one QEMU have to share one."""

import fcntl
import itertools
import os

FOLDERS = "/sys/devices/system/cpu"

# Processes side by side begin with different ones.
_turns = itertools.count(os.getpid())


class Processor:
    """One that no other guest has, locked by its folder in sysfs as tests/vm/run does it, so that
    tests and campaigns side by side spread; where all are taken, one after the other, shared.

    `number` is the processor's; release() lets others have it."""

    def __init__(self):
        usable = sorted(os.sched_getaffinity(0))
        self.lock = None
        for self.number in usable:
            if self._locked():
                return
        self.number = usable[next(_turns) % len(usable)]

    def _locked(self):
        try:
            folder = os.open(f"{FOLDERS}/cpu{self.number}", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return False    # not all sandboxes show processors there
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(folder)
            return False
        self.lock = folder
        return True

    def release(self):
        """May be called again."""
        if self.lock is not None:
            os.close(self.lock)
            self.lock = None
