"""The people whose servers a hub starts: homes, room in them, and what they may execute."""

from __future__ import annotations

import grp
import os
import pwd
import re
import stat
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from runbook import facts, machine

MOST = 20  # people looked at; each costs a sudo or two
ASKING_SECONDS = 10.0  # whoever is asked may stop what asks
# A server that cannot write a few small files does not start: connection file, logs, history.
ROOM = 1 << 20
BLOCK = 4096  # what a small file takes on most file systems
_FAILED = re.compile(
    r"(?:Unhandled error starting (?P<a>\S+)'s server"
    r"|(?P<b>\S+)'s server (?:never showed up|failed to start)"
    r"|500 POST /hub/(?:api/users|spawn)/(?P<c>[^/ ]+))"
)
_STARTED = re.compile(r"User (\S+) took [\d.]+ seconds to start")


@dataclass(frozen=True)
class Person:
    """Somebody for whom a server did not start, or might be started.

    ``failed`` tells that the log has it. ``free`` and ``inodes`` are what is left in the home,
    ``refused`` what sudo says against the hub starting the mediator for them (None where nothing),
    ``stopped_at`` the first file or folder on the way to the hub's programs they may not pass.
    """

    name: str
    uid: int
    gid: int
    groups: tuple[str, ...]
    home: Path
    failed: bool
    home_exists: bool = True
    home_is_own: bool = True
    free: int | None = None
    inodes: int | None = None
    notebook_dir: Path | None = None
    notebook_dir_exists: bool = True
    stopped_at: Path | None = None
    refused: str | None = None


def who_failed(said: Iterable[str]) -> list[str]:
    """Whose last start failed, by a hub's log, the latest first."""
    failed: dict[str, None] = {}
    for line in said:
        if match := _STARTED.search(line):
            failed.pop(match[1], None)
        elif match := _FAILED.search(line):
            name = match["a"] or match["b"] or match["c"]
            failed.pop(name, None)
            failed[name] = None
    return list(reversed(failed))


def groups_of(name: str, gid: int) -> tuple[str, ...]:
    names = []
    for number in os.getgrouplist(name, gid):
        try:
            names.append(grp.getgrgid(number).gr_name)
        except KeyError:
            continue
    return tuple(names)


def read_person(name: str, failed: bool, notebook_dir: str, ways: Sequence[Path]) -> Person | None:
    """Look at the person's home and their way to each of ``ways``; None without such an account."""
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        return None
    home = Path(entry.pw_dir)
    free = inodes = None
    if home.is_dir():
        disk = os.statvfs(home)
        free = disk.f_bavail * disk.f_frsize
        inodes = disk.f_favail if disk.f_files else None  # some file systems count none
    folder = expand(notebook_dir, name, home) if notebook_dir else None
    return Person(
        name=name,
        uid=entry.pw_uid,
        gid=entry.pw_gid,
        groups=groups_of(name, entry.pw_gid),
        home=home,
        failed=failed,
        home_exists=home.is_dir(),
        home_is_own=not home.is_dir() or home.stat().st_uid == entry.pw_uid,
        free=free,
        inodes=inodes,
        notebook_dir=folder,
        notebook_dir_exists=folder is None or folder.is_dir(),
        stopped_at=stopped_at(name, entry.pw_uid, entry.pw_gid, ways),
    )


def expand(folder: str, name: str, home: Path) -> Path:
    """A notebook_dir as the spawner expands it: ``~`` and ``{username}``."""
    text = folder.replace("{username}", name)
    return home / text[1:].lstrip("/") if re.match(r"~(/|\Z)", text) else home / text


def stopped_at(name: str, uid: int, gid: int, ways: Sequence[Path]) -> Path | None:
    """The first place on the way to ``ways`` that the account may not pass; None where it may.

    The kernel is asked, as that account. Only through a second program: setpriv keeps root's
    rights until it starts one, and so finds files that the account does not. Who is not root can
    ask for themselves alone.
    """
    if not facts.is_root() and uid != os.geteuid():
        return None
    become = machine.become(uid, gid, machine.GUARD) if facts.is_root() else []
    for way in ways:
        ask = [*become, "env", "test", "-x", str(way)]
        asked = machine.run(ask, check=False, cwd=Path("/"), timeout=ASKING_SECONDS)
        if asked.returncode == machine.TIMED_OUT:  # whoever it is has stopped it
            return None
        if way.exists() and not asked.ok:
            groups = os.getgrouplist(name, gid)
            return next((p for p in steps(way) if not _may_pass(p, uid, groups)), way)
    return None


def steps(way: Path) -> Iterator[Path]:
    """Every folder on the way to a file, from the root, behind each symbolic link, and the file."""
    for step in (*reversed(way.parents), way):
        yield step
        if step.is_symlink():
            yield from steps(Path(os.path.normpath(step.parent / os.readlink(step))))


def _may_pass(path: Path, uid: int, groups: Sequence[int]) -> bool:
    found = path.stat()
    if found.st_uid == uid:
        return bool(found.st_mode & stat.S_IXUSR)
    if found.st_gid in groups:
        return bool(found.st_mode & stat.S_IXGRP)
    return bool(found.st_mode & stat.S_IXOTH)


@dataclass(frozen=True)
class Heap:
    """What fills a home: a file, or a folder of many; its bytes on another disk; in words."""

    path: Path
    size: int
    about: str


def largest(home: Path) -> Heap | None:
    """The largest file in a home, not counting what other file systems hold."""
    here = home.stat().st_dev
    files = (
        (about.st_blocks * 512, Path(path))
        for path, about in facts.below(home)
        if about.st_dev == here and stat.S_ISREG(about.st_mode)
    )
    found = max(files, key=lambda file: file[0], default=None)
    return Heap(found[1], found[0], f"{found[0] >> 20} MiB") if found else None


def fullest(home: Path) -> Heap | None:
    """The folder below a home that itself holds the most files."""
    here = home.stat().st_dev
    numbers = Counter(os.path.dirname(path) for path, _ in facts.below(home))
    folders = ((number, Path(path)) for path, number in numbers.items())
    there = (each for each in folders if each[1] != home and each[1].lstat().st_dev == here)
    number, path = max(there, default=(0, home))
    return Heap(path, number * BLOCK, f"{number} files") if number else None
