"""One run at a time, and whose record is whose: locks that the kernel drops with their holder."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from runbook.errors import RunbookError

GOING_ON = ".going-on"


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


@contextmanager
def held(record: Path) -> Iterator[None]:
    """Say in the folder of a record that its run goes on, for as long as it does."""
    path = record / GOING_ON
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        path.unlink()
        os.close(descriptor)


def is_held(record: Path) -> bool:
    """Whether a run goes on whose record it is; of a killed one the file may lie there still."""
    try:
        descriptor = os.open(record / GOING_ON, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
