# SPDX-License-Identifier: GPL-2.0-or-later
"""One QEMU process: a template that is saved when it is warm, or a copy of it.

The copy maps the template's memory, and pages are copied when they are written; devices come from
the saved state. Time in the guest is counted in instructions: idle time is skipped, and limits in
the guest do not depend on the machine's load. All that is between the processes goes over inherited
sockets, so nothing is left behind.
"""

import os
import pathlib
import select
import signal
import socket
import subprocess
import time

from .processor import Processor
from .qmp import Qmp, QmpError

# The size that the guest knows when it looks at the file, before it is copied.
PAYLOAD_SIZE = 32768
CLOCK_TICKS = os.sysconf("SC_CLK_TCK")


def command_line(template, memory, payload, sockets, incoming, processor):
    """QEMU's arguments. For -cpu, and why its threads share a processor, see tests/vm/run; random
    numbers from the processor would make no two trials the same."""
    shared = "off" if incoming else "on"
    line = [
        # Nobody else would end it if this process were killed.
        "setpriv", "--pdeathsig", "KILL", "taskset", "-c", str(processor), "qemu-system-x86_64",
        "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
        "-machine", "pc,memory-backend=ram", "-m", str(template.megabytes), "-smp", str(template.processors),
        "-object", f"memory-backend-file,id=ram,size={template.megabytes}M,mem-path={memory},"
                   f"share={shared}",
        "-accel", "tcg,thread=single", "-icount", "shift=4,sleep=off",
        "-cpu", "max,-hypervisor,-cx16,-erms,-fsrm,-rdrand,-rdseed",
        "-rtc", "base=2026-01-01,clock=vm",
        "-kernel", template.kernel, "-initrd", template.initrd,
        "-append", "console=ttyS0,115200 panic=-1 printk.devkmsg=on no_timer_check "
                   "cryptomgr.notests",
        "-fw_cfg", f"name=opt/org.recoverd.trial,file={payload}",
        "-device", "pvpanic", "-device", "i6300esb,addr=1e",
        "-action", "panic=none,watchdog=inject-nmi",
        *template.devices(incoming),
    ]
    for name, sock in sockets.items():
        line += ["-chardev", f"socket,id={name},fd={sock.fileno()}"]
    line += ["-serial", "chardev:console", "-serial", "chardev:output",
             "-device", "isa-debugcon,iobase=0xe9,chardev=debug",
             "-mon", "chardev=qmp,mode=control"]
    if incoming:
        line += ["-incoming", "defer"]
    return line


class Guest:
    """A running QEMU. `output`, `console` and `debug` collect bytes; close() ends the process."""

    STREAMS = ("console", "output", "debug")

    def __init__(self, template, memory, payload, incoming=False):
        ours, theirs = {}, {}
        for name in (*self.STREAMS, "qmp"):
            ours[name], theirs[name] = socket.socketpair()
        self.text = {name: bytearray() for name in self.STREAMS}
        self.sockets = ours
        self.processor = Processor()
        try:
            self.process = subprocess.Popen(
                command_line(template, memory, payload, theirs, incoming, self.processor.number),
                pass_fds=[sock.fileno() for sock in theirs.values()],
                # Ctrl-C is for the campaign, which lets its trials come to their end.
                start_new_session=True,
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                # Where QEMU keeps what a copy writes to its disk.
                env={**os.environ, "TMPDIR": str(template.folder)})
        except BaseException:
            self.processor.release()
            raise
        finally:
            for sock in theirs.values():
                sock.close()
        self.usage = None
        self.complaint = ""
        self.qmp = Qmp(ours["qmp"])
        self.open = {ours[name]: name for name in self.STREAMS}

    def negotiate(self):
        """QmpError with QEMU's own words when it does not start."""
        try:
            self.qmp.negotiate(30)
        except QmpError:
            words = self.stderr()
            raise QmpError(words or "QEMU did not start") from None

    def stderr(self):
        """What QEMU complained of; ends it."""
        self.close()
        lines = [line for line in self.complaint.splitlines() if "not connected to host" not in line]
        return lines[-1] if lines else ""

    def save(self, state):
        """Stop, and write all but the memory to the file STATE."""
        self.qmp.command("stop")
        self.qmp.command("migrate-set-capabilities", capabilities=[
            {"capability": "x-ignore-shared", "state": True}])
        self.qmp.command("migrate", uri=f"exec:cat >'{state}'")
        for _ in range(600):
            status = self.qmp.command("query-migrate").get("status")
            if status == "completed":
                return
            if status == "failed":
                raise QmpError("the warm guest cannot be saved")
            time.sleep(0.05)
        raise QmpError("the warm guest takes too long to save")

    def load(self, state):
        """Become the guest that was saved as STATE. It does not run yet."""
        self.qmp.command("migrate-set-capabilities", capabilities=[
            {"capability": "x-ignore-shared", "state": True}])
        self.qmp.command("migrate-incoming", uri=f"exec:cat '{state}'")
        for _ in range(2000):
            if self.qmp.command("query-migrate").get("status") == "completed":
                return
            time.sleep(0.002)
        raise QmpError("a copy of the warm guest does not start")

    def say(self, text):
        """To the guest's second serial port. Up to 16 bytes are there before it runs."""
        self.sockets["output"].sendall(text)
        # QEMU reads the port before it takes the next command, or, at the latest, the one after.
        self.qmp.command("query-status")
        self.qmp.command("query-status")

    def clear_wires(self):
        """Throw away the frames that QEMU keeps because the other end could not take them.

        A frame of no length, which no card could send, seems not to be told from one that is
        refused: nothing comes through any more. QEMU lets go of all when it stops the guest.
        """
        self.qmp.command("stop")
        self.qmp.command("cont")

    def read(self, timeout):
        """Collect what comes within TIMEOUT seconds at most; False when the guest is gone."""
        ready = select.select([*self.open, self.qmp.sock], [], [], timeout)[0]
        if self.qmp.sock in ready:
            self.qmp.poll()
        self._collect(sock for sock in ready if sock in self.open)
        return bool(self.open) and not self.qmp.closed

    def _collect(self, ready):
        for sock in ready:
            try:
                data = sock.recv(65536)
            except OSError:
                data = b""
            if data:
                self.text[self.open[sock]] += data
            else:
                del self.open[sock]

    def wants_cpu(self):
        """Does it compute, or would it, if others let it?"""
        for stat in pathlib.Path(f"/proc/{self.process.pid}/task").glob("*/stat"):
            try:
                if stat.read_text("ascii", "replace").rpartition(")")[2].split()[0] == "R":
                    return True
            except OSError:
                continue    # the thread has ended
        return False

    def cpu_seconds(self):
        """What the process has used of a CPU so far."""
        if self.usage is not None:
            return self.usage
        with open(f"/proc/{self.process.pid}/stat", encoding="ascii") as stat:
            fields = stat.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / CLOCK_TICKS

    def close(self):
        """End the process, and take in the last words of the guest."""
        if self.process.returncode is None:
            # Not Popen's kill, which would wait for it, and not tell what it has used.
            os.kill(self.process.pid, signal.SIGKILL)
            self.complaint = self.process.stderr.read().decode(errors="replace")
            self.process.stderr.close()
            _, status, usage = os.wait4(self.process.pid, 0)
            self.process.returncode = os.waitstatus_to_exitcode(status)
            self.usage = usage.ru_utime + usage.ru_stime
            while self.open:
                self._collect(select.select(list(self.open), [], [])[0])
        self.processor.release()
        for sock in self.sockets.values():
            sock.close()
        self.open = {}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
