# SPDX-License-Identifier: GPL-2.0-or-later
"""What a trial is said to have ended as."""

import unittest

from fixture import BROKEN, DEVICE_PLAN, FLOWS, GOOD, MET, PLAN, SERVED, event, evidence, made

from campaign.outcome import activated, classify, recoveries
from campaign.record import excerpt, faults_of

OOPS = ("[  1.0] BUG: kernel NULL pointer dereference, address: 0\n"
        "[  1.0] Oops: 0000 [#1] PREEMPT SMP NOPTI\n")
CAUGHT = "[  1.0] ------------[ cut here ]------------\n[  1.0] kernel BUG at mm/slub.c:419!\n"
PANIC = OOPS + "[  1.1] Kernel panic - not syncing: Fatal exception in interrupt\n"
WARNING = "[  1.0] WARNING: CPU: 0 PID: 1 at net/core/dev.c:1\n"


class Outcome(unittest.TestCase):
    def ends_as(self, outcome, plan=PLAN, **seen):
        self.assertEqual(classify(evidence(**seen), plan)[0], outcome)

    def test_served_as_without_faults(self):
        self.ends_as("ok")
        self.ends_as("ok", plan=None, debug="")

    def test_not_planted_is_invalid_and_never_ok(self):
        refused = "@ armed 50 1\n@ refused e1000: memory is not what the plan expects\n@ end\n"
        self.assertEqual(classify(evidence(output=refused, debug=""), PLAN),
                         ("invalid", "e1000: memory is not what the plan expects"))
        self.ends_as("invalid", output=GOOD.replace("@ planted\n", ""), debug="")
        self.ends_as("invalid", output="h\n", end="silent", debug="")

    def test_lost_qemu_is_no_verdict(self):
        self.ends_as("invalid", output="", end="lost")

    def test_panic_comes_before_its_oops(self):
        self.assertEqual(classify(evidence(output=SERVED, console=PANIC, end="panicked"), PLAN),
                         ("panic", "Kernel panic - not syncing: Fatal exception in interrupt"))
        self.ends_as("panic", output=SERVED, console=PANIC, end="reset")

    def test_panic_while_faults_are_planted_counts(self):
        self.ends_as("panic", output="h\n", console=PANIC, end="panicked")

    def test_reset_without_a_word(self):
        self.ends_as("reset", output=SERVED, console="", end="reset")

    def test_silence_is_a_hang_even_if_it_was_made_to_panic_then(self):
        self.ends_as("hang", output=SERVED, console=PANIC, end="silent")
        self.ends_as("hang", output=SERVED, end="slow")

    def test_lockups(self):
        for line in ("watchdog: BUG: soft lockup - CPU#0 stuck for 26s! [flow:1]",
                     "INFO: task ip:7 blocked for more than 120 seconds.",
                     "rcu: INFO: rcu_preempt self-detected stall on CPU"):
            self.ends_as("lockup", console=line)
        self.ends_as("lockup", output=GOOD.replace("run 0", "run 124"))
        self.ends_as("lockup", output="@ planted\n@ run 124\n@ end\n")

    def test_oops_that_the_machine_survived(self):
        self.ends_as("oops", console=OOPS)

    def test_broken_until_undone_or_for_good(self):
        self.ends_as("nonfatal", output=BROKEN % 0)
        self.ends_as("latent", output=BROKEN % 1)
        self.ends_as("latent", plan=DEVICE_PLAN, output=BROKEN % 1, debug="")

    def test_served_at_first_but_broken_for_good_is_not_served(self):
        late = made(output=GOOD.replace("cured 0", "cured 1"))
        self.assertEqual((late["outcome"], late["service"]), ("latent", False))
        self.assertEqual(made(output=BROKEN % 0)["service"], False)

    def test_recovered(self):
        told = event("driver.recovered", 60e9, duration_ns=3e9, cause='"fault"')
        self.ends_as("recovered", output=GOOD.replace("@ end", told + "@ end"))

    def test_a_bug_that_was_caught_is_no_oops(self):
        told = event("driver.recovered", 60e9, duration_ns=3e9, cause='"fault"')
        self.ends_as("recovered", output=GOOD.replace("@ end", told + "@ end"), console=CAUGHT)
        self.ends_as("warn", console=CAUGHT)

    def test_recovery_of_before_does_not_count(self):
        told = event("driver.recovered", 40e9, duration_ns=3e9)
        seen = evidence(output=GOOD.replace("@ end", told + "@ end"))
        self.assertEqual(recoveries(seen), [])
        self.assertEqual(classify(seen, PLAN)[0], "ok")

    def test_event_cut_short_is_left_out(self):
        self.assertEqual(evidence(output=SERVED + '@ event {"event":"dri').events(), [])

    def test_lost_connections_are_flaws(self):
        self.ends_as("flawed", output=SERVED + FLOWS % 1 + "@ stop 1\n@ undone 0\n@ cured 0\n@ end\n")

    def test_warnings(self):
        self.ends_as("warn", console=WARNING)

    def test_faults_that_nobody_executed(self):
        self.ends_as("inactive", debug="")
        self.ends_as("ok", plan=DEVICE_PLAN, debug="")


class Activation(unittest.TestCase):
    def test_counts_each_fault_once(self):
        self.assertEqual(activated(evidence(debug=MET + MET + "recov-inject e1000 1\n"), PLAN), 2)
        self.assertEqual(activated(evidence(debug=""), DEVICE_PLAN), 1)

    def test_kernel_counts_by_address(self):
        self.assertEqual([fault["hit"] for fault in faults_of(PLAN, evidence(debug=MET))],
                         [False, True])


class Excerpt(unittest.TestCase):
    def test_begins_where_trouble_does(self):
        console = "all is well\n" * 50 + OOPS + "RIP: 0010:f+0x1\n" + "x\n" * 90
        lines = excerpt(console)
        self.assertIn("NULL pointer", lines[0])
        self.assertEqual(len(lines), 40)


if __name__ == "__main__":
    unittest.main()
