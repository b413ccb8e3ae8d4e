"""What would change: an ordered list of changes, made once and applied once.

Changes are applied in the order of the resources. Neighbours that name different lanes have
nothing to do with each other (a download of Python packages, a download of Node) and are applied
at the same time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from runbook import secrets
from runbook.display import Table
from runbook.errors import PlanError
from runbook.journal import Journal
from runbook.resources.base import Change, Resource


@dataclass(frozen=True)
class Step:
    """A resource, the state it was in when the plan was made, and how that would change."""

    resource: Resource
    before: Any
    change: Change


class Plan:
    """What a stage would change; shows itself as a table with diffs.

    Parameters
    ----------
    stage : the stage's name, for the journal.
    resources : what the stage answers for, in order.
    dry_run : whether `apply` only says what it would do.
    """

    def __init__(
        self,
        stage: str,
        resources: Iterable[Resource],
        *,
        dry_run: bool = False,
        journal: Journal | None = None,
        note: str = "",
    ) -> None:
        self.stage = stage
        self.dry_run = dry_run
        self.journal = journal or Journal()
        self.note = note
        self.looked_at = list(resources)
        self.steps = list(_steps(self.looked_at))
        self.applied = False

    def __bool__(self) -> bool:
        return bool(self.steps)

    @property
    def changes(self) -> list[Change]:
        return [step.change for step in self.steps]

    def apply(self) -> Table:
        """Make the changes, each journaled before it is made.

        Raises
        ------
        PlanError
            if a resource moved since the plan was made; what came before it stays applied.
        """
        if self.dry_run or not self.steps:
            why = "dry_run: nothing was changed" if self.dry_run else "nothing to change"
            return Table(f"Apply {self.stage}", (), (), note=why)
        if self.applied:
            raise PlanError("this plan has been applied already", "run the plan cell again")
        self.applied = True
        for lanes in _lanes(self.steps):
            self._apply_lanes(lanes)
        rows = [("ok", c.summary) for c in self.changes]
        return Table(f"Apply {self.stage}: {len(rows)} made", ("", "change"), rows)

    def _apply_lanes(self, lanes: list[list[Step]]) -> None:
        if len(lanes) == 1:
            self._apply_steps(lanes[0])
            return
        with ThreadPoolExecutor(len(lanes)) as pool:
            for future in [pool.submit(self._apply_steps, lane) for lane in lanes]:
                future.result()

    def _apply_steps(self, steps: list[Step]) -> None:
        for step in steps:
            resource = step.resource
            before = resource.read()
            if before != step.before:
                raise PlanError(
                    f"{resource} changed since the plan was made", "look at a new plan first"
                )
            if resource.lasting:
                self._apply_journaled(step)
            else:
                resource.apply()

    def _apply_journaled(self, step: Step) -> None:
        resource, journal = step.resource, self.journal
        journal.keep(resource)
        before = resource.as_json(step.before)
        entry = journal.begin(self.stage, step.change.summary, resource.identity(), before)
        resource.apply()
        journal.end(entry, resource.as_json(resource.read()))

    def table(self) -> Table:
        """The changes as rows and diffs; how many things are as they should be."""
        rows = [(c.kind, c.summary) for c in self.changes]
        diffs = [(c.summary, secrets.redact(c.diff)) for c in self.changes if c.diff]
        count = len(rows)
        same = len(self.looked_at) - count
        what = f"{count} change{'s' * (count != 1)}" if count else "nothing to change"
        return Table(
            f"Plan {self.stage}: {what}, {same} as wanted",
            ("", "what"),
            rows,
            diffs,
            note=self.note,
            data={"plan": [c.as_json() for c in self.changes]},
        )

    def __str__(self) -> str:
        return str(self.table())

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        return self.table()._repr_mimebundle_()


def _steps(resources: Iterable[Resource]) -> Iterator[Step]:
    for resource in resources:
        state = resource.read()
        change = resource.change(state)
        if change is not None:
            yield Step(resource, state, change)


def _lanes(steps: list[Step]) -> Iterator[list[list[Step]]]:
    """Groups of lanes to apply at the same time; a step without a lane stands alone."""
    for laned, group in groupby(steps, key=lambda step: bool(step.resource.lane)):
        if not laned:
            yield [list(group)]
            continue
        lanes: dict[str, list[Step]] = {}
        for step in group:
            lanes.setdefault(step.resource.lane, []).append(step)
        yield list(lanes.values())
