"""Commands that change one setting of a hub's configuration."""

from __future__ import annotations

import ast
import re
import shlex
from pathlib import Path

from runbook import safe_files
from runbook.hub.doctor.sight import Sight


def assign(sight: Sight, role: str, trait: str, value: str) -> str:
    """The command that makes a trait of the class in use ``value`` (as Python has it): where it is
    set, or at the end.

    Python's last assignment wins, and so does one that follows a statement over several lines.
    """
    known = sight.configuration
    section = known.in_use.get(role, role) if known else role
    found = known.where(section, trait) if known else None
    name = f"{found.section}.{found.trait}" if found else f"{section}.{trait}"
    line = f"c.{name} = {value}"
    file = found.file if found else sight.local_file
    if found and _stands_alone(file, found.line):
        escaped = re.sub(r"([\\&|])", r"\\\1", line)
        script = rf"{found.line}s|\S.*|{escaped}|"
        return f"sed -i {shlex.quote(script)} {shlex.quote(str(file))}"
    return f"echo {shlex.quote(line)} >>{shlex.quote(str(file))}"


def _stands_alone(file: Path, line: int) -> bool:
    """Whether the line is one whole statement, and nothing else."""
    try:
        tree = ast.parse(safe_files.glance(file))
    except (OSError, SyntaxError, ValueError):
        return False
    spans = [(n.lineno, n.end_lineno) for n in ast.walk(tree) if isinstance(n, ast.stmt)]
    return [span for span in spans if span[0] <= line <= (span[1] or 0)] == [(line, line)]
