"""One run at a time: a lock that the kernel drops when its holder dies."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from runbook.errors import RunbookError


class Locked(RunbookError):
    """Another run is going on."""


@contextmanager
def lock(folder: Path, who: str) -> Iterator[None]:
    """Hold ``folder/lock``, which names ``who`` holds it.

    Raises
    ------
    Locked
        naming the holder, if another process has it.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(descriptor, 1000).decode().strip() or "unknown"
            raise Locked(f"another run is going on: {holder}", "wait until it has ended") from None
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{who}, pid {os.getpid()}\n".encode())
        yield
    finally:
        os.close(descriptor)
