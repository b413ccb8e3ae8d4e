"""Records of runs, made by hand as the runner makes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from runbook.display import DATA_MIME
from runbook.record import RunRecord, StageRecord
from runbook.stages import STAGES

DIFF = "--- /etc/x (now)\n+++ /etc/x (wanted)\n@@ -1 +1 @@\n-port = 8000\n+port = 8443"
CHANGE = {"kind": "update", "summary": "file /etc/x", "diff": DIFF, "undoable": True}
CHECK = {"status": "ok", "what": "memory", "found": "23.5 GiB", "remedy": ""}
TAKEN = {
    "status": "failed",
    "what": "port 8000",
    "found": "taken by nginx (pid 812)",
    "remedy": "stop it (kill 812), or set another port",
}
ERROR = f"{TAKEN['what']}: {TAKEN['found']}\n  What to do: {TAKEN['remedy']}"


def stages(**of: dict[str, Any]) -> list[StageRecord]:
    """Every stage unchanged, but for those in ``of``, named by their second word."""
    made = []
    for stage in STAGES:
        said = {"status": "unchanged", "seconds": 1.0, **of.get(stage.name.split("-")[1], {})}
        made.append(StageRecord(stage.name, **said))
    return made


def record(
    checkout: Path, made: list[StageRecord], status: str = "done", at: int = 0, **more: Any
) -> Path:
    """The folder of a run that was started ``at`` o'clock, with a notebook a stage that ran."""
    folder = checkout / "runs" / f"20260102T{at:02d}0405Z-server"
    (folder / "logs").mkdir(parents=True)
    params = {"port": 8000, "users": ["ann"], **more.pop("params", {})}
    file = str(checkout / "params/server.yaml")
    run = RunRecord(folder, file, "ab" * 32, made, params=params, **more)
    run.started = f"2026-01-02T{at:02d}:04:05+00:00"
    run.status = status
    run.ended = "" if status == "running" else f"2026-01-02T{at:02d}:04:07+00:00"
    run.save()
    for stage in made:
        if stage.status != "pending":
            notebook(folder, stage)
    return folder


def notebook(
    folder: Path, stage: StageRecord, note: str = "", outputs: list[Any] | None = None
) -> None:
    """Write the executed notebook of ``stage``; ``outputs`` are those of its apply cell."""
    cells = [
        new_markdown_cell(f"# {stage.name}", id="title"),
        _code("check", "stage.check()", [_error(stage)] if stage.error else []),
        _code("plan", "plan", [_table()]),
        _code("apply", "plan.apply()", outputs or []),
        new_markdown_cell("## Operator's note", id="note-text"),
        new_markdown_cell(note, id="note"),
    ]
    # Not nbformat.write: checking 200,000 outputs against the schema takes long.
    text = nbformat.v4.writes(new_notebook(cells=cells))
    (folder / f"{stage.name}.ipynb").write_text(text)


def printed(text: str) -> Any:
    return new_output("stream", text=text)


def _code(tag: str, source: str, outputs: list[Any]) -> Any:
    return new_code_cell(source, id=tag, metadata={"tags": [tag]}, outputs=outputs)


def _table() -> Any:
    return new_output("display_data", {"text/plain": "Plan", DATA_MIME: {"plan": [CHANGE]}})


def _error(stage: StageRecord) -> Any:
    return new_output("error", ename="StageError", evalue=stage.error, traceback=[stage.error])
