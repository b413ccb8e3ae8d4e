"""Commands that change one setting of a hub's configuration."""

from __future__ import annotations

import ast
import re
import shlex
from pathlib import Path

from runbook.hub.configuration import Configuration


def assign(configuration: Configuration, section: str, trait: str, value: str) -> str:
    """The command that makes a trait ``value`` (as Python has it), where it is set, or at the end.

    Python's last assignment wins, and so does one that follows a statement over several lines.
    """
    found = configuration.where(section, trait)
    name = f"{found.section}.{found.trait}" if found else f"{section}.{trait}"
    line = f"c.{name} = {value}"
    file = found.file if found else configuration.file
    if found and _stands_alone(file, found.line):
        escaped = re.sub(r"([\\&|])", r"\\\1", line)
        return f"sed -i {shlex.quote(rf'{found.line}s|c\..*|{escaped}|')} {shlex.quote(str(file))}"
    return f"echo {shlex.quote(line)} >>{shlex.quote(str(file))}"


def _stands_alone(file: Path, line: int) -> bool:
    """Whether the line is one whole statement, and nothing else."""
    try:
        tree = ast.parse(file.read_text())
    except (OSError, SyntaxError, ValueError):
        return False
    spans = [(n.lineno, n.end_lineno) for n in ast.walk(tree) if isinstance(n, ast.stmt)]
    return [span for span in spans if span[0] <= line <= (span[1] or 0)] == [(line, line)]
