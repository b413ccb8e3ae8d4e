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
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from runbook import facts


def home() -> Path:
    """Root's journal is the machine's; an unprivileged one lies in the user's state folder."""
    if facts.is_root():
        return Path("/var/lib/jupyterhub-runbook")
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state"
    return Path(state) / "jupyterhub-runbook"


@dataclass
class Touched:
    """A resource that was changed: its state before the first change, and after the last one.

    ``after`` is None where a crash interrupted the last change; ``entries`` are the journal's.
    """

    resource: dict[str, str]
    before: dict[str, Any]
    summary: str
    after: dict[str, Any] | None = None
    entries: list[str] = field(default_factory=list)
    run: str = ""

    def began(self, entry: str, run: str) -> None:
        self.entries.append(entry)
        self.after, self.run = None, run


class Journal:
    """The journal in ``folder``, made (0700) when first written to."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or home()
        self.path = self.folder / "journal.jsonl"
        self.backups = self.folder / "backups"

    def prepare(self) -> None:
        """Make the folder and that of the backups, which only their owner may enter."""
        self.backups.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.folder.chmod(0o700)

    def begin(self, stage: str, summary: str, resource: dict[str, Any], before: Any) -> str:
        """Write down, flushed to disk, what is about to change; return the entry's id."""
        self.prepare()
        entry = uuid.uuid4().hex[:12]
        self._append(
            event="begin",
            id=entry,
            run=os.environ.get("RUNBOOK_RUN", "by hand"),
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
        self._append(event="undoing", ids=list(entries))

    def taken_back(self, entries: Sequence[str]) -> None:
        """Write down that the changes ``entries`` do not hold any more."""
        self._append(event="undone", ids=list(entries))

    def touched(self, run: str = "") -> list[Touched]:
        """What was changed, by ``run`` or by any, and not taken back; the newest first."""
        found: dict[str, Touched] = {}
        begun: dict[str, str] = {}
        for line in self.entries():
            if line["event"] == "begin" and run in ("", line["run"]):
                name = begun[line["id"]] = json.dumps(line["resource"], sort_keys=True)
                new = Touched(line["resource"], line["before"], line["summary"])
                found.setdefault(name, new).began(line["id"], line["run"])
            elif line["event"] == "end" and line["id"] in begun:
                found[begun[line["id"]]].after = line["after"]
            elif line["event"] == "undoing":
                for name in {begun[entry] for entry in line["ids"] if entry in begun}:
                    found[name].after = None
            elif line["event"] == "undone":
                for entry in line["ids"]:
                    found.pop(begun.get(entry, ""), None)
        return list(reversed(found.values()))

    def runs(self) -> list[str]:
        """The runs with changes that were not taken back, the newest last."""
        return list(dict.fromkeys(touched.run for touched in reversed(self.touched())))

    def entries(self) -> Iterator[dict[str, Any]]:
        """Every line, oldest first; a line that a crash cut short is passed over."""
        if not self.path.exists():
            return
        for line in self.path.read_text().splitlines():
            try:
                yield json.loads(line)
            except json.JSONDecodeError:
                continue

    def _append(self, **event: Any) -> None:
        line = json.dumps({"time": datetime.now(UTC).isoformat(timespec="seconds"), **event})
        # Unlike os.write, a file writes all of it or raises: a full disk must stop the change.
        with open(self.path, "ab", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
            # A newline first: a torn line of a crash must not swallow this one.
            file.write(f"\n{line}\n".encode())
            file.flush()
            os.fsync(file.fileno())
