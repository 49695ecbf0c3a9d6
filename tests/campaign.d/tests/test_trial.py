# SPDX-License-Identifier: GPL-2.0-or-later
"""How a trial is taken to have ended, and what the command says when it cannot go on."""

import io
import os
import signal
import types
import unittest
from unittest import mock

from campaign import guest, main, trial
from campaign.error import FAILED


def listened(*events, output=b""):
    """How a guest's end is told that gave these events of QEMU."""
    silent = types.SimpleNamespace(
        text={"output": bytearray(output)}, read=lambda timeout: not events,
        qmp=types.SimpleNamespace(events=list(events)))
    return trial._listen(silent)    # pylint: disable=protected-access


def shutdown(reason, by_guest):
    """As QEMU tells it."""
    return {"event": "SHUTDOWN", "data": {"guest": by_guest, "reason": reason}}


class Ends(unittest.TestCase):
    def test_a_reset_is_the_guests(self):
        self.assertEqual(listened(shutdown("guest-reset", True)), "reset")

    def test_who_ends_qemu_gives_no_verdict(self):
        for reason in ("host-signal", "host-qmp-quit", "host-error"):
            self.assertEqual(listened(shutdown(reason, False)), "lost")


class Halted:
    """A guest that has said a word, uses no CPU, and does not come to an end. Its clock goes on."""

    def __init__(self):
        self.now = 100.0
        self.text = {"output": bytearray(b"h\n")}
        self.qmp = types.SimpleNamespace(events=[], command=lambda name: None)

    def read(self, timeout):
        """Nothing comes."""
        self.now += timeout
        if self.now > 1000:
            raise TimeoutError("nobody gives up")
        return True

    def wants_cpu(self):
        """It is halted."""
        return False

    def cpu_seconds(self):
        """Of before."""
        return 2.5


class Starved(Halted):
    """One that others have left no CPU for a while."""

    def wants_cpu(self):
        if self.now > 400:
            self.text["output"] += b"@ end"
        return self.now <= 400


class Patience(unittest.TestCase):
    def ended(self, halted):
        with mock.patch.object(trial.time, "monotonic", lambda: halted.now):
            return trial._listen(halted)    # pylint: disable=protected-access

    def test_a_halted_guest_that_takes_no_nmi_is_given_up(self):
        self.assertEqual(self.ended(Halted()), "silent")

    def test_one_that_gets_no_cpu_is_waited_for(self):
        self.assertEqual(self.ended(Starved()), "end")

    def test_a_panic_that_comes_to_no_end_is_given_up(self):
        halted = Halted()
        halted.qmp.events.append({"event": "GUEST_PANICKED"})
        self.assertEqual(self.ended(halted), "panicked")


class Signals(unittest.TestCase):
    def test_ctrl_c_is_not_for_the_guests(self):
        sleep = mock.patch.object(guest, "command_line", lambda *_: ["sleep", "60"])
        with sleep, guest.Guest(types.SimpleNamespace(folder="/tmp"), None, None) as running:
            self.assertNotEqual(os.getpgid(running.process.pid), os.getpgid(0))


    def handlers(self, hangup):
        """Which signals end a campaign in order, if SIGHUP was handled as HANGUP says before."""
        kept = {number: signal.getsignal(number) for number in (signal.SIGHUP, signal.SIGTERM)}
        self.addCleanup(lambda: [signal.signal(*one) for one in kept.items()])
        signal.signal(signal.SIGHUP, hangup)
        with mock.patch.object(main, "run_report", return_value=0):
            main.main(["report", "/nonexistent"])
        return [number for number in kept if signal.getsignal(number) == main.interrupt]

    def test_a_lost_terminal_ends_it_in_order_but_under_nohup(self):
        self.assertEqual(self.handlers(signal.SIG_DFL), [signal.SIGHUP, signal.SIGTERM])
        self.assertEqual(self.handlers(signal.SIG_IGN), [signal.SIGTERM])


class Command(unittest.TestCase):
    def said(self, error):
        words = io.StringIO()
        with mock.patch.object(main, "run_report", side_effect=error), \
                mock.patch("sys.stderr", words), mock.patch.object(main.signal, "signal"):
            return main.main(["report", "/nonexistent"]), words.getvalue()

    def test_full_disk(self):
        self.assertEqual(self.said(OSError(28, "No space left on device", "/x/trials.jsonl")),
                         (FAILED, "campaign: /x/trials.jsonl: No space left on device\n"))
        self.assertEqual(self.said(OSError(28, "No space left on device")),
                         (FAILED, "campaign: No space left on device\n"))

    def test_interrupted(self):
        self.assertEqual(self.said(KeyboardInterrupt()), (130, "campaign: interrupted\n"))
