"""What one sees of a run while it goes on: a live line on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.status import Status
from rich.text import Text

from runbook.display import MARKS
from runbook.record import StageRecord

HEADINGS = {
    "parameters": "parameters",
    "injected-parameters": "parameters",
    "setup": "set up",
    "check": "check",
    "plan": "plan",
    "apply": "apply",
    "verify": "verify",
    "record": "record",
}


class Progress:
    """Stage, cell and elapsed time of a run of ``total`` stages."""

    def __init__(self, console: Console, total: int) -> None:
        self.console = console
        self.total = total
        self._number = 0
        self._stage = ""
        self._started = time.monotonic()
        self._status = Status("", console=console) if console.is_terminal else None

    def __enter__(self) -> Self:
        if self._status:
            self._status.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        if self._status:
            self._status.stop()

    def stage(self, name: str) -> None:
        self._number += 1
        self._stage = name
        self.cell("starting")

    def cell(self, tag: str) -> None:
        if self._status:
            elapsed = time.monotonic() - self._started
            what = f"{self._number}/{self.total} {self._stage}: {HEADINGS.get(tag, tag)}"
            self._status.update(f"{what} [dim]{elapsed:.0f} s[/dim]")

    def done(self, stage: StageRecord) -> None:
        mark, colour = MARKS.get(stage.status, ("", ""))
        count = len(stage.changes)
        what = f"{count} change{'s' * (count != 1)}" if count else ""
        line = Text.assemble(
            (f"  {mark} ", colour), f"{stage.name:<15} ", (f"{stage.status:<10}", colour),
            f"{what:<12} ", (f"{stage.seconds:6.1f} s", "dim"),
        )  # fmt: skip
        self.console.print(line)
