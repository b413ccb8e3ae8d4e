"""What a command did, and where that is kept: the log of the run, and who asked to be told."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from runbook import excerpt, secrets

#: Where the runner wants the log of the commands; unset when a notebook is stepped through.
LOG_VARIABLE = "RUNBOOK_LOG"
#: Of what stands below a change: lines of one command, commands, and characters of them all.
MOST_LINES, MOST_COMMANDS, MOST_CHARACTERS = 40, 20, 20_000


@dataclass(frozen=True)
class Outcome:
    """What a command did: ``seconds`` of wall-clock time, output already redacted."""

    argv: tuple[str, ...]
    returncode: int
    stdout: str
    stderr: str
    seconds: float

    @property
    def ok(self) -> bool:
        return self.returncode == 0

    @property
    def command(self) -> str:
        """Its words, as one line that holds no secret."""
        return secrets.redact(" ".join(self.argv))

    def transcript(self) -> str:
        """The command, what it said, and how it ended."""
        said = self.stdout + self.stderr
        end = "\n" if said and not said.endswith("\n") else ""
        return f"$ {self.command}\n{said}{end}[exit {self.returncode}, {self.seconds:.2f} s]\n"


_told: ContextVar[list[Outcome] | None] = ContextVar("_told", default=None)


@contextmanager
def collecting(outcomes: list[Outcome]) -> Iterator[None]:
    """Append to ``outcomes`` whatever command ends meanwhile in this thread, and in no other."""
    before = _told.set(outcomes)
    try:
        yield
    finally:
        _told.reset(before)


def keep(outcome: Outcome) -> None:
    """Write ``outcome`` into the log of the run, if there is one, and tell who is collecting."""
    told = _told.get()
    if told is not None:
        told.append(outcome)
    if path := os.environ.get(LOG_VARIABLE):
        with open(path, "a", opener=lambda p, flags: os.open(p, flags, 0o600)) as log:
            log.write(f"{outcome.transcript()}\n")


def in_short(outcomes: Sequence[Outcome]) -> str:
    """What ``outcomes`` did and said, for a notebook: bounded, and with what was left out."""
    shown = [_shortened(outcome) for outcome in outcomes[:MOST_COMMANDS]]
    more = len(outcomes) - len(shown)
    text = "\n".join([*shown, *([f"... {more} commands more"] if more > 0 else [])])
    if len(text) <= MOST_CHARACTERS:
        return text
    half = MOST_CHARACTERS // 2
    left_out = f"\n... {len(text) - 2 * half:,} characters left out ...\n"
    return text[:half] + left_out + text[-half:]


def _shortened(outcome: Outcome) -> str:
    # Masked before it is cut: a half of a secret would not be known as one.
    lines = secrets.redact(outcome.transcript()).splitlines()
    cut = excerpt.of(lines, whole=MOST_LINES)
    if not cut.hidden:
        return cut.head
    return f"{cut.head}\n... {cut.hidden:,} lines left out ...\n{cut.tail}"
