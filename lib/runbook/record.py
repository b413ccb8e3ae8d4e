"""The record of a run: a folder with one executed notebook a stage, ``run.json`` and ``logs/``."""

from __future__ import annotations

import json
import os
import platform
import socket
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runbook import __version__, facts, reserve, safe_files, secrets
from runbook.display import DATA_MIME
from runbook.errors import RunbookError
from runbook.resources.base import EDITED
from runbook.safe_paths import account

if TYPE_CHECKING:  # papermill and nbformat take their time to load
    import nbformat


@dataclass
class StageRecord:
    """What one stage did; ``seconds`` of wall-clock time; ``error`` as people saw it."""

    name: str
    status: str = "pending"
    seconds: float = 0.0
    changes: list[dict[str, Any]] = field(default_factory=list)
    as_wanted: list[dict[str, str]] = field(default_factory=list)
    checks: list[dict[str, Any]] = field(default_factory=list)
    versions: dict[str, str] = field(default_factory=dict)
    packages: list[dict[str, str]] = field(default_factory=list)  # `Package` as data
    error: str = ""
    made_by: str = ""  # SHA-256 of notebook, library and parameters
    edited: list[str] = field(default_factory=list)  # cells that are not as released


@dataclass
class RunRecord:
    """``run.json``, written anew after every stage.

    ``params`` are the values by name (of secrets the references), ``settings`` the ``KEY=VALUE``
    of the command line among them, ``end`` the last lines of a run that ended well; ``by_file``:
    whether the others are the file's, not what was in force. ``differing``: what is new.
    """

    folder: Path
    params_file: str
    params_sha256: str
    stages: list[StageRecord]
    status: str = "running"
    started: str = field(default_factory=lambda: _now())
    ended: str = ""
    params: dict[str, Any] = field(default_factory=dict)
    settings: list[str] = field(default_factory=list)
    dry_run: bool = False
    end: list[tuple[str, str]] = field(default_factory=list)
    by_file: bool = True
    differing: list[list[str]] = field(default_factory=list)

    @property
    def run_id(self) -> str:
        return self.folder.name

    @property
    def named(self) -> Path | None:
        """The parameter file that said what the command line did not, if one did."""
        return Path(self.params_file) if self.by_file else None

    def save(self) -> None:
        content = {
            "run_id": self.run_id,
            "params_file": self.params_file,
            "params_sha256": self.params_sha256,
            "params": self.params,
            "settings": self.settings,
            "dry_run": self.dry_run,
            "by_file": self.by_file,
            "differing": self.differing,
            "versions": {"jupyterhub-runbook": __version__, "python": platform.python_version()},
            "host": {"name": socket.gethostname(), "system": facts.operating_system()},
            "started": self.started,
            "ended": self.ended,
            "status": self.status,
            "end": self.end,
            "stages": [asdict(stage) for stage in self.stages],
        }
        text = json.dumps(secrets.redact_data(content), indent=1) + "\n"
        # Only the last time may use up what is kept for it.
        write = reserve.write if self.ended else _write
        write(self.folder / "run.json", text.encode())

    @classmethod
    def load(cls, folder: Path) -> RunRecord:
        """The record in ``folder``, as `save` wrote it."""
        said = json.loads((folder / "run.json").read_text())
        names = ("params_file", "params_sha256", "status", "started", "ended", "params", "settings")
        stages = [StageRecord(**stage) for stage in said["stages"]]
        own = {name: said[name] for name in (*names, "dry_run")}
        newer = {name: said[name] for name in ("by_file", "differing") if name in said}
        return cls(folder, stages=stages, **own, **newer)

    def close(self, status: str) -> None:
        self.status, self.ended = status, _now()
        self.save()
        reserve.release(self.folder)


class RecordHandler:
    """papermill's way to files below the folder of a run: atomic, 0600, redacted.

    On a full disk `write` raises the `OSError`, and the file stays as it was.
    """

    def __init__(self, folder: Path) -> None:
        from papermill.iorw import papermill_io

        papermill_io.register(f"{folder}/", self)

    def read(self, path: str) -> str:
        return Path(path).read_text()

    def write(self, buf: str, path: str) -> None:
        _write(Path(path), secrets.redact_json(buf).encode())

    def pretty_path(self, path: str) -> str:
        return path


def shown(change: dict[str, Any]) -> str:
    """A change of a record, as people read it."""
    return f"{change['summary']}{EDITED if change.get('edited') else ''}"


def mend(record: RunRecord) -> None:
    """Say the truth in a record whose runner was killed, and so could not."""
    for stage in broken_off(record.stages):
        mend_notebook(record.folder / f"{stage.name}.ipynb", stage.error)
    record.close("interrupted")


def broken_off(stages: Iterable[StageRecord]) -> list[StageRecord]:
    """Those of ``stages`` that were executed when their runner was killed; they say so now."""
    found = [stage for stage in stages if stage.status == "running"]
    for stage in found:
        stage.status, stage.error = "failed", "the runner was killed"
    return found


def mend_notebook(path: Path, why: str) -> None:
    """Say in a notebook that was saved for the last time, too early, which cell failed, and why.

    It is the one that was being executed, else the one that was to be.
    """
    if not path.exists():
        return
    import nbformat
    from nbformat.v4 import new_output

    notebook = nbformat.read(path, 4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    undone = [cell for cell in code if _status(cell) in ("running", "pending")]
    if not undone or any(_status(cell) == "failed" for cell in code):
        return
    cell = undone[0]
    for text in notebook.cells[: notebook.cells.index(cell)]:
        # Passed over, and not yet saved as that.
        text.metadata.setdefault("papermill", {})["status"] = "completed"
    cell.metadata.papermill.update(status="failed", exception=True)
    name = RunbookError.__name__
    said = secrets.redact(why)
    cell.outputs.append(new_output("error", ename=name, evalue=said, traceback=[f"{name}: {said}"]))
    notebook.metadata.papermill.exception = True
    reserve.write(path, nbformat.writes(notebook).encode())


def _status(cell: nbformat.NotebookNode) -> str:
    return str(cell.metadata.get("papermill", {}).get("status", ""))


def _write(path: Path, content: bytes) -> None:
    safe_files.write(path, content, mode=0o600)


def set_aside(notebook: Path) -> None:
    """Rename the notebook of a failed attempt, so that the next one does not hide it."""
    number = 1
    while (aside := notebook.with_name(f"{notebook.stem}.attempt-{number}.ipynb")).exists():
        number += 1
    if notebook.exists():
        notebook.rename(aside)


def new_folder(runs: Path, name: str) -> Path:
    """Make ``runs/<UTC time>-<name>/`` (0700) with its ``logs/``."""
    runs.mkdir(mode=0o700, exist_ok=True)
    refuse_closed(runs)
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    folder = runs / f"{stamp}-{name}"
    number = 1
    while folder.exists():  # two runs within one second
        number += 1
        folder = runs / f"{stamp}-{name}-{number}"
    folder.mkdir(mode=0o700)
    (folder / "logs").mkdir(mode=0o700)
    return folder


def refuse_closed(runs: Path) -> None:
    """Raise `RunbookError` where the records are those of somebody else who used this checkout."""
    if runs.is_dir() and not os.access(runs, os.R_OK | os.X_OK):
        owner = account(runs.stat().st_uid)
        what = f"this checkout has been used by {owner}, whose records in {runs} are closed to you"
        raise RunbookError(what, "sudo ./runbook ..., or a copy of the checkout for your own runs")


def error_of(notebook: nbformat.NotebookNode) -> tuple[str, str]:
    """(name, message) of the error that stopped ``notebook``; empty where none did."""
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            if output.output_type == "error":
                return output.ename, output.evalue
    return "", ""


def said_by(notebook: nbformat.NotebookNode, key: str) -> Any:
    """The plain data that a cell of ``notebook`` showed under ``key``; None where none did."""
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            data = output.get("data", {}).get(DATA_MIME, {})
            if key in data:
                return data[key]
    return None


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
