# SPDX-License-Identifier: GPL-2.0-or-later
"""The warm guest that trials are copies of, in a folder on /dev/shm."""

import os
import pathlib
import shutil
import subprocess
import tempfile
import time

from . import device
from .error import UNSUPPORTED, USAGE, CampaignError
from .guest import PAYLOAD_SIZE, Guest
from .qmp import QmpError

TOP = pathlib.Path(__file__).resolve().parents[3]
HERE = TOP / "tests" / "campaign.d"
BUILD = TOP / "build"
SHM = pathlib.Path("/dev/shm")
PREFIX = "recov-campaign."
MEGABYTES = 768
# Of the time of its CPU; and of ours, when it wants none.
WARM_CPU_SECONDS = 300
WARM_SECONDS = 300


def remove_leftovers():
    """Of campaigns that were killed."""
    for folder in SHM.glob(PREFIX + "*"):
        pid = folder.name.removeprefix(PREFIX).split(".")[0]
        if pid.isdigit() and not (pathlib.Path("/proc") / pid).exists():
            shutil.rmtree(folder, ignore_errors=True)


class Template:
    """A guest with the driver loaded and its workload tried once; MODE is stock or recoverd.

    Use it as a context: the folder goes at the end.
    """

    def __init__(self, options, mode):
        self.options = options
        self.mode = mode
        self.megabytes = MEGABYTES
        self.processors = options.cpus
        self.device = device.find(options.driver)
        self.kernel = str(BUILD / "kernels" / options.kernel / "vmlinuz")
        remove_leftovers()
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}.", dir=SHM))
        self.initrd = str(self.folder / "initrd")
        self.memory = str(self.folder / "memory")
        self.state = str(self.folder / "state")
        self.disk = str(self.folder / "disk")
        self.console = ""

    def __enter__(self):
        try:
            self._make_initrd()
            self._warm_up()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.folder, ignore_errors=True)

    def _make_initrd(self):
        options = self.options
        files = [TOP / "tests/guest/lib", TOP / "tests/netstate", HERE / "heartbeat",
                 HERE / "campaign.policy", HERE / "files.sh", options.workload]
        line = [TOP / "tests/vm/initrd", "--kernel", options.kernel, "--out", self.initrd,
                "--smp", str(self.processors)]
        if options.ko:
            # The module has to have its own name there.
            named = self.folder / f"{options.driver}.ko"
            shutil.copy(options.ko, named)
            files.append(named)
        for file in files:
            line += ["--file", str(file)]
        line += [HERE / "warm.sh", self.mode, options.driver,
                 pathlib.Path(options.workload).name, *self.device.words]
        done = subprocess.run(line, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              check=False)
        if done.returncode:
            raise CampaignError(USAGE, (done.stderr.strip().splitlines() or ["no initramfs"])[-1])

    def _warm_up(self):
        payload = self.payload("")
        if self.device.disk:
            with open(self.disk, "wb") as file:
                file.truncate(device.DISK_MEGABYTES << 20)
        with Guest(self, self.memory, payload) as guest:
            try:
                guest.negotiate()
                self._wait_until_warm(guest)
                guest.save(self.state)
            except QmpError as error:
                raise CampaignError(UNSUPPORTED, f"the guest for {self.mode} trials: {error}") \
                    from None
            finally:
                self.console = guest.text["console"].decode(errors="replace")
                self.output = guest.text["output"].decode(errors="replace")
        os.unlink(payload)

    def _wait_until_warm(self, guest):
        idle = time.monotonic()
        while guest.cpu_seconds() < WARM_CPU_SECONDS and time.monotonic() - idle < WARM_SECONDS:
            alive = guest.read(1)
            if guest.wants_cpu():
                idle = time.monotonic()
            # Without what has come of the next line.
            whole = guest.text["output"].rpartition(b"\n")[0]
            for line in whole.decode(errors="replace").splitlines():
                if line == "@ warm":
                    return
                if line.startswith("@ cold "):
                    raise CampaignError(UNSUPPORTED, f"the guest for {self.mode} trials never got "
                                                     f"warm: {line[7:]}")
            if not alive:
                raise CampaignError(UNSUPPORTED, f"the guest for {self.mode} trials never got "
                                                 f"warm: {guest.stderr() or 'it died'}")
        raise CampaignError(UNSUPPORTED, f"the guest for {self.mode} trials was not warm after "
                                         f"{guest.cpu_seconds():.0f} s of its CPU")

    def devices(self, copy):
        """QEMU's arguments for them. What a copy writes to its disk goes with it."""
        drive = f"id=disk,if=none,format=raw,cache=unsafe,file={self.disk}"
        if copy:
            drive += ",snapshot=on"
        return [*(("-drive", drive) if self.device.disk else ()), *self.device.qemu]

    def payload(self, script):
        """A file with what a copy is to run. The caller removes it, or the context does."""
        data = script.encode()
        if len(data) > PAYLOAD_SIZE:
            raise CampaignError(USAGE, f"a plan of {len(data)} bytes: a trial carries "
                                       f"{PAYLOAD_SIZE}")
        handle, path = tempfile.mkstemp(prefix="trial.", dir=self.folder)
        with os.fdopen(handle, "wb") as file:
            file.write(data.ljust(PAYLOAD_SIZE, b"\0"))
        return path

    def copy(self, payload):
        """A copy of the warm guest that has not run yet. QmpError when there is none."""
        guest = Guest(self, self.memory, payload, incoming=True)
        try:
            guest.negotiate()
            guest.load(self.state)
            guest.say(b"go\n")
        except BaseException:
            guest.close()
            raise
        return guest
