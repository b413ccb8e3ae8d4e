"""The ports of the trial hub: free, and for root such that nobody else may bind them."""

from __future__ import annotations

import socket

import pytest

from runbook import facts
from runbook.hub import trial


@pytest.fixture
def as_root(monkeypatch: pytest.MonkeyPatch) -> None:
    """This account may not bind the real ones: others stand for them."""
    monkeypatch.setattr(facts, "is_root", lambda: True)
    monkeypatch.setattr(facts, "first_open_port", lambda: 65536)
    monkeypatch.setattr(trial, "KEPT", range(64000, 64006))


def test_root_gets_ports_that_are_its_own_and_nobody_has(as_root: None) -> None:
    with socket.create_server(("127.0.0.1", 64001)):
        found = trial.free_ports(3, but=(64000, 64005))
    assert sorted(found) == [64002, 64003, 64004]


def test_where_root_has_no_ports_of_its_own_others_do(
    as_root: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(facts, "first_open_port", lambda: 0)
    assert not {*trial.free_ports(3)} & {*trial.KEPT}


def test_others_get_three_ports() -> None:
    assert len({*trial.free_ports(3)}) == 3
