"""The script by which a person's server is started, by SudoSpawner's mediator or by the hub."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Protocol

from runbook.hub.doctor.log import SERVER_LOG
from runbook.resources import File
from runbook.templates import render


class Starts(Protocol):
    """A stage that starts servers, by its parameters."""

    prefix: str
    notebook_dir: str


def start_script(stage: Starts, name: str, owner: str, group: str, *, journal: bool) -> File:
    """The script ``name`` beside the server's program.

    What the server says goes to the ``journal``, or to `SERVER_LOG` in the person's home.
    """
    content = render(
        "sudospawner-singleuser",
        prefix=stage.prefix,
        folder=_for_the_shell(stage.notebook_dir),
        journal=journal,
        server_log=SERVER_LOG,
    )
    return File(Path(stage.prefix) / "bin" / name, owner, group, 0o755, content=content)


def _for_the_shell(folder: str) -> str:
    """A notebook_dir as one word of sh: ``~`` and ``{username}`` as the spawner expands them."""
    home, rest = ('"$HOME"', folder[1:]) if re.match(r"~(/|\Z)", folder) else ("", folder or ".")
    return home + '"$(/usr/bin/id -un)"'.join(map(shlex.quote, rest.split("{username}")))
