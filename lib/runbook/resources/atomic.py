"""Write a file so that a reader, or a crash, sees the old one or the new one, never a half."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path


def write(
    path: Path,
    content: bytes,
    *,
    mode: int,
    owner: tuple[str, str] | None = None,
    validate: Callable[[Path], None] | None = None,
) -> None:
    """Replace ``path``: write beside it, set owner and mode, validate, flush, rename.

    ``owner`` is (user, group); None leaves what the process has. ``validate`` gets the path of
    the new text and raises to refuse it; ``path`` is then as it was.
    """
    for left in path.parent.glob(f".{path.name}.*.new{path.suffix}"):
        left.unlink()  # by a crash
    # A dot in the name: sudo and run-parts pass over such files while this one stands there.
    descriptor, name = tempfile.mkstemp(
        prefix=f".{path.name}.", suffix=f".new{path.suffix}", dir=path.parent
    )
    new = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if owner:
            shutil.chown(new, *owner)
        new.chmod(mode)
        if validate:
            validate(new)
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)
    flush_folder(path.parent)


def flush_folder(folder: Path) -> None:
    """Make a rename in ``folder`` last through a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
