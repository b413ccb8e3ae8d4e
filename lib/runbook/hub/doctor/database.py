"""The hub's database: whether it is there, and whether its version is the right one."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from runbook import machine, safe_files

#: For a disk that is slow, and for a named pipe that nobody writes to.
SECONDS = 10.0
#: Prints the revision, nothing where there is no table; says what sqlite says against it.
REVISION = """
import sqlite3, sys
try:
    data = sqlite3.connect(sys.argv[1], uri=True, timeout=1)
    print(*(data.execute("SELECT version_num FROM alembic_version").fetchone() or ()))
except sqlite3.Error as error:
    if "no such table" not in str(error):
        sys.exit(str(error))
"""


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


def look_at(url: str, folder: Path, python: Path, as_hub: Sequence[str] = ()) -> Database:
    """The database of ``url``; of sqlite alone more than its name is said.

    It is opened as the hub's account, ``as_hub``: that account may have put anything there.
    """
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
    # Read alone: with a journal of writes beside it (WAL) sqlite would make files of its own.
    live = Path(f"{path}-wal").exists()
    address = f"file:{quote(str(path))}?{'mode=ro' if live else 'mode=ro&immutable=1'}"
    ask = [*as_hub, str(python), "-I", "-c", REVISION, address]
    asked = machine.run(ask, check=False, cwd=Path("/"), timeout=SECONDS)
    if not asked.ok:
        said = (asked.stderr.strip().splitlines() or ["nothing was said"])[-1]
        return Database(str(path), path, wanted=wanted, problem=said)
    found = asked.stdout.strip()
    return Database(str(path), path, found, wanted, not known or found in known)


def _revisions(python: Path) -> tuple[set[str], str]:
    """Those that the installed JupyterHub knows, and the last of them (its alembic scripts)."""
    scripts = python.parent.parent.glob(
        "lib/python3*/site-packages/jupyterhub/alembic/versions/*.py"
    )
    steps = {}
    for script in scripts:
        text = safe_files.glance(script).decode(errors="replace")
        found = dict(re.findall(r"""^(\w*revision) = ['"](\w+)['"]""", text, re.M))
        steps[found.get("revision", "")] = found.get("down_revision", "")
    last = set(steps) - set(steps.values())
    return set(steps), last.pop() if len(last) == 1 else ""
