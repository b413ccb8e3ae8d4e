"""Some room on the disk that a record is on, kept for the words that say that there is none left.

Without it the last notebook that could be saved would say of its cell that it is running, forever.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path

NAME = ".reserve"
# Room for a folded notebook and run.json, each beside the one that it replaces.
SIZE = 2 << 20
_FULL = (errno.ENOSPC, errno.EDQUOT)


def hold(folder: Path) -> None:
    """Take the room, in ``folder``; raises OSError, naming it, where there is none."""
    path = folder / NAME
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        os.posix_fallocate(descriptor, 0, SIZE)
    except OSError as error:
        path.unlink()
        raise OSError(error.errno, error.strerror, str(folder)) from None
    finally:
        os.close(descriptor)


def release(folder: Path) -> None:
    """Give it back."""
    (folder / NAME).unlink(missing_ok=True)


def is_needed(error: OSError, folder: Path) -> bool:
    """Give it back where ``error`` says that the disk is full, and whether that made room."""
    held = error.errno in _FULL and (folder / NAME).exists()
    if held:
        release(folder)
    return held
