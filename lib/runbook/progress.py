"""What one sees of a run while it goes on: a live line on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.status import Status
from rich.text import Text

from runbook import secrets
from runbook.display import MARKS, counted
from runbook.printable import printable
from runbook.record import StageRecord
from runbook.stages import CheckMachine

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

#: So many lines that a stage prints are shown where there is no terminal.
MOST_LINES = 50


class Progress:
    """Stage, cell and elapsed time of a run of ``total`` stages."""

    def __init__(self, console: Console, total: int) -> None:
        self.console = console
        self.total = total
        self._number = 0
        self._stage = self._tag = self._said = ""
        self._lines = 0
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
        self._lines = 0
        self.cell("starting")

    def cell(self, tag: str) -> None:
        self._tag, self._said = tag, ""
        self._update()

    def said(self, text: str) -> None:
        """What the present cell prints: its latest line on a terminal, the first few elsewhere."""
        lines = [line for line in secrets.redact(text).splitlines() if line.strip()]
        self._said = lines[-1] if lines else self._said
        self._update()
        if not self._status:
            for line in lines[: max(MOST_LINES - self._lines, 0)]:
                self.console.print(Text(f"    {line}", "dim"), soft_wrap=True)
            self._lines += len(lines)

    def _update(self) -> None:
        if self._status:
            elapsed = f"{time.monotonic() - self._started:.0f} s"
            what = (
                f"{self._number}/{self.total} {self._stage}: {HEADINGS.get(self._tag, self._tag)}"
            )
            line = Text.assemble(what, (f" {elapsed} ", "dim"), self._said)
            line.truncate(max(self.console.width - 3, 1), overflow="ellipsis")
            self._status.update(line)

    def done(self, stage: StageRecord) -> None:
        mark, colour = MARKS.get(stage.status, ("", ""))
        count = len(stage.changes)
        what = counted(count, "change") if count else ""
        line = Text.assemble(
            (f"  {mark} ", colour), f"{stage.name:<15} ", (f"{stage.status:<10}", colour),
            f"{what:<12} ", (f"{stage.seconds:6.1f} s", "dim"),
        )  # fmt: skip
        self.console.print(line)
        for check in stage.checks if stage.name == CheckMachine.name else ():
            if check["status"] == "warning":  # what is known at the start
                told = printable(f"    ! {check['what']}: {check['found']}")
                self.console.print(Text(told, style="yellow"))
