"""Taking a change back, itself a resource: planned with a diff, applied once, journaled."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from runbook import safe_files
from runbook.checks import Check
from runbook.errors import RunbookError
from runbook.history import Touched
from runbook.journal import Journal
from runbook.resources.base import Change, Found, Resource, archive
from runbook.resources.file import look
from runbook.resources.folder import Directory
from runbook.resources.service import Service

#: Why it is left alone unless it is forced.
EDITED = "edited since"
BETWEEN = "edited between two runs: it is as it was after the edit"


@dataclass(frozen=True)
class Present:
    """The present state of what was changed, as the journal has states; ``why`` it has none."""

    state: dict[str, Any]
    why: str = ""


@dataclass
class TakenBack(Resource):
    """What ``touched`` names, as it was before; left alone where somebody edited it since.

    ``force`` takes it back all the same, keeping a copy of a file.
    """

    touched: Touched
    journal: Journal
    force: bool = False
    lasting: ClassVar[bool] = False

    def __post_init__(self) -> None:
        self.resource = self.touched.resource
        self.before = self.resource.state_from(self.touched.before)

    def __str__(self) -> str:
        return str(self.resource)

    @property
    def is_service(self) -> bool:
        return isinstance(self.resource, Service)

    @property
    def is_run_from(self) -> bool:
        """Whether a service may run from it: from files, but not from those of the journal."""
        path = getattr(self.resource, "path", None)
        return path is not None and not path.is_relative_to(self.journal.folder)

    def read(self) -> Present:
        try:
            return Present(self.resource.as_json(self.resource.read()))
        except RunbookError as error:
            return Present({}, error.message)

    def why_left(self, present: Present) -> str:
        """Why it is left alone; empty where it is taken back or is as it was."""
        after = self.touched.after
        if present.why or present.state == self.touched.before:
            return present.why
        edited = self.resource.guarded and after is not None and present.state != after
        if edited and not self.force:
            return EDITED
        return self.resource.why_keep()

    def change(self, state: Present) -> Change | None:
        # Of an interrupted change the state does not tell what lies about half made.
        interrupted = self.touched.after is None
        if (state.state == self.touched.before and not interrupted) or self.why_left(state):
            return None
        present, what = self.resource.state_from(state.state), f"take back: {self.touched.summary}"
        if self.resource.absent(self.before):
            goes = self.resource.removed_by(self.before)
            return Change("remove", what + f" (removes {goes})" * bool(goes), undoable=False)
        kind: Any = "create" if self.resource.absent(present) else "update"
        diff = self.resource.diff_back(present, self.before, self.journal.backups)
        return Change(kind, what, diff, undoable=False)

    def found(self, state: Present) -> Found:
        return Found(self.touched.summary, self.why_left(state) or "is as it was before")

    def apply(self) -> None:
        edited = self.touched.after is not None and self.read().state != self.touched.after
        path = getattr(self.resource, "path", None)
        if self.force and edited and path is not None and look(path).kind == "file":
            archive(path, self.journal.backups)
        self.journal.taking_back(self.touched.entries)
        self.resource.restore(self.before, self.journal.backups)
        self.forget()

    def restore(self, state: Present, backups: Path) -> None:
        """An undo is not in the journal, and so never taken back itself."""

    def outcome(self) -> Check | None:
        """What became of it, where it is not as it was before."""
        present = self.read()
        as_before = present.state == self.touched.before
        if as_before and not self.touched.since:
            return None
        what = f"left alone: {self.touched.summary}"
        why = BETWEEN if as_before else self._holds() or self.why_left(present)
        if why:
            forced = why in (EDITED, BETWEEN)
            return Check(
                "warning", what, why, "remove it yourself" + ", or undo with --force" * forced
            )
        return Check("failed", self.touched.summary, "is not as it was before", "undo again")

    def _holds(self) -> str:
        """What is in a folder that was to go."""
        folder = self.resource
        if not isinstance(folder, Directory) or look(folder.path).kind != "folder":
            return ""
        inside = safe_files.names(folder.path)
        more = f" and {len(inside) - 1} more" if len(inside) > 1 else ""
        return f"holds {inside[0]}{more}" if inside else ""

    def forget(self) -> None:
        """Nothing is left to be taken back of it."""
        if self.read().state == self.touched.before:
            self.journal.taken_back(self.touched.entries)
