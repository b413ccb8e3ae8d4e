"""uv, run so that no other account can hold the locks that it waits for.

uv makes its lock files with mode 0666, whatever the umask, and waits minutes for whoever holds
one (astral-sh/uv, ``LockedFile``): one in the folder it installs into, some in its cache, some in
TMPDIR. A lock that is there already keeps its mode.
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from uv import find_uv_bin

from runbook import machine, safe_files
from runbook.outcome import Outcome
from runbook.resources.file import File
from runbook.resources.uv_errors import UvError

#: What uv keeps in the folder for as long as it works there; a crash leaves it.
CACHE = ".uv-cache"
LOCK = ".lock"


@dataclass
class ClosedLock(File):
    """A lock of uv's that an older release left for everybody: made anew, for us alone.

    Whoever holds the old one holds nothing then. Nobody would want that back.
    """

    lasting: ClassVar[bool] = False


@contextmanager
def uv_in(folder: Path, kept: Path | None = None) -> Iterator[Callable[..., Outcome]]:
    """A function that runs uv with the words given, to install into ``folder``, which is there.

    It takes the options of `machine.run`, and raises `UvError`. The cache is on the same file
    system, so that uv can link, and only ours to enter; one that is ``kept`` stays, and is what an
    earlier uv left there. The lock stays, closed: it is there for who runs uv by hand.
    """
    cache = kept or folder / CACHE
    if not (kept and kept.is_dir() and _is_closed(kept.lstat(), 0o700)):
        safe_files.remove_tree(cache)
        cache.mkdir(mode=0o700)
    _close(folder / LOCK)

    def uv(*words: str | Path, check: bool = True, **options: Any) -> Outcome:
        argv = [find_uv_bin(), "--quiet", "--cache-dir", cache, *words]
        env = {"TMPDIR": str(cache)}
        # Where somebody happens to be there may be a uv.toml.
        here: dict[str, Any] = {"env": env, "cwd": folder, "dies_with_us": True}
        done = machine.run(argv, check=False, **here, **options)
        if check and not done.ok:
            raise UvError(done)
        return done

    try:
        yield uv
    finally:
        if not kept:
            shutil.rmtree(cache, ignore_errors=True)


def _close(lock: Path) -> None:
    """Make the lock, for us alone; one that others could open may be in somebody's hands."""
    if lock.is_symlink() or (lock.exists() and not _is_closed(lock.stat(), 0o600)):
        lock.unlink()
    os.close(os.open(lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600))


def _is_closed(found: os.stat_result, mode: int) -> bool:
    return found.st_uid == os.geteuid() and stat.S_IMODE(found.st_mode) == mode
