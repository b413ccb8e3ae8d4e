"""What would change: an ordered list of changes, made once and applied once.

Changes are applied in the order of the resources. Neighbours that name different lanes have
nothing to do with each other (a download of Python packages, a download of Node) and are applied
at the same time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import groupby
from typing import Any

from IPython.display import display

from runbook import secrets
from runbook.display import Table, counted
from runbook.errors import PlanError
from runbook.history import History, key
from runbook.journal import Journal
from runbook.outcome import Outcome, collecting, in_short
from runbook.resources.base import Change, Found, Resource


@dataclass
class Step:
    """A resource, the state it was in when the plan was made, and how that would change.

    ``status`` is pending until it is applied, then ok or failed; ``commands`` are what it took.
    """

    resource: Resource
    before: Any
    change: Change
    status: str = "pending"
    commands: list[Outcome] = field(default_factory=list)

    def told(self) -> tuple[str, str]:
        """(title, what its commands did and said); empty where it took none."""
        if not self.commands:
            return "", ""
        seconds = sum(outcome.seconds for outcome in self.commands)
        return f"{counted(len(self.commands), 'command')}, {seconds:.1f} s", in_short(self.commands)


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
        self.steps: list[Step] = []
        self.as_wanted: list[Found] = []
        self.applied = False
        for resource in self.looked_at:
            self._look_at(resource)

    def __bool__(self) -> bool:
        return bool(self.steps)

    @property
    def changes(self) -> list[Change]:
        return [step.change for step in self.steps]

    def _look_at(self, resource: Resource) -> None:
        state = resource.read()
        change = resource.change(state)
        if change is None:
            self.as_wanted.append(resource.found(state))
        else:
            edited = replace(change, edited=self._is_edited(resource, state))
            self.steps.append(Step(resource, state, edited))

    def _is_edited(self, resource: Resource, state: Any) -> bool:
        """Whether it is not as the journal's last change left it."""
        if not (resource.lasting and resource.guarded):
            return False
        left = self._left.get(key(resource.identity()))
        return left is not None and left != resource.as_json(state)

    @cached_property
    def _left(self) -> dict[str, dict[str, Any] | None]:
        """How the last change that holds left each resource."""
        with suppress(PermissionError):  # a plan may be made by anybody
            entries = History.of(self.journal).entries.values()
            return {key(entry.identity): entry.after for entry in entries}
        return {}

    def apply(self) -> Table:
        """Make the changes, each journaled before it is made.

        What it takes is shown below each, also where one fails.

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
        try:
            for lanes in _lanes(self.steps):
                self._apply_lanes(lanes)
        except BaseException:
            display(self._made())
            raise
        return self._made()

    def _made(self) -> Table:
        """What was applied so far, and below each change the commands that it took."""
        made = sum(step.status == "ok" for step in self.steps)
        count = f"{made} of {len(self.steps)}" if made < len(self.steps) else str(made)
        texts = {step.change.summary: in_short(step.commands) for step in self.steps}
        return Table(
            f"Apply {self.stage}: {count} made",
            ("", "change"),
            [(step.status, step.change.summary) for step in self.steps],
            below=[step.told() for step in self.steps],
            data={"commands": {what: text for what, text in texts.items() if text}},
        )

    def _apply_lanes(self, lanes: list[list[Step]]) -> None:
        if len(lanes) == 1:
            self._apply_steps(lanes[0])
            return
        with ThreadPoolExecutor(len(lanes)) as pool:
            for future in [pool.submit(self._apply_steps, lane) for lane in lanes]:
                future.result()

    def _apply_steps(self, steps: list[Step]) -> None:
        for step in steps:
            resource, step.status = step.resource, "failed"  # until it is known better
            before = resource.read()
            if before != step.before:
                raise PlanError(
                    f"{resource} changed since the plan was made", "look at a new plan first"
                )
            if resource.lasting:
                self._apply_journaled(step)
            else:
                _apply(step)
            step.status = "ok"

    def _apply_journaled(self, step: Step) -> None:
        resource, journal = step.resource, self.journal
        journal.keep(resource)
        before = resource.as_json(step.before)
        entry = journal.begin(self.stage, step.change.summary, resource.identity(), before)
        _apply(step)
        journal.end(entry, resource.as_json(resource.read()))

    def table(self) -> Table:
        """The changes as rows and diffs; folded, each thing that is as it should be."""
        rows = [(c.kind, str(c)) for c in self.changes]
        diffs = [(c.summary, secrets.redact(c.diff)) for c in self.changes if c.diff]
        what = counted(len(rows), "change") if rows else "nothing to change"
        found = [each.as_json() for each in self.as_wanted]
        return Table(
            f"Plan {self.stage}: {what}, {len(found)} as wanted",
            ("", "what"),
            rows,
            diffs,
            note=self.note,
            folded=_as_wanted(found) if found else None,
            data={
                "plan": [c.as_json() for c in self.changes],
                **({"as_wanted": found} if found else {}),
            },
        )

    def __str__(self) -> str:
        return str(self.table())

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        return self.table()._repr_mimebundle_()


def _apply(step: Step) -> None:
    with collecting(step.commands):
        step.resource.apply()


def _as_wanted(found: list[dict[str, str]]) -> Table:
    rows = [(each["what"], each["value"]) for each in found]
    texts = [each["text"] for each in found]
    below = [(counted(len(text.splitlines()), "line") if text else "", text) for text in texts]
    return Table(f"{len(rows)} as wanted", ("what", "found"), rows, below=below)


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
