"""Room on the disk that a record is on, kept for the words that say that there is none left.

Without it the last notebook that could be saved would say of its cell that it is running, forever.
The room is a file with blocks of its own for each thing that must still be said: writing into it
takes no more, however quickly others fill the disk.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path

from runbook import safe_files

#: The notebook that was being executed, and ``run.json``.
SPARES = (".spare-1", ".spare-2")
# A folded notebook is smaller.
SIZE = 2 << 20
_FULL = (errno.ENOSPC, errno.EDQUOT)


def hold(folder: Path) -> None:
    """Take the room, in ``folder``; raises OSError, naming it, where there is none."""
    for name in SPARES:
        descriptor = os.open(folder / name, os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            os.posix_fallocate(descriptor, 0, SIZE)
        except OSError as error:
            release(folder)
            raise OSError(error.errno, error.strerror, str(folder)) from None
        finally:
            os.close(descriptor)


def release(folder: Path) -> None:
    """Give back what was not needed."""
    for spare in _spares(folder):
        spare.unlink()


def write(path: Path, content: bytes) -> None:
    """Replace ``path`` (0600), on a full disk by a spare file of its folder.

    Raises OSError where it cannot be written, and the spare files are used up or too small.
    """
    try:
        safe_files.write(path, content, mode=0o600)
    except OSError as error:
        spare = next(_spares(path.parent), None)
        if error.errno not in _FULL or spare is None or len(content) > SIZE:
            raise
        with spare.open("r+b") as file:
            file.write(content)
            file.truncate()
            file.flush()
            os.fsync(file.fileno())
        spare.replace(path)


def _spares(folder: Path) -> Iterator[Path]:
    return (folder / name for name in SPARES if (folder / name).exists())
