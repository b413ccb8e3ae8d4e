"""Folders that the runbook may fill, and those that are somebody else's."""

from __future__ import annotations

import os
import pwd
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from runbook import facts, history, journal, safe_files
from runbook.errors import ParameterError
from runbook.history import History
from runbook.journal import Journal
from runbook.safe_paths import account

#: The system's own (the Filesystem Hierarchy Standard 3.0), however empty they may be.
SYSTEM = frozenset(
    Path(path)
    for path in (
        *("/", "/bin", "/boot", "/dev", "/etc", "/home", "/lib", "/lib32", "/lib64", "/libx32"),
        *("/lost+found", "/media", "/mnt", "/opt", "/proc", "/root", "/run", "/sbin", "/srv"),
        *("/sys", "/tmp", "/usr", "/var"),
        *(f"/etc/{name}" for name in ("opt", "sudoers.d", "pam.d", "systemd", "skel", "ssl")),
        *(
            f"{top}/{name}"
            for top in ("/usr", "/usr/local")
            for name in ("bin", "etc", "games", "include", "lib", "lib32", "lib64", "libexec")
        ),
        *(f"{top}/{name}" for top in ("/usr", "/usr/local") for name in ("sbin", "share", "src")),
        *("/usr/local", "/usr/local/man"),
        *(f"/var/{name}" for name in ("backups", "cache", "lib", "local", "lock", "log", "mail")),
        *(f"/var/{name}" for name in ("opt", "run", "spool", "tmp", "www")),
    )
)
EXAMPLES = {"prefix": "/opt/jupyterhub", "config_dir": "/etc/jupyterhub",
            "state_dir": "/var/lib/jupyterhub"}  # fmt: skip
#: Where nothing lasts, or nothing is a plain file.
NOT_BELOW = ("/boot", "/dev", "/proc", "/run", "/sys", "/lost+found", "/var/run")
#: Where everybody may write, and the system tidies up.
TEMPORARY = ("/tmp", "/var/tmp")


def refuse_places(folders: dict[str, str]) -> None:
    """Raise `ParameterError` for the first of ``folders`` (path by parameter) not to be filled."""
    real = {name: Path(os.path.realpath(path)) for name, path in folders.items()}
    for name, path in real.items():
        why = _why_not(path)
        if why:
            shown = folders[name] if str(path) == folders[name] else f"{folders[name]} ({path})"
            remedy = f"name a folder of its own, for example {EXAMPLES[name]}"
            raise ParameterError(f"{name}: {shown} {why}", remedy)
    if _holds_no_programs(real["prefix"]):
        raise ParameterError(
            f"prefix: {folders['prefix']} is on a file system that is mounted noexec",
            "no program runs from there: name another folder, or mount it with exec",
        )
    for name, path in real.items():
        for other, above in real.items():
            if other != name and path.is_relative_to(above):
                how = "is" if path == above else "lies in"
                raise ParameterError(
                    f"{name}: {folders[name]} {how} {other}, {folders[other]}",
                    "give each a folder of its own",
                )


def _holds_no_programs(path: Path) -> bool:
    there = next(above for above in (path, *path.parents) if above.exists())
    with suppress(OSError):
        return bool(os.statvfs(there).f_flag & os.ST_NOEXEC)
    return False


def _why_not(path: Path) -> str:
    """Why nobody may want the runbook to fill ``path``, a real path; empty where one may."""
    if path in SYSTEM:
        return "is the system's own"
    for top in (*NOT_BELOW, *(TEMPORARY if facts.is_root() else ())):
        if path.is_relative_to(top):
            return f"lies in {top}, where nothing lasts"
    if journal.home().is_relative_to(path):
        return f"holds the journal of the runbook, {journal.home()}"
    for home in _homes():
        if path == home or (facts.is_root() and path.is_relative_to(home)):
            return f"{'is' if path == home else 'lies in'} a home, {home}"
    return ""


def _homes() -> Iterator[Path]:
    """/root, everything right below /home, and the homes of people's accounts."""
    least = facts.first_person()
    people = (entry.pw_dir for entry in pwd.getpwall() if entry.pw_uid >= least)
    for name in ("/root", str(Path.home()), *people):
        home = Path(os.path.realpath(name))
        if home.is_dir() and (home not in SYSTEM or home == Path("/root")):
            yield home
    yield from (Path("/home", name) for name in safe_files.names(Path("/home")))
    yield Path("/home")


def claimed_by_others(path: Path) -> str:
    """What of the folder ``path`` is not the runbook's; empty where it may be filled.

    It is absent, empty, or its own: the journal says so.
    """
    inside = safe_files.names(path)
    if not inside:
        return ""
    ours = [Path(path) for path in history.paths(History.of(Journal()).entries.values())]
    if path in ours:
        return ""
    foreign = [name for name in inside if not any(o.is_relative_to(path / name) for o in ours)]
    if not foreign:
        return ""
    more = f", and {len(foreign) - 1} more" if len(foreign) > 1 else ""
    return f"holds {foreign[0]}{more}, which the runbook did not put there"


def replaceable_by_others(path: Path) -> str:
    """Which folder on the way to ``path`` others can write: they could put another in its place."""
    for above in path.parents:
        if not above.exists():
            continue
        found = above.stat()
        if found.st_uid not in (0, os.geteuid()):
            return f"{above} belongs to {account(found.st_uid)}, who could replace it"
        if found.st_mode & stat.S_IWOTH and not found.st_mode & stat.S_ISVTX:
            return f"everybody can write {above}, and could replace it"
    return ""
