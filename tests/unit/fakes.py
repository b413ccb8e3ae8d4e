"""Fake programs, first in PATH: they write down how they were called, and what they were told."""

from __future__ import annotations

import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runbook.resources import Resource

SCRIPT = """#!/bin/sh
{{ printf '%s' {name}; for word; do printf '\\037%s' "$word"; done; printf '\\n'; }} >> {log}
cat >> {said}
{body}
"""


@dataclass
class FakePrograms:
    """The folder that stands first in PATH, and the log of the calls."""

    folder: Path

    def add(self, name: str, body: str = "exit 0") -> Path:
        """A program ``name`` that ends with the sh lines ``body``."""
        program = self.folder / name
        log, said = self.folder / "calls.log", self.folder / f"{name}.stdin"
        program.write_text(SCRIPT.format(name=name, log=log, said=said, body=body))
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        return program

    def calls(self) -> list[list[str]]:
        """The argument lists of all calls, in order."""
        log = self.folder / "calls.log"
        lines = log.read_text().splitlines() if log.exists() else []
        return [line.split("\037") for line in lines]

    def told(self, name: str) -> str:
        """What the calls of ``name`` read from standard input."""
        return (self.folder / f"{name}.stdin").read_text()


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o7777


def below(folder: Path) -> list[str]:
    """The names of everything below ``folder``, sorted."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def settle(resource: Resource) -> Any:
    """Apply ``resource``, and see that it was needed and that nothing is left to change.

    Gives the state before.
    """
    before = resource.read()
    assert resource.change(before) is not None
    resource.apply()
    assert resource.change(resource.read()) is None
    return before
