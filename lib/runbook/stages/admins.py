"""The hub's admins: it remembers whom it once had as one, whatever is configured later."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from runbook import machine
from runbook.checks import Check

if TYPE_CHECKING:
    from runbook.stages.configure import Configure

ASK = """
import sqlite3, sys
data = sqlite3.connect(sys.argv[1], uri=True, timeout=10)
if data.execute("SELECT 1 FROM sqlite_master WHERE name = 'users'").fetchone():
    print(*(name for name, in data.execute("SELECT name FROM users WHERE admin ORDER BY name")))
"""
REMEDY = "an admin takes that from them at /hub/admin; or name them in the parameter admins"


def others(stage: Configure) -> Iterator[Check]:
    """A warning where somebody is an admin of the hub whom the parameter does not name.

    The database is opened as the hub's account, which may have put anything there.
    """
    what, database = "admins of the hub", stage.state("jupyterhub.sqlite")
    python = Path(stage.prefix) / "bin/python"
    if not database.exists() or not python.exists():
        return
    address = f"file:{quote(str(database))}?mode=ro"
    ask = [*stage.as_hub(), str(python), "-I", "-c", ASK, address]
    asked = machine.run(ask, check=False, cwd=Path("/"))
    if not asked.ok:
        said = (asked.stderr.strip().splitlines() or ["no word"])[-1]
        yield Check("warning", what, f"could not be asked for: {said}", f"look at {database}")
        return
    left = sorted(set(asked.stdout.split()) - set(stage.admins))
    if left:
        yield Check("warning", what, f"it remembers {', '.join(left)} as one", REMEDY)
