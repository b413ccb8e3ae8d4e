"""What was changed on this machine, so that it can be taken back.

The journal belongs to the machine, not to the checkout: append-only JSON lines under a folder
that only its owner may enter. An entry with the state before stands on disk, flushed, *before*
the change is made; a second one says that it was made. A ``begin`` without an ``end`` is a change
that a crash interrupted.
"""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from runbook import facts
from runbook.errors import StageError
from runbook.resources.base import Resource


def home() -> Path:
    """Root's journal is the machine's; an unprivileged one lies in the user's state folder."""
    if facts.is_root():
        return Path("/var/lib/jupyterhub-runbook")
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state"
    return Path(state) / "jupyterhub-runbook"


class Journal:
    """The journal in ``folder``, made (0700) when first written to."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or home()
        self.path = self.folder / "journal.jsonl"
        self.backups = self.folder / "backups"

    def prepare(self) -> None:
        """Make the folder and that of the backups, which only their owner may enter."""
        with _writing(self.folder):
            self.backups.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.folder.chmod(0o700)

    def keep(self, resource: Resource) -> None:
        """Keep what the state of ``resource`` alone could not bring back."""
        self.prepare()
        with _writing(self.backups):
            resource.backup(self.backups)

    def begin(self, stage: str, summary: str, resource: dict[str, Any], before: Any) -> str:
        """Write down, flushed to disk, what is about to change; return the entry's id."""
        self.prepare()
        entry = uuid.uuid4().hex[:12]
        self._append(
            event="begin",
            id=entry,
            run=_run(),
            stage=stage,
            summary=summary,
            resource=resource,
            before=before,
        )
        return entry

    def end(self, entry: str, after: Any) -> None:
        """Write down that the change ``entry`` was made, and what holds now."""
        self._append(event="end", id=entry, after=after)

    def taking_back(self, entries: Sequence[str]) -> None:
        """Write down that the changes ``entries`` are being taken back: a crash may interrupt."""
        self._append(event="undoing", run=_run(), ids=list(entries))

    def taken_back(self, entries: Sequence[str]) -> None:
        """Write down that the changes ``entries`` do not hold any more."""
        self._append(event="undone", ids=list(entries))

    def undo_begins(self, entries: Sequence[str], paused: Sequence[dict[str, str]]) -> None:
        """Write down what an undo is to take back, and the services that it stops meanwhile."""
        self._append(event="undo", ids=list(entries), paused=list(paused))

    def undo_ends(self, entries: Sequence[str], left: Sequence[str]) -> None:
        """Write down that an undo of ``entries`` came to its end, and which it left alone."""
        self._append(event="undo done", ids=list(entries), left=list(left))

    def lines(self) -> Iterator[tuple[int, bytes]]:
        """Number and text of every line, oldest first, whatever it says."""
        if self.path.exists():
            lines = self.path.read_bytes().split(b"\n")
            yield from ((number, line) for number, line in enumerate(lines, 1) if line)

    def entries(self) -> Iterator[dict[str, Any]]:
        """What the lines say, oldest first; those that are torn or foreign are passed over."""
        for _, line in self.lines():
            with suppress(ValueError):
                said = json.loads(line)
                if isinstance(said, dict) and "event" in said:
                    yield said

    def _append(self, **event: Any) -> None:
        line = json.dumps({"time": datetime.now(UTC).isoformat(timespec="seconds"), **event})
        # Unlike os.write, a file writes all of it or raises: a full disk must stop the change.
        with _writing(self.path), open(self.path, "ab", opener=_closed) as file:
            # A newline first: a torn line of a crash must not swallow this one.
            file.write(f"\n{line}\n".encode())
            file.flush()
            os.fsync(file.fileno())


def _run() -> str:
    return os.environ.get("RUNBOOK_RUN", "by hand")


def _closed(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    """Say in plain words where the journal could not be written, and so nothing was changed."""
    try:
        yield
    except OSError as error:
        raise StageError(
            f"the journal {path} cannot be written ({error.strerror}), so nothing is changed",
            f"see df -h {path.parent}, make room there or make it writable, then run again",
        ) from None
