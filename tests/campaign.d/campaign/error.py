# SPDX-License-Identifier: GPL-2.0-or-later
"""What ends a campaign: one sentence and an exit status."""

FAILED = 1
USAGE = 2
UNSUPPORTED = 4


class CampaignError(Exception):
    """The sentence says what is wrong with what; status is one of the above."""

    def __init__(self, status, sentence):
        super().__init__(sentence)
        self.status = status
