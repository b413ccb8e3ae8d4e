"""Ways through folders that others can write, too: a path walked so that nobody can bend it.

A path is walked folder by folder, each held open by a descriptor, so that nobody can swap one
afterwards. What lies where only we, or root, can write is taken as it is. Anywhere else a link is
not followed, and a thing is touched only if it is a file or a folder, has no second name, and
belongs to us, to root or to the owner of its folder.
"""

from __future__ import annotations

import errno
import grp
import os
import pwd
import stat
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from runbook.errors import RunbookError

#: As many as the system itself follows (path_resolution(7)).
MOST_LINKS = 40
_PATH = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
_KINDS = {
    stat.S_IFREG: "file",
    stat.S_IFDIR: "folder",
    stat.S_IFLNK: "symbolic link",
    stat.S_IFIFO: "named pipe",
    stat.S_IFSOCK: "socket",
}


class PlantedError(RunbookError):
    """Something that is not what it should be, where somebody else may have put it."""


def kind(status: os.stat_result) -> str:
    """What a thing is, in a word: file, folder, symbolic link, named pipe, socket, device."""
    return _KINDS.get(stat.S_IFMT(status.st_mode), "device")


@dataclass(frozen=True)
class Folder:
    """A folder held open; ``planted`` is whether others can have put things in it."""

    descriptor: int
    on_the_way: bool  # whether others could have planted a folder above

    def planted(self, found: os.stat_result) -> bool:
        return self.on_the_way or not _only_ours(os.fstat(self.descriptor), found)

    def refuse_planted(self, path: Path, found: os.stat_result) -> None:
        """Raise `PlantedError` where what was ``found`` at ``path`` is not to be touched."""
        if not self.planted(found):
            return
        folder = os.fstat(self.descriptor)
        what = kind(found)
        if what == "file" and found.st_nlink > 1:
            raise _planted(path, "has a second name (a hard link)", folder)
        if what not in ("file", "folder"):
            raise _planted(path, f"is a {what}", folder)
        if found.st_uid not in (*_ours(), folder.st_uid):
            raise _planted(path, f"belongs to {account(found.st_uid)}", folder)


@contextmanager
def holding(path: Path) -> Iterator[Folder]:
    """The folder that holds ``path``."""
    descriptor, on_the_way = _walk(path.absolute().parent)
    try:
        yield Folder(descriptor, on_the_way)
    finally:
        os.close(descriptor)


@contextmanager
def opened(path: Path, *, follow: bool = False, links: int = 0) -> Iterator[int]:
    """A descriptor of the file or folder ``path`` itself, as `os.O_PATH` gives it."""
    with holding(path) as folder:
        descriptor = os.open(path.name or ".", _PATH, dir_fd=folder.descriptor)
        try:
            found = os.fstat(descriptor)
            folder.refuse_planted(path, found)
            leads = os.readlink("", dir_fd=descriptor) if kind(found) == "symbolic link" else ""
            if not leads:
                yield descriptor
                return
        finally:
            os.close(descriptor)
    if not follow or links == MOST_LINKS:
        raise PlantedError(f"{path} is a symbolic link, to {leads}", "put a file there, or name it")
    with opened(path.parent / leads, follow=True, links=links + 1) as descriptor:
        yield descriptor


def chosen_by_others(path: Path) -> str:
    """Who, but root and us, could have put something else in the place of ``path``, or written to
    it; empty where nobody, or where there is nothing."""
    try:
        found = foreign(path)
    except OSError:
        return ""
    return _writers(found) if found else ""


def foreign(path: Path) -> os.stat_result | None:
    """The first on the way to ``path``, or itself, that others than root and us own or can write.

    None where all of the way is ours: then nobody can change it between this look and the next.
    Links are followed. Raises OSError where there is nothing, or a circle of links.
    """
    parts, links, here = deque(path.absolute().parts[1:]), 0, Path("/")
    around = os.lstat(here)
    while parts:
        entry = here / parts.popleft()
        found = os.lstat(entry)
        if not _only_ours(around, found):
            # Where everybody may put things beside those of others, it is whoever put this one.
            return found if around.st_uid in _ours() and around.st_mode & stat.S_ISVTX else around
        if kind(found) == "symbolic link":
            links += 1
            if links > MOST_LINKS:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path))
            leads = Path(os.readlink(entry))
            parts.extendleft(reversed([part for part in leads.parts if part != "/"]))
            here = Path("/") if leads.is_absolute() else here
        else:
            here = here.parent if entry.name == ".." else entry
        around = os.lstat(here)
    return None if _writable_by_us_alone(around) else around


def _walk(folder: Path) -> tuple[int, bool]:
    """A descriptor of ``folder``, and whether somebody else could have planted one on the way."""
    parts, links, planted = deque(folder.parts[1:]), 0, False
    here = os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        while parts:
            part = parts.popleft()
            entry = os.open(part, _PATH, dir_fd=here)
            found, around = os.fstat(entry), os.fstat(here)
            planted = planted or not _only_ours(around, found)
            if kind(found) != "symbolic link":
                os.close(here)
                here = entry
                continue
            leads = os.readlink("", dir_fd=entry)
            os.close(entry)
            links += 1
            if planted or links > MOST_LINKS:
                raise _planted(folder, f"leads through a symbolic link, {part} to {leads}", around)
            if leads.startswith("/"):
                os.close(here)
                here = os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
            parts.extendleft(reversed([p for p in Path(leads).parts if p != "/"]))
        return here, planted
    except BaseException:
        os.close(here)
        raise


def _only_ours(folder: os.stat_result, entry: os.stat_result) -> bool:
    """Whether nobody but root and us can have put ``entry`` into ``folder``."""
    if folder.st_uid not in _ours():
        return False
    if _writable_by_us_alone(folder):
        return True
    return bool(folder.st_mode & stat.S_ISVTX) and entry.st_uid in _ours()


def _writable_by_us_alone(found: os.stat_result) -> bool:
    group = found.st_mode & stat.S_IWGRP and found.st_gid not in _our_groups()
    return found.st_uid in _ours() and not (group or found.st_mode & stat.S_IWOTH)


def _our_groups() -> set[int]:
    """Root's, ours, and staff, whose members may replace what root finds in /usr/local: they are
    as good as root (Debian Policy 9.1.2)."""
    ours = {0, os.getegid()}
    with suppress(KeyError):  # looked up by name: a directory may know thousands of groups
        ours.add(grp.getgrnam("staff").gr_gid)
    return ours


def _ours() -> tuple[int, int]:
    return 0, os.geteuid()


def _planted(path: Path, what: str, folder: os.stat_result) -> PlantedError:
    return PlantedError(
        f"{path} {what}, in a folder that {_writers(folder)} can write: it may have been planted",
        "look at it (ls -la), and move it away if it is not yours",
    )


def _writers(found: os.stat_result) -> str:
    others = found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    return account(found.st_uid) + " and others" * bool(others)


def account(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def ourselves() -> tuple[str, str]:
    """The names of the account and the group that this process makes files with."""
    return account(os.geteuid()), grp.getgrgid(os.getegid()).gr_name


def numbers(owner: str, group: str) -> tuple[int, int]:
    """The numbers of an account and a group, which may be given by number, too.

    Raises `RunbookError` where there is none of that name.
    """
    try:
        uid = int(owner) if owner.isdigit() else pwd.getpwnam(owner).pw_uid
        return uid, int(group) if group.isdigit() else grp.getgrnam(group).gr_gid
    except KeyError:
        why = f"nothing can be given to {owner}:{group}: there is no such account or no such group"
        raise RunbookError(why, "see getent passwd and getent group") from None
