"""What can be asked at the start is asked at the start, of every stage, and told together."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest
from traitlets import Unicode

from runbook import params, stages
from runbook.checks import Check
from runbook.errors import StageError
from runbook.stages import STAGES, CheckMachine, Configure, Pam, Stage
from runbook.stages.at_start import RUN_VARIABLE

OTHERS = [stage for stage in STAGES if stage is not CheckMachine]


class Late(Stage):
    """A stage that somebody adds later, with a parameter of its own."""

    name: ClassVar[str] = "65-late"
    late = Unicode("").tag(param=True)

    def at_start(self) -> Iterator[Check]:
        yield Check("failed", "late", self.late, "mend it")

    def checks(self) -> Iterator[Check]:
        yield Check("failed", "early stages", "have not run")


@pytest.fixture(autouse=True)
def nothing_else_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine that runs the tests has a say in none of these."""
    for stage in STAGES:
        monkeypatch.setattr(stage, "at_start", lambda self: iter(()))
        monkeypatch.setattr(stage, "checks", lambda self: iter(()))
        monkeypatch.setattr(stage, "fills", lambda self: {})
        monkeypatch.setattr(stage, "skip_reason", lambda self: "")


def wrong(monkeypatch: pytest.MonkeyPatch, stage: type[Stage], what: str) -> None:
    monkeypatch.setattr(stage, "at_start", lambda self: iter([Check("failed", what, stage.name)]))


def refusal(stage: Stage) -> str:
    with pytest.raises(StageError) as caught:
        stage.check()
    return str(caught.value)


@pytest.mark.parametrize("stage", OTHERS, ids=lambda stage: str(stage.name))
def test_what_a_stage_would_refuse_is_told_at_the_start_and_by_itself(
    monkeypatch: pytest.MonkeyPatch, stage: type[Stage]
) -> None:
    wrong(monkeypatch, stage, "the machine")
    assert f"the machine: {stage.name}" in refusal(CheckMachine())
    assert f"the machine: {stage.name}" in refusal(stage())


def test_all_that_is_wrong_is_told_together(monkeypatch: pytest.MonkeyPatch) -> None:
    for stage in OTHERS:
        wrong(monkeypatch, stage, "the machine")
    said = refusal(CheckMachine())
    assert [stage.name for stage in OTHERS if f"the machine: {stage.name}" not in said] == []


def test_a_stage_that_breaks_off_does_not_hide_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(self: Stage) -> Iterator[Check]:
        raise StageError("it breaks")
        yield

    monkeypatch.setattr(Configure, "at_start", breaks)
    wrong(monkeypatch, Pam, "the people")
    said = refusal(CheckMachine())
    assert "it breaks" in said
    assert "the people" in said


def test_the_same_fact_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    for stage in OTHERS:
        monkeypatch.setattr(stage, "at_start", lambda self: iter([Check("failed", "one", "fact")]))
    assert refusal(CheckMachine()).count("one: fact") == 1


def test_a_stage_added_later_takes_part_with_the_parameters_of_the_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(stages, "STAGES", (*STAGES, Late))
    stage = CheckMachine.from_values({"late": params.Value("too late", "--set")})
    assert "late: too late" in refusal(stage)
    assert "early stages" not in refusal(stage)


def test_a_stage_that_is_skipped_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong(monkeypatch, Pam, "the people")
    monkeypatch.setattr(Pam, "skip_reason", lambda self: "nobody logs in")
    assert CheckMachine().check().rows == []


def begin(monkeypatch: pytest.MonkeyPatch, folder: Path, *chosen: str) -> None:
    run = {"params": {"late": "of the run"}, "stages": [{"name": name} for name in chosen]}
    (folder / "run.json").write_text(json.dumps(run))
    monkeypatch.setenv(RUN_VARIABLE, str(folder))


def test_the_first_stage_of_a_part_asks_for_the_rest_of_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(stages, "STAGES", (*STAGES, Late))
    begin(monkeypatch, tmp_path, "20-configure", "65-late")
    wrong(monkeypatch, Pam, "the people")  # not of this run
    said = refusal(Configure())
    assert "late: of the run" in said
    assert "the people" not in said


def test_a_stage_amid_a_run_asks_for_itself_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    begin(monkeypatch, tmp_path, "20-configure", "40-pam", "70-launch")
    wrong(monkeypatch, stages.Launch, "the ports")
    assert Pam().check().rows == []
