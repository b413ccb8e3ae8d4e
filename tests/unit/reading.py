"""Reading many configurations fast: the reader's program in forks of one warm interpreter.

What takes its time is the import of JupyterHub. So one process has it imported, and runs the very
program, `templates/read_config.py`, in a fork of itself for each configuration.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from runbook import machine
from runbook.hub import configuration

CORPUS = Path(__file__).parent / "lint_corpus"
SERVER = """
import functools, gc, json, os, sys
compiled = functools.lru_cache(2)(lambda text: compile(text, "<stdin>", "exec"))
import jupyterhub.app, jupyterhub.services.service, jupyterhub.traitlets
look = jupyterhub.traitlets.entry_points = functools.lru_cache(jupyterhub.traitlets.entry_points)
jupyterhub.app.JupyterHub()
gc.freeze()
for line in sys.stdin:
    words, program, cwd = json.loads(line)
    program = compiled(program)
    ours, theirs = os.pipe()
    child = os.fork()
    if not child:
        os.dup2(theirs, 1)
        os.closerange(3, 64)
        os.chdir(cwd or ".")
        sys.argv = words
        exec(program, {"__name__": "__main__"})
        os._exit(0)
    os.close(theirs)
    with open(ours, "rb") as said:
        document = said.read()
    os.waitpid(child, 0)
    sys.stdout.write(json.dumps(document.decode()) + "\\n")
    sys.stdout.flush()
"""


class Warm:
    """A warm interpreter; `run` stands in for `configuration._run`."""

    def __init__(self) -> None:
        env = {**machine.environment(), "PYTHONDONTWRITEBYTECODE": "1"}
        self.process = subprocess.Popen(
            [sys.executable, "-c", SERVER],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env,
        )  # fmt: skip

    def _say(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def run(
        self, command: list[str], program: str, cwd: Path | None
    ) -> tuple[dict[str, Any] | None, str]:
        words = ["-c", *command[command.index(configuration.START) + 1 :]]
        self._say(json.dumps([words, program, str(cwd) if cwd else None]))
        assert self.process.stdout is not None
        document = json.loads(self.process.stdout.readline())
        return (json.loads(document) if document else None), ""

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(timeout=300)


@contextmanager
def warm() -> Iterator[Warm]:
    """`read_configuration` reads fast within."""
    server, usual = Warm(), configuration._run
    configuration._run = server.run
    try:
        yield server
    finally:
        configuration._run = usual
        server.close()
