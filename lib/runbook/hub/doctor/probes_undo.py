"""Is it an undo that was broken off? It would explain whatever else does not hold."""

from __future__ import annotations

import os
from collections.abc import Iterator

from runbook.display import counted
from runbook.history import History
from runbook.hub.doctor.seen import Seen, seen
from runbook.hub.doctor.sight import Sight
from runbook.journal import Journal
from runbook.resources import Resource


def broken_off(sight: Sight) -> Iterator[Seen]:
    """What it had stopped stands still, and what that runs from is half gone."""
    book = Journal()
    history = History.of(book) if os.access(book.path, os.R_OK) else History()
    left = history.unfinished & history.entries.keys()
    if left:
        stopped = [f"it had stopped {Resource.of(each)}" for each in history.paused]
        yield seen(f"{counted(len(left), 'change')} of the runbook's left to take back", *stopped)
