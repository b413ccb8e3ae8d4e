"""Taking changes back, each itself a resource: planned with a diff, applied once, journaled.

What runs is stopped before anything that it runs from goes, and what is to run is started when
everything stands as it did: a service never runs from what is half taken back.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from runbook import safe_files
from runbook.checks import Check
from runbook.display import Table
from runbook.errors import RunbookError, StageError
from runbook.history import Entry, History, Touched, chained
from runbook.journal import Journal
from runbook.plan import Plan
from runbook.resources.base import Change, Resource, archive
from runbook.resources.file import look
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

    def why_left(self) -> str:
        """Why it is left alone; empty where it is taken back or is as it was."""
        present, after = self.read(), self.touched.after
        if present.why or present.state == self.touched.before:
            return present.why
        edited = self.resource.guarded and after is not None and present.state != after
        if edited and not self.force:
            return EDITED
        return self.resource.why_keep()

    def change(self, state: Present) -> Change | None:
        # Of an interrupted change the state does not tell what lies about half made.
        interrupted = self.touched.after is None
        if (state.state == self.touched.before and not interrupted) or self.why_left():
            return None
        present, what = self.resource.state_from(state.state), f"take back: {self.touched.summary}"
        if self.resource.absent(self.before):
            goes = self.resource.removed_by(self.before)
            return Change("remove", what + f" (removes {goes})" * bool(goes), undoable=False)
        kind: Any = "create" if self.resource.absent(present) else "update"
        diff = self.resource.diff_back(present, self.before, self.journal.backups)
        return Change(kind, what, diff, undoable=False)

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
        as_before = self.read().state == self.touched.before
        if as_before and not self.touched.since:
            return None
        what = f"left alone: {self.touched.summary}"
        why = BETWEEN if as_before else self.why_left() or self._holds()
        if why:
            forced = why in (EDITED, BETWEEN)
            return Check(
                "warning", what, why, "remove it yourself" + ", or undo with --force" * forced
            )
        return Check("failed", self.touched.summary, "is not as it was before", "undo again")

    def _holds(self) -> str:
        """What is in a folder that was to go."""
        path = getattr(self.resource, "path", None)
        inside = safe_files.names(path) if path is not None else []
        more = f" and {len(inside) - 1} more" if len(inside) > 1 else ""
        return f"holds {inside[0]}{more}" if inside else ""

    def forget(self) -> None:
        """Nothing is left to be taken back of it."""
        if self.read().state == self.touched.before:
            self.journal.taken_back(self.touched.entries)


@dataclass
class Paused(Resource):
    """A service that does not run while what it runs from is taken back."""

    service: Service
    lasting: ClassVar[bool] = False

    def __str__(self) -> str:
        return f"{self.service}, stopped"

    def read(self) -> Present:
        return Present({"running": self.service.running()})

    def change(self, state: Present) -> Change | None:
        what = f"stop {self.service}, while what it runs from is taken back"
        return Change("update", what, undoable=False) if state.state["running"] else None

    def apply(self) -> None:
        self.service.stop()

    def restore(self, state: Present, backups: Path) -> None:
        """`Resumed` starts it again."""


@dataclass
class Resumed(Resource):
    """A service that runs again, from what has been put back; ``back`` where it changed itself."""

    service: Service
    back: TakenBack | None = field(default=None, repr=False)
    lasting: ClassVar[bool] = False

    def __str__(self) -> str:
        return f"{self.service}, started"

    def read(self) -> Present:
        """Always the same: it is stopped between the plan and its own turn."""
        return Present({})

    def change(self, state: Present) -> Change | None:
        return Change("update", f"start {self.service}, with what it had before", undoable=False)

    def apply(self) -> None:
        if self.back:
            self.back.apply()
        else:
            self.service.start()

    def restore(self, state: Present, backups: Path) -> None:
        """An undo is not in the journal."""


@dataclass
class Undoing:
    """What takes the changes of ``scope`` back, in its order: stop, put back, start again."""

    history: History
    scope: Sequence[Entry]
    journal: Journal
    force: bool = False

    def resources(self) -> Iterator[Resource]:
        """Nothing is stopped where nothing is taken back that it could run from."""
        backs = self.backs()
        services = [*self._services(backs)]
        ends = [each for each in backs if each.is_service and not each.before.running]
        rest = [each for each in backs if not each.is_service]
        stirred = [each for each in rest if each.is_run_from and each.change(each.read())]
        yield from ends
        if stirred:
            yield from (Paused(each.service) for each in reversed(services))
        yield from rest
        if stirred:
            yield from services

    def backs(self) -> list[TakenBack]:
        touched = chained(self.scope, force=self.force)
        return [TakenBack(each, self.journal, self.force) for each in touched]

    def _services(self, backs: Sequence[TakenBack]) -> Iterator[Resumed]:
        """Those that run afterwards, in the order in which they were first started."""
        own = {str(back.touched.identity): back for back in backs if back.is_service}
        known = {str(each.identity): each.identity for each in self.history.entries.values()}
        for name, identity in known.items():
            service, back = Resource.of(identity), own.get(name)
            if not isinstance(service, Service):
                continue
            paused = identity in self.history.paused
            if back.before.running if back else paused or service.running():
                yield Resumed(service, back)


class Backwards(Plan):
    """A plan that takes changes back; the journal knows when it began, and what it stopped."""

    def __init__(
        self, stage: str, resources: Iterable[Resource], undoing: Undoing, dry_run: bool = False
    ) -> None:
        super().__init__(stage, resources, dry_run=dry_run, journal=undoing.journal)
        self.entries = [entry.id for entry in undoing.scope]
        self.resumed = [each.service for each in self.looked_at if isinstance(each, Resumed)]

    def apply(self) -> Table:
        """As of any plan. Raises `StageError` that names what stands still where it breaks off."""
        if self.steps and not self.dry_run:
            self.journal.undo_begins(self.entries, [each.identity() for each in self.resumed])
        try:
            return super().apply()
        except RunbookError as error:
            names = ", ".join(map(str, self.resumed))
            stands = f"; until it is finished these may stand still: {names}" if names else ""
            remedy = f"{error.remedy}; then undo again" if error.remedy else "undo again"
            raise StageError(error.message + stands, remedy) from None
