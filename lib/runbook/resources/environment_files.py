"""The files of a virtual environment: what uv makes and packages bring, and what others put there.

Of packages their RECORD tells, with a hash of each file
(https://packaging.python.org/specifications/recording-installed-packages/).
"""

from __future__ import annotations

import base64
import csv
import hashlib
import os
import re
import shutil
from collections.abc import Iterator, Mapping, Set
from pathlib import Path

from runbook.packages import distribution
from runbook.resources.uv import CACHE, LOCK

PACKAGES = "lib/python*"
#: The folders that packages fill.
FILLED = ("bin", "include", "share", "etc", f"{PACKAGES}/site-packages")
#: What uv makes there itself, and what Python writes beside a module.
OF_UV = re.compile(
    r"bin/([Aa]ctivate|deactivate|pydoc|python)[^/]*"
    r"|lib/python[^/]*/site-packages/_virtualenv\.(py|pth)"
    r"|.*\.pyc"
)


def remove_environment(path: Path) -> None:
    """Remove what uv made at ``path`` and nothing beside it."""
    for part in parts(path):
        if part.is_dir() and not part.is_symlink():
            shutil.rmtree(part, ignore_errors=True)
        else:
            part.unlink(missing_ok=True)
    (path / ".unfinished").unlink(missing_ok=True)


def parts(path: Path) -> list[Path]:
    """The folders and files at ``path`` that uv makes and packages fill."""
    names = ("bin", "include", "lib64", "share", "etc", "pyvenv.cfg", "CACHEDIR.TAG", ".gitignore")
    own = [path / name for name in (*names, CACHE, LOCK)]
    return [*own, *path.glob(PACKAGES)]


def foreign_files(path: Path, ours: Set[str]) -> list[Path]:
    """What none of the packages ``ours`` (canonical names; of any, where there are none) brought to
    the environment at ``path``, and files of them that somebody edited; of a folder with nothing
    else in it the folder alone."""
    hashes = _recorded(path, ours)
    roots = [each for part in FILLED for each in path.glob(part) if each.is_dir()]
    known = {*map(str, roots)}.union(*(_above(file, path) for file in hashes))
    return [each for root in roots for each in _foreign(root, path, hashes, known)]


def _recorded(path: Path, ours: Set[str]) -> dict[str, str]:
    """Path and hash of every file of a package; the hash is empty where none is told."""
    found = {}
    for record in path.glob(f"{PACKAGES}/site-packages/*.dist-info/RECORD"):
        if ours and distribution(record.parent)[0] not in ours:
            continue
        with record.open(newline="", errors="replace") as file:
            for name, digest, *_ in filter(None, csv.reader(file)):
                found[os.path.normpath(record.parents[1] / name)] = digest
    return found


def _above(file: str, path: Path) -> Iterator[str]:
    """The folders that ``file`` is in, up to ``path``."""
    while (file := os.path.dirname(file)).startswith(f"{path}/"):
        yield file


def _foreign(
    folder: Path, path: Path, hashes: Mapping[str, str], known: Set[str]
) -> Iterator[Path]:
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda each: each.name):
            if not entry.is_dir(follow_symlinks=False):
                if not _is_as_made(entry.path, path, hashes):
                    yield Path(entry.path)
            elif entry.path in known:
                yield from _foreign(Path(entry.path), path, hashes, known)
            elif entry.name != "__pycache__" and any(files for *_, files in os.walk(entry.path)):
                yield Path(entry.path)


def _is_as_made(file: str, path: Path, hashes: Mapping[str, str]) -> bool:
    if OF_UV.fullmatch(os.path.relpath(file, path)):
        return True
    kind, _, digest = hashes.get(file, "absent").partition("=")
    if kind != "sha256" or os.path.islink(file):
        return kind != "absent"
    content = hashlib.sha256(Path(file).read_bytes()).digest()
    return base64.urlsafe_b64encode(content).decode().rstrip("=") == digest
