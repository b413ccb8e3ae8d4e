"""A stage is passed over only where it is done, by this code, and would change nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from runbook import resume
from runbook.journal import Journal
from runbook.order import NOTEBOOKS, Order
from runbook.record import RunRecord, StageRecord
from runbook.resume import add_earlier_attempts
from runbook.stages import STAGES, CheckMachine, Install, Stage

STEPS = (CheckMachine, Install)


@pytest.fixture
def order(tmp_path: Path) -> Order:
    return Order({}, Path("server.yaml"), STEPS, notebooks=NOTEBOOKS, runs=tmp_path)


@pytest.fixture(autouse=True)
def planned(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """What each stage would change."""
    would_change: dict[str, list[str]] = {stage.name: [] for stage in STAGES}
    monkeypatch.setattr(Stage, "plan", lambda self: would_change[self.name])
    return would_change


def record(order: Order, *statuses: str) -> RunRecord:
    stages = [
        StageRecord(stage.name, status=status, made_by=resume.made_by(stage, order))
        for stage, status in zip(order.stages, statuses, strict=True)
    ]
    return RunRecord(order.runs, "server.yaml", "", stages)


@pytest.mark.parametrize("status", ["unchanged", "changed", "skipped"])
def test_what_is_done_is_passed_over(order: Order, status: str) -> None:
    assert resume.good_so_far(order, record(order, status, "failed")) == 1
    assert resume.good_so_far(order, record(order, status, status)) == 2


@pytest.mark.parametrize("status", ["failed", "pending", "running"])
def test_what_is_not_done_is_executed_with_all_that_follow(order: Order, status: str) -> None:
    assert resume.good_so_far(order, record(order, status, "changed")) == 0


def test_what_would_change_something_by_now_is_executed(
    order: Order, planned: dict[str, list[str]]
) -> None:
    planned["10-install"] = ["a folder that is gone"]
    assert resume.good_so_far(order, record(order, "unchanged", "changed")) == 1


def test_what_other_code_or_other_parameters_made_is_executed(order: Order) -> None:
    entries = record(order, "unchanged", "changed")
    entries.stages[1].made_by = "0" * 64
    assert resume.good_so_far(order, entries) == 1


def test_what_an_undo_began_to_take_back_is_no_change_where_it_stayed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A run that is resumed has made what its earlier attempts made; an undo is another run."""
    entry = Journal().begin("10-install", "folder x", {"kind": "Directory", "path": "/x"}, {})
    monkeypatch.setenv("RUNBOOK_RUN", "undo")
    Journal().taking_back([entry])
    stage = StageRecord("90-undo", "unchanged")
    add_earlier_attempts(stage, "undo")
    assert (stage.changes, stage.status) == ([], "unchanged")
