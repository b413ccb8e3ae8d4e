"""What every test session ends with: why tests were skipped, a line for each reason."""

from collections import Counter

import pytest


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Hundreds of tests need a machine of their own; why there is none is said once."""
    places = [report.longrepr for report in terminalreporter.getreports("skipped")]
    reasons = Counter(place[2] for place in places if isinstance(place, tuple))
    for reason, number in reasons.items():
        terminalreporter.line(f"{number} skipped: {reason.removeprefix('Skipped: ')}")
