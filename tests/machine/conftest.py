"""Fixtures for tests on a booted throw-away Debian.

Where this computer cannot boot one, the tests are skipped with one plain line, which under CI is a
failure.
`RUNBOOK_TEST_SUITE` chooses the Debian: bookworm (default) or trixie.
"""

import contextlib
import os
import signal
from collections.abc import Generator, Iterator

import network
import pytest
import ready_made
from compare import accounts, listing
from debian import Machine, fresh, reasons_not, running, wait_until
from hub import Installed, hub_answers, last_words
from trees import Layers


@pytest.fixture(scope="session", autouse=True)
def own_network() -> None:
    """Each worker has its machines in a network of its own, where that can be had."""
    if network.can_be_had():
        network.Network().enter()


@pytest.fixture(scope="session")
def debian_base() -> Layers:
    """The layers of a fresh Debian: `Machine(debian_base)`."""
    if reason := reasons_not():
        pytest.skip(reason)
    return fresh(os.environ.get("RUNBOOK_TEST_SUITE", "bookworm"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """What a failed test's machines say of it; with ``--keep-machine``, time to look inside."""
    report = yield
    if report.failed:
        for machine in running:
            report.sections.append((f"machine {machine.leader}", last_words(machine)))
        if running and item.config.getoption("keep_machine"):
            keep(item, report.longreprtext)
    for machine in [machine for machine in running if machine.failed]:
        machine.close()
    return report


def keep(item: pytest.Item, why: str) -> None:
    """Say why, and wait until the person is done: the machines end with this process."""
    reporter = item.config.pluginmanager.get_plugin("terminalreporter")
    assert reporter
    reporter.ensure_newline()
    reporter.write_line(why)
    reporter.write_line(f"{item.nodeid} failed. To look inside its machine, while this waits:")
    for machine in running:
        reporter.write_line(f"  {machine.way_in}")
    reporter.write_line("Ctrl-C here removes it.")
    reporter.flush()  # or who reads it from a pipe waits for words, and we for them
    with contextlib.suppress(KeyboardInterrupt):
        signal.pause()


@pytest.fixture
def machine(debian_base: Layers) -> Iterator[Machine]:
    """A fresh Debian, booted, with systemd as PID 1."""
    with Machine(debian_base) as machine:
        yield machine.boot()


@pytest.fixture(scope="session")
def prepared(debian_base: Layers) -> Layers:
    """A bare Debian with the checkout in `CHECKOUT` and the runbook's own environment made."""
    return ready_made.prepared(debian_base)


@pytest.fixture(scope="session")
def installed(debian_base: Layers) -> Installed:
    """What `./runbook run`, the README's first command, makes of that machine, and what it says."""
    return ready_made.after_run(debian_base, "installed", "run")


@pytest.fixture(scope="session")
def after_install(debian_base: Layers) -> Layers:
    """That machine after the stage that takes longest, 10-install: where later ones begin."""
    words = ("run", "--only", "10-install")
    return ready_made.after_run(debian_base, "after-install", *words).layers


@pytest.fixture
def server(installed: Installed) -> Iterator[Machine]:
    """That machine, booted anew, its hub answering: it was started at boot."""
    with Machine(installed.layers) as machine:
        machine.boot()
        wait_until("the hub after the boot", hub_answers)
        yield machine


@pytest.fixture(scope="session")
def undisturbed(installed: Installed) -> tuple[set[str], str]:
    """Files and accounts of a machine whose install nobody disturbed."""
    with Machine(installed.layers) as machine:
        return listing(machine), accounts(machine)
