#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs the tests of the campaign runner, which are in tests/campaign.d/tests, and reports in TAP."""

import pathlib
import sys
import unittest

sys.dont_write_bytecode = True
FOLDER = pathlib.Path(__file__).resolve().parents[1] / "campaign.d" / "tests"


class Tap(unittest.TestResult):
    """A line a test as it ends, and what failed as comments."""

    def _line(self, verdict, test):
        print(f"{verdict} {self.testsRun} - {test.id()}", flush=True)

    def addSuccess(self, test):
        super().addSuccess(test)
        self._line("ok", test)

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self._failed(test, self.failures[-1][1])

    def addError(self, test, err):
        super().addError(test, err)
        self._failed(test, self.errors[-1][1])

    def _failed(self, test, text):
        self._line("not ok", test)
        print("".join(f"# {line}\n" for line in text.splitlines()), end="")


if __name__ == "__main__":
    suite = unittest.defaultTestLoader.discover(str(FOLDER))
    print(f"1..{suite.countTestCases()}")
    result = Tap()
    suite.run(result)
    sys.exit(not result.wasSuccessful())
