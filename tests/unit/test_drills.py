"""The table of drills keeps the rows that a session has no news of."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import drills
import pytest


def session(**outcomes: str) -> drills.Table:
    table = drills.Table()
    for name, outcome in outcomes.items():
        for mine in ("passed", outcome, "passed"):  # setup, call, teardown
            name_of = f"tests/machine/test_faults.py::test_{name}[TERM]"
            report = SimpleNamespace(
                nodeid=name_of, passed=mine == "passed", outcome=mine, duration=2
            )
            table.pytest_runtest_logreport(cast(pytest.TestReport, report))
    return table


def test_a_row_is_made_anew_by_the_session_that_ran_its_drill(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(drills, "_commit", lambda: "abc1234")
    first = session(kill="failed", undo="passed").text("")
    assert "1 of 2 passed." in first
    monkeypatch.setattr(drills, "_commit", lambda: "def5678")
    rows = session(kill="passed").text(first).splitlines()
    assert "2 of 2 passed." in rows
    ours = [row.split("|")[1:] for row in rows if "TERM" in row]
    assert [(r[0].strip(), r[1].strip(), r[2].strip(), r[4].strip()) for r in ours] == [
        ("faults: kill[TERM]", "passed", "6 s", "def5678"),
        ("faults: undo[TERM]", "passed", "6 s", "abc1234"),
    ]
