"""90-undo: take back what a run, or all of them, changed on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from traitlets import Bool, Unicode

from runbook import facts, machine
from runbook.checks import Check
from runbook.errors import ParameterError
from runbook.hub.probe_account import MEMBER, OUTSIDER, ProbeAccount
from runbook.journal import Journal, Touched
from runbook.resources import Resource
from runbook.stages.base import Stage
from runbook.stages.kinds import parameter
from runbook.takeback import TakenBack

LATEST, ALL = "latest", "all"


class Undo(Stage):
    """The journal, backwards."""

    name = "90-undo"

    undo_run = parameter(Unicode(LATEST), "the run to take back: latest, all, or its name")
    force = parameter(Bool(False), "also what was edited since; a copy is kept")

    def __init__(self, **values: Any) -> None:
        super().__init__(**values)
        self._chosen: str | None = None

    def checks(self) -> Iterator[Check]:
        touched = self.touched()
        runs = dict.fromkeys(each.run for each in touched)
        found = f"{len(touched)} changes of {', '.join(runs)}" if runs else "nothing"
        yield Check("ok", "to be taken back", found)
        yield from self._left_alone(touched)

    def resources(self) -> Iterator[Resource]:
        if facts.is_root():
            yield from (ProbeAccount(MEMBER), ProbeAccount(OUTSIDER))
        yield from self._back(self.touched())

    def probes(self) -> Iterator[Check]:
        if facts.has_systemd() and facts.is_root():
            machine.run(["systemctl", "daemon-reload"])
        for each in self._back(self.touched()):
            each.forget()
        left = [each.outcome() for each in self._back(self.touched())]
        yield Check("ok", "taken back", f"all but {len(left)}" if left else "all of it")
        yield from left

    def touched(self) -> list[Touched]:
        """What is to be taken back, the newest first.

        Raises
        ------
        ParameterError
            if no run is called ``undo_run``.
        """
        journal = Journal()
        if self.undo_run == ALL:
            return journal.touched()
        return journal.touched(self._run(journal))

    def _run(self, journal: Journal) -> str:
        """The name of the run; found out once, for the latest is another one afterwards."""
        if self._chosen is None:
            runs = journal.runs()
            if self.undo_run not in (LATEST, *runs):
                raise ParameterError(
                    f"no run called {self.undo_run!r} has changes to take back",
                    f"there are: {', '.join(runs) or 'none'}",
                )
            latest = runs[-1] if runs else "none"
            self._chosen = latest if self.undo_run == LATEST else self.undo_run
        return self._chosen

    def _back(self, touched: list[Touched]) -> list[TakenBack]:
        journal = Journal()
        return [TakenBack(each, journal, self.force) for each in touched]

    def _left_alone(self, touched: list[Touched]) -> Iterator[Check]:
        for each in self._back(touched):
            if each.why_left():
                yield each.outcome()
