"""What every test session does: order, workers, and what it says at its end."""

import os
import random
from collections import Counter

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

#: They boot machines, and all machines share the ports of this computer.
ON_MACHINES = ("machine", "bench")


def pytest_configure() -> None:
    """What tests draw is drawn anew in each session, unless `RUNBOOK_TEST_SEED` is given; the
    workers have it from here."""
    os.environ.setdefault("RUNBOOK_TEST_SEED", f"{random.SystemRandom().randrange(16**6):06x}")


def pytest_report_header() -> str:
    return f"RUNBOOK_TEST_SEED={os.environ['RUNBOOK_TEST_SEED']}"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Measurements come last, when nothing else runs."""
    items.sort(key=lambda item: _folder(item.nodeid) == "bench")


class OneForMachines(LoadScopeScheduling):  # type: ignore[misc]
    """One worker has all the machines, in their order; the others take the rest file by file.

    Not ``--dist=loadgroup``, which pytest-xdist 3.8 loses under pytest 9.2: it writes the groups
    into an attribute that pytest does not read any more.
    """

    def _split_scope(self, nodeid: str) -> str:
        return "machines" if _folder(nodeid) in ON_MACHINES else nodeid.partition("::")[0]


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> OneForMachines:
    """How the tests are shared out where there are several workers."""
    config.option.loadscopereorder = False  # machines first: they take longest
    return OneForMachines(config, log)


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


def _folder(nodeid: str) -> str:
    """Of "tests/unit/test_plan.py::test_it": unit."""
    return nodeid.removeprefix("tests/").partition("/")[0]
