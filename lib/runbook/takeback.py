"""Taking a change back, itself a resource: planned with a diff, applied once, journaled."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

from runbook import safe_files
from runbook.checks import Check
from runbook.journal import Journal, Touched
from runbook.resources.base import Change, Resource, archive
from runbook.resources.file import look

#: Why it is left alone unless it is forced.
EDITED = "edited since, or by a later run"


@dataclass(frozen=True)
class Present:
    """The present state of what was changed, as the journal has states."""

    state: dict[str, Any]


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
        self.resource = Resource.of(self.touched.resource)
        before, after = self.touched.before, self.touched.after
        self.touched = replace(
            self.touched, before=self._today(before), after=after and self._today(after)
        )

    def _today(self, state: dict[str, Any]) -> dict[str, Any]:
        """``state`` with whatever an older release did not write yet."""
        return self.resource.as_json(self.resource.state_from(state))

    def __str__(self) -> str:
        return str(self.resource)

    def read(self) -> Present:
        return Present(self.resource.as_json(self.resource.read()))

    def why_left(self) -> str:
        """Why it is left alone; empty where it is taken back or is as it was."""
        state, after = self.read().state, self.touched.after
        if state == self.touched.before:
            return ""
        edited = self.resource.guarded and after is not None and state != after
        if edited and not self.force:
            return EDITED
        return self.resource.why_keep()

    def change(self, state: Present) -> Change | None:
        # Of an interrupted change the state does not tell what lies about half made.
        interrupted = self.touched.after is None
        if (state.state == self.touched.before and not interrupted) or self.why_left():
            return None
        goes = self.resource.removed_by(self.resource.state_from(self.touched.before))
        what = f"take back: {self.touched.summary}" + (f" (removes {goes})" if goes else "")
        return Change("remove", what, undoable=False)

    def apply(self) -> None:
        edited = self.touched.after is not None and self.read().state != self.touched.after
        path = getattr(self.resource, "path", None)
        if self.force and edited and path is not None and look(path).kind == "file":
            archive(path, self.journal.backups)
        self.journal.taking_back(self.touched.entries)
        self.restore(Present(self.touched.before), self.journal.backups)
        self.forget()

    def restore(self, state: Present, backups: Path) -> None:
        self.resource.restore(self.resource.state_from(state.state), backups)

    def outcome(self) -> Check:
        """What became of it, where it is not as it was before."""
        what = f"left alone: {self.touched.summary}"
        why, path = self.why_left(), getattr(self.resource, "path", None)
        inside = [path / name for name in safe_files.names(path)] if path is not None else []
        if not why and inside:
            why = f"{inside[0]} is not the runbook's"
        if why:
            remedy = f"remove it yourself{', or undo with --force' * (why == EDITED)}"
            return Check("warning", what, why, remedy)
        return Check("failed", self.touched.summary, "is not as it was before", "undo again")

    def forget(self) -> None:
        """Nothing is left to be taken back of it."""
        if self.read().state == self.touched.before:
            self.journal.taken_back(self.touched.entries)
