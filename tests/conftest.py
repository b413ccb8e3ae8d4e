"""What every test session does: order, workers, and what it says at its end."""

from collections import Counter
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
#: They boot machines, and all machines share the ports of this computer.
ON_MACHINES = ("machine", "bench")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Measurements come last, when nothing else runs; one worker has all the machines.

    The others take the rest file by file (`./runbook test` starts a worker for each core).
    """
    items.sort(key=lambda item: _folder(item) == "bench")
    for item in items:
        group = "machines" if _folder(item) in ON_MACHINES else item.path.name
        item.add_marker(pytest.mark.xdist_group(group))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Why tests were skipped, a line for each reason; and the ratios that were measured."""
    places = [report.longrepr for report in terminalreporter.getreports("skipped")]
    reasons = Counter(place[2] for place in places if isinstance(place, tuple))
    for reason, number in reasons.items():
        terminalreporter.line(f"{number} skipped: {reason.removeprefix('Skipped: ')}")
    reports = [*terminalreporter.getreports("passed"), *terminalreporter.getreports("failed")]
    ratios = [v for r in reports for name, v in r.user_properties if name == "ratio"]
    if ratios:
        terminalreporter.section("ratios, measured in this run")
    for ratio in ratios:
        terminalreporter.line(f"  {float(ratio['ratio']):6.2f}   {ratio['what']}")


def _folder(item: pytest.Item) -> str:
    return item.path.relative_to(HERE).parts[0]
