"""Who runs the tests that look at no machine: an account that can change nothing."""

import os

import pytest


def refuse_root() -> None:
    """End the session where root would run a test of tests/unit or tests/notebooks."""
    if os.geteuid() == 0:
        pytest.exit("not as root: ./runbook test tests/unit drops it first", returncode=4)
