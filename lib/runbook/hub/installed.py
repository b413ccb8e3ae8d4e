"""Which JupyterHub is installed here, and as whom its configuration is to be read."""

from __future__ import annotations

import os
import pwd
import shutil
import sys
from pathlib import Path

from runbook import facts, machine, safe_files


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


def as_owner(file: Path) -> list[str]:
    """For root: the words that run a command as who may write ``file``, where that is not root.

    A configuration is code, and root must not execute what somebody else may have written.
    """
    if not facts.is_root():
        return []
    owners = [path.stat() for path in (file.resolve(), file.resolve().parent)]
    return next((_as(each.st_uid, each.st_gid) for each in owners if each.st_uid), [])


def _as(uid: int, gid: int) -> list[str]:
    try:
        entry = pwd.getpwuid(uid)
    except KeyError:
        return ["setpriv", f"--reuid={uid}", f"--regid={gid}", "--clear-groups", "--"]
    return machine.become(entry.pw_name, entry.pw_gid)
