"""A plan: made once, applied once, in order."""

from __future__ import annotations

import threading

import pytest
from recorder import Recorder

from runbook import secrets
from runbook.display import DATA_MIME
from runbook.errors import PlanError
from runbook.plan import Plan


def things(*names: str, **values: str) -> tuple[list[Recorder], list[str]]:
    """Recorders that write into one log."""
    log: list[str] = []
    return [Recorder(name, log=log, **values) for name in names], log  # type: ignore[arg-type]


def test_changes_are_applied_in_the_order_of_the_resources() -> None:
    resources, log = things("c", "a", "b")
    Plan("stage", resources).apply()
    assert log == ["c", "a", "b"]


def test_what_is_as_wanted_is_not_applied() -> None:
    resources, log = things("a", "b")
    resources[0].value = "new"
    Plan("stage", resources).apply()
    assert log == ["b"]


def test_a_plan_with_nothing_to_change_is_false() -> None:
    assert not Plan("stage", [Recorder("a", "new")])


def test_a_plan_with_something_to_change_is_true() -> None:
    assert Plan("stage", [Recorder("a")])


def test_making_a_plan_changes_nothing() -> None:
    resources, log = things("a")
    plan = Plan("stage", resources)
    str(plan)
    assert (log, plan.journal.path.exists()) == ([], False)


def test_a_dry_run_applies_nothing_and_says_so() -> None:
    resources, log = things("a")
    plan = Plan("stage", resources, dry_run=True)
    assert "dry_run: nothing was changed" in str(plan.apply())
    assert (log, plan.applied, plan.journal.path.exists()) == ([], False, False)


def test_applying_nothing_says_so() -> None:
    plan = Plan("stage", [Recorder("a", "new")])
    assert "nothing to change" in str(plan.apply())
    assert not plan.applied


def test_applying_says_what_was_made() -> None:
    assert "thing a" in str(Plan("stage", [Recorder("a")]).apply())


def test_a_resource_that_moved_since_the_plan_is_refused() -> None:
    resources, log = things("a")
    plan = Plan("stage", resources)
    resources[0].value = "edited"
    with pytest.raises(PlanError, match="recorder a changed since the plan was made"):
        plan.apply()
    assert log == []


def test_what_came_before_a_refusal_stays_applied() -> None:
    resources, log = things("a", "b", "c")
    plan = Plan("stage", resources)
    resources[1].value = "edited"
    with pytest.raises(PlanError):
        plan.apply()
    assert log == ["a"]


def test_a_plan_is_applied_once() -> None:
    resources, log = things("a")
    plan = Plan("stage", resources)
    plan.apply()
    with pytest.raises(PlanError, match="has been applied already"):
        plan.apply()
    assert log == ["a"]


def test_different_lanes_are_applied_at_the_same_time() -> None:
    barrier = threading.Barrier(2)

    def meet() -> None:
        barrier.wait(timeout=300)

    Plan("stage", [Recorder(name, lane=name, on_apply=meet) for name in ("a", "b")]).apply()
    assert not barrier.broken


def test_one_lane_is_applied_in_order() -> None:
    resources, log = things("a", "b", lane="python")
    Plan("stage", [*resources, Recorder("other", lane="node")]).apply()
    assert log == ["a", "b"]


def test_what_has_no_lane_waits_for_the_lanes_before_it() -> None:
    log: list[str] = []
    lanes = [Recorder(name, lane=name, log=log) for name in ("a", "b")]
    Plan("stage", [Recorder("first", log=log), *lanes, Recorder("last", log=log)]).apply()
    assert (log[0], log[-1], sorted(log[1:3])) == ("first", "last", ["a", "b"])


def test_a_failure_in_a_lane_is_raised_when_the_other_has_ended() -> None:
    def fail() -> None:
        raise OSError("no network")

    log: list[str] = []
    plan = Plan("s", [Recorder("a", lane="a", on_apply=fail), Recorder("b", lane="b", log=log)])
    with pytest.raises(OSError, match="no network"):
        plan.apply()
    assert log == ["b"]


def test_lanes_write_whole_entries_into_the_journal() -> None:
    plan = Plan("stage", [Recorder(str(n), lane=str(n % 4)) for n in range(40)])
    plan.apply()
    assert len(list(plan.journal.entries())) == 80


def test_secrets_are_masked_wherever_a_plan_shows_itself() -> None:
    secrets.register("hunter22")
    plan = Plan("stage", [Recorder("a", diff="--- a\n+++ b\n@@ -0,0 +1 @@\n+word: hunter22")])
    shown = plan._repr_mimebundle_()
    assert {mime: "hunter22" in str(content) for mime, content in shown.items()} == {
        "text/plain": False,
        "text/html": False,
        DATA_MIME: False,
    }


def test_the_runner_reads_the_changes_as_data() -> None:
    data = Plan("stage", [Recorder("a")])._repr_mimebundle_()[DATA_MIME]
    change = {"kind": "update", "summary": "thing a", "diff": "", "undoable": True}
    assert data == {"plan": [change]}


def test_the_heading_counts_changes_and_what_is_as_wanted() -> None:
    plan = Plan("40-pam", [Recorder("a"), Recorder("b", "new"), Recorder("c", "new")])
    assert "Plan 40-pam: 1 change, 2 as wanted" in str(plan)


def test_a_note_is_shown() -> None:
    assert "skipped: no need" in str(Plan("stage", [], note="skipped: no need"))
