"""What a cell prints: its first and last lines in the notebook, all of it in a file."""

from __future__ import annotations

import os
from collections import deque
from pathlib import Path
from typing import IO

from nbformat import NotebookNode
from nbformat.v4 import new_output

from runbook import secrets

#: So many lines stand in the notebook before what is between head and tail is left out.
MOST_LINES = 2000
HEAD = TAIL = MOST_LINES // 2
# A secret may be cut by a line break; what may be its beginning waits for its end.
HELD_LINES = 2


class Fold:
    """The streams of one cell: adds what is printed to ``outputs``, and folds it when it is long.

    Parameters
    ----------
    outputs : the cell's.
    log : where the whole of a long output is written as it comes; None: nothing is folded.
    """

    def __init__(self, outputs: list[NotebookNode], log: Path | None) -> None:
        self.outputs = outputs
        self._log = log
        self._file: IO[str] | None = None
        self._unwritten: list[str] = []
        self._lines = 0
        self._tail: deque[str] = deque(maxlen=TAIL)
        self._folded: NotebookNode | None = None

    def add(self, name: str, text: str) -> NotebookNode:
        """Take in what the stream ``name`` said; gives the output that it became part of."""
        self._lines += text.count("\n")
        if self._folded:
            self._unwritten.append(text)
            self._add_to_tail(text)
            return self._folded
        output = self._append(name, text)
        return self._start_folding(name) if self._log and self._lines > MOST_LINES else output

    def settle(self) -> None:
        """Bring log and tail up to date: before a save, as it is too slow for each line."""
        if self._folded:
            self._folded["text"] = self._notice() + "".join(self._tail)
            self._write(held=HELD_LINES)

    def close(self) -> None:
        """End the log, if there is one."""
        self.settle()
        if self._file:
            self._write(held=0)
            self._file.close()
        self._file = None

    def _append(self, name: str, text: str) -> NotebookNode:
        last = self.outputs[-1] if self.outputs else {}
        if last.get("output_type") == "stream" and last["name"] == name:
            last["text"] += text
        else:
            self.outputs.append(new_output("stream", name=name, text=text))
        return self.outputs[-1]

    def _start_folding(self, name: str) -> NotebookNode:
        said = [output for output in self.outputs if output["output_type"] == "stream"]
        self._unwritten = [output["text"] for output in said]
        # Outputs keep their places, which nbclient may have noted; the tail comes after them.
        self._add_to_tail(self._cut(said))
        self._folded = new_output("stream", name=name)
        self.outputs.append(self._folded)
        return self._folded

    def _cut(self, said: list[NotebookNode]) -> str:
        """Leave the head in the notebook; the text after it."""
        room, rest = HEAD, ""
        for output in said:
            lines = output["text"].splitlines(keepends=True)
            output["text"], rest = "".join(lines[:room]), rest + "".join(lines[room:])
            room = max(room - len(lines), 0)
        return rest

    def _add_to_tail(self, text: str) -> None:
        unfinished = self._tail.pop() if self._tail and not self._tail[-1].endswith("\n") else ""
        self._tail.extend((unfinished + text).splitlines(keepends=True))

    def _notice(self) -> str:
        left_out = self._lines - HEAD - sum(line.endswith("\n") for line in self._tail)
        assert self._log
        where = f"{self._log.parent.name}/{self._log.name}"
        return f"\n… {left_out:,} lines left out; the whole output is in {where} …\n\n"

    def _write(self, held: int) -> None:
        """Write to the log what is new but for the last ``held`` lines."""
        if not self._file:
            assert self._log
            self._file = self._log.open("a", encoding="utf-8")
            os.fchmod(self._file.fileno(), 0o600)
        lines = secrets.redact("".join(self._unwritten)).splitlines(keepends=True)
        cut = max(len(lines) - held, 0)
        self._file.write("".join(lines[:cut]))
        self._file.flush()
        self._unwritten = lines[cut:]
