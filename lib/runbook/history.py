"""What the journal tells: the changes that still hold, run by run, and how far back one can go.

The journal is a history. To take back a run is to take back every later one first: what a later
run changed, it changed in a machine that the earlier one had made. A run that was resumed after
another one, or a notebook stepped through on two days, counts each time: a run is here a row of
neighbouring changes with one name.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Any

from runbook.errors import ParameterError
from runbook.journal import Journal
from runbook.resources.base import Resource

LATEST, ALL = "latest", "all"


@dataclass(frozen=True)
class Entry:
    """A change that holds. ``after`` is None where a crash interrupted it, or its undo."""

    id: str
    run: str
    summary: str
    identity: dict[str, str]
    before: dict[str, Any]
    after: dict[str, Any] | None = None

    @property
    def resource(self) -> Resource:
        return Resource.of(self.identity)


@dataclass(frozen=True)
class Touched:
    """A resource that runs changed: its state before the first change, and after the last one.

    ``after`` is None where a crash interrupted the last change; ``entries`` are the journal's,
    ``since`` those that cannot be taken back with them, for somebody edited it in between.
    """

    identity: dict[str, str]
    before: dict[str, Any]
    after: dict[str, Any] | None
    summary: str
    entries: tuple[str, ...]
    since: tuple[str, ...] = ()

    @property
    def resource(self) -> Resource:
        return Resource.of(self.identity)


@dataclass
class History:
    """What holds of all that the journal tells.

    Parameters
    ----------
    entries : the changes that were not taken back, oldest first.
    left : ids of those that an undo left alone.
    unfinished : ids of those that an interrupted undo was to take back.
    paused : the services that it had stopped, and was to start again.
    passed_over : lines that cannot be read: which, and why.
    """

    entries: dict[str, Entry] = field(default_factory=dict)
    left: set[str] = field(default_factory=set)
    unfinished: set[str] = field(default_factory=set)
    paused: list[dict[str, str]] = field(default_factory=list)
    passed_over: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, journal: Journal) -> History:
        """Read ``journal``; a line that is torn, foreign or cannot be decoded is passed over."""
        history = cls()
        for number, line in journal.lines():
            if why := history._take(line):
                history.passed_over.append(f"line {number} of {journal.path}: {why}")
        return history

    def _take(self, line: bytes) -> str:
        """Take up one line; return why it cannot be, empty where it can."""
        handlers: dict[str, Callable[[dict[str, Any]], None]] = {
            "begin": self._begin,
            "end": self._end,
            "undo": self._undo,
            "undoing": self._undoing,
            "undone": self._undone,
            "undo done": self._undo_done,
        }
        try:
            event = json.loads(line)
            take = handlers.get(event["event"])
            if take is None:
                return f"tells of {event['event']!r}, which this release does not know"
            take(event)
            return ""
        except ValueError:
            return "is cut short, or is no JSON"
        except (KeyError, TypeError, AttributeError) as error:
            return f"is not as this release writes them ({error})"

    def _begin(self, event: dict[str, Any]) -> None:
        entry = Entry(
            event["id"], event["run"], event["summary"], event["resource"], event["before"]
        )
        self.entries[entry.id] = replace(entry, before=_today(entry.resource, entry.before))
        self.unfinished = set()  # what is done now comes first when one goes back
        self.paused = [each for each in self.paused if each != entry.identity]

    def _end(self, event: dict[str, Any]) -> None:
        entry = self.entries.get(event["id"])
        if entry:
            after = _today(entry.resource, event["after"])
            self.entries[entry.id] = replace(entry, after=after)

    def _undo(self, event: dict[str, Any]) -> None:
        self.unfinished, self.paused = set(event["ids"]), list(event["paused"])

    def _undoing(self, event: dict[str, Any]) -> None:
        for name in self.entries.keys() & set(event["ids"]):
            self.entries[name] = replace(self.entries[name], after=None)

    def _undone(self, event: dict[str, Any]) -> None:
        for name in event["ids"]:
            self.entries.pop(name, None)

    def _undo_done(self, event: dict[str, Any]) -> None:
        self.unfinished, self.paused = set(), []
        self.left = self.left.difference(event["ids"]).union(event["left"])

    def runs(self, entries: Iterable[Entry] | None = None) -> list[tuple[str, list[Entry]]]:
        """(name, changes) of each run, the newest last, of ``entries`` or of all that holds."""
        chosen = self.entries.values() if entries is None else entries
        return [(run, list(group)) for run, group in groupby(chosen, key=lambda entry: entry.run)]

    def scope(self, run: str, *, force: bool = False) -> list[Entry]:
        """The changes to be taken back for ``run``: its own and every later one, oldest first.

        ``latest`` is the newest run that no undo has dealt with; where it is to be forced, what
        undos have left alone since. An undo that a crash interrupted is finished first.

        Raises
        ------
        ParameterError
            if no run of that name has a change that holds.
        """
        entries = list(self.entries.values())
        if run == ALL:
            return entries
        if run == LATEST:
            return entries[self._latest(entries, force) :]
        name = self._called(run)
        return entries[[entry.run for entry in entries].index(name) :]

    def _called(self, run: str) -> str:
        """The name of the run that is called so, or alone has a name that begins so."""
        names = list(dict.fromkeys(name for name, _ in reversed(self.runs())))
        found = [run] if run in names else [name for name in names if name.startswith(run)]
        if len(found) == 1:
            return found[0]
        beginning = f"{run!r} is the beginning of {len(found)} runs with changes to take back"
        raise ParameterError(
            beginning if found else f"no run called {run!r} has changes to take back",
            f"there are, the newest first: {', '.join(names)}" if names else "there is none",
        )

    def _latest(self, entries: list[Entry], force: bool) -> int:
        """Where the newest run begins that is to be taken back; the end where there is none."""
        started = [n for n, entry in enumerate(entries) if entry.id in self.unfinished]
        if started:
            return started[0]
        groups = [group for _, group in self.runs()]
        while groups and self.left.issuperset(entry.id for entry in groups[-1]):
            groups.pop()
        before = sum(map(len, groups))  # what undos have left alone since
        if force and before < len(entries):
            return before
        return before - len(groups[-1]) if groups else len(entries)


def key(identity: dict[str, str]) -> str:
    """``identity`` as a dictionary can have it."""
    return json.dumps(identity, sort_keys=True)


def chained(entries: Sequence[Entry], *, force: bool = False) -> list[Touched]:
    """``entries`` by resource, each with the state to put back, backwards.

    Going back through the changes of one resource ends where somebody edited it in between, unless
    that is forced. Its turn is that of the earliest change that is taken back: what that one
    needed goes later. Accounts may have been made anew since, and go after all that is theirs.
    """
    order = {entry.id: number for number, entry in enumerate(entries)}
    by_resource: dict[str, list[Entry]] = {}
    for entry in entries:
        by_resource.setdefault(key(entry.identity), []).append(entry)
    touched = [_chain(group, force) for group in by_resource.values()]
    backwards = sorted(touched, key=lambda each: order[each.entries[-1]], reverse=True)
    for account in [each for each in backwards if each.identity["kind"] in ("User", "Group")]:
        name, here = account.identity["name"], backwards.index(account)
        theirs = [n for n, each in enumerate(backwards) if name in _owners(each)]
        if theirs and theirs[-1] > here:
            backwards.insert(theirs[-1], backwards.pop(here))
    return backwards


def _owners(touched: Touched) -> tuple[str, ...]:
    """Account and group of what is there now; none of what is no file."""
    after = touched.after or {}
    return tuple(str(after[name]) for name in ("owner", "group") if name in after)


def _chain(group: list[Entry], force: bool) -> Touched:
    newest = group[-1]
    taken = [newest]
    for entry in reversed(group[:-1]):
        meets = entry.after is None or entry.after == taken[-1].before
        if not (meets or force or not newest.resource.guarded):
            break
        taken.append(entry)
    first = taken[-1]
    return Touched(
        newest.identity,
        first.before,
        newest.after,
        first.summary,
        tuple(entry.id for entry in taken),
        tuple(entry.id for entry in group[: -len(taken)]),
    )


def paths(entries: Iterable[Entry]) -> Iterator[str]:
    """The paths of what ``entries`` changed."""
    yield from (entry.identity["path"] for entry in entries if "path" in entry.identity)


def _today(resource: Resource, state: dict[str, Any]) -> dict[str, Any]:
    """``state`` with whatever an older release did not write yet.

    Raises TypeError where it is no state of such a thing.
    """
    return resource.as_json(resource.state_from(state))
