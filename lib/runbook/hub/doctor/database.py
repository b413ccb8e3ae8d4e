"""The hub's database: whether it is there, and whether its version is the right one."""

from __future__ import annotations

import os
import re
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote


@dataclass(frozen=True)
class Database:
    """``revision`` is the one it has, ``wanted`` the one that the installed JupyterHub writes.

    ``known`` is whether JupyterHub knows the revision at all: if not, a newer one made it.
    ``problem`` is why it could not be looked at.
    """

    name: str
    path: Path | None = None
    revision: str = ""
    wanted: str = ""
    known: bool = True
    problem: str = ""

    @property
    def found(self) -> str:
        if self.path is None:
            return "not sqlite: not looked into"
        return f"revision {self.revision}" if self.revision else "not made yet"


def look_at(url: str, folder: Path, python: Path) -> Database:
    """The database of ``url``; of sqlite alone more than its name is said."""
    kind, _, name = url.partition(":///")
    if not kind.startswith("sqlite") or not name or ":memory:" in url:
        return Database(url.partition("://")[0])
    path = folder / name.partition("?")[0]
    try:
        os.stat(path)
    except FileNotFoundError:
        return Database(str(path), path)
    except OSError as error:
        return Database(str(path), path, problem=str(error.strerror))
    known, wanted = _revisions(python)
    try:
        found = _revision(path)
    except sqlite3.Error as error:
        return Database(str(path), path, wanted=wanted, problem=str(error))
    return Database(str(path), path, found, wanted, not known or found in known)


def _revision(path: Path) -> str:
    """Read alone: with a journal of writes beside it (WAL) sqlite would make files of its own."""
    live = Path(f"{path}-wal").exists()
    mode = "mode=ro" if live else "mode=ro&immutable=1"
    with closing(sqlite3.connect(f"file:{quote(str(path))}?{mode}", uri=True, timeout=1)) as data:
        try:
            row = data.execute("SELECT version_num FROM alembic_version").fetchone()
        except sqlite3.OperationalError as error:
            if "no such table" in str(error):
                return ""
            raise
    return str(row[0]) if row else ""


def _revisions(python: Path) -> tuple[set[str], str]:
    """Those that the installed JupyterHub knows, and the last of them (its alembic scripts)."""
    scripts = python.parent.parent.glob(
        "lib/python3*/site-packages/jupyterhub/alembic/versions/*.py"
    )
    steps = {}
    for script in scripts:
        found = dict(re.findall(r"""^(\w*revision) = ['"](\w+)['"]""", script.read_text(), re.M))
        steps[found.get("revision", "")] = found.get("down_revision", "")
    last = set(steps) - set(steps.values())
    return set(steps), last.pop() if len(last) == 1 else ""
