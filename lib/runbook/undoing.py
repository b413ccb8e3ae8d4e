"""An undo as a plan: what runs is stopped, everything put back, what goes on running started.

A service never runs from what is half taken back.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from runbook.display import Table
from runbook.errors import RunbookError, StageError
from runbook.history import Entry, History, chained
from runbook.journal import Journal
from runbook.plan import Plan
from runbook.resources.base import Change, Found, Resource
from runbook.resources.service import Service
from runbook.takeback import Present, TakenBack


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

    def found(self, state: Present) -> Found:
        return Found(str(self.service), "does not run")

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

    def is_due(self) -> bool:
        """Whether it would have to be started, or changed, though nothing else is taken back."""
        return not self.service.running() or bool(self.back and self.back.change(self.back.read()))

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
        stirred = any(each.is_run_from and each.change(each.read()) for each in rest)
        yield from ends
        if stirred:
            yield from (Paused(each.service) for each in reversed(services))
        yield from rest
        yield from services if stirred else filter(Resumed.is_due, services)

    def backs(self) -> list[TakenBack]:
        touched = chained(self.scope, force=self.force)
        return [TakenBack(each, self.journal, self.force) for each in touched]

    def forget(self) -> None:
        """Of what this undo takes back, and earlier ones left, what is as it was before."""
        left = [entry for entry in self.history.entries.values() if entry.id in self.history.left]
        for touched in (*chained(self.scope, force=self.force), *chained(left)):
            TakenBack(touched, self.journal).forget()

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

    @property
    def changes(self) -> list[Change]:
        """Once applied, those that came about: a folder that holds something stays."""
        return [step.change for step in self.steps if step.status != "skipped"]

    def _made(self) -> Table:
        for step in (step for step in self.steps if step.status == "ok"):
            if isinstance(step.resource, TakenBack) and step.resource.outcome():
                step.status = "skipped"
        return super()._made()

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
