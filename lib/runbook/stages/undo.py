"""90-undo: take back the newest run, a run and every later one, or all of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from traitlets import Bool, Unicode

from runbook import facts, machine, remembered
from runbook.checks import Check
from runbook.display import counted
from runbook.errors import RunbookError
from runbook.history import LATEST, Entry, History
from runbook.hub.probe_account import MEMBER, OUTSIDER, ProbeAccount
from runbook.hub.servers import servers
from runbook.journal import Journal
from runbook.params import Value
from runbook.plan import Plan
from runbook.remembered import RememberedFile
from runbook.resources import PythonEnvironment, Resource, remains
from runbook.resources.base import archived
from runbook.stages import admins
from runbook.stages.base import Stage
from runbook.stages.configure import Configure
from runbook.stages.launch import Launch
from runbook.stages.parameters import parameter
from runbook.takeback import TakenBack
from runbook.undoing import Backwards, Resumed, Undoing

#: Before the name of a run, in the check.
TO_BE = "to be taken back: "
#: Before the path of what was not thrown away.
KEPT = "kept: "
#: Of people's servers, before it is done.
ENDING = "servers end"
DOCTOR = "./runbook doctor says why it does not"
#: What another run, or another program, wrote between the lines of ours.
PASSED_OVER = "if it was damaged, what it told of must be taken back by hand"


class Undo(Stage):
    """The journal, backwards."""

    name = "90-undo"

    undo_run = parameter(
        Unicode(LATEST), "latest: the newest run; the name of a run: it and every later one; all"
    )
    force = parameter(Bool(False), "also what was edited since; a copy is kept")

    def __init__(self, **values: Any) -> None:
        super().__init__(**values)
        self._undoing: Undoing | None = None

    def checks(self) -> Iterator[Check]:
        """Raises `ParameterError` if no run is called ``undo_run``."""
        undoing = self.undoing()
        for run, count in self.runs() or [("nothing", "")]:
            yield Check("ok", f"{TO_BE}{run}", count)
        for line in undoing.history.passed_over:
            yield Check("warning", "passed over", line, PASSED_OVER)
        for each in undoing.backs():
            present, resource = each.read(), each.resource
            if outcome := each.why_left(present) and each.outcome():
                yield outcome
            goes = isinstance(resource, PythonEnvironment) and resource.absent(each.before)
            if goes and each.change(present):
                yield from _ending()

    def resources(self) -> Iterator[Resource]:
        if facts.is_root():
            yield from (ProbeAccount(MEMBER), ProbeAccount(OUTSIDER))
        yield from self.undoing().resources()

    def plan(self) -> Plan:
        self._plan = Backwards(self.name, self.resources(), self.undoing(), self.dry_run)
        return self._plan

    def probes(self) -> Iterator[Check]:
        if facts.has_systemd() and facts.is_root():
            machine.run(["systemctl", "daemon-reload"])
        remains.disarm_gone()
        self.undoing().forget()
        outcomes = [(each, each.outcome()) for each in self.undoing().backs()]
        left = [(each, outcome) for each, outcome in outcomes if outcome]
        yield Check("ok", "taken back", f"all but {len(left)}" if left else "all of it")
        yield from (outcome for _, outcome in left)
        yield from _without_owner([each for each, _ in left])
        yield from (Check("ok", f"{KEPT}{path}", str(kept)) for path, kept in archived.items())
        yield from self._services()
        self._end([each for each, _ in left])

    def runs(self) -> list[tuple[str, str]]:
        """(name, number of changes) of each run to be taken back, the newest first."""
        undoing = self.undoing()
        runs = reversed(undoing.history.runs(undoing.scope))
        return [(run, _told(entries, undoing.history.left)) for run, entries in runs]

    def undoing(self) -> Undoing:
        """What is to be taken back; found out once, for the latest is another one afterwards.

        Raises
        ------
        ParameterError
            if no run is called ``undo_run``.
        """
        if self._undoing is None:
            history = History.of(Journal())
            scope = history.scope(self.undo_run, force=self.force)
            self._undoing = Undoing(history, scope, Journal(), self.force)
        return self._undoing

    def _end(self, left: list[TakenBack]) -> None:
        """Have the journal know what needs not be offered again."""
        ids = [id for each in left for id in (*each.touched.entries, *each.touched.since)]
        undoing = self.undoing()
        if undoing.scope:
            undoing.journal.undo_ends([entry.id for entry in undoing.scope], ids)

    def _services(self) -> Iterator[Check]:
        """What was to go on running does, with what it had before; and the hub answers."""
        resumed = [
            r for r in (self._plan.looked_at if self._plan else ()) if isinstance(r, Resumed)
        ]
        for each in resumed:
            what = f"{each.service} runs, with what it had before"
            yield Check.that(each.service.running(), what, remedy=DOCTOR)
        for hub, configured in _in_force() if resumed and not self.dry_run else ():
            yield _answers(hub)
            yield from admins.others(configured)


def _told(entries: list[Entry], left: set[str]) -> str:
    """How many changes; those that an undo left alone are looked at again, being newer."""
    stages = [entry for entry in entries if entry.identity["kind"] != RememberedFile.__name__]
    alone = ", left alone before" if left.issuperset(entry.id for entry in entries) else ""
    return counted(len(stages), "change") + alone if stages else "its parameters"


def _ending() -> Iterator[Check]:
    """Whose servers run out of an environment that goes."""
    people = sorted({process.info["username"] or "somebody" for process in servers()})
    if people:
        told = f"those of {', '.join(people)}, with their kernels"
        yield Check("warning", ENDING, told, "wait until nobody works, or have them save")


def _answers(hub: Launch) -> Check:
    """Whether it does, waited for where it may be expected: between the runs of single stages the
    units may be others than the configuration. What was taken back is taken back nevertheless."""
    pending = [change.summary for change in hub.plan().changes]
    if pending:
        remedy = f"undo the run before, too, or ./runbook run --from {hub.name}"
        return Check("warning", "the hub is not in step", f"a run would {pending[0]}", remedy)
    answer = hub.answers()
    if answer.status == "ok":
        return answer
    return Check("warning", f"the hub does not answer at {hub.local_url}", answer.found, DOCTOR)


def _in_force() -> list[tuple[Launch, Configure]]:
    """The hub, by the parameters in force now; none where they do not say."""
    with suppress(RunbookError):
        entries = remembered.load().entries
        values = {name: Value(entry.value, entry.source) for name, entry in entries.items()}
        return [(Launch.from_values(values), Configure.from_values(values))] if values else []
    return []


def _without_owner(left: list[TakenBack]) -> Iterator[Check]:
    """What is left alone is not left to an account or a group that is gone: the next one that is
    made may get the same number."""
    paths = [each.resource.path for each in left if hasattr(each.resource, "path")]
    given = [str(path) for path in paths if facts.is_root() and remains.hand_over(path)]
    if given:
        yield Check("ok", "left by an account that is gone", f"{', '.join(given)}: root's now")
