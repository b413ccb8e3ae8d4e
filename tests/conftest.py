"""What every test session does: order, workers, and what it says at its end."""

import ctypes
import os
from collections import Counter

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

#: They boot machines, and all machines share the ports of the network they are booted in.
ON_MACHINES = ("machine", "bench")
#: A network namespace that reaches the registries: a second worker boots its machines there.
SECOND_NETWORK = os.environ.get("RUNBOOK_TEST_NETWORK", "")
#: These take about half of the time of all tests on machines.
SECOND_HALF = ("test_container", "test_doctor")
CLONE_NEWNET = 0x40000000  # setns(2)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Measurements come last, when nothing else runs."""
    items.sort(key=lambda item: _folder(item.nodeid) == "bench")


class ByNetwork(LoadScopeScheduling):  # type: ignore[misc]
    """One worker has all the machines of a network; the others take the rest file by file.

    Not ``--dist=loadgroup``, which pytest-xdist 3.8 loses under pytest 9.2: it writes the groups
    into an attribute that pytest does not read any more.
    """

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return _network(nodeid) if _folder(nodeid) in ON_MACHINES else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByNetwork:
    """How the tests are shared out where there are several workers."""
    config.option.loadscopereorder = False  # machines first: they take longest
    return ByNetwork(config, log)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Before any fixture boots a machine, be in the network where it belongs."""
    if SECOND_NETWORK and _folder(item.nodeid) in ON_MACHINES:
        with open(_network(item.nodeid)) as namespace:
            code = ctypes.CDLL(None, use_errno=True).setns(namespace.fileno(), CLONE_NEWNET)
            assert code == 0, os.strerror(ctypes.get_errno())


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


def _network(nodeid: str) -> str:
    """The namespace for the machines of a test, as a path: the second, or that of pytest itself."""
    name = nodeid.partition("::")[0].rpartition("/")[2]
    second = SECOND_NETWORK and name.startswith(SECOND_HALF)
    return f"/run/netns/{SECOND_NETWORK}" if second else f"/proc/{os.getppid()}/ns/net"
