"""Which stages are run, and what becomes of a failure."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output
from rich.console import Console

from runbook import params, runner
from runbook.display import DATA_MIME
from runbook.errors import ParameterError
from runbook.journal import Journal
from runbook.order import Order, select
from runbook.record import RunRecord, StageRecord, new_folder
from runbook.resume import continued
from runbook.stages import STAGES, Configure, Sudospawner

ALL = [stage.name for stage in STAGES]
PYTHON = {"name": "python3", "display_name": "Python 3", "language": "python"}


def names(*only: str, first: str = "") -> list[str]:
    return [stage.name for stage in select(only, first)]


def test_without_a_choice_every_stage_is_run() -> None:
    assert names() == ALL


@pytest.mark.parametrize("word", ["40", "pam", "40-pam"])
def test_a_stage_goes_by_its_number_its_name_or_both(word: str) -> None:
    assert names(word) == ["40-pam"]


def test_stages_are_run_in_their_order_whatever_that_of_the_words() -> None:
    assert names("pam", "10", "30-sudospawner") == ["10-install", "30-sudospawner", "40-pam"]


def test_a_stage_named_twice_is_run_once() -> None:
    assert names("40", "pam") == ["40-pam"]


def test_from_a_stage_on_all_that_follow_are_run() -> None:
    assert names(first="launch") == ["70-launch", "80-verify"]


def test_from_and_only_both_hold() -> None:
    assert names("10", "40", first="30") == ["40-pam"]


@pytest.mark.parametrize("choice", [{"only": ["4"], "first": ""}, {"only": [], "first": "4"}])
def test_an_unknown_stage_is_refused_with_those_that_there_are(choice: dict[str, Any]) -> None:
    with pytest.raises(ParameterError, match="no stage is called '4'") as caught:
        select(**choice)
    assert all(name in caught.value.remedy for name in ALL)


def order(dry_run: bool = False, **given: Any) -> Order:
    values = {key: params.Value(value, "x") for key, value in given.items()}
    return Order(values, Path("x.yaml"), dry_run=dry_run)


def test_a_notebook_is_given_every_parameter_of_its_stage_and_no_other() -> None:
    given = runner._injected(Configure, order(port=8443, cull_idle_timeout=1))
    assert list(given) == list(Configure.parameters())
    assert (given["port"], given["hub_port"]) == (8443, Configure().hub_port)


def test_a_notebook_is_given_values_as_the_stage_understands_them() -> None:
    assert runner._injected(Configure, order(tls=False, prefix="~/x"))["prefix"].startswith("/")


def test_a_dry_run_is_given_to_every_notebook() -> None:
    assert runner._injected(Sudospawner, order(dry_run=True))["dry_run"] is True


def test_a_parameter_edited_in_a_notebook_does_not_count_and_run_json_has_every_value_used(
    tmp_path: Path,
) -> None:
    edited = new_code_cell("port: int = 9999\nhub_port: int = 1", metadata={"tags": ["parameters"]})
    printing = new_code_cell("print(port, hub_port, bind_ip)")
    notebook = new_notebook(cells=[edited, printing], metadata={"kernelspec": PYTHON})
    nbformat.write(notebook, tmp_path / "20-configure.ipynb")
    values = {"bind_ip": params.Value("::1", "x"), "cull_idle_timeout": params.Value(7, "x")}
    asked = Order(values, Path("x.yaml"), [Configure], notebooks=tmp_path, runs=tmp_path / "runs")
    record = runner.run(asked, Console(file=StringIO()))
    said = json.loads((record.folder / "run.json").read_text())["params"]
    printed = nbformat.read(record.folder / "20-configure.ipynb", 4).cells[-1].outputs[0].text
    assert printed.split() == [str(said["port"]), str(said["hub_port"]), "::1"]
    assert said["port"] == Configure().port
    assert set(said) == {*Configure.parameters(), "cull_idle_timeout"} - {"dry_run"}


def test_a_resumed_run_has_every_value_used_in_its_record(tmp_path: Path) -> None:
    folder = new_folder(tmp_path, "x")
    record = RunRecord(folder, "x.yaml", "y", [StageRecord("20-configure")])
    record.close("failed")
    asked = Order({}, Path("x.yaml"), [Configure], resumed=record, runs=tmp_path)
    assert continued(asked, record).params["port"] == Configure().port


def executed(folder: Path, **data: Any) -> Path:
    output = new_output("display_data", {DATA_MIME: data})
    nbformat.write(new_notebook(cells=[new_code_cell("x", outputs=[output])]), folder / "o.ipynb")
    return folder / "o.ipynb"


def test_the_outcome_is_what_the_record_cell_said(tmp_path: Path) -> None:
    said = {
        "status": "changed",
        "changes": [{"summary": "a"}],
        "checks": [],
        "versions": {"a": "1"},
        "packages": [{"kind": "python", "name": "a", "version": "1", "hash": "", "source": ""}],
    }
    entry = StageRecord("10-install", "failed")
    runner._read_outcome(entry, executed(tmp_path, record=said), "run")
    assert (entry.status, entry.changes, entry.versions) == (
        "changed",
        [{"summary": "a"}],
        {"a": "1"},
    )
    assert entry.packages == said["packages"]


def test_a_stage_that_never_got_to_its_record_is_failed(tmp_path: Path) -> None:
    entry = StageRecord("10-install", "failed")
    runner._read_outcome(entry, executed(tmp_path, checks=[{"what": "disk"}]), "run")
    assert (entry.status, entry.checks) == ("failed", [{"what": "disk"}])


def test_of_a_failed_stage_the_journal_tells_what_was_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RUNBOOK_RUN", "run-7")
    Journal().begin("10-install", "file /x", {}, None)
    Journal().begin("20-configure", "file /y", {}, None)
    entry = StageRecord("10-install", "failed")
    runner._read_outcome(entry, tmp_path / "none.ipynb", "run-7")
    assert entry.changes == [{"summary": "file /x"}]


def test_a_failure_is_told_with_its_stage(tmp_path: Path) -> None:
    stages = [StageRecord("00-check", "unchanged"), StageRecord("10-install", "failed", error="no")]
    error = runner.explain(RunRecord(tmp_path, "x", "y", stages))
    assert error is not None
    assert error.message == "10-install: no"


def test_a_run_without_a_failure_needs_no_explanation(tmp_path: Path) -> None:
    assert runner.explain(RunRecord(tmp_path, "x", "y", [StageRecord("00-check")])) is None
