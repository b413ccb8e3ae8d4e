"""The hub's admins: it remembers whom it once had as one, whatever is configured later."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from runbook import machine
from runbook.checks import Check
from runbook.printable import printable

if TYPE_CHECKING:
    from runbook.stages.configure import Configure

#: Names, and characters of each, that are read: whose the database is may have put there anything.
MOST, LONGEST = 20, 64
SECONDS = 10.0
ASK = f"""
import json, sqlite3, sys
data = sqlite3.connect(sys.argv[1], uri=True, timeout=1)
there = "SELECT 1 FROM sqlite_master WHERE name = 'users' AND type = 'table'"
names = "SELECT DISTINCT substr(name, 1, {LONGEST}) FROM users WHERE admin LIMIT {MOST}"
found = data.execute(names).fetchall() if data.execute(there).fetchone() else []
print(json.dumps([str(name) for name, in found]))
"""
REMEDY = "an admin takes that from them at /hub/admin; or name them in the parameter admins"


def others(stage: Configure) -> Iterator[Check]:
    """A warning where somebody is an admin of the hub whom the parameter does not name.

    The database is opened as the hub's account, and what is in it is not trusted.
    """
    what, database = "admins of the hub", stage.state("jupyterhub.sqlite")
    python = Path(stage.prefix) / "bin/python"
    if not database.exists() or not python.exists():
        return
    address = f"file:{quote(str(database))}?mode=ro"
    ask = [*stage.as_hub(), str(python), "-I", "-c", ASK, address]
    asked = machine.run(ask, check=False, cwd=Path("/"), timeout=SECONDS)
    try:
        names = {printable(str(name))[:LONGEST] for name in json.loads(asked.stdout)[:MOST]}
    except (ValueError, TypeError):
        said = printable((asked.stderr.strip().splitlines() or ["no word"])[-1])[:200]
        yield Check("warning", what, f"could not be asked for: {said}", f"look at {database}")
        return
    left = sorted(names - set(stage.admins))
    if left:
        yield Check("warning", what, f"it remembers {', '.join(left)} as one", REMEDY)
