"""A plugin of pytest for mutations.py: coverage notes for each line which tests execute it.

Their fixtures count, too; coverage's own ``dynamic_context`` knows neither those nor tests that
hypothesis repeats.
"""

from collections.abc import Generator

import coverage
import pytest


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    watching = coverage.Coverage.current()
    assert watching
    watching.switch_context(item.nodeid.partition("[")[0])
    try:
        return (yield)
    finally:
        watching.switch_context("")
