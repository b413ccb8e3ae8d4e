"""What a notebook calls: check, plan, apply, verify, record; and what the record then has."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from recorder import Recorder
from traitlets import Unicode

from runbook.checks import Check
from runbook.display import Table
from runbook.errors import ParameterError, StageError
from runbook.stages import Stage
from runbook.stages.parameters import parameter


class Small(Stage):
    """A stage of one thing, with a check and a probe."""

    name = "65-small"
    skipped = parameter(Unicode(""), "why")
    thing = parameter(Unicode("old"), "its value")

    def skip_reason(self) -> str:
        return str(self.skipped)

    def checks(self) -> Iterator[Check]:
        yield Check("ok", "a check")

    def resources(self) -> Iterator[Recorder]:
        yield Recorder("it", self.thing)

    def probes(self) -> Iterator[Check]:
        yield Check("ok", "a probe")

    def versions(self) -> dict[str, str]:
        return {"small": "1.2"}


def recorded(stage: Stage) -> dict[str, Any]:
    data: dict[str, Any] = stage.record().data["record"]
    return data


def whats(checks: list[dict[str, str]]) -> list[str]:
    return [check["what"] for check in checks]


def test_a_stage_that_changed_something_says_what_with_its_checks_probes_and_versions() -> None:
    stage = Small()
    checked = stage.check()
    stage.plan().apply()
    verified = stage.verify()
    assert (checked.title, verified.title) == (
        "Check 65-small: all well",
        "Verify 65-small: all well",
    )
    said = recorded(stage)
    assert said["status"] == "changed"
    assert [change["summary"] for change in said["changes"]] == ["thing it"]
    assert whats(said["checks"]) == ["a check", "a probe"]
    assert said["versions"] == {"small": "1.2"}
    assert said["parameters_sha256"] == stage.fingerprint()
    assert said["seconds"] >= 0


def test_a_stage_with_nothing_to_change_is_unchanged() -> None:
    stage = Small(thing="new")
    assert not stage.plan()
    assert (recorded(stage)["status"], recorded(stage)["changes"]) == ("unchanged", [])


def test_a_stage_that_was_never_planned_is_unchanged() -> None:
    assert recorded(Small())["status"] == "unchanged"


def test_a_plan_changes_and_proves_nothing() -> None:
    stage = Small(dry_run=True)
    stage.plan().apply()
    assert [check.status for check in stage._probes] == []
    assert stage.verify().rows[0][:2] == ("skipped", "dry_run: nothing to prove")
    said = recorded(stage)
    assert (said["status"], said["versions"], len(said["changes"])) == ("planned", {}, 1)


def test_a_stage_that_does_not_apply_is_skipped_and_says_why() -> None:
    stage = Small(skipped="another way")
    assert stage.check().rows[0][:2] == ("skipped", "another way")
    assert not stage.plan()
    assert stage.plan().note == "skipped: another way"
    assert stage.verify().rows[0][:2] == ("skipped", "another way")
    said = recorded(stage)
    assert (said["status"], said["versions"]) == ("skipped", {})
    assert stage.record().note == "another way"


def test_a_record_is_a_table_for_people() -> None:
    stage = Small()
    stage.plan().apply()
    table = stage.record()
    assert isinstance(table, Table)
    assert table.title == "65-small: changed"
    rows: dict[str, str] = {row[0]: row[1] for row in table.rows}
    assert (rows["changes"], rows["small"]) == ("1", "1.2")
    assert rows["parameters (SHA-256)"] == stage.fingerprint()[:16]


def test_a_failed_probe_stops_the_stage() -> None:
    class Broken(Small):
        def probes(self) -> Iterator[Check]:
            yield Check("failed", "a probe", "broken", "mend it")

    with pytest.raises(StageError, match="a probe: broken"):
        Broken().verify()


def test_the_fingerprint_is_of_every_parameter() -> None:
    assert Small().fingerprint() == Small().fingerprint()
    assert Small(thing="x").fingerprint() != Small().fingerprint()


def test_what_earlier_stages_changed_is_read_from_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert Small().earlier_changes() == []
    stages = [{"changes": [{"summary": "a"}, {"summary": "b"}]}, {"changes": []}]
    (tmp_path / "run.json").write_text(json.dumps({"stages": stages}))
    monkeypatch.setenv("RUNBOOK_RUN_DIR", str(tmp_path))
    assert Small().earlier_changes() == ["a", "b"]


def test_a_file_that_extends_another_is_none_for_papermill() -> None:
    with pytest.raises(ParameterError, match="not by papermill") as caught:
        Small.from_namespace({"extends": "server.yaml"})
    assert "--only 65-small" in caught.value.remedy


def test_parameters_are_in_the_order_of_their_declaration_and_dry_run_is_the_last() -> None:
    assert list(Small.parameters()) == ["skipped", "thing", "dry_run"]
