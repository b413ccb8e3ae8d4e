"""Two machines, or one before and after, held against each other.

Only what a machine wrote is looked at: its overlay's upper folder against the layers below, read
by the host. The answer says how the machine differs from those layers, whatever way it came about:
a file that was copied up and is as it was is no difference, nor is a folder that was removed and
made again with all that was in it. So two looks are equal where the whole machine is.
"""

import hashlib
import os
import re
import stat
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from debian import Machine
from trees import Layers

PARTS = ("/etc", "/opt/jupyterhub", "/var/lib/jupyterhub")
# Made anew by every installation, or by the programs while they run.
VARIES = re.compile(
    r"^/etc/(passwd-|shadow-|group-|gshadow-|subuid-|subgid-|mtab|resolv.conf|machine-id|ld.so.cache)|"
    r"^/var/lib/jupyterhub/(jupyterhub.sqlite|jupyterhub_cookie_secret|proxy_auth_token|tokens/)|"
    r"__pycache__|/RECORD\||/direct_url.json|/\.package-lock\.json|/etc/\.pwd.lock"
)
SHADOW = Path("/etc/shadow")
# The runbook's own record; what runs now; what logs grow by themselves; and the copies that the
# account tools keep of the files before the last change (passwd(5)): useradd and userdel are two.
LOGS = ("/var/log/journal", "/var/log/wtmp")  # the latter when the boot is over, too
OTHERS = ("/proc", "/sys", "/dev", "/run", "/tmp", "/srv/runbook", *LOGS)
JOURNAL = "/var/lib/jupyterhub-runbook"
COPIES = re.compile(r"^/etc/(passwd|shadow|group|gshadow|subuid|subgid)-[| ]")
OVERLAY = "trusted.overlay."
KINDS = {stat.S_IFDIR: "d", stat.S_IFREG: "f", stat.S_IFLNK: "l", stat.S_IFIFO: "p"}
KINDS |= {stat.S_IFSOCK: "s", stat.S_IFCHR: "c", stat.S_IFBLK: "b"}


def listing(machine: Machine) -> set[str]:
    """How everything the runbook answers for differs from a bare Debian.

    Two machines made by two installations can be held against each other by it: what every
    installation draws anew is left out (`VARIES`, and of /etc/shadow see `_Look.shadow`).
    """
    look = _Look(machine.layers, machine.layers[-1:])
    changed = look.changes(_leads_to_a_part)
    of_ours = {line for line in changed if line.startswith(PARTS) and not VARIES.search(line)}
    return {line for line in of_ours if not line.startswith(f"{SHADOW}|")} | look.shadow()


def accounts(machine: Machine) -> str:
    return machine.run(["sh", "-c", "getent passwd; getent group"]).stdout


def tree(machine: Machine, *also_not: str) -> set[str]:
    """How everything on the machine but `OTHERS` differs from the layers that it was booted from:
    path, kind, mode, owner, link and hash."""
    skip = (*OTHERS, JOURNAL, *also_not)
    look = _Look(machine.layers, machine.layers[1:])
    changed = look.changes(lambda path: str(path) not in skip)
    return {line for line in changed if not COPIES.match(line)}


def system(machine: Machine) -> str:
    """Accounts, groups, packages and units; of ours, also what became of them."""
    units = (
        "systemctl list-unit-files; systemctl list-units --all --plain --no-legend 'jupyterhub*'"
    )
    script = f"getent passwd; getent group; dpkg -l; {{ {units}; }} 2>/dev/null; true"
    return machine.run(["sh", "-c", script]).stdout


Places = list[tuple[int, Path]]
"""Where the layers have something at one path, the topmost first, with the number of the layer;
several for a folder, whose contents are those of all of them; none where there is nothing."""


class _Look:
    """``layers`` as one tree, and the last few of them, ``below``, as another.

    The host resolves each path folder by folder itself: no link of the machine is followed.
    """

    def __init__(self, layers: Layers, below: Layers) -> None:
        self._own = len(layers) - len(below)
        self._now: Places = list(enumerate(layers))
        self._before: Places = list(enumerate(below))
        self._names = {"passwd": self._ids("passwd"), "group": self._ids("group")}

    def changes(self, wanted: Callable[[Path], bool]) -> Iterator[str]:
        """A line for each path that is not as it is below; ``wanted`` says where to look."""
        root = Path("/")
        yield from self._compared(root, self._now, self._before)
        yield from self._inside(root, self._now, self._before, wanted)

    def shadow(self) -> set[str]:
        """The rows of /etc/shadow, its mode and owner.

        Of the accounts that the bare Debian has, as they are. Of those made since, a password's
        hash, which is drawn by chance, and the day of the change are put as words; that one is
        locked, or has no password, is seen.
        """
        known = {row.split(":")[0] for row in self._text(self._before, SHADOW)}
        now = self._text(self._now, SHADOW)
        rows = [row if row.split(":")[0] in known else _as_drawn(row) for row in now]
        whole = self._line(SHADOW, _at(self._now, SHADOW))
        return {whole.rpartition("|")[0], *(f"{SHADOW} {row}" for row in rows)}

    def _inside(
        self, folder: Path, now: Places, before: Places, wanted: Callable[[Path], bool]
    ) -> Iterator[str]:
        own = [path for layer, path in now if layer < self._own]
        # Where the folder was made anew, what was in it is gone without a mark of its own.
        seen = own if len(now) > len(own) else [*own, *(path for _, path in before)]
        for name in sorted({name for path in seen for name in _names_in(path)}):
            path = folder / name
            if not wanted(path):
                continue
            there, was = _find(now, name), _find(before, name)
            yield from self._compared(path, there, was)
            if _is_folder(there):
                yield from self._inside(path, there, was if _is_folder(was) else [], wanted)

    def _compared(self, path: Path, now: Places, before: Places) -> Iterator[str]:
        if not _same(now, before):
            yield self._line(path, now)

    def _line(self, path: Path, places: Places) -> str:
        with suppress(FileNotFoundError):  # the machine goes on meanwhile
            if places:
                place = places[0][1]
                status = place.lstat()
                user = self._names["passwd"].get(status.st_uid, str(status.st_uid))
                group = self._names["group"].get(status.st_gid, str(status.st_gid))
                mode = f"{stat.S_IMODE(status.st_mode):o}"
                return "|".join([str(path), f"{user}:{group}", mode, *_content(place, status)])
        return f"{path}|gone"

    def _ids(self, file: str) -> dict[int, str]:
        rows = (row.split(":") for row in self._text(self._now, Path("/etc", file)))
        return {int(row[2]): row[0] for row in rows}

    def _text(self, places: Places, path: Path) -> list[str]:
        found = _at(places, path)
        return found[0][1].read_text().splitlines() if found else []


def _at(places: Places, path: Path) -> Places:
    for name in path.parts[1:]:
        places = _find(places, name)
    return places


def _find(folder: Places, name: str) -> Places:
    """What is called ``name`` in the folder that is at ``folder``."""
    found: Places = []
    for layer, above in folder:
        path = above / name
        try:
            status = path.lstat()
        except FileNotFoundError:
            continue
        if _is_whiteout(status):
            break
        if not stat.S_ISDIR(status.st_mode):
            return found or [(layer, path)]
        found.append((layer, path))
        if _is_opaque(path):
            break
    return found


def _is_whiteout(status: os.stat_result) -> bool:
    return stat.S_ISCHR(status.st_mode) and status.st_rdev == 0


def _is_opaque(folder: Path) -> bool:
    """Whether the folder hides those below."""
    marks = {name for name in os.listxattr(folder, follow_symlinks=False) if OVERLAY in name}
    assert f"{OVERLAY}redirect" not in marks, f"{folder} was moved by the kernel: not looked into"
    return f"{OVERLAY}opaque" in marks


def _is_folder(places: Places) -> bool:
    return bool(places) and stat.S_ISDIR(places[0][1].lstat().st_mode)


def _names_in(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)
    except FileNotFoundError:  # the machine goes on meanwhile
        return []


def _same(now: Places, before: Places) -> bool:
    if not now or not before:
        return not now and not before
    place, was = now[0][1], before[0][1]
    return place == was or _described(place) == _described(was)


def _described(path: Path) -> tuple[object, ...]:
    try:
        status = path.lstat()
        return status.st_mode, status.st_uid, status.st_gid, *_content(path, status)
    except FileNotFoundError:  # the machine goes on meanwhile
        return ()


def _content(path: Path, status: os.stat_result) -> tuple[str, str]:
    """The kind, and what is in it: a link's target, a file's hash, a device's numbers."""
    kind = KINDS[stat.S_IFMT(status.st_mode)]
    if kind == "l":
        return kind, os.readlink(path)
    if kind == "f":
        with path.open("rb") as file:
            return kind, hashlib.file_digest(file, "sha256").hexdigest()
    return kind, str(status.st_rdev)


def _as_drawn(row: str) -> str:
    name, password, _, *rest = row.split(":")
    return ":".join([name, "(drawn)" if password.startswith("$") else password, "(day)", *rest])


def _leads_to_a_part(path: Path) -> bool:
    parts = map(Path, PARTS)
    return any(part.is_relative_to(path) or path.is_relative_to(part) for part in parts)
