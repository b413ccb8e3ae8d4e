"""What hub and proxy wrote down lately: the journal of their units, or the files they write to."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from runbook import machine

#: Enough for a day of trouble, and read in a moment.
LINES = 2000
BYTES = 400_000
DAY = 24 * 3600.0
# "[I 2026-11-24 20:29:11.794 JupyterHub log:192]"; of the proxy "20:29:11.794 [ConfigProxy] ..."
_STAMP = re.compile(r"\[\w (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)")
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True)
class Line:
    """One line of a log; ``time`` is in seconds since 1970, 0 where it is not known."""

    time: float
    source: str
    text: str

    def __str__(self) -> str:
        when = datetime.fromtimestamp(self.time).strftime("%H:%M:%S") if self.time else "?"
        return f"{self.source}, {when}: {self.text.strip()}"


def of_unit(unit: str) -> Iterator[Line]:
    """The last lines of a unit's journal; nothing where we may not read it."""
    # Not --since: with it journalctl counts the lines from there, and leaves out the last ones.
    words = ["journalctl", "-u", unit, "-o", "json", "-n", str(LINES), "--no-pager",
             "--output-fields=MESSAGE"]  # fmt: skip
    for row in machine.run(words, check=False).stdout.splitlines():
        try:
            entry = json.loads(row)
        except json.JSONDecodeError:
            continue
        said = entry.get("MESSAGE")
        if isinstance(said, list):  # what is no UTF-8 comes as numbers
            said = bytes(said).decode(errors="replace")
        yield Line(int(entry["__REALTIME_TIMESTAMP"]) / 1e6, unit, _plain(str(said)))


def of_file(path: Path) -> Iterator[Line]:
    """The last lines of a log file. Raises OSError where it cannot be read."""
    with path.open("rb") as file:
        file.seek(max(0, os.fstat(file.fileno()).st_size - BYTES))
        lines = file.read().decode(errors="replace").splitlines()
    last = path.stat().st_mtime  # of lines before the first stamp nothing better is known
    for text in lines[-LINES:]:
        if stamp := _STAMP.match(text):
            last = datetime.fromisoformat(stamp[1]).timestamp()
        yield Line(last, str(path), _plain(text))


def _plain(text: str) -> str:
    """Without colours, and whatever else a terminal would obey."""
    return "".join(x for x in _COLOURS.sub("", text) if x.isprintable() or x == "\t")


def recent(lines: Iterable[Line], seconds: float = DAY) -> list[Line]:
    since = time.time() - seconds
    return sorted((line for line in lines if line.time >= since), key=lambda line: line.time)
