# SPDX-License-Identifier: GPL-2.0-or-later
"""QEMU's control protocol over a socket that QEMU has inherited."""

import json
import select
import time


class QmpError(Exception):
    """QEMU refused a command, or is gone."""


class Qmp:
    """One connection. Events that come meanwhile are kept in `events`, the oldest first."""

    def __init__(self, sock):
        self.sock = sock
        self.buffer = b""
        self.events = []
        self.closed = False

    def negotiate(self, timeout):
        """Read the greeting and leave the mode that only knows capabilities."""
        end = time.monotonic() + timeout
        while not any("QMP" in event for event in self.events):
            self._fill(end)
        self.events.clear()
        self.command("qmp_capabilities", timeout=timeout)

    def command(self, execute, timeout=10, **arguments):
        """The command's return value; QmpError when QEMU refuses it or does not answer."""
        request = {"execute": execute}
        if arguments:
            request["arguments"] = {name.replace("_", "-"): value
                                    for name, value in arguments.items()}
        try:
            self.sock.sendall(json.dumps(request).encode() + b"\n")
        except OSError as error:
            raise QmpError(f"QEMU is gone at {execute}: {error}") from error
        end = time.monotonic() + timeout
        while True:
            for message in self._fill(end):
                if "error" in message:
                    raise QmpError(f"{execute}: {message['error'].get('desc')}")
                if "return" in message:
                    return message["return"]

    def poll(self):
        """Take in what has come, without waiting."""
        while not self.closed and select.select([self.sock], [], [], 0)[0]:
            self._receive()

    def _fill(self, end):
        """Wait for at least one message; returns those that are no events."""
        left = end - time.monotonic()
        if self.closed or left <= 0 or not select.select([self.sock], [], [], left)[0]:
            raise QmpError("QEMU has ended" if self.closed else "QEMU does not answer")
        return self._receive()

    def _receive(self):
        try:
            data = self.sock.recv(65536)
        except OSError:
            data = b""
        if not data:
            self.closed = True
            return []
        self.buffer += data
        *lines, self.buffer = self.buffer.split(b"\n")
        answers = []
        for line in lines:
            if not line.strip():
                continue
            message = json.loads(line)
            if "event" in message or "QMP" in message:
                self.events.append(message)
            else:
                answers.append(message)
        return answers
