"""Fixtures for tests on a booted throw-away Debian.

Where this computer cannot boot one, the tests are skipped with one plain line; under CI they fail.
`RUNBOOK_TEST_SUITE` chooses the Debian: bookworm (default) or trixie.
"""

import os
from collections.abc import Iterator

import pytest
from debian import Machine, fresh, reasons_not
from trees import Layers


@pytest.fixture(scope="session")
def debian_base() -> Layers:
    """The layers of a fresh Debian: `Machine(debian_base)`."""
    if reason := reasons_not():
        refuse = pytest.fail if os.environ.get("CI") else pytest.skip
        refuse(reason)
    return fresh(os.environ.get("RUNBOOK_TEST_SUITE", "bookworm"))


@pytest.fixture
def machine(debian_base: Layers) -> Iterator[Machine]:
    """A fresh Debian, booted, with systemd as PID 1."""
    with Machine(debian_base) as machine:
        yield machine.boot()
