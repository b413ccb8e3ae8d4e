"""The parameters last applied on this machine, in a file beside the journal, its owner's alone.

Of secrets there are only references. The file is brought about as everything else is, with an
entry in the journal: what a run remembers, the undo of that run takes back.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, ClassVar

from runbook import journal, safe_files
from runbook.errors import ParameterError, RunbookError
from runbook.history import History
from runbook.journal import Journal
from runbook.machine import usual_remedy
from runbook.plan import Plan
from runbook.resources.base import Change
from runbook.resources.file import File, FileState
from runbook.safe_paths import ourselves
from runbook.undoing import Undoing

#: Where the journal looks for the name of the run; a stage's kernel has it from its start.
RUN_VARIABLE = "RUNBOOK_RUN"
#: Of the file; a newer release that needs more than a field of its own counts up.
FORMAT = 1
REMEDY = "name a parameter file, and it is written anew: ./runbook run params/FILE.yaml"


@dataclass(frozen=True)
class Entry:
    """A parameter in force.

    ``source`` is the file, the ``--set KEY=VALUE`` or the notebook that gave it, ``run`` the first
    run with it. A value that nobody ``chose`` is a default, and gives way to another one.
    """

    value: Any
    source: str = "an earlier release"
    run: str = ""
    chosen: bool = True


@dataclass(frozen=True)
class Remembered:
    """What is in force, by name; ``params_file`` is the file that was named last.

    ``waiting`` are the stages that take something of it and were not executed with it yet.
    """

    entries: Mapping[str, Entry] = field(default_factory=dict)
    params_file: str = ""
    waiting: Sequence[str] = ()

    def text(self) -> str:
        """As the file has it: a line a parameter, for an undo shows what differs."""
        head = {"format": FORMAT, "params_file": self.params_file, "waiting": list(self.waiting)}
        said = {name: json.dumps(asdict(entry)) for name, entry in sorted(self.entries.items())}
        lines = ",\n".join(f"  {json.dumps(name)}: {line}" for name, line in said.items())
        return f'{json.dumps(head, indent=1)[:-2]},\n "parameters": {{\n{lines}\n }}\n}}\n'


@dataclass
class RememberedFile(File):
    """The file; ``guarded`` it is not: `forget` writes it between two runs."""

    guarded: ClassVar[bool] = False

    def change(self, state: FileState) -> Change | None:
        change = super().change(state)
        return change and replace(change, summary=f"parameters in force ({self.path})")


def place() -> Path:
    return journal.home() / "parameters.json"


def load() -> Remembered:
    """What is in force on this machine; nothing where no run has been.

    Raises
    ------
    ParameterError
        where the file cannot be read, or is not as `keep` writes it.
    """
    path = place()
    try:
        return _understood(json.loads(safe_files.read(path)))
    except FileNotFoundError:
        return Remembered()
    except OSError as error:
        why = f"{path}: the parameters in force cannot be read ({error.strerror})"
        raise ParameterError(why, REMEDY) from None
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        why = f"{path}: is torn, or is not what this release of the runbook writes"
        raise ParameterError(why, REMEDY) from None


def values_of(name: str) -> list[str]:
    """The one value in force, as text; none where there is none, or where that cannot be read."""
    with suppress(RunbookError):
        entry = load().entries.get(name)
        return [str(entry.value)] if entry else []
    return []


def keep(new: Remembered, run: str) -> None:
    """Remember ``new`` from now on; where that is something else, the journal has it of ``run``.

    Raises
    ------
    RunbookError
        where it cannot be written: what is not remembered must not be applied.
    """
    try:
        with _journaled_as(run):
            Plan("parameters", [resource(new)]).apply()
    except OSError as error:
        message = f"the parameters cannot be kept in {place()}: {error.strerror}"
        raise RunbookError(message, usual_remedy(message)) from None


def ended(stages: Sequence[str] | None, run: str) -> None:
    """Say of ``stages``, which ``run`` executed, that they wait no longer; of a run that changed
    nothing, None, what was in force before it is again. Where that cannot be said, they wait."""
    with suppress(RunbookError):
        if stages is None:
            _withdraw(run)
            return
        now = load()
        waiting = [name for name in now.waiting if name not in stages]
        if waiting != list(now.waiting):
            keep(replace(now, waiting=waiting), run)


def _withdraw(run: str) -> None:
    book = Journal()
    history = History.of(book)
    entries = [entry for entry in history.entries.values() if entry.run == run]
    for each in Undoing(history, entries, book).backs():
        each.apply()


def resource(new: Remembered) -> RememberedFile:
    """What a plan needs to remember ``new``."""
    return RememberedFile(place(), *ourselves(), 0o600, content=new.text())


def forget(names: Sequence[str]) -> None:
    """Take no longer as chosen what is in force under ``names``: the next run has the default.

    Raises
    ------
    ParameterError
        for a name under which nothing is in force.
    """
    now = load()
    for name in names:
        if name not in now.entries:
            known = ", ".join(sorted(now.entries)) or "none yet"
            raise ParameterError(f"no parameter {name!r} is in force", f"there are: {known}")
    left = {name: replace(now.entries[name], chosen=False) for name in names}
    resource(replace(now, entries={**now.entries, **left})).apply()


def _understood(said: Any) -> Remembered:
    if said["format"] > FORMAT:
        raise ValueError("by a newer release")
    known = {each.name for each in fields(Entry)}
    entries = {
        name: Entry(**{key: value for key, value in entry.items() if key in known})
        for name, entry in said["parameters"].items()
    }
    return Remembered(entries, str(said["params_file"]), [str(name) for name in said["waiting"]])


@contextmanager
def _journaled_as(run: str) -> Iterator[None]:
    os.environ[RUN_VARIABLE] = run
    try:
        yield
    finally:
        del os.environ[RUN_VARIABLE]
