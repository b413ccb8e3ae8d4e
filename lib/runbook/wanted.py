"""The parameters that a run wants: where each comes from, and what it does to those in force.

``--set`` counts before a named file, and that before what the machine remembers. A named file is
the whole wish: what it does not say has its default.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from runbook import facts, params
from runbook.display import Table
from runbook.errors import ParameterError
from runbook.params import Value
from runbook.reading import DIFFERING
from runbook.remembered import Entry, Remembered
from runbook.stages import STAGES, Launch, Stage, known_parameters
from runbook.summary import short

PARAMS = Path(__file__).resolve().parents[2] / "params"
DEFAULT = "default"
#: Before the source of what the machine remembers: it was given then, not now.
KEPT = "in force by "
UNKNOWN = "-"
DRY_RUN = "dry_run"


@dataclass(frozen=True)
class Wanted:
    """Every parameter of a run: as ``given``, and as a stage understands it in ``values``.

    ``named`` is the file that was named, if one was; ``defaults`` is what a new machine is given.
    """

    named: Path | None
    given: Mapping[str, Value]
    values: dict[str, Value]
    defaults: Mapping[str, Value]
    before: Remembered = field(default_factory=Remembered)

    @property
    def file(self) -> Path:
        """The file that the run goes by: named now or, if none is, by an earlier run."""
        return self.named or Path(self.before.params_file or new_machine())

    @property
    def dry_run(self) -> bool:
        """Whether the parameters themselves ask for a look without a change."""
        return DRY_RUN in self.given and bool(self.given[DRY_RUN].value)

    @property
    def by_file(self) -> bool:
        """Whether a file says it all: the named one or, where no run has been, a new machine's."""
        return self.named is not None or not self.before.entries

    def chosen(self, name: str) -> bool:
        """Whether somebody asks for this value, be it now or in an earlier run."""
        new = self.defaults.get(name)
        if name in self.given:
            return new is None or self.given[name].place != new.place
        return new is not None and bool(self.values[name].value != new.value)

    def changed(self, stages: Iterable[type[Stage]]) -> list[str]:
        """The parameters that ``stages`` bring into force with another value than before."""
        return [name for name in taken(stages) if self._differs(name)]

    def rows(self, stages: Iterable[type[Stage]]) -> list[list[str]]:
        """Name, value in force, wanted value and its source; none where nothing is in force yet."""
        entries = self.before.entries
        return [
            [name, _shown(entries.get(name)), as_json(self.values[name].value), self._typed(name)]
            for name in self.changed(stages)
            if name in entries or (entries and self.chosen(name))
        ]

    def table(self, stages: Iterable[type[Stage]]) -> Table | None:
        """What differs from what is in force, and what of it no stage heeds; None for nothing."""
        rows, note = self.rows(stages), "\n".join(self._passed_over(stages))
        title = f"Parameters: {len(rows) or 'none'} other than in force"
        return Table(title, DIFFERING, rows, note=note) if rows or note else None

    def to_remember(self, run: str, stages: Iterable[type[Stage]]) -> Remembered:
        """What is in force once ``stages`` of ``run`` are executed; until then they are waiting."""
        known, changed = known_parameters(), {*self.changed(stages)}
        kept = {name: entry for name, entry in self.before.entries.items() if name in known}
        new = {name: self._entry(name, run) for name in taken(stages)}
        waiting = [s.name for s in STAGES if s.name in self.before.waiting or _waits(s, changed)]
        file = str(self.named) if self.named else self.before.params_file
        return Remembered({**kept, **new}, file, waiting)

    def _differs(self, name: str) -> bool:
        entry = self.before.entries.get(name)
        return entry is None or bool(entry.value != self.values[name].value)

    def _typed(self, name: str) -> str:
        return typed(self._source(name))

    def _entry(self, name: str, run: str) -> Entry:
        """As it was remembered, where it is the same from the same source."""
        source = self._source(name).removeprefix(KEPT)
        new = Entry(self.values[name].value, source, run, self.chosen(name))
        old = self.before.entries.get(name, new)
        return old if replace(new, run=old.run) == old else new

    def _source(self, name: str) -> str:
        """The file without the line: lines move, and nothing has changed."""
        place = self.values[name].place if self.chosen(name) else DEFAULT
        return re.sub(r", line \d+$", "", place)

    def _passed_over(self, stages: Iterable[type[Stage]]) -> Iterator[str]:
        known, names = known_parameters(), taken(stages)
        for name, entry in self.before.entries.items():
            if name not in known:
                yield f"{name}: passed over, this release has none ({typed(entry.source)})"
        for name, value in self.given.items():
            if name not in names and value.place.startswith("--set ") and name != DRY_RUN:
                yield f"{name}: no stage of this run brings it about, and so it stays as it is"


def want(named: Path | None, pairs: Sequence[str], before: Remembered) -> Wanted:
    """What a run of the file ``named``, or of none, with ``--set PAIRS``, wants of the machine.

    Raises
    ------
    ParameterError
        for the first value that no stage would take.
    """
    defaults = params.load(new_machine())
    said = params.load(named) if named else {**defaults, **_kept(before)}
    given = {**said, **params.settings(pairs)}
    return Wanted(named, given, _whole(given), defaults, before)


def new_machine() -> Path:
    """The file of who names none, where no run has been."""
    return PARAMS / ("server.yaml" if facts.is_root() else "laptop.yaml")


def headline(named: Path | None, before: Remembered) -> str:
    """Which parameters count, as the first line of a run says it."""
    if named:
        return short(named)
    if before.entries:
        chosen = [typed(entry.source) for entry in before.entries.values() if entry.chosen]
        return f"the parameters in force: {', '.join(dict.fromkeys(chosen)) or 'the defaults'}"
    return f"{short(new_machine())} (you are {facts.current_user()}, and named no other)"


def typed(source: str) -> str:
    """A source of a value, a file as one types it in the working folder."""
    return short(Path(source)) if source.startswith("/") else source


def taken(stages: Iterable[type[Stage]]) -> list[str]:
    """The parameters that come into force when ``stages`` are executed: not of who only looks."""
    acting = [stage for stage in stages if not stage.only_looks]
    names = dict.fromkeys(name for stage in acting for name in stage.parameters())
    return [name for name in names if name != DRY_RUN]  # which is no wish about the machine


def _waits(stage: type[Stage], changed: set[str]) -> bool:
    """Whether it must be executed before all that ``changed`` counts: 70-launch starts anew."""
    wanted = changed & stage.parameters().keys() or (changed and stage is Launch)
    return bool(wanted) and not stage.only_looks


def _kept(before: Remembered) -> dict[str, Value]:
    known = known_parameters()
    return {
        name: Value(entry.value, f"{KEPT}{entry.source}")
        for name, entry in before.entries.items()
        if entry.chosen and name in known
    }


def _whole(given: Mapping[str, Value]) -> dict[str, Value]:
    """``given``, and every other parameter, as the stages understand them."""
    params.refuse_unknown(given, known_parameters())
    try:
        made = {name: value for stage in STAGES for name, value in _of(stage, given)}
    except ParameterError as error:
        raise _with_way_out(error, given) from None
    del made[DRY_RUN]
    return {n: Value(v, given[n].place if n in given else DEFAULT) for n, v in made.items()}


def _of(stage: type[Stage], given: Mapping[str, Value]) -> Iterator[tuple[str, Any]]:
    made = stage.from_values(given)
    yield from ((name, getattr(made, name)) for name in stage.parameters())


def _with_way_out(error: ParameterError, given: Mapping[str, Value]) -> ParameterError:
    """Of a value that an earlier release took, and this one does not, there is no file to edit."""
    for name, value in given.items():
        if value.place.startswith(KEPT) and error.message.startswith(value.place):
            way = f"--set {name}=..., or ./runbook parameters --forget {name} for the default"
            return ParameterError(error.message, way)
    return error


def _shown(entry: Entry | None) -> str:
    return as_json(entry.value) if entry else UNKNOWN


def as_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
