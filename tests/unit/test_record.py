"""The record of a run, and what one sees while it goes on."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Any

import nbformat
import pytest
from fakes import below, mode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from papermill.iorw import papermill_io
from rich.console import Console

from runbook import __version__, record, secrets
from runbook.display import DATA_MIME
from runbook.progress import Progress
from runbook.record import (
    RecordHandler,
    RunRecord,
    StageRecord,
    mend_notebook,
    new_folder,
    said_by,
)


@pytest.fixture
def run(tmp_path: Path) -> RunRecord:
    folder = new_folder(tmp_path / "runs", "server")
    return RunRecord(folder, "params/server.yaml", "ab" * 32, [StageRecord("00-check")])


def content(run: RunRecord) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((run.folder / "run.json").read_text())
    return found


def test_a_folder_is_named_by_utc_time_and_parameters(tmp_path: Path) -> None:
    stamp, _, name = new_folder(tmp_path, "server").name.partition("-")
    made = datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    assert abs((datetime.now(UTC) - made).total_seconds()) < 60
    assert name == "server"


def test_runs_within_one_second_have_folders_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Stopped(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Stopped:
            return cls(2026, 1, 2, 3, 4, 5, tzinfo=tz)

    monkeypatch.setattr(record, "datetime", Stopped)
    names = [new_folder(tmp_path, "server").name for _ in range(3)]
    first = "20260102T030405Z-server"
    assert names == [first, f"{first}-2", f"{first}-3"]


def test_only_its_owner_can_enter_a_record(tmp_path: Path) -> None:
    folder = new_folder(tmp_path / "runs", "server")
    assert [mode(path) for path in (folder.parent, folder, folder / "logs")] == [0o700] * 3


def test_run_json_says_what_was_run_with_what_where_and_when(run: RunRecord) -> None:
    run.save()
    said = content(run)
    assert said["run_id"] == run.folder.name
    assert (said["params_file"], said["params_sha256"]) == ("params/server.yaml", "ab" * 32)
    assert said["versions"]["jupyterhub-runbook"] == __version__
    assert {"name", "system"} == set(said["host"])
    assert datetime.fromisoformat(said["started"]).tzinfo is not None
    assert (said["status"], said["ended"]) == ("running", "")


def test_run_json_says_of_each_stage_what_came_of_it(run: RunRecord) -> None:
    run.stages[0].status = "changed"
    run.save()
    assert content(run)["stages"] == [
        {
            "name": "00-check",
            "status": "changed",
            "seconds": 0.0,
            "changes": [],
            "as_wanted": [],
            "checks": [],
            "versions": {},
            "packages": [],
            "error": "",
            "made_by": "",
            "edited": [],
        }
    ]


def test_a_stage_that_never_ran_is_pending(run: RunRecord) -> None:
    run.close("failed")
    assert content(run)["stages"][0]["status"] == "pending"


def test_closing_says_when_and_how_it_ended(run: RunRecord) -> None:
    run.close("failed")
    assert content(run)["status"] == "failed"
    assert content(run)["ended"] >= content(run)["started"]


def test_only_its_owner_can_read_run_json(run: RunRecord) -> None:
    run.save()
    assert mode(run.folder / "run.json") == 0o600


def notebook(*data: dict[str, Any]) -> nbformat.NotebookNode:
    outputs = [new_output("display_data", {"text/plain": "x", DATA_MIME: one}) for one in data]
    stream = new_output("stream", text="record")
    return new_notebook(cells=[new_code_cell("x", outputs=[stream, *outputs])])


def test_what_a_cell_showed_as_data_is_found_by_its_name() -> None:
    said = notebook({"plan": [1]}, {"record": {"status": "changed"}})
    assert said_by(said, "record") == {"status": "changed"}


def test_what_no_cell_showed_is_none() -> None:
    assert said_by(notebook({"plan": []}), "record") is None


def progress(*, terminal: bool, printed: str = "") -> str:
    buffer = StringIO()
    console = Console(file=buffer, force_terminal=terminal, width=100, color_system=None)
    with Progress(console, 2) as shown:
        shown.stage("10-install")
        shown.cell("apply")
        shown.said(printed)
        shown.done(StageRecord("10-install", "changed", 4.21, [{}]))
    return buffer.getvalue()


def test_a_file_sees_one_plain_line_a_stage() -> None:
    assert progress(terminal=False) == "  ● 10-install      changed   1 change        4.2 s\n"


def test_what_is_known_at_the_start_is_told_at_the_start() -> None:
    buffer = StringIO()
    warned = [{"status": "warning", "what": "drop-in x", "found": "User=root\x1b"}]
    warned.append({"status": "ok", "what": "memory", "found": "enough"})
    with Progress(Console(file=buffer, width=100, color_system=None), 2) as shown:
        shown.done(StageRecord("00-check", "unchanged", 1.0, checks=warned))
        shown.done(StageRecord("10-install", "unchanged", 1.0, checks=warned))
    _, told, other = buffer.getvalue().splitlines()
    assert told == "    ! drop-in x: User=root\\x1b"
    assert "10-install" in other


def test_a_file_sees_the_first_lines_that_a_stage_prints_and_no_secret() -> None:
    secrets.register("correct horse")
    said = progress(terminal=False, printed="waiting for apt\n\ncorrect horse\n" + "more\n" * 99)
    first, second, *more, end = said.splitlines()
    assert (first, second) == ("    waiting for apt", f"    {secrets.MASK}")
    assert more == ["    more"] * 48
    assert end.startswith("  ● 10-install")


def test_a_terminal_sees_the_latest_line_that_a_cell_prints_in_one_row() -> None:
    said = progress(terminal=True, printed=f"first\nwaiting for apt [1] {'and so on ' * 30}\n")
    assert "1/2 10-install: apply 0 s waiting for apt [1] and so on" in said
    assert "first" not in said
    assert max(map(len, said.splitlines())) < 200


def test_a_terminal_sees_which_cell_of_which_stage_is_at_work() -> None:
    assert "1/2 10-install: apply" in progress(terminal=True)


@pytest.fixture
def output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder whose files papermill writes by way of the runbook."""
    monkeypatch.setattr(papermill_io, "_handlers", list(papermill_io._handlers))
    RecordHandler(tmp_path)
    return tmp_path / "out.ipynb"


def write(path: Path, text: str) -> None:
    papermill_io.write(text, str(path), [".ipynb"])


def test_only_its_owner_can_read_a_notebook_of_a_record(output: Path) -> None:
    write(output, "{}")
    assert mode(output) == 0o600


def test_secrets_are_masked_in_a_notebook_of_a_record(output: Path) -> None:
    secret = secrets.register('hunter"22\nhunter23')
    write(output, json.dumps({"text": secret.splitlines()}))
    assert "hunter" not in output.read_text()
    assert json.loads(output.read_text())["text"] == [secrets.MASK, secrets.MASK]


def test_a_full_disk_leaves_the_last_whole_notebook(
    output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, os.strerror(28))

    write(output, "{}")
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space left"):
            write(output, '{"cells": []}')
    assert (output.read_text(), below(output.parent)) == ("{}", ["out.ipynb"])


def test_what_was_written_is_what_is_read(output: Path) -> None:
    write(output, '{"cells": []}')
    assert papermill_io.read(str(output)) == '{"cells": []}'


DONE, WAITS, WORKS, BROKE = "completed", "pending", "running", "failed"


@pytest.mark.parametrize(
    ("saved", "true"),
    [
        ([WAITS, WAITS, WAITS, WAITS], [DONE, BROKE, WAITS, WAITS]),
        ([DONE, WORKS, WAITS, WAITS], [DONE, BROKE, WAITS, WAITS]),
        ([DONE, DONE, WAITS, WAITS], [DONE, DONE, DONE, BROKE]),
        ([DONE, BROKE, WAITS, WAITS], [DONE, BROKE, WAITS, WAITS]),
        ([DONE, DONE, DONE, DONE], [DONE, DONE, DONE, DONE]),
    ],
    ids=["never-begun", "in-a-cell", "between-two", "told-already", "at-the-end"],
)
def test_a_notebook_saved_too_early_is_mended_to_tell_where_it_broke_off(
    tmp_path: Path, saved: list[str], true: list[str]
) -> None:
    cells = [new_markdown_cell("a"), new_code_cell("1"), new_markdown_cell("b"), new_code_cell("2")]
    for cell, status in zip(cells, saved, strict=True):
        cell.metadata["papermill"] = {"status": status}
    path = tmp_path / "notebook.ipynb"
    nbformat.write(new_notebook(cells=cells, metadata={"papermill": {}}), path)
    mend_notebook(path, "the runner was killed")
    mended = nbformat.read(path, 4)
    assert [cell.metadata.papermill.status for cell in mended.cells] == true
    broken = [bool(cell.metadata.papermill.get("exception")) for cell in mended.cells]
    assert broken == [status == BROKE and saved != true for status in true]
    told = [o.evalue for cell in mended.cells for o in cell.get("outputs", ())]
    assert told == ["the runner was killed"] * (saved != true)
