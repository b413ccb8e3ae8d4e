"""What the texts name that can be looked up: their links, the commands they tell to type."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import nbformat

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
README = ROOT / "README.md"
TEXTS = [*NOTEBOOKS, README, ROOT / "CONTRIBUTING.md"]

# Typed at the reader's desk; and what a text says not to type, or no more.
ELSEWHERE = {"scp", "ssh"}
NOT_TO_TYPE = {"jupyter", "jupyterhub"}

_LINK = re.compile(r"\]\(([^)#\s]+)[^)]*\)")
_BLOCK = re.compile(r"^```([a-z]*)\n(.*?)^```", re.DOTALL | re.MULTILINE)
_INLINE = re.compile(r"`([^`\n]+)`")
_OWN = re.compile(r"(?:^|[\s#$])\./runbook ((?:[^\s;|]+[ \t]*)+)", re.MULTILINE)
# A word, then an option or a word: `systemctl restart jupyterhub`, and not `users: [alice]`.
_TYPED = re.compile(r"(?:sudo (?:-u \w+ )?)?([a-z][a-z0-9-]+) [-\w/'.:]")
# What stands in code and is no command: another language, or what a program says.
_NO_COMMAND = re.compile(r"\w+ (?:=|\w+ =)|.*\.\.\. *$|I am |from |import |jupyterhub ALL|c\.")


def prose(path: Path) -> str:
    """The Markdown of a file; of a notebook that of its cells."""
    if path.suffix != ".ipynb":
        return path.read_text()
    cells = nbformat.read(path, 4).cells
    return "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")


def links(text: str) -> list[str]:
    """Those to files of this folder."""
    return [link for link in _LINK.findall(text) if ":" not in link]


def own_commands(text: str) -> Iterator[list[str]]:
    """Each ``./runbook`` that the code in a text shows, as words."""
    for code in [*(block for _, block in _BLOCK.findall(text)), *_INLINE.findall(text)]:
        for words in _OWN.findall(code):
            yield shlex.split(words.partition("  ")[0], comments=True)


def programs(text: str) -> set[str]:
    """What a text tells to type in a shell of the server, the runbook and paths left out."""
    lines = [line for kind, block in _BLOCK.findall(text) for line in _shell(kind, block)]
    lines += _INLINE.findall(_BLOCK.sub("", text))
    typed = [_TYPED.match(line) for line in lines if not _NO_COMMAND.match(line)]
    return {found[1] for found in typed if found} - ELSEWHERE - NOT_TO_TYPE


def _shell(kind: str, block: str) -> list[str]:
    """The lines that are typed: all of a script, those behind a prompt of a session."""
    if kind == "console":
        return [line[2:] for line in block.splitlines() if line[:2] in ("# ", "$ ")]
    return block.splitlines() if kind == "sh" else []
