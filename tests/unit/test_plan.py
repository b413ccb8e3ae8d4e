"""A plan: made once, applied once, in order."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from recorder import Recorder

from runbook import secrets
from runbook.display import DATA_MIME
from runbook.errors import PlanError
from runbook.journal import Journal
from runbook.machine import CommandError, run
from runbook.plan import Plan
from runbook.resources import File
from runbook.resources.base import Found


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


def test_what_was_edited_since_the_last_run_is_named_before_it_is_written_over() -> None:
    [thing], _ = things("a")
    Plan("stage", [thing]).apply()
    thing.value = "edited"
    plan = Plan("stage", [thing])
    assert "thing a (edited since the last run)" in str(plan)
    assert [change["edited"] for change in plan.table().data["plan"]] == [True]


def test_what_is_as_the_last_run_left_it_was_not_edited(
    tmp_path: Path, ours: tuple[str, str]
) -> None:
    file, other = tmp_path / "file", tmp_path / "other"
    other.write_text("an administrator's")
    Plan("stage", [File(file, *ours, 0o600, content="a")]).apply()
    wanted = [File(path, *ours, 0o600, content="b") for path in (file, other)]
    assert [change.edited for change in Plan("stage", wanted).changes] == [False, False]


def test_what_was_stopped_by_hand_was_not_edited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Recorder, "guarded", False)
    [thing], _ = things("a")
    Plan("stage", [thing]).apply()
    thing.value = "old"
    assert not Plan("stage", [thing]).changes[0].edited


def test_a_plan_of_somebody_who_may_not_read_the_journal_names_nothing_as_edited(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    [thing], _ = things("a")
    Plan("stage", [thing]).apply()
    thing.value = "edited"

    def refuse(self: Journal) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Journal, "lines", refuse)
    assert not Plan("stage", [thing]).changes[0].edited


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
    change = {"kind": "update", "summary": "thing a", "diff": "", "undoable": True, "edited": False}
    assert data == {"plan": [change]}


def test_the_heading_counts_changes_and_what_is_as_wanted() -> None:
    plan = Plan("40-pam", [Recorder("a"), Recorder("b", "new"), Recorder("c", "new")])
    assert "Plan 40-pam: 1 change, 2 as wanted" in str(plan)


def test_a_note_is_shown() -> None:
    assert "skipped: no need" in str(Plan("stage", [], note="skipped: no need"))


RULE = Found("file /etc/sudoers.d/jupyterhub", "root:root 0440", "hub ALL=(%people) NOPASSWD: /x")


def test_what_is_as_wanted_is_named_one_by_one_with_its_value_and_its_text() -> None:
    plan = Plan("stage", [Recorder("a", "new", there=RULE), Recorder("b", "new"), Recorder("c")])
    shown = plan._repr_mimebundle_()
    assert shown[DATA_MIME]["as_wanted"] == [
        {"what": RULE.what, "value": RULE.value, "text": RULE.text},
        {"what": "recorder b", "value": "", "text": ""},
    ]
    assert re.search(rf"{RULE.what} +{RULE.value}\n recorder b", shown["text/plain"])
    _, _, folded = shown["text/html"].partition("<details><summary")
    parts = ("2 as wanted", RULE.what, RULE.value, RULE.text)
    assert [part for part in parts if part not in folded] == []


def test_a_long_text_of_what_is_as_wanted_is_cut_to_its_ends() -> None:
    there = Found("file /x", "", "\n".join(map(str, range(1000))))
    (found,) = Plan("stage", [Recorder("a", "new", there=there)]).table().data["as_wanted"]
    assert "... 960 lines left out ..." in found["text"]
    assert found["text"].splitlines()[-1] == "999"


def test_secrets_are_masked_in_what_is_as_wanted() -> None:
    secrets.register("hunter22")
    there = Found("hunter22 file", "hunter22", "hunter22")
    assert "hunter22" not in str(Plan("s", [Recorder("a", "new", there=there)])._repr_mimebundle_())


def saying(*words: str) -> Callable[[], None]:
    def say() -> None:
        for word in words:
            run(["echo", word])

    return say


def test_below_each_change_stands_what_its_commands_did_and_said() -> None:
    first, quiet = Recorder("a", on_apply=saying("one", "two")), Recorder("b")
    shown = Plan("stage", [first, quiet]).apply()._repr_mimebundle_()
    ((what, told),) = shown[DATA_MIME]["commands"].items()
    assert what == "thing a"
    assert re.sub(r"0\.\d\d", "T", told) == (
        "$ echo one\none\n[exit 0, T s]\n$ echo two\ntwo\n[exit 0, T s]"
    )
    assert "thing a: 2 commands, 0." in shown["text/plain"]
    assert told in shown["text/plain"]
    row = re.search(r"<td[^>]*>thing a<details><summary[^>]*>2 commands, 0.\d s.*?</td>",
                    shown["text/html"], re.DOTALL)  # fmt: skip
    assert row
    assert "$ echo two" in row[0]
    assert "thing b</td>" in shown["text/html"]


def test_lanes_at_work_at_the_same_time_keep_their_commands_apart() -> None:
    barrier = threading.Barrier(2)

    def work(word: str) -> Callable[[], None]:
        def both() -> None:
            for _ in range(3):
                barrier.wait(timeout=300)
                run(["echo", word])

        return both

    lanes = [Recorder(name, lane=name, on_apply=work(name)) for name in ("a", "b")]
    told = Plan("stage", lanes).apply().data["commands"]
    said = {what: re.findall(r"^echo (.)|^\$ echo (.)", text, re.M) for what, text in told.items()}
    assert said == {"thing a": [("", "a")] * 3, "thing b": [("", "b")] * 3}


def test_commands_that_only_look_are_not_told() -> None:
    class Looking(Recorder):
        def read(self) -> Any:
            run(["true"])
            return super().read()

    assert Plan("stage", [Looking("a")]).apply().data["commands"] == {}


def test_secrets_are_masked_in_what_commands_say(capsys: pytest.CaptureFixture[str]) -> None:
    secrets.register("hunter22")
    shown = Plan("stage", [Recorder("a", on_apply=saying("hunter22"))]).apply()
    assert "hunter22" not in str(shown._repr_mimebundle_())


def test_where_a_change_fails_its_commands_are_shown_and_what_was_made_before(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail() -> None:
        run(["sh", "-c", "echo no network >&2; exit 3"])

    resources = [Recorder("a", on_apply=saying("one")), Recorder("b", on_apply=fail), Recorder("c")]
    with pytest.raises(CommandError):
        Plan("stage", resources).apply()
    said = capsys.readouterr().out
    assert "Apply stage: 1 of 3 made" in said
    rows = [" ".join(line.split()) for line in said.splitlines()]
    assert [
        row for row in ("✓ ok thing a", "✗ failed thing b", "· pending thing c") if row not in rows
    ] == []
    assert "no network\n[exit 3, " in said


def test_the_length_of_a_text_that_is_as_wanted_is_told_where_there_is_one() -> None:
    plan = Plan("stage", [Recorder("a", "new", there=RULE), Recorder("b", "new")])
    shown = plan._repr_mimebundle_()["text/html"]
    assert shown.count("<summary") == 2  # of the whole table, and of the one text
    assert "1 line<" in shown
    assert "0 lines" not in shown
