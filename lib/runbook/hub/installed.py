"""Which JupyterHub is installed here, and as whom its configuration is to be read."""

from __future__ import annotations

import os
import pwd
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from runbook import facts, machine, remembered, safe_files
from runbook.safe_paths import foreign
from runbook.templates import HEADER

NOBODY = 65534  # the kernel's overflowuid


def hub_python(prefix: Path) -> Path:
    """The Python of ``prefix``, else of the `jupyterhub` in PATH, else the runbook's own."""
    if (prefix / "bin/jupyterhub").exists():
        return prefix / "bin/python"
    program = shutil.which("jupyterhub")
    found = interpreter(Path(program)) if program else None
    return found or Path(sys.executable)


def interpreter(script: Path, path: str | None = None) -> Path | None:
    """The Python that a script names in its first line, else one beside it; None where none is.

    What `env` is to find is looked up in ``path``, by default our own PATH.
    """
    try:
        first = safe_files.glance(script)[:500].decode("utf-8", "replace").partition("\n")[0]
    except OSError:
        first = ""
    words = first.removeprefix("#!").split() if first.startswith("#!") else []
    named = next((word for word in words if "python" in os.path.basename(word)), "")
    found = shutil.which(named or script.resolve().parent / "python", path=path)
    return Path(found) if found else None


def writer_of(file: Path) -> tuple[int, int] | None:
    """For root: the numbers of who could have written ``file``, or put it there; None: root alone.

    A configuration is code, and root must not execute what somebody else may have written. Where
    everybody may have, it is the number that stands for nobody.
    """
    found = foreign(file) if facts.is_root() else None
    if found is None:
        return None
    return (found.st_uid, found.st_gid) if found.st_uid else (NOBODY, NOBODY)


def as_writer(file: Path) -> list[str]:
    """For root: the words that run a command as who could have written ``file`` (`writer_of`)."""
    who = writer_of(file)
    return _as(*who) if who else []


def _as(uid: int, gid: int) -> list[str]:
    try:
        entry = pwd.getpwuid(uid)
    except KeyError:
        return machine.become_number(uid)
    return machine.become(entry.pw_name, entry.pw_gid, machine.GUARD)


@contextmanager
def acting_as(who: tuple[int, int] | None) -> Iterator[None]:
    """What is done to files is done as ``who``, and can do no more than they could."""
    if who is None:
        yield
        return
    groups = os.getgroups()
    os.setgroups([])
    os.setegid(who[1])
    os.seteuid(who[0])
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.setgroups(groups)


def is_made_here(file: Path) -> bool:
    """Whether the runbook made ``file``, by its heading. Raises OSError where it cannot be read."""
    return HEADER in safe_files.glance(file).decode(errors="replace")


def account_of(config: Path) -> str:
    """Whose folder it is: a hub that is not there was most likely that account's; one of the
    runbook's is that of the account in force, to which nothing of its configuration belongs."""
    try:
        owner = config.parent.owner()
        ours = owner == "root" and is_made_here(config)
    except KeyError:
        return facts.current_user()
    except OSError:
        return owner
    known = [name for name in remembered.values_of("hub_user") if ours and facts.user_exists(name)]
    return known[0] if known else owner
