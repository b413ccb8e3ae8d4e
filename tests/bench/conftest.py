"""The measurement's ratios, as a table at the end of pytest's output."""

import sys
from pathlib import Path

import pytest

# The machines are those of the machine tests.
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "machine"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what the tests recorded as `ratio`, a line each."""
    reports = terminalreporter.getreports("passed") + terminalreporter.getreports("failed")
    lines = [
        f"  {float(value['ratio']):6.2f}   {value['what']}"
        for report in reports
        for name, value in report.user_properties
        if name == "ratio"
    ]
    if lines:
        terminalreporter.section("ratios, measured in this run")
        for line in lines:
            terminalreporter.line(line)
