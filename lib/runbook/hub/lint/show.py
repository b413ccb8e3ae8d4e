"""Findings for a person: a block each, with the line of the file that it is about."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.text import Text

from runbook import secrets
from runbook.hub.configuration import Configuration
from runbook.hub.lint.finding import Finding
from runbook.hub.lint.source import lines

MARKS = {"error": ("✗", "red"), "warning": ("!", "yellow"), "hint": ("·", "cyan")}
INDENT = "    "
LONGEST = 160
# A text behind a name that is a secret's: "api_token": "0123", auth_token = '0123'.
LITERAL = re.compile(
    r"""((?:token|secret|password|keys?)\w*["']?\s*[:=]\s*[bBrRfF]?)(["']).*?\2""", re.IGNORECASE
)


def blocks(configuration: Configuration, found: Sequence[Finding], width: int) -> Iterator[Text]:
    """One text a finding; folded at ``width``, secrets masked."""
    for finding in found:
        yield _block(finding, _short(finding.file, configuration.file), width)


def count(found: Sequence[Finding], severity: str) -> int:
    return sum(finding.severity == severity for finding in found)


def source_line(finding: Finding) -> str:
    """The line of the file, with what is a secret masked."""
    text = lines(finding.file)
    line = text[finding.line - 1].strip() if 0 < finding.line <= len(text) else ""
    line = "".join(char if char.isprintable() else " " for char in line)
    line = masked(line)
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 3]}..."


def masked(text: str) -> str:
    """``text`` of a configuration without its secrets: those registered, and literals by name."""
    text = LITERAL.sub(lambda match: f"{match[1]}{match[2]}{secrets.MASK}{match[2]}", text)
    return secrets.redact(text)


def _short(file: Path, main: Path) -> str:
    """A file beside the configuration by its name, others by their path."""
    try:
        return str(file.relative_to(main.parent))
    except ValueError:
        return str(file)


def _block(finding: Finding, file: str, width: int) -> Text:
    mark, colour = MARKS[finding.severity]
    block = Text.assemble(
        (f"{mark} {finding.severity}", f"bold {colour}"), " ",
        (finding.code, colour), "  ",
        (f"{file}:{finding.line}", "bold"), "\n",
    )  # fmt: skip
    if line := source_line(finding):
        block.append(f"{INDENT}{line}\n", style="cyan")
    for name, text in (("what", finding.what), ("why", finding.why), ("do", finding.remedy)):
        style = {"what": "bold", "do": "green"}.get(name, "")
        folded = _folded(secrets.redact(text), width - 11)
        block.append(f"{INDENT}{name:<6} ", style="dim")
        block.append(f"{folded}\n", style=style)
    return block


def _folded(text: str, width: int) -> str:
    printable = text.encode("utf-8", "replace").decode()
    rows = textwrap.wrap(printable, max(width, 30), break_long_words=False, break_on_hyphens=False)
    return f"\n{INDENT}{' ' * 7}".join(rows)
