"""What hub, proxy and people's servers wrote down lately: in a journal, or in files.

What a server says, its person can make it say: `Line.person` tells such lines from the hub's.
"""

from __future__ import annotations

import json
import os
import pwd
import re
import stat
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import IO

from runbook import facts, machine, safe_files

#: Enough for a day of trouble, and read in a moment.
LINES = 2000
BYTES = 400_000
DAY = 24 * 3600.0
#: Where a server writes to that does not write to the journal, below the person's home.
SERVER_LOG = ".local/state/jupyterhub/server.log"
# "[I 2026-11-24 20:29:11.794 JupyterHub log:192]"; of the proxy "20:29:11.794 [ConfigProxy] ..."
_STAMP = re.compile(r"\[\w (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)")
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True)
class Line:
    """One line of a log; ``time`` is in seconds since 1970, 0 where it is not known.

    ``person`` is the one whose server said it; empty for what hub and proxy said.
    """

    time: float
    source: str
    text: str
    person: str = ""

    def __str__(self) -> str:
        when = datetime.fromtimestamp(self.time).strftime("%H:%M:%S") if self.time else "?"
        whose = f" (the server of {self.person})" if self.person else ""
        return f"{self.source}{whose}, {when}: {self.text.strip()}"


def of_unit(unit: str, account: str) -> Iterator[Line]:
    """The last lines in a unit's journal of the ``account`` that it runs as, and of systemd.

    Nothing where we may not read it. The servers that a hub started write there, too: however much
    they say, they take no line from these.
    """
    yield from _entries(unit, *{"root", account})


def of_person(unit: str, person: str) -> Iterator[Line]:
    """The last lines in a unit's journal of the person's server."""
    for line in _entries(unit, person):
        yield replace(line, person=person)


def _entries(unit: str, *accounts: str) -> Iterator[Line]:
    known = all(map(facts.user_exists, accounts))
    uids = [pwd.getpwnam(name).pw_uid for name in accounts] if known else []
    # Not --since: with it journalctl counts the lines from there, and leaves out the last ones.
    words = ["journalctl", "-u", unit, "-o", "json", "-n", str(LINES), "--no-pager",
             "--output-fields=MESSAGE", *(f"_UID={uid}" for uid in uids)]  # fmt: skip
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
    with safe_files.open_to_look(path) as file:
        yield from _of(file, str(path))


def of_server(person: str) -> Iterator[Line]:
    """The last lines of the file of the person's server; nothing where there is none.

    The person may have put anything in its place. Raises OSError where it is not a file of theirs.
    """
    entry = pwd.getpwnam(person)
    path = Path(entry.pw_dir) / SERVER_LOG
    with (
        suppress(FileNotFoundError, NotADirectoryError),
        open(path, "rb", opener=_as_it_is) as file,
    ):
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode) or status.st_uid != entry.pw_uid:
            raise PermissionError(0, f"not a regular file of {person}")
        yield from _of(file, str(path), person)


def _as_it_is(path: str, flags: int) -> int:
    """Open no target of a link, and wait for nobody, as who opens a FIFO does."""
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)


def _of(file: IO[bytes], source: str, person: str = "") -> Iterator[Line]:
    status = os.fstat(file.fileno())
    file.seek(max(0, status.st_size - BYTES))
    lines = file.read(BYTES).decode(errors="replace").splitlines()
    last = status.st_mtime  # of lines before the first stamp nothing better is known
    for text in lines[-LINES:]:
        if stamp := _STAMP.match(text):
            last = datetime.fromisoformat(stamp[1]).timestamp()
        yield Line(last, source, _plain(text), person)


def _plain(text: str) -> str:
    """Without colours, and whatever else a terminal would obey."""
    return "".join(x for x in _COLOURS.sub("", text) if x.isprintable() or x == "\t")


def recent(lines: Iterable[Line], seconds: float = DAY) -> list[Line]:
    since = time.time() - seconds
    return sorted((line for line in lines if line.time >= since), key=lambda line: line.time)
