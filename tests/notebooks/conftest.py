"""The notebooks are planned here, and nothing of a machine is changed."""

import pytest
from account import refuse_root


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """No test here runs as root."""
    refuse_root()
