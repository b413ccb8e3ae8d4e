"""Layers that outlive a test session: machines that took a minute to make are there in a second.

A layer is kept in a folder of the cache under a name and a key, the hash of all that it was made
from. One process makes it, others wait; it is looked over before use; what nobody used for a week,
and what newer ones of the same name replaced, is thrown away unless somebody has it in use. Without
the cache everything is made anew, and the tests are the same.
"""

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from debian import Machine
from trees import cache

OLD = 7 * 24 * 3600  # seconds since its last use
NEWEST = 2  # of each name
_in_use: list[IO[bytes]] = []  # locks, held until this process ends


def key(*parts: str | bytes) -> str:
    """The hash of what a layer is made from."""
    whole = hashlib.sha256()
    for part in parts:
        data = part if isinstance(part, bytes) else part.encode()
        whole.update(len(data).to_bytes(8, "big") + data)
    return whole.hexdigest()[:16]


def content(*paths: Path) -> bytes:
    """Names, modes and contents of files, and of all files below folders."""
    files = [
        file for path in paths for file in (sorted(path.rglob("*")) if path.is_dir() else [path])
    ]
    whole = hashlib.sha256()
    for file in files:
        if file.is_file() and "__pycache__" not in file.parts:
            data = file.read_bytes()
            whole.update(f"{file.name} {file.stat().st_mode:o} {len(data)}\n".encode() + data)
    return whole.digest()


def kept(name: str, key: str, make: Callable[[], Machine]) -> Path:
    """What a machine has written: the layer kept under this name and key, or that of the stopped
    machine that ``make`` returns."""
    folder = _folder() / f"{name}-{key}"
    with _locked(name):
        if not _is_whole(folder):
            _remove(folder)
            with make() as machine:
                _copy(machine.layers[0], folder)
        _use(folder)
        _throw_away(name)
    return folder


@contextlib.contextmanager
def _locked(name: str) -> Iterator[None]:
    """Nobody else makes a layer of this name meanwhile."""
    with (_folder() / f"{name}.making").open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _throw_away(name: str) -> None:
    """Remove layers of this name that are old, or more than `NEWEST`, and that nobody uses."""
    layers = [path for path in _folder().glob(f"{name}-*") if path.is_dir()]
    layers.sort(key=_last_used, reverse=True)
    for number, layer in enumerate(layers):
        if number >= NEWEST or time.time() - _last_used(layer) > OLD:
            _remove(layer)


def _folder() -> Path:
    folder = cache() / "layers"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def _beside(folder: Path, what: str) -> Path:
    return folder.with_name(f"{folder.name}.{what}")


def _last_used(folder: Path) -> float:
    sums = _beside(folder, "sum")
    return sums.stat().st_mtime if sums.exists() else 0.0


def _copy(upper: Path, folder: Path) -> None:
    partial = folder.with_name(f"partial-{folder.name}")
    shutil.rmtree(partial, ignore_errors=True)
    # With the overlay's own marks: attributes, and devices for what was removed.
    subprocess.run(["cp", "-a", str(upper), str(partial)], check=True)
    partial.rename(folder)
    _beside(folder, "sum").write_text(_sum(folder))


def _is_whole(folder: Path) -> bool:
    """Whether it is there and as it was made, by names, kinds, modes, owners, sizes and times."""
    sums = _beside(folder, "sum")
    return folder.is_dir() and sums.exists() and sums.read_text() == _sum(folder)


def _sum(folder: Path) -> str:
    whole = hashlib.sha256()
    for where, folders, files in os.walk(folder):
        folders.sort()
        for name in sorted([*folders, *files]):
            found = os.lstat(os.path.join(where, name))
            size = 0 if name in folders else found.st_size
            facts = (name, found.st_mode, found.st_uid, found.st_gid, size, found.st_mtime_ns)
            whole.update(repr(facts).encode())
    return whole.hexdigest()


def _use(folder: Path) -> None:
    """Keep it from being thrown away as long as this process lives."""
    lock = _beside(folder, "use").open("wb")
    fcntl.flock(lock, fcntl.LOCK_SH)
    _in_use.append(lock)
    os.utime(_beside(folder, "sum"))


def _remove(folder: Path) -> None:
    with _beside(folder, "use").open("wb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        _beside(folder, "sum").unlink(missing_ok=True)
        shutil.rmtree(folder, ignore_errors=True)
    _beside(folder, "use").unlink(missing_ok=True)
