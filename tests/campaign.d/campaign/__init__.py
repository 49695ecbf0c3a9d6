# SPDX-License-Identifier: GPL-2.0-or-later
"""Seeded fault campaigns on stock drivers: trials in copies of a warm guest, and their reports."""
