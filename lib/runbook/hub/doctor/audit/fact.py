"""What an auditor asks, answered: facts, each with its source, by topic."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Fact:
    """``what`` was looked at, what was ``found``, and the ``source``: the command or the file.

    ``why`` says what to think of it. A "warning" is no finding of the doctor: nothing is broken.
    "skipped" is what could not be looked at.
    """

    status: Literal["fact", "warning", "skipped"]
    what: str
    found: str
    source: str
    why: str = ""

    @property
    def shown(self) -> str:
        return "\n".join(filter(None, (self.found, self.why)))


@dataclass(frozen=True)
class Topic:
    """One question of an auditor, and its facts."""

    name: str
    facts: tuple[Fact, ...]


def judged(good: bool, what: str, found: str, source: str, why: str) -> Fact:
    """A fact; where it is not ``good`` a warning that says ``why``."""
    return Fact("fact", what, found, source) if good else Fact("warning", what, found, source, why)


def topic(name: str, look: Callable[[], Iterable[Fact]]) -> Topic:
    """What ``look`` gives, up to where the machine keeps it from looking, which is said."""
    return Topic(name, tuple(map(_printable, _told(look))))


def _told(look: Callable[[], Iterable[Fact]]) -> Iterator[Fact]:
    try:
        yield from look()
    except Exception as error:  # a sick machine breaks what it likes: the other facts are told
        reason = getattr(error, "strerror", None) or f"{type(error).__name__}: {error}"
        yield Fact("skipped", "the rest", "could not be looked at", "the doctor itself", reason)


def _printable(fact: Fact) -> Fact:
    """Names of files and processes are anybody's to choose: none may steer root's terminal."""
    return Fact(fact.status, *map(_plain, (fact.what, fact.found, fact.source, fact.why)))


def _plain(text: str) -> str:
    return "".join(c if c.isprintable() or c == "\n" else repr(c)[1:-1] for c in text)
