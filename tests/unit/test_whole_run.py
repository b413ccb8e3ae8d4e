"""A run of small notebooks from its beginning to its end, and one that goes on with it."""

from __future__ import annotations

import json
import signal
from io import StringIO
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook
from records import CHANGE, CHECK, TAKEN
from rich.console import Console

from runbook import runner
from runbook.display import DATA_MIME
from runbook.errors import ParameterError
from runbook.journal import Journal
from runbook.lock import Locked, lock
from runbook.order import Order
from runbook.params import Value
from runbook.record import RunRecord
from runbook.resume import continued, unfinished
from runbook.stages import CheckMachine, Handlers

STAGES = (CheckMachine, Handlers)
VALUES = {"customize_title": Value("Welcome", "--set customize_title=Welcome")}


def say(**data: Any) -> str:
    """A cell that shows plain data as the stages' tables do."""
    return f"display({{{DATA_MIME!r}: {data!r}, 'text/plain': 'x'}}, raw=True)"


def record_of(status: str, *changes: str) -> str:
    said = {
        "status": status,
        "changes": [{**CHANGE, "summary": change} for change in changes],
        "checks": [CHECK],
        "versions": {"node": "v22"},
        "packages": {},
    }
    return say(record=said)


def write(folder: Path, name: str, *cells: str) -> None:
    parameters = new_code_cell("dry_run = False", metadata={"tags": ["parameters"]})
    notebook = new_notebook(cells=[parameters, *map(new_code_cell, cells)])
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "x", "language": "python"}
    nbformat.write(notebook, folder / f"{name}.ipynb")


def order(folder: Path, **more: Any) -> Order:
    return Order(VALUES, Path("tiny.yaml"), STAGES, notebooks=folder, runs=folder / "runs", **more)


def on_disk(record: RunRecord) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((record.folder / "run.json").read_text())
    return found


def test_a_run_that_fails_is_resumed_where_it_stopped(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGTERM)
    write(tmp_path, "00-check", record_of("unchanged"))
    write(tmp_path, "50-handlers", say(checks=[TAKEN]), "1 / 0")
    said = StringIO()
    failed = runner.run(order(tmp_path), Console(file=said))
    first, second = failed.stages
    assert (failed.status, first.status, second.status) == ("failed", "unchanged", "failed")
    assert (first.checks, first.versions) == (
        [CHECK],
        {"node": "v22"},
    )
    assert second.checks == [TAKEN]
    assert "division by zero" in second.error
    assert (first.seconds > 0, second.seconds > 0) == (True, True)
    assert failed.settings == ["customize_title=Welcome"]
    assert on_disk(failed)["status"] == "failed"
    assert on_disk(failed)["stages"][1]["error"] == second.error
    assert (failed.folder / "index.html").exists()
    assert not [*failed.folder.glob(".spare-*")]
    explained = runner.explain(failed)
    assert explained
    assert explained.message.startswith("50-handlers: ")
    assert signal.getsignal(signal.SIGTERM) is before
    with lock(Journal().folder, "free again"):
        pass

    # Made good, and gone on with: the first stage is not executed again.
    write(tmp_path, "50-handlers", record_of("changed", "a page"))
    again = runner.run(order(tmp_path, resumed=RunRecord.load(failed.folder)), Console(file=said))
    assert again.folder == failed.folder
    assert (again.status, [stage.status for stage in again.stages]) == (
        "done",
        ["unchanged", "changed"],
    )
    assert again.stages[1].changes == [{**CHANGE, "summary": "a page"}]
    assert again.stages[1].error == ""
    assert runner.explain(again) is None
    names = [path.name for path in sorted(again.folder.glob("*.ipynb"))]
    assert names == ["00-check.ipynb", "50-handlers.attempt-1.ipynb", "50-handlers.ipynb"]
    with pytest.raises(ParameterError, match="no unfinished run"):
        unfinished(tmp_path / "runs", Path("tiny.yaml"))


def test_a_plan_is_no_run_to_go_on_with(tmp_path: Path) -> None:
    for stage in STAGES:
        write(tmp_path, stage.name, "assert dry_run", record_of("planned"))
    planned = runner.run(order(tmp_path, dry_run=True), Console(file=StringIO()))
    assert (planned.status, planned.dry_run) == ("done", True)
    with pytest.raises(ParameterError, match="no unfinished run"):
        unfinished(tmp_path / "runs", Path("tiny.yaml"))


def test_of_two_runs_with_the_same_parameters_the_newer_counts(tmp_path: Path) -> None:
    for day, file, dry_run in (
        ("20260101", "tiny.yaml", False),
        ("20260102", "params/tiny.yaml", False),
        ("20260103", "other.yaml", False),
        ("20260104", "tiny.yaml", True),
    ):
        folder = tmp_path / f"{day}T000000Z-x"
        folder.mkdir()
        RunRecord(folder, file, "", [], status="failed", dry_run=dry_run).save()
    found = unfinished(tmp_path, Path("tiny.yaml"))
    assert found.run_id == "20260102T000000Z-x"


@pytest.mark.parametrize("status", ["failed", "interrupted", "running"])
def test_a_run_that_did_not_end_well_goes_on_with_these_parameters(
    tmp_path: Path, status: str
) -> None:
    folder = tmp_path / "runs/20260101T000000Z-tiny"
    folder.mkdir(parents=True)
    (folder / ".spare-1").touch()
    RunRecord(folder, "tiny.yaml", "old", [], status=status, ended="x", params={"a": 1}).save()
    record = continued(order(tmp_path), RunRecord.load(folder))
    assert (record.status, record.ended) == ("running", "")
    assert record.params["customize_title"] == "Welcome"
    assert "a" not in record.params
    assert record.settings == ["customize_title=Welcome"]
    assert record.params_sha256 not in ("", "old")
    # A runner that was killed could not say so, nor give back what it held for its last words.
    assert on_disk(record)["status"] == ("interrupted" if status == "running" else status)
    assert (folder / ".spare-1").exists() is (status != "running")


def test_a_run_beside_another_is_refused(tmp_path: Path) -> None:
    for stage in STAGES:
        write(tmp_path, stage.name, record_of("unchanged"))
    with lock(Journal().folder, "somebody"), pytest.raises(Locked):
        runner.run(order(tmp_path), Console(file=StringIO()))
    assert not (tmp_path / "runs").exists()
