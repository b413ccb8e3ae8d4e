"""Find and read the records of runs, as they lie on disk.

A record is read as text of strangers: another version of the runbook may have written it, a
crash may have cut it short, and whoever looks may have no secrets registered.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass, fields
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runbook import released, secrets
from runbook.display import counted
from runbook.errors import ParameterError
from runbook.lock import is_held
from runbook.packages import Package
from runbook.record import StageRecord, broken_off, refuse_closed, said_by
from runbook.stages import Undo
from runbook.stages.undo import ENDING
from runbook.standing import journaled

if TYPE_CHECKING:  # it takes its time to load
    import nbformat

LATEST = "latest"
DIFFERING = ("parameter", "in force", "wanted", "by")
HEADLINES = {"failed": "Failed", "interrupted": "Interrupted", "running": "Going on"}
#: What records of older releases lack.
OLDER: dict[str, Any] = {
    "dry_run": False, "by_file": True, "params": {}, "settings": [], "differing": [], "end": [],
}  # fmt: skip


@dataclass(frozen=True)
class Run:
    """A ``run.json``; times in ISO 8601, ``ended`` empty where no end was written.

    Of a run whose runner was killed it says so, though nobody was left to write it down.
    """

    folder: Path
    status: str
    dry_run: bool
    by_file: bool
    params_file: str
    params_sha256: str
    params: dict[str, Any]
    settings: list[str]
    differing: list[list[str]]
    versions: dict[str, str]
    host: dict[str, str]
    started: str
    ended: str
    stages: tuple[StageRecord, ...]
    end: list[tuple[str, str]]  # label and text of the last lines of a run that ended well

    @property
    def run_id(self) -> str:
        return self.folder.name

    @property
    def params_shown(self) -> str:
        """The parameter file as one types it in the checkout that the record lies in."""
        checkout, file = self.folder.resolve().parents[1], Path(self.params_file)
        return str(file.relative_to(checkout) if file.is_relative_to(checkout) else file)

    @property
    def seconds(self) -> float:
        """Wall-clock time of the whole run; that of its stages where no end was written."""
        if not self.ended:
            return sum(stage.seconds for stage in self.stages)
        span = datetime.fromisoformat(self.ended) - datetime.fromisoformat(self.started)
        # The times are whole seconds, the stages' are finer.
        return max(span.total_seconds(), sum(stage.seconds for stage in self.stages))

    @property
    def outcome(self) -> str:
        """done, planned, failed, interrupted or running."""
        return "planned" if self.status == "done" and self.dry_run else self.status

    @cached_property
    def broken(self) -> StageRecord | None:
        """The stage at which the run ended before its time; None where it did not."""
        if self.status == "done":
            return None
        wrong = [s for s in self.stages if s.status in ("failed", "running") or s.error]
        return next(iter(wrong or [s for s in self.stages if s.status == "pending"]), None)

    @property
    def is_undo(self) -> bool:
        """Whether it took back what another run did."""
        return any(stage.name == Undo.name for stage in self.stages)

    @property
    def left(self) -> list[dict[str, str]]:
        """What an undo left alone or passed over, and why: its warnings, each once."""
        checks = [c for stage in self.stages if stage.name == Undo.name for c in stage.checks]
        left = [c for c in checks if c["status"] == "warning" and c["what"] != ENDING]
        found = {(c["what"], c["found"]): c for c in left}
        return list(found.values())

    @property
    def headline(self) -> str:
        if self.status == "done":
            return "Taken back" if self.is_undo and not self.dry_run else self.outcome.capitalize()
        word = HEADLINES.get(self.status, self.status.capitalize())
        return f"{word} at {self.broken.name}" if self.broken else word

    @property
    def summary(self) -> str:
        """In a sentence, how much was changed or would be."""
        count = sum(len(stage.changes) for stage in self.stages)
        touched = sum(bool(stage.changes) for stage in self.stages)
        if not count:
            return "Nothing to change." if self.dry_run else "Nothing was changed."
        what = f"{counted(count, 'change')} in {counted(touched, 'stage')}"
        if self.dry_run:
            return f"{what} planned; nothing was changed."
        return f"{what}." if self.status == "done" else f"Made before that: {what}."

    @property
    def versions_found(self) -> dict[str, str]:
        """The versions that the stages wrote down, and the runbook's own."""
        found = {name: v for stage in self.stages for name, v in stage.versions.items()}
        own = {f"{name} (runbook's own)" if name == "python" else name: v
               for name, v in self.versions.items()}  # fmt: skip
        return {**found, **own}

    @property
    def edited(self) -> list[str]:
        """A sentence for each notebook that was not executed as released."""
        return [released.told(s.name, s.edited) for s in self.stages if s.edited]

    @cached_property
    def packages(self) -> list[Package]:
        """Those that the stages found installed."""
        names = [f.name for f in fields(Package)]
        found = [entry for stage in self.stages for entry in stage.packages]
        return [Package(*(str(entry.get(name, "")) for name in names)) for entry in found]

    def notebook(self, stage: str) -> nbformat.NotebookNode:
        """The executed notebook of ``stage``, redacted; one without cells where there is none."""
        import nbformat

        path = self.folder / f"{stage}.ipynb"
        try:
            # Not nbformat.read: checking 200,000 outputs against the schema takes long.
            return nbformat.v4.reads(secrets.redact_json(path.read_text()))
        except (OSError, ValueError, KeyError, AttributeError):
            return nbformat.v4.new_notebook()

    def attempts(self, stage: str) -> list[str]:
        """The names of earlier attempts at ``stage``, which were resumed from, oldest first."""
        found = self.folder.glob(f"{stage}.attempt-*.ipynb")
        return sorted((path.stem for path in found), key=lambda name: (len(name), name))

    def log(self, stage: str) -> Path:
        return self.folder / "logs" / f"{stage}.log"


def load(folder: Path) -> Run:
    """The record in ``folder``.

    Raises
    ------
    ParameterError
        if its ``run.json`` is missing or unreadable.
    """
    path = folder / "run.json"
    try:
        said = secrets.redact_data(json.loads(path.read_text()))
        values = {f.name: said[f.name] for f in fields(Run) if f.name in said}
        stages = _stages(said["stages"])
        if said["status"] == "running" and not is_held(folder):
            _tell_what_was_made(broken_off(stages), folder.name)
            values["status"] = "interrupted"
        run = Run(**{**OLDER, **values, "folder": folder, "stages": stages})
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ParameterError(
            f"{path}: is no record of a run ({error})", "./runbook runs lists what there is"
        ) from None
    for stage in run.stages:
        _complete(stage, run)
    return run


def folders(runs: Path) -> list[Path]:
    """The folders of the runs under ``runs``, oldest first; see `refuse_closed`."""
    refuse_closed(runs)
    return sorted(path.parent for path in runs.glob("*/run.json"))


def find(word: str, runs: Path) -> Run:
    """The run called ``word``: its id, the beginning of one run's id alone, or ``latest``.

    Raises
    ------
    ParameterError
        if there is no such run, or more than one; names those that there are.
    """
    there = folders(runs)
    names = [path.name for path in there]
    if not there:
        raise ParameterError(f"there is no run yet in {runs}", "./runbook run makes one")
    if word == LATEST:
        return load(there[-1])
    if word in names:
        return load(runs / word)
    matching = [name for name in names if name.startswith(word)]
    if len(matching) == 1:
        return load(runs / matching[0])
    if matching:
        raise ParameterError(
            f"{word!r} is the beginning of {len(matching)} runs", _listed(matching)
        )
    raise ParameterError(f"no run is called {word!r}", _listed(names))


def _stages(said: list[dict[str, Any]]) -> tuple[StageRecord, ...]:
    known = {f.name for f in fields(StageRecord)}
    return tuple(StageRecord(**{k: v for k, v in s.items() if k in known}) for s in said)


def _tell_what_was_made(stages: list[StageRecord], run: str) -> None:
    with suppress(OSError):  # the journal is this machine's, and may be somebody else's
        for stage in stages:
            stage.changes = journaled(run, stage.name)


def _complete(stage: StageRecord, run: Run) -> None:
    """Give the changes of a failed stage, known from the journal, what its plan said of them."""
    if all("kind" in change for change in stage.changes):
        return
    attempts = map(run.notebook, (*run.attempts(stage.name), stage.name))
    planned = [change for each in attempts for change in said_by(each, "plan") or ()]
    known = {change["summary"]: change for change in planned}
    blank = {"kind": "update", "diff": ""}
    stage.changes = [{**blank, **known.get(c["summary"], {}), **c} for c in stage.changes]


def _listed(names: list[str], most: int = 10) -> str:
    more = f" and {len(names) - most} older ones" if len(names) > most else ""
    return f"there are: {', '.join(reversed(names[-most:]))}{more}"
